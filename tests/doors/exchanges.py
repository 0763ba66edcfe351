"""Single exchanges of an ASGI app with the cache around it, message by message, and the apps that they are with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from apps import living, question

from gateway import SemanticCacheMiddleware

App = Callable[[Any, Any, Any], Awaitable[None]]
STREAMED = {**question(), "stream": True}


class Exchange:
    """One request of an app in this loop. `leave` lets the client go: `receive` says so, and with `breaks` so does `send`."""

    def __init__(self, app: App, body: Any = None, *, breaks: bool = False, **scope: Any) -> None:
        self.sent: list[dict[str, Any]] = []
        self.arrived = asyncio.Event()
        self.gone = asyncio.Event()
        self._breaks = breaks
        self._unread = [json.dumps(question() if body is None else body).encode()]
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": "/ask",
            "query_string": b"",
            "headers": [(b"host", b"site"), (b"content-type", b"application/json")],
            **scope,
        }
        self.task = asyncio.create_task(app(self.scope, self.receive, self.send))  # type: ignore[arg-type]

    async def receive(self) -> dict[str, Any]:
        if self._unread:
            return {"type": "http.request", "body": self._unread.pop(), "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if self._breaks and self.gone.is_set():
            raise OSError("the client has left")
        self.sent.append(message)
        self.arrived.set()
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.gone.set()  # as servers say once all is sent

    async def until(self, text: bytes) -> None:
        """Until the client has it."""
        async with asyncio.timeout(5):
            while text not in self.body:
                self.arrived.clear()
                await self.arrived.wait()

    async def over(self) -> Exchange:
        async with asyncio.timeout(10):
            await self.task
        return self

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def outcome(self) -> str:
        headers = dict(self.sent[0]["headers"])
        return headers.get(b"x-cache", b"none").decode()


class Streaming:
    """An app that answers with two events; the second waits for `go`. `calls` counts, `left` those that heard of a departure."""

    def __init__(self) -> None:
        self.calls = 0
        self.left = 0
        self.go = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.calls += 1
        while (await receive()).get("more_body"):
            pass
        watching = asyncio.create_task(self._watch(receive))
        head = [(b"Content-Type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": b'data: {"piece": 1}\n\n', "more_body": True})
        going = asyncio.create_task(self.go.wait())
        await asyncio.wait({going, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not going.done():
            going.cancel()
            self.left += 1
            return
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n", "more_body": False})
        await watching  # as frameworks that wait for the client to go

    async def _watch(self, receive: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


async def answering(scope: Any, receive: Any, send: Any) -> None:
    """An app that says what it was asked for."""
    if scope["type"] != "http":
        raise ValueError("only http here")
    message = await receive()
    said = json.dumps({"path": scope["path"], "body": message["body"].decode()}).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(said))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": said})


def run(settings: dict[str, Any] | None, inner: Any, scenario: Callable[[Any, Any], Awaitable[None]]) -> None:
    """With the cache in the app's own loop: `scenario(app, inner)`. A class is made one in the loop."""

    async def go() -> None:
        made = inner() if isinstance(inner, type) else inner
        app = SemanticCacheMiddleware(made, settings)
        async with living(app):
            await scenario(app, made)

    asyncio.run(go())


def in_engine(settings: dict[str, Any] | None, inner: Any, scenario: Callable[[Any, Any], Awaitable[None]]) -> None:
    """The same for an app whose lifespan nobody tells."""

    async def go() -> None:
        made = inner() if isinstance(inner, type) else inner
        await scenario(SemanticCacheMiddleware(made, settings), made)

    asyncio.run(go())


both = pytest.mark.parametrize("where", [run, in_engine], ids=["in its own loop", "in the engine"])
