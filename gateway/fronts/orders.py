"""What a cache and its caller elsewhere say to each other: orders one way, parts of the inner answer the other.

An order is carried out by the caller's thread or task, one after the other; `conversation` gives them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from gateway.core.asgi import HeaderList, Message
from gateway.errors import UpstreamError


class Part(NamedTuple):
    """The caller's word on a Call or Next: the messages of the inner answer that came, whether it is `over`, and what
    was raised after them."""

    messages: tuple[Message, ...] = ()
    over: bool = False
    error: BaseException | None = None


class Call:
    """Begin the inner call. `unseen`: the client gets nothing of it. `deliver` takes the orders that follow."""

    __slots__ = ("_parts", "_tell", "_waiting", "deliver", "unseen")

    def __init__(self, tell: Callable[..., None], deliver: Deliver, *, unseen: bool) -> None:
        """`tell` calls something in the cache's loop, from any thread."""
        self._tell = tell
        self._parts: deque[Part] = deque()
        self._waiting: asyncio.Future[None] | None = None
        self.deliver = deliver
        self.unseen = unseen

    def tell(self, part: Part) -> None:
        """The caller's word, from any thread: one for each order, or one more where the call is over before that."""
        self._tell(self.put, part)

    def put(self, part: Part) -> None:
        """In the cache's loop."""
        self._parts.append(part)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def void(self, part: Part) -> None:
        """In the cache's loop: in place of what is waited for."""
        if self._waiting is not None:
            self.put(part)

    async def part(self) -> Part:
        """In the cache's loop: the next one."""
        if not self._parts:
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        return self._parts.popleft()


class Next(NamedTuple):
    """Go on with the inner call."""

    call: Call


class Drop(NamedTuple):
    """Nobody wants more of the inner call."""

    call: Call


class Read(NamedTuple):
    """The next message of the request: answer with `conversation.read`."""


class Show(NamedTuple):
    """A message for the client. `asks`: say `conversation.taken` when it is under way."""

    message: Message
    asks: bool


class Left(NamedTuple):
    """It is known that the client is gone: what was asked of the seen call before is void."""


class Done(NamedTuple):
    """Nothing more is wanted of the caller. `error` is to be raised, as it is."""

    error: BaseException | None


Order: TypeAlias = Read | Call | Next | Drop | Show | Left | Done
Deliver: TypeAlias = Callable[[tuple[Order, ...]], None]
Unseen: TypeAlias = Callable[[Call], Deliver | None]


def nobody_asks() -> UpstreamError:
    """Why a call that the client does not see comes to nothing."""
    return UpstreamError("nobody asks once more for what the client does not see", "")


def head_of(status: int, headers: HeaderList, extra: dict[str, object] | None) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers, **(extra or {})}


def body_of(piece: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": more}


def read_message(read: tuple[bytes, bool] | None) -> Message:
    """What a caller read of its request's body; None: it broke off."""
    if read is None:
        return {"type": "http.disconnect"}
    return {"type": "http.request", "body": read[0], "more_body": read[1]}
