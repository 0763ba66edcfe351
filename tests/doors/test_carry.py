"""A cache in one loop around an ASGI app in another: the app notices nothing of it."""

from __future__ import annotations

import asyncio
import contextvars
import queue
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from passing import HEAD, SCOPE, UNSEEN_GOT, Watched, passing, run, stale, stored

from gateway.core.asgi import UNSEEN
from gateway.doors.engine import engine
from gateway.errors import UpstreamError
from gateway.fronts.carry import carry


class Server:
    """What a server gives an app: the request's messages one by one, then the client's leaving once `left` is set."""

    def __init__(self, *body: bytes) -> None:
        self.body = list(body) or [b""]
        self.left = asyncio.Event()
        self.sent: list[Any] = []
        self.received = 0

    async def receive(self) -> Any:
        self.received += 1
        if self.body:
            piece = self.body.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(self.body)}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def bodies(self) -> list[bytes]:
        return [message["body"] for message in self.sent if message["type"] == "http.response.body"]


async def simple(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEAD})
    await send({"type": "http.response.body", "body": b"a", "more_body": True})
    await send({"type": "http.response.body", "body": b"b"})


async def never(_scope: Any, _receive: Any, _send: Any) -> None:
    raise AssertionError("nobody asked the app")


def test_the_app_runs_in_the_task_that_was_called_and_gets_the_servers_own_scope() -> None:
    variable = contextvars.ContextVar("variable", default="nobody's")
    seen: list[Any] = []
    scope = {**SCOPE, "state": {}}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((asyncio.current_task(), variable.get(), scope))
        variable.set("the app's")
        with anyio.CancelScope():
            await simple(scope, receive, send)

    async def story() -> None:
        server = Server()
        variable.set("the server's")
        await carry(engine(), passing, app, scope, server.receive, server.send)
        assert seen == [(asyncio.current_task(), "the server's", scope)]
        assert seen[0][2] is scope
        assert set(scope) == {*SCOPE, "state"}
        assert variable.get() == "the app's"
        assert server.bodies == [b"a", b"b"]
        assert server.received == 0

    run(story)


