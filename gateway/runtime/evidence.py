"""Judgements in one process, kept in step with PostgreSQL: its own are written, those of others are heard of.

It goes on over reloads and while PostgreSQL is down; then what is known here is all there is, and is written later.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from gateway.core.events import Event, Served, Trouble
from gateway.core.ports import Emit
from gateway.engine.evidence import MOST_IN_WINDOW, MOST_WRONG_PAIRS, Evidence
from gateway.errors import StoreError
from gateway.runtime.background import BackgroundTask
from gateway.stores.evidence import READ_AT_ONCE, EvidenceStore, Mark
from gateway.stores.evidence_void import ANY_ROUTE

# Between two turns: of writing and of hearing what others have written.
TURN_SECONDS = 1.0
PRUNE_SECONDS = 600.0
# While PostgreSQL is down.
LONGEST_PAUSE = 15.0
MOST_AT_ONCE = 500
# How long the start waits to hear what was judged before, and the end to write what is left.
LOADING_SECONDS = 5.0
CLOSING_SECONDS = 2.0


class EvidenceKeeping:
    """`known` is what all routes note and ask, `store` for reports."""

    def __init__(
        self, known: Evidence, store: EvidenceStore, emit: Emit, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` gives Unix seconds."""
        self.known = known
        self.store = store
        self._emit = emit
        self._clock = clock
        self._newest = 0
        self._marks: dict[str, Mark] | None = None
        self._purged_at: float | None = 0.0
        self._pruned_at = 0.0
        self._turn = asyncio.Lock()
        self._task = BackgroundTask(self._run, "semgate evidence")

    async def begin(self) -> None:
        try:
            async with asyncio.timeout(LOADING_SECONDS):
                await self.hear()
        except (StoreError, TimeoutError):
            pass  # PostgreSQL's trouble is told by who pings it; the first turn that gets through hears it all
        await self._task.begin()

    async def end(self) -> None:
        await self._task.end()
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                await self.write()
        except (StoreError, TimeoutError) as trouble:
            self._emit(Trouble("postgres", f"the latest judgements are not written: {trouble}"))

    def purged(self) -> None:
        """Something was purged: what was judged of it goes with the next turn."""
        if self._purged_at is None:
            self._purged_at = self._clock()

    async def forget_words(self, keys: Sequence[bytes]) -> None:
        """Of entries that were removed, by their exact keys."""
        try:
            await self.store.forget_words(keys)
        except StoreError as trouble:
            self._emit(Trouble("postgres", f"words of judgements on purged entries stay: {trouble}"))

    async def reset(self, route: str) -> int:
        """Begin anew with a route; how many judgements went. Raises StoreError."""
        gone = await self.store.reset(route, self._clock())
        async with self._turn:
            await self._hear_all(await self.store.marks(), {route})
        return gone

    def tally(self, emit: Emit) -> Emit:
        """Passes events on, and counts those of a route in shadow mode."""

        def counting(event: Event) -> None:
            if type(event) is Served:
                self.known.tally(event, self._clock())
            emit(event)

        return counting

    async def write(self) -> None:
        """What was noted here, in batches. Raises StoreError; what could not be written is kept for the next time."""
        async with self._turn:
            while self.known.waiting:
                noted, tallies = self.known.take(MOST_AT_ONCE), self.known.take_tallies()
                try:
                    await self.store.write(noted, tallies)
                except BaseException:  # cancelled, too
                    self.known.give_back(noted)
                    self.known.give_back_tallies(tallies)
                    raise

    async def hear(self) -> None:
        """What others have written, and what is gone. Raises StoreError."""
        async with self._turn:
            marks = await self.store.marks()
            if self._marks is None:
                await self._hear_all(marks, None)
            elif marks != self._marks:
                changed = {route for route in marks if marks[route] != self._marks.get(route)}
                await self._hear_all(marks, None if ANY_ROUTE in changed else changed)
            while True:
                found, newest = await self.store.news(self._newest)
                self.known.learn(found)
                more, self._newest = newest - self._newest >= READ_AT_ONCE, newest
                if not more:
                    return

    async def _hear_all(self, marks: dict[str, Mark], routes: set[str] | None) -> None:
        """Of these routes (None: of all), instead of what was known of them."""
        newest = await self.store.newest()
        for route in routes or {*await self.store.routes(), *self.known.routes()}:
            found = await self.store.latest(route, MOST_IN_WINDOW, MOST_WRONG_PAIRS)
            before = marks[route].before if route in marks else 0.0
            self.known.replace(route, found, before)
        if routes is None:
            self._newest = newest
        self._marks = marks

    async def _run(self) -> None:
        pause = TURN_SECONDS
        while True:
            try:
                await self.take_turn()
                pause = TURN_SECONDS
            except StoreError as trouble:
                if pause == TURN_SECONDS:  # once: it is told by everybody who needs PostgreSQL
                    self._emit(Trouble("postgres", f"judgements wait to be written: {trouble}"))
                pause = min(2 * pause, LONGEST_PAUSE)
            if dropped := self.known.take_dropped():
                self._emit(Trouble("postgres", f"{dropped} judgements were too many to wait, and are not written"))
            await asyncio.sleep(pause)

    async def take_turn(self) -> None:
        await self.write()
        if self._purged_at is not None:
            since, self._purged_at = self._purged_at, None
            try:
                await self.store.purge(since)
            except BaseException:
                self._purged_at = since
                raise
        await self.hear()
        now = self._clock()
        if now - self._pruned_at >= PRUNE_SECONDS:
            await self.store.prune(now)
            self._pruned_at = now
