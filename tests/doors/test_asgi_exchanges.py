"""Single exchanges, message by message: streams, clients that leave, work in the background, answers that nobody sees."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apps import config, question
from exchanges import STREAMED, App, Exchange, Streaming, answering, both, run

from gateway.doors.engine import engine
from gateway.errors import ConfigError


@pytest.fixture(scope="module", autouse=True)
def closed_engine() -> Iterator[None]:
    """The caches that were opened for all these tests give their connections back."""
    yield
    engine().close()


@both
def test_the_first_event_is_with_the_client_before_the_second_is_made(where: Any, data_dir: Path) -> None:
    async def scenario(app: App, inner: Streaming) -> None:
        first = Exchange(app, STREAMED)
        await first.until(b'"piece": 1')
        assert b"[DONE]" not in first.body
        inner.go.set()
        await first.over()
        again = await Exchange(app, STREAMED).over()
        assert (first.outcome, again.outcome, inner.calls) == ("MISS", "HIT", 1)
        assert again.body == first.body

    where(config(data_dir), Streaming, scenario)


@both
@pytest.mark.parametrize("breaks", [False, True], ids=["send is silent", "send raises"])
def test_a_client_that_leaves_does_not_cost_the_answer(where: Any, breaks: bool, data_dir: Path) -> None:
    async def scenario(app: App, inner: Streaming) -> None:
        first = Exchange(app, STREAMED, breaks=breaks)
        await first.until(b'"piece": 1')
        first.gone.set()
        await asyncio.sleep(0.02)
        inner.go.set()
        await first.over()
        assert inner.left == 0
        assert (await Exchange(app, STREAMED).over()).outcome == "HIT"

    where(config(data_dir), Streaming, scenario)


@both
@pytest.mark.parametrize(
    "settings",
    [{"on_disconnect": "abort"}, {"keep": {"max_body": "10B"}}],
    ids=["nobody wants it kept", "it grew too large for that"],
)
def test_an_answer_that_is_not_to_be_kept_is_not_finished_for_nobody(
    where: Any, settings: dict[str, Any], data_dir: Path
) -> None:
    async def scenario(app: App, inner: Streaming) -> None:
        first = Exchange(app, STREAMED)
        await first.until(b'"piece": 1')
        first.gone.set()
        await first.over()
        assert inner.left == 1

    where(config(data_dir, **settings), Streaming, scenario)


def test_many_who_ask_the_same_at_once_cost_one_call(data_dir: Path) -> None:
    async def scenario(app: App, inner: Streaming) -> None:
        first = Exchange(app, STREAMED)
        await first.until(b'"piece": 1')
        others = [Exchange(app, STREAMED) for _ in range(5)]
        for other in others:
            await other.until(b'"piece": 1')
        inner.go.set()
        for exchange in (first, *others):
            assert (await exchange.over()).body == first.body
        assert inner.calls == 1

    run(config(data_dir), Streaming, scenario)


@both
def test_a_stale_answer_is_fetched_anew_beside_the_client(where: Any, data_dir: Path) -> None:
    async def scenario(app: App, inner: Streaming) -> None:
        inner.go.set()
        assert (await Exchange(app, STREAMED).over()).outcome == "MISS"
        await asyncio.sleep(0.12)
        stale = await Exchange(app, STREAMED).over()
        assert (stale.outcome, inner.calls) == ("STALE", 2)
        assert (await Exchange(app, STREAMED).over()).outcome == "HIT"

    where(config(data_dir, ttl="100ms", stale_while_revalidate="1h"), Streaming, scenario)


class Lingering:
    """An app that goes on for a while after its answer, as background tasks do, until `go`."""

    def __init__(self) -> None:
        self.calls = 0
        self.go = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.calls += 1
        await answering(scope, receive, send)
        await self.go.wait()


@both
def test_an_answer_is_kept_before_the_apps_background_work_is_done(where: Any, data_dir: Path) -> None:
    async def scenario(app: App, inner: Lingering) -> None:
        first = Exchange(app)
        await first.until(b'"path"')
        again = await Exchange(app).over()
        assert (again.outcome, inner.calls, first.task.done()) == ("HIT", 1, False)
        inner.go.set()
        await first.over()

    where(config(data_dir), Lingering, scenario)


@both
def test_background_work_that_fails_is_heard_of_and_its_answer_was_good(where: Any, data_dir: Path) -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await answering(scope, receive, send)
        raise RuntimeError("in the background")

    async def scenario(app: App, _inner: Any) -> None:
        with pytest.raises(RuntimeError, match="in the background"):
            await Exchange(app).over()
        assert (await Exchange(app).over()).outcome == "HIT"

    where(config(data_dir), failing, scenario)


@both
def test_an_error_of_semgates_that_the_app_raises_is_the_apps(where: Any, data_dir: Path) -> None:
    error = ConfigError("of a client in the app")

    async def raising(scope: Any, _receive: Any, _send: Any) -> None:
        raise error

    async def scenario(app: App, _inner: Any) -> None:
        exchange = Exchange(app)
        with pytest.raises(ConfigError) as raised:
            await exchange.over()
        assert raised.value is error
        assert exchange.sent == []

    where(config(data_dir), raising, scenario)


@both
def test_what_fails_unseen_is_logged_and_not_the_clients_trouble(
    where: Any, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Once:
        def __init__(self) -> None:
            self.calls = 0

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                self.calls += 1
                if self.calls == 2:
                    raise RuntimeError("the second time")
                await answering(scope, receive, send)

    async def scenario(app: App, inner: Once) -> None:
        await Exchange(app).over()
        await asyncio.sleep(0.12)
        assert (await Exchange(app).over()).outcome == "STALE"
        assert inner.calls == 2
        assert (await Exchange(app).over()).outcome == "STALE"

    where(config(data_dir, ttl="100ms", stale_while_revalidate="1h"), Once, scenario)
    assert [record.message for record in caplog.records].count("the app failed to answer what no client waits for") == 1


def test_an_audited_hit_asks_the_app_again_unseen(data_dir: Path) -> None:
    class Counting:
        def __init__(self) -> None:
            self.bodies: list[bytes] = []

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                message = await receive()
                self.bodies.append(message["body"])
                said = b'{"answer": "by mail"}'
                await send(
                    {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
                )
                await send({"type": "http.response.body", "body": said})

    async def scenario(app: App, inner: Counting) -> None:
        await Exchange(app).over()
        near = {"query": "how can I reset my password"}
        hit = await Exchange(app, near).over()
        assert (hit.outcome, hit.body) == ("HIT", b'{"answer": "by mail"}')
        assert [json.loads(body) for body in inner.bodies] == [question(), near]

    run(config(data_dir, match="semantic", audit="100%"), Counting, scenario)
