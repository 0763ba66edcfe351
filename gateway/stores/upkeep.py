"""The background work of one process on one database: write use counts, promote, sweep. Nothing a client waits for.

Every process runs it; locks in PostgreSQL see to it that the heavy parts are done by one at a time. Trouble with the
database is reported and tried again at the next turn, never raised.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from gateway.errors import StoreError
from gateway.stores import sweeper
from gateway.stores.promotion import Promotion

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gateway.stores.postgres import Database
    from gateway.stores.sweeper import RouteLimits, Swept


class Clock(Protocol):
    def __call__(self) -> float:
        """Unix seconds."""


class Chore(Protocol):
    def __call__(self) -> Awaitable[object]: ...


class Upkeep:
    """`limits` is asked at each sweep, so that a reload of the routes needs no new upkeep."""

    def __init__(
        self,
        database: Database,
        *,
        namespace: str,
        limits: Callable[[], Mapping[str, RouteLimits]],
        promote_at: int,
        on_trouble: Callable[[StoreError], None],
        clock: Clock,
        flush_every: float = 1.0,
        sweep_every: float = 30.0,
        survey_every: float = 600.0,
    ) -> None:
        """Intervals in seconds. Use counts and grown partitions are looked at every `flush_every`; all partitions,
        and the settings of their graphs, every `survey_every`."""
        self._database = database
        self._namespace = namespace
        self._limits = limits
        self._promotion = Promotion(database, promote_at)
        self._on_trouble = on_trouble
        self._clock = clock
        self._intervals: tuple[tuple[Chore, float], ...] = (
            (self.flush, flush_every),
            (self.promote, flush_every),
            (self.sweep, sweep_every),
            (self.survey, survey_every),
        )

    async def flush(self) -> None:
        """Write the use counts noted so far. Raises StoreError; what could not be written is kept for the next time."""
        notes = self._database.notes
        taken = notes.take_uses()
        while taken:
            space, uses = taken.popitem()
            try:
                await sweeper.write_uses(self._database, space, uses)
            except BaseException:  # a cancelled flush gives back, too
                notes.give_back(space, uses)
                for other, others in taken.items():
                    notes.give_back(other, others)
                raise

    async def promote(self) -> int:
        """Learn which partitions have a graph by now, and give one to those that grew. Rows moved; raises
        StoreError."""
        for space in self._database.spaces():
            await self._database.learn_graphs(space)
        return await self._promotion.of_grown()

    async def sweep(self) -> Swept:
        """Remove what expired or is beyond the limits, use counts first. Raises StoreError."""
        await self.flush()
        return await sweeper.sweep(self._database, self._namespace, self._limits(), self._clock())

    async def survey(self) -> None:
        """What nobody noted: partitions that grew slowly, or shrank; graphs built with other settings. Raises
        StoreError."""
        for space in self._database.spaces():
            await self._promotion.of_space(space)

    async def run(self) -> None:
        """All of it at its intervals, each chore in its own time, until cancelled; a last flush then."""
        try:
            async with asyncio.TaskGroup() as chores:
                for chore, interval in self._intervals:
                    chores.create_task(self._repeat(chore, interval))
        finally:
            try:
                async with asyncio.timeout(2.0):
                    await self.flush()
            except (StoreError, TimeoutError) as trouble:
                self._on_trouble(StoreError(f"postgres: use counts of the last second are lost: {trouble}"))

    async def _repeat(self, chore: Chore, interval: float) -> None:
        while True:
            try:
                await chore()
            except StoreError as trouble:
                self._on_trouble(trouble)
            await asyncio.sleep(interval)
