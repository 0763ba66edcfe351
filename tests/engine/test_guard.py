"""A part that fails is skipped for a while and then tried again, one call at a time."""

from __future__ import annotations

import asyncio

import pytest

from gateway.core.events import BreakerMoved, Event, Stage, Trouble
from gateway.engine.guard import Guard, Skipping
from gateway.errors import CacheTrouble, StoreError, TextUnfit

FAILURES, FIRST_PAUSE = Skipping().failures, Skipping().pause


class Part:
    """Something that works, fails or hangs as told."""

    def __init__(self) -> None:
        self.calls = 0
        self.trouble: Exception | None = None
        self.gate: asyncio.Event | None = None

    async def work(self) -> str:
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.trouble is not None:
            raise self.trouble
        return "done"


class Watched:
    def __init__(self, timeout: float = 30.0) -> None:
        self.now = 0.0
        self.events: list[Event] = []
        self.guard = Guard("part", timeout, self.events.append, lambda: self.now)

    async def fail(self, part: Part, times: int) -> None:
        for _ in range(times):
            with pytest.raises(CacheTrouble):
                await self.guard.call(Stage.REDIS, part.work)


def test_what_works_passes():
    watched, part = Watched(), Part()
    assert asyncio.run(watched.guard.call(Stage.REDIS, part.work)) == "done"
    assert not [event for event in watched.events if isinstance(event, Trouble)]


def test_late_is_as_good_as_down():
    watched, part = Watched(timeout=0.01), Part()

    async def run() -> None:
        part.gate = asyncio.Event()
        with pytest.raises(CacheTrouble, match="part: no answer within its timeout of 10 ms"):
            await watched.guard.call(Stage.REDIS, part.work)

    asyncio.run(run())


def test_after_repeated_failures_the_part_is_not_asked_for_a_while():
    async def run() -> None:
        watched, part = Watched(), Part()
        part.trouble = StoreError("down")
        await watched.fail(part, FAILURES + 10)
        assert part.calls == FAILURES
        assert watched.guard.open
        watched.now = FIRST_PAUSE + 0.01
        await watched.fail(part, 2)
        assert part.calls == FAILURES + 1
        watched.now += FIRST_PAUSE + 0.01
        await watched.fail(part, 1)
        assert part.calls == FAILURES + 1  # the pause has doubled
        watched.now += FIRST_PAUSE
        part.trouble = None
        assert await watched.guard.call(Stage.REDIS, part.work) == "done"
        assert not watched.guard.open
        moves = [event.open for event in watched.events if isinstance(event, BreakerMoved)]
        assert moves == [True, False]

    asyncio.run(run())


def test_only_one_call_tries_whether_the_part_is_back():
    async def run() -> None:
        watched, part = Watched(), Part()
        part.trouble = StoreError("down")
        await watched.fail(part, FAILURES)
        watched.now = 60.0
        part.trouble, part.gate = None, asyncio.Event()
        probe = asyncio.create_task(watched.guard.call(Stage.REDIS, part.work))
        await asyncio.sleep(0)
        await watched.fail(part, 3)
        assert part.calls == FAILURES + 1
        part.gate.set()
        assert await probe == "done"

    asyncio.run(run())


def test_a_cancelled_probe_does_not_block_the_next():
    async def run() -> None:
        watched, part = Watched(), Part()
        part.trouble = StoreError("down")
        await watched.fail(part, FAILURES)
        watched.now = 60.0
        part.trouble, part.gate = None, asyncio.Event()
        probe = asyncio.create_task(watched.guard.call(Stage.REDIS, part.work))
        await asyncio.sleep(0)
        probe.cancel()
        await asyncio.wait([probe])
        part.gate = None
        assert await watched.guard.call(Stage.REDIS, part.work) == "done"

    asyncio.run(run())


def test_a_text_that_does_not_fit_is_no_failure_of_the_embedder():
    async def run() -> None:
        watched, part = Watched(), Part()
        part.trouble = TextUnfit("too long")
        for _ in range(FAILURES * 2):
            with pytest.raises(TextUnfit):
                await watched.guard.call(Stage.EMBED, part.work)
        assert not watched.guard.open

    asyncio.run(run())


def test_a_part_that_begins_well_and_always_breaks_off_is_skipped_as_well():
    async def scenario() -> None:
        watched, part = Watched(), Part()
        for _ in range(FAILURES):
            assert await watched.guard.begin(Stage.SYNTHESIS, part.work) == "done"
            watched.guard.ended(StoreError("broke off"))
        with pytest.raises(CacheTrouble, match="skipped"):
            await watched.guard.begin(Stage.SYNTHESIS, part.work)
        watched.now += FIRST_PAUSE
        await watched.guard.begin(Stage.SYNTHESIS, part.work)
        watched.guard.ended(None)
        assert not watched.guard.open

    asyncio.run(scenario())
