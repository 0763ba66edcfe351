"""Caches of a few lines, around `ask_caller`, for the tests of conversations."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.core.asgi import FINISH, UNSEEN, Message, Receive, Scope, Send
from gateway.errors import UpstreamError
from gateway.fronts.conversation import ask_caller
from gateway.fronts.inner_call import Answer

SCOPE: dict[str, Any] = {"type": "http", "method": "POST", "path": "/", "headers": []}
HEAD = [(b"content-type", b"text/plain")]


class Oops(Exception):
    """What an inner call may raise."""


def pieces(*chunks: bytes) -> Callable[[bool], Answer]:
    """An inner call that answers so."""
    return lambda _unseen: Answer(200, HEAD, iter(chunks))


async def passing(scope: Scope, receive: Receive, send: Send) -> None:
    await ask_caller(scope, receive, send)


async def stored(scope: Scope, receive: Receive, send: Send) -> None:
    """A hit of three pieces."""
    await send({"type": "http.response.start", "status": 203, "headers": HEAD})
    for piece in (b"a", b"b"):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"c"})


class Watched:
    """A cache that passes, and knows how it ended; `finish` is what it says of an answer without a client."""

    def __init__(self, finish: bool = False) -> None:
        self.finish = finish
        self.got: list[bytes] = []
        self.over = threading.Event()
        self.ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[FINISH] = lambda: self.finish

        async def tee(message: Message) -> None:
            self.got.append(message.get("body", b""))
            self.ended = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            await ask_caller(scope, receive, tee)
        finally:
            self.over.set()


async def stale(scope: Scope, receive: Receive, send: Send) -> None:
    """A hit, and a call that its client does not see."""

    async def collect(message: Message) -> None:
        UNSEEN_GOT.put(message.get("body", b""))

    await stored(scope, receive, send)
    try:
        await ask_caller({**scope, UNSEEN: True}, receive, collect)
    except UpstreamError as error:
        UNSEEN_GOT.put(error)


UNSEEN_GOT: queue.SimpleQueue[Any] = queue.SimpleQueue()


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """The story, in a loop that must be left without any task of ours."""

    async def watched() -> None:
        async with asyncio.timeout(20):
            await story()
        await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left

    asyncio.run(watched())