def test_each_message_is_with_the_server_when_the_apps_send_returns() -> None:
    async def story() -> None:
        server = Server()
        sent: list[int] = []

        async def app(_scope: Any, _receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": HEAD})
            for _ in range(5):
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
                sent.append(len(server.bodies))
            await send({"type": "http.response.body", "body": b""})

        await carry(engine(), passing, app, SCOPE, server.receive, server.send)
        assert sent == [1, 2, 3, 4, 5]

    run(story)


def test_what_the_cache_read_is_played_to_the_app_and_then_the_servers_own() -> None:
    heard: list[Any] = []

    async def reading(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["body"] == b"a"
        await passing(scope, receive, send)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        heard.extend([await receive() for _ in range(3)])
        await simple(scope, receive, send)

    async def story() -> None:
        server = Server(b"a", b"b", b"c")
        await carry(engine(), reading, app, SCOPE, server.receive, server.send)
        assert [message["body"] for message in heard] == [b"a", b"b", b"c"]
        assert [message["more_body"] for message in heard] == [True, True, False]

    run(story)


def test_a_stored_answer_is_sent_without_the_app() -> None:
    async def story() -> None:
        server = Server()
        await carry(engine(), stored, never, SCOPE, server.receive, server.send)
        assert server.bodies == [b"a", b"b", b"c"]

    run(story)


def test_a_client_that_leaves_a_cache_that_waits_is_noticed() -> None:
    async def slow(_scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.request"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert (await receive())["type"] == "http.disconnect"

    async def story() -> None:
        server = Server()
        carrying = asyncio.create_task(carry(engine(), slow, never, SCOPE, server.receive, server.send))
        while not server.sent:
            await asyncio.sleep(0.001)
        server.left.set()
        await carrying

    run(story)


def test_a_cache_that_watched_for_the_client_lets_the_app_do_so() -> None:
    async def watching(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        watch = asyncio.ensure_future(receive())
        await asyncio.sleep(0.01)
        watch.cancel()
        await passing(scope, receive, send)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["body"] == b"a"
        assert (await receive())["type"] == "http.disconnect"
        await simple(scope, receive, send)

    async def story() -> None:
        server = Server(b"a")
        carrying = asyncio.create_task(carry(engine(), watching, app, SCOPE, server.receive, server.send))
        await asyncio.sleep(0.05)
        server.left.set()
        await carrying
        assert server.bodies == [b"a", b"b"]

    run(story)


class Oops(Exception):
    pass


@pytest.mark.parametrize(
    "make", [Oops, lambda: UpstreamError("the app's own", "x"), StopAsyncIteration, SystemExit], ids=range(4)
)
@pytest.mark.parametrize("late", [False, True])
def test_an_error_of_the_app_is_raised_as_it_is(make: Callable[[], BaseException], late: bool) -> None:
    cache, error = Watched(), make()

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        if late:
            await send({"type": "http.response.start", "status": 200, "headers": HEAD})
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
        raise error

    async def story() -> None:
        server = Server()
        try:
            await carry(engine(), cache, app, SCOPE, server.receive, server.send)
        except BaseException as raised:
            assert raised is error
            assert raised.__context__ is None
        else:
            raise AssertionError
        assert server.bodies == ([b"a"] if late else [])
        assert await asyncio.to_thread(cache.over.wait, 5)
        assert not cache.ended

    run(story)


def test_what_the_app_does_after_its_answer_is_waited_for_and_its_error_raised() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await simple(scope, receive, send)
        await asyncio.sleep(0.01)
        raise Oops

    async def story() -> None:
        server = Server()
        with pytest.raises(Oops):
            await carry(engine(), passing, app, SCOPE, server.receive, server.send)
        assert server.bodies == [b"a", b"b"]

    run(story)


def test_what_the_servers_send_raises_is_the_apps_to_see() -> None:
    seen: list[BaseException] = []
    error = OSError("gone")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await simple(scope, receive, send)
        except OSError as raised:
            seen.append(raised)

    async def story() -> None:
        async def send(_message: Any) -> None:
            raise error

        await carry(engine(), passing, app, SCOPE, Server().receive, send)
        assert seen == [error]

    run(story)


def test_an_app_may_cancel_its_own_send_and_send_something_else() -> None:
    async def story() -> None:
        server, stuck = Server(), asyncio.Event()

        async def send(message: Any) -> None:
            if message.get("body") == b"stuck":
                stuck.set()
                await asyncio.sleep(60)
            await server.send(message)

        async def app(_scope: Any, _receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": HEAD})
            sending = asyncio.create_task(send({"type": "http.response.body", "body": b"stuck", "more_body": True}))
            await stuck.wait()
            sending.cancel()
            for piece in (b"a", b"b"):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                assert server.bodies[-1] == piece
            await send({"type": "http.response.body", "body": b""})

        await carry(engine(), passing, app, SCOPE, server.receive, send)
        assert server.bodies == [b"a", b"b", b""]

    run(story)


def test_a_task_that_is_cancelled_ends_app_and_cache() -> None:
    cache = Watched(finish=True)

    async def story() -> None:
        server, begun = Server(), asyncio.Event()
        ended: list[int] = []

        async def app(_scope: Any, _receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": HEAD})
            begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(1)

        carrying = asyncio.create_task(carry(engine(), cache, app, SCOPE, server.receive, server.send))
        await begun.wait()
        carrying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await carrying
        assert ended == [1]
        assert await asyncio.to_thread(cache.over.wait, 5)

    run(story)


def test_what_the_client_does_not_see_is_done_before_all_is_over() -> None:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        assert (await receive())["body"] == b"question"
        await simple(scope, receive, send)

    async def reading(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await stale(scope, receive, send)

    async def story() -> None:
        server = Server(b"question")
        await carry(engine(), reading, app, SCOPE, server.receive, server.send)
        assert server.bodies == [b"a", b"b", b"c"]
        assert [UNSEEN_GOT.get_nowait() for _ in range(3)] == [b"", b"a", b"b"]
        assert scopes[0][UNSEEN] is True

    run(story)


def test_an_error_in_what_the_client_does_not_see_is_nobodys(caplog: pytest.LogCaptureFixture) -> None:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        raise Oops("in vain")

    async def story() -> None:
        server = Server()
        await carry(engine(), stale, app, SCOPE, server.receive, server.send)
        assert server.bodies == [b"a", b"b", b"c"]
        assert isinstance(UNSEEN_GOT.get_nowait(), UpstreamError)

    run(story)
    assert "in vain" in caplog.text


def test_every_request_may_have_a_loop_of_its_own() -> None:
    got: queue.SimpleQueue[list[bytes]] = queue.SimpleQueue()

    async def story() -> None:
        server = Server()
        await carry(engine(), passing, simple, SCOPE, server.receive, server.send)
        got.put(server.bodies)

    for _ in range(20):
        run(story)
    assert [got.get_nowait() for _ in range(20)] == [[b"a", b"b"]] * 20
