"""An answer: its head, and its body as far as it is here and as it comes. Bytes are the upstream's, never decoded.

A body that broke off must never look whole. aiohttp tells most breaks; two it does not, so the connection's end is
looked at as well: it takes a reset for the end of a body that has no framing, and after invalid chunks it closes the
connection without telling the reader, who would wait for ever.
"""

from __future__ import annotations

import asyncio
from weakref import WeakSet

import aiohttp

from gateway.errors import UpstreamError, UpstreamTimeout

HELD_AT_MOST = 65536
HELD_WITHIN = 1.0

_looked_at: WeakSet[asyncio.Future[None]] = WeakSet()


class Answer:
    """Status, headers (lower-case names, hop-by-hop ones removed) and body of an upstream's or a fixed answer."""

    def __init__(
        self,
        upstream: str,
        status: int,
        headers: list[tuple[bytes, bytes]],
        body: bytes = b"",
        response: aiohttp.ClientResponse | None = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self._upstream = upstream
        self._body = body
        self._response = response
        self._lost: asyncio.Future[None] | None = None
        if response is not None and not response.content.is_eof():
            self._watch_connection(response)

    def ended(self) -> bool:
        """Nothing is left to read, and what was read is all."""
        if self._body or self._response is None:
            return not self._body
        return self._response.content.at_eof() and not self._was_reset(self._response)

    def here(self) -> bytes:
        """What has arrived and not been read yet, perhaps nothing. Raises UpstreamError when the body broke off."""
        body, self._body = self._body, b""
        if self._response is None:
            return body
        try:
            return body + self._response.content.read_nowait()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._broken(error) from error

    async def more(self) -> bytes:
        """The next bytes as soon as there are any; nothing at the end. Raises UpstreamError when the body broke off."""
        if self._body or self._response is None:
            return self.here()
        try:
            piece = await self._response.content.readany()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._broken(error) from error
        if not piece and self._was_reset(self._response):
            raise self._broken(None)
        return piece

    async def hold(self) -> bool:
        """Read a small body to its end, so that the answer outlives its connection. False: it is too large or too slow
        for that, and nothing of it is lost. Raises UpstreamError when the body broke off, and has closed it then."""
        pieces = []
        size = 0
        try:
            async with asyncio.timeout(HELD_WITHIN):
                while size <= HELD_AT_MOST and not self.ended():
                    pieces.append(await self.more())
                    size += len(pieces[-1])
        except TimeoutError:
            pass
        except BaseException:
            self.close()
            raise
        whole = self.ended()
        self._body = b"".join(pieces)
        if whole:
            self.close()
            self._response = None
        return whole

    def close(self) -> None:
        """Give the connection back, or cut it when the body has not been read to its end. May be called twice."""
        if self._lost is not None:
            self._lost.remove_done_callback(self._connection_lost)
            self._lost = None
        if self._response is not None:
            self._response.close()

    def _watch_connection(self, response: aiohttp.ClientResponse) -> None:
        connection = response.connection
        if connection is None or connection.protocol is None or (lost := connection.protocol.closed) is None:
            return
        if lost not in _looked_at:
            # The future stays with the connection. Somebody must look at its exception even when no answer is read.
            _looked_at.add(lost)
            lost.add_done_callback(asyncio.Future.exception)
        lost.add_done_callback(self._connection_lost)
        self._lost = lost

    def _connection_lost(self, _: asyncio.Future[None]) -> None:
        assert self._response is not None
        content = self._response.content
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError("connection lost"))

    def _was_reset(self, response: aiohttp.ClientResponse) -> bool:
        """Whether a body that only the connection's end delimits was ended by an error."""
        lost = self._lost
        if lost is None or not lost.done() or lost.exception() is None:
            return False
        return "Content-Length" not in response.headers and "Transfer-Encoding" not in response.headers

    def _broken(self, error: aiohttp.ClientError | TimeoutError | None) -> UpstreamError:
        who = f"upstream {self._upstream!r}"
        if isinstance(error, TimeoutError):
            return UpstreamTimeout(f"{who}: its answer paused too long (timeout.idle)", self._upstream)
        return UpstreamError(f"{who}: broke its answer off", self._upstream)
