"""The process's cache as doors without a loop reach it: whatever becomes of its opening, requests go on."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from gateway.doors.engine import engine
from gateway.doors.opening import SharedCache

pytestmark = pytest.mark.usefixtures("one_engine")


class Cache:
    """What is opened: at once, with trouble, or when it may."""

    def __init__(self, trouble: BaseException | None = None, goes_on: threading.Event | None = None) -> None:
        self.trouble = trouble
        self.goes_on = goes_on

    async def open(self) -> None:
        if self.goes_on is not None:
            await asyncio.to_thread(self.goes_on.wait, 10)
        if self.trouble is not None:
            raise self.trouble

    async def close(self) -> None:
        pass

    async def __call__(self, _scope: Any, _receive: Any, _send: Any) -> None:
        raise AssertionError("nobody asks it")


def shared(make: Any) -> SharedCache:
    return SharedCache(object(), make)


def reach(cache: SharedCache, way: str) -> Any:
    return cache.reach() if way == "thread" else asyncio.run(cache.reach_async())


@pytest.mark.parametrize("way", ["thread", "task"])
@pytest.mark.parametrize("trouble", [ValueError("odd"), TimeoutError("slow"), asyncio.CancelledError()], ids=repr)
def test_whatever_opening_raises_is_told_once_and_tried_again_later(
    trouble: BaseException, way: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[Cache] = []

    def make() -> Cache:
        tries.append(Cache(None if len(tries) == 2 else trouble))
        return tries[-1]

    cache = shared(make)
    assert [reach(cache, way) for _ in range(3)] == [None] * 3
    assert len(tries) == 1
    monkeypatch.setattr("gateway.doors.opening.AGAIN", 0.0)
    assert reach(cache, way) is None
    assert reach(cache, way).inside is tries[2]
    assert caplog.text.count(f"requests go on without the cache: {type(trouble).__name__}") == 1


@pytest.mark.parametrize("way", ["thread", "task"])
def test_a_late_one_is_told_once_and_reached_when_it_is_open(
    way: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.doors.opening.OPENING", 0.02)
    goes_on = threading.Event()
    cache = shared(lambda: Cache(goes_on=goes_on))
    assert [reach(cache, way) for _ in range(3)] == [None] * 3
    assert caplog.text.count("it takes long to open") == 1
    goes_on.set()
    opening = engine().opened(cache._key, cache._make)
    assert opening.result(10) is reach(cache, way).inside


def test_the_engines_own_thread_does_not_wait_for_itself() -> None:
    cache = shared(Cache)
    assert cache.reach() is not None

    async def inside() -> Any:
        return cache.reach()

    assert engine().submit(inside).result(5) is None
