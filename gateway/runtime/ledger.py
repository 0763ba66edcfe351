"""The Ledger: what a worker can say of the whole gateway's doings, now and over time.

Metrics that are levels (entries in memory, requests in flight) are read here, when somebody asks and between times. With
several workers the figures of all come from files, so they are read in a thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from gateway.core.events import Trouble
from gateway.core.ports import Emit
from gateway.observe.history import DENSE_SECONDS, History, Totals, total
from gateway.observe.metrics import Metrics
from gateway.observe.stats import Figures, read_figures

PART = "metrics"


class Levels(NamedTuple):
    """Of this worker, now."""

    memory_entries: int
    memory_bytes: int
    in_flight: int


class Ledger:
    """`levels` is asked for whenever figures are read."""

    def __init__(self, metrics: Metrics, levels: Callable[[], Levels], emit: Emit) -> None:
        self._metrics = metrics
        self._levels = levels
        self._emit = emit
        self._history = History()

    async def run(self) -> None:
        """Take a sample now and then, until cancelled."""
        while True:
            try:
                self._history.add(total(await self.figures(), time.time()))
            except OSError as error:  # somebody tidied the workers' folder away: figures are lost, requests are not
                self._emit(Trouble(PART, f"the workers' figures cannot be read: {error.strerror}"))
            await asyncio.sleep(DENSE_SECONDS)

    async def figures(self) -> Figures:
        """Raises OSError where the folder of several workers cannot be read."""
        self._show_levels()
        return await asyncio.to_thread(lambda: read_figures(self._metrics.read()))

    def history(self) -> Iterable[Totals]:
        """Samples of the last day, oldest first, as far as this worker has been there."""
        return self._history.samples()

    def render(self) -> bytes:
        """Prometheus text format."""
        self._show_levels()
        return self._metrics.render()

    def _show_levels(self) -> None:
        levels = self._levels()
        self._metrics.memory_entries.set(levels.memory_entries)
        self._metrics.memory_bytes.set(levels.memory_bytes)
        self._metrics.in_flight.set(levels.in_flight)
