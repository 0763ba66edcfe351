"""One request of an async client through the cache: `transport_sync`, awaited in the task that asks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial

import httpx

from gateway.core.asgi import Scope
from gateway.doors.opening import Reached, SharedCache
from gateway.doors.transport_exchange import INNER, Asked, answered, lower, unread
from gateway.doors.transport_library import AsyncBytes, AsyncReplayedBytes, library_of
from gateway.fronts.async_talk import AsyncAnswer, AsyncBeside, AsyncTalk
from gateway.fronts.conversation import EngineClosed, Unreachable
from gateway.fronts.talk import Broken


class AsyncExchange:
    """`below` sends the request on, `beside` does what the client does not see."""

    def __init__(
        self,
        request: httpx.Request,
        scope: Scope,
        reached: Reached,
        below: httpx.AsyncBaseTransport,
        beside: AsyncBeside,
    ) -> None:
        self._asked = asked = Asked(request)
        self._below = below
        self._rest: AsyncIterator[bytes] | None = None
        read = self._read if asked.body is None else None
        self._talk = AsyncTalk(
            reached.ground, reached.inside, scope, self._ask, body=asked.body or b"", read=read, beside=beside
        )

    async def response(self, cache: SharedCache) -> httpx.Response:
        """The answer, whose body is still to be read. Raises what the transport below raises."""
        request = self._asked.request
        try:
            message = await self._talk.head()
        except BaseException as error:
            await self._talk.close()
            if not self._asked.is_trouble_of_cache(error):
                raise
            cache.failed(error)
            if self._asked.called:
                raise library_of(request).ReadError("the cache broke off") from error
            return await self._below.handle_async_request(self._forwarded())
        return answered(request, message, self._talk.conversation.scope, AsyncPulledBytes(self._talk, request))

    async def _read(self) -> tuple[bytes, bool]:
        try:
            if self._rest is None:
                self._rest = aiter(self._asked.request.stream)  # type: ignore[arg-type]
            piece = await anext(self._rest, None)
        except Exception as error:
            self._asked.raised = error
            raise
        return self._asked.took(piece)

    def _forwarded(self) -> httpx.Request:
        partly = self._rest is not None and not self._asked.whole
        rest = AsyncReplayedBytes(self._asked.read, self._rest) if partly and self._rest else None
        return self._asked.forwarded(rest)

    async def _ask(self, unseen: bool) -> AsyncAnswer:
        asked, library = self._asked, library_of(self._asked.request)
        try:
            request = asked.again() if unseen else self._forwarded()
            asked.called = asked.called or not unseen
            response = unread(await self._below.handle_async_request(request), library)
        except Exception as error:
            if not unseen:
                asked.raised = error
            raise Unreachable(error) from error
        stream = response.stream
        assert isinstance(stream, library.AsyncByteStream)
        whole = isinstance(stream, library.ByteStream)
        chunks = aiter(stream)
        extra: dict[str, object] = {INNER: response}
        close = partial(_close, chunks, response)
        return AsyncAnswer(response.status_code, lower(response), chunks, close, whole, extra)


async def _close(chunks: AsyncIterator[bytes], response: httpx.Response) -> None:
    """First what reads it: left to the collector, it would be closed at any time, in any loop."""
    try:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
    except RuntimeError:
        return  # another task reads, and closes it
    finally:
        await response.aclose()


class AsyncPulledBytes(AsyncBytes):
    """An answer's body, which comes as it is read."""

    def __init__(self, talk: AsyncTalk, request: httpx.Request) -> None:
        self._talk = talk
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._talk.chunks():
                yield piece
        except (Broken, EngineClosed) as error:
            raise library_of(self._request).ReadError("the answer broke off") from error

    async def aclose(self) -> None:
        await self._talk.close()
