"""SemanticCacheWSGIMiddleware with many threads, slow clients, and a cache that opens late or never."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wsgi_calls import Counting, Oops, ask, begin, cached, config

from gateway import SemanticCacheWSGIMiddleware
from gateway.doors.engine import engine
from gateway.errors import ConfigError
from gateway.fronts.conversation import Conversation
from gateway.fronts.talk import Talk
from gateway.runtime.inside import Inside

pytestmark = pytest.mark.usefixtures("one_engine")


def test_many_threads_at_once(data_dir: Path) -> None:
    inner = Counting()
    app = cached(inner, data_dir)
    got: list[bytes] = []

    def work(number: int) -> None:
        got.append(ask(app, f"thread {number % 4}")[1])

    for _ in range(2):
        threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert len(got) == 32
    assert len(set(got[16:])) == 4
    assert len(inner.calls) <= 16


def test_settings_that_cannot_be_used_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match="thresholds"):
        SemanticCacheWSGIMiddleware(Counting(), {"routes": [{"path": "/a", "thresholds": {"hit": 3}}]})


def test_what_shows_only_when_the_cache_is_opened_is_logged_once_and_requests_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.doors.opening.AGAIN", 0.0)
    file = tmp_path / "file"
    file.write_text("not a folder")
    middleware = SemanticCacheWSGIMiddleware(Counting(), config(file))
    assert [ask(middleware, "hello")[1] for _ in range(2)] == [b'{"call": 1}', b'{"call": 2}']
    assert caplog.text.count("data_dir") == 1
    file.unlink()
    assert [ask(middleware, "hello")[0].headers["x-cache"] for _ in range(2)] == ["MISS", "HIT"]


def test_a_cache_that_takes_long_to_open_holds_up_only_the_first_requests(
    data_dir: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    opening = Inside.open

    async def slow(self: Inside) -> None:
        await asyncio.to_thread(goes_on.wait, 10)
        await opening(self)

    monkeypatch.setattr(Inside, "open", slow)
    monkeypatch.setattr("gateway.doors.opening.OPENING", 0.05)
    app = cached(Counting(), data_dir)
    assert "x-cache" not in ask(app, "hello")[0].headers
    began = time.monotonic()
    assert "x-cache" not in ask(app, "hello")[0].headers
    assert time.monotonic() - began < 0.04
    assert "takes long" in caplog.text
    goes_on.set()
    until = time.monotonic() + 10
    while "x-cache" not in ask(app, "hello")[0].headers:
        assert time.monotonic() < until


def test_a_client_that_does_not_read_holds_nobody_else_up(data_dir: Path) -> None:
    inner = Counting()
    app = cached(inner, data_dir)
    slow = begin(app, "the same")
    assert ask(app, "the same")[1] == b'{"call": 2}'
    assert slow.body() == b'{"call": 1}'


def test_many_exchanges_leave_no_task_and_no_thread_behind(data_dir: Path) -> None:
    inner = Counting()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if environ["PATH_INFO"] == "/fail":
            raise Oops
        return inner(environ, start_response)

    middleware = cached(app, data_dir)

    async def tasks() -> int:
        return len(asyncio.all_tasks())

    def exchange(number: int) -> None:
        ask(middleware, f"question {number % 7}")
        with pytest.raises(Oops):
            begin(middleware, "trouble", PATH_INFO="/fail")
        given = begin(middleware, f"left {number}")
        given.close()

    def exchanges() -> list[object]:
        gc.collect()
        return [each for each in gc.get_objects() if type(each) in (Talk, Conversation)]

    others = len(exchanges())  # of tests before this one
    exchange(0)
    counts = []
    for _ in range(2):
        for number in range(10):
            exchange(number)
        until = time.monotonic() + 10
        while (count := engine().submit(tasks).result(10)) > (counts or [10_000])[0] and time.monotonic() < until:
            time.sleep(0.01)
        counts.append(count)
    assert counts[1] <= counts[0]
    until = time.monotonic() + 10
    while len(exchanges()) > others and time.monotonic() < until:  # the engine may be about to end the last one
        time.sleep(0.05)
    assert len(exchanges()) <= others
    assert [each.name for each in threading.enumerate()].count("semgate engine") == 1
