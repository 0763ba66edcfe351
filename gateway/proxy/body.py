"""The client's request body on its way to the upstream: held whole (it can be sent again) or streamed once.

Streaming is for what nobody has read yet and is too large to hold. A piece that one side does not give or take in time
ends the call, so that neither a stalled client nor a stalled upstream holds a connection for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from gateway.core.asgi import Receive
from gateway.errors import ClientError, RequestBroken

PIECE = 65536
"""Bytes up to which a body goes out in one write, and is read whole before the upstream is asked."""


class Deadline:
    """When the next piece of a large body is due. Every piece moves it; after `lift` it no longer matters."""

    def __init__(self, timer: asyncio.Timeout, idle: float, first_byte: float) -> None:
        self._timer: asyncio.Timeout | None = timer
        self._idle = idle
        self._first_byte = first_byte
        self.client_is_due = False

    def expect_piece(self, *, from_client: bool) -> None:
        self.client_is_due = from_client
        self._move(self._idle)

    def expect_answer(self) -> None:
        """The last piece is handed over: it must still be flushed, then the answer's head is due."""
        self.client_is_due = False
        self._move(self._idle + self._first_byte)

    def lift(self) -> None:
        self._timer = None

    def _move(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.reschedule(asyncio.get_running_loop().time() + seconds)


class RequestBody(Protocol):
    @property
    def resendable(self) -> bool:
        """Whether one more try would send the same bytes."""

    @property
    def trouble(self) -> ClientError | None:
        """Why the client's side of it broke off."""

    @property
    def content_length(self) -> int | None:
        """None: not known beforehand, it goes out chunked."""

    @property
    def whole(self) -> bytes | None:
        """The body where it goes out in one write; None: it goes out as `pieces`."""

    def pieces(self, deadline: Deadline) -> AsyncIterator[bytes]: ...

    async def wait_until_read(self) -> None:
        """Returns when nothing more of the body will be asked of the client."""


class Held:
    """A body that was read whole."""

    resendable = True
    trouble = None

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.content_length = len(data)
        self.whole = data if len(data) <= PIECE else None

    async def pieces(self, deadline: Deadline) -> AsyncIterator[bytes]:
        for start in range(0, len(self._data), PIECE):
            deadline.expect_piece(from_client=False)
            yield self._data[start : start + PIECE]
        deadline.expect_answer()

    async def wait_until_read(self) -> None:
        return


class Streamed:
    """A body that passes through as the client sends it; it can be sent once."""

    whole = None

    def __init__(self, first: bytes, receive: Receive, content_length: int | None) -> None:
        """`first` is what was received already; `content_length` is what the client announced, if anything."""
        self._first = first
        self._receive = receive
        self._over = asyncio.Event()
        self.content_length = content_length
        self.resendable = True
        self.trouble: ClientError | None = None

    async def pieces(self, deadline: Deadline) -> AsyncIterator[bytes]:
        self.resendable = False
        piece, more = self._first, True
        try:
            while True:
                if piece:
                    deadline.expect_piece(from_client=False)
                    yield piece
                if not more:
                    break
                deadline.expect_piece(from_client=True)
                piece, more = await receive_piece(self._receive)
        except ClientError as trouble:
            # aiohttp runs this in a task of its own and wraps what it raises: the caller looks here.
            self.trouble = trouble
            raise
        finally:
            self._over.set()
        deadline.expect_answer()

    async def wait_until_read(self) -> None:
        await self._over.wait()


async def receive_piece(receive: Receive) -> tuple[bytes, bool]:
    """The next bytes of a request body, and whether there are more. Raises RequestBroken."""
    message = await receive()
    if message["type"] == "http.disconnect":
        # Who left reads no answer; but servers also say so of a body that cannot be taken apart, and its sender does.
        raise RequestBroken("the request body ended before it was whole, or its framing cannot be read")
    return message.get("body", b""), message.get("more_body", False)


async def read_whole(receive: Receive, length: int) -> bytes:
    """All of a body of this length, which is known to be small. Raises RequestBroken."""
    body, more = await receive_piece(receive)
    # A server may announce more even after the last byte; asking for that would cost as much as the first piece.
    while more and len(body) < length:
        piece, more = await receive_piece(receive)
        body += piece
    return body
