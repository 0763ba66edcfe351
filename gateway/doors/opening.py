"""The process's cache as requests of a door without a loop of its own reach it: opened at the first one, and one for all with
the same settings.

Whatever is wrong with it is not the caller's: a cache that cannot be opened, or is late, means that requests go on without it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from contextlib import suppress
from typing import NamedTuple

from gateway.doors.engine import Engine, engine
from gateway.errors import SemgateError
from gateway.fronts.conversation import EngineClosed
from gateway.runtime.inside import Inside

LOG = logging.getLogger("semgate")

# Seconds for which requests wait until the cache is open: a model may have to be loaded, a database to be made.
OPENING = 10.0
# Seconds until it is tried again to open one that could not be.
AGAIN = 60.0


class Reached(NamedTuple):
    """The open cache, and the loop that it runs in."""

    ground: Engine
    inside: Inside


class SharedCache:
    """The cache that `make` makes, the same for equal keys in all of the process."""

    def __init__(self, key: Hashable, make: Callable[[], Inside]) -> None:
        self._key = key
        self._make = make
        self._opening: Future[Inside] | None = None
        self._patient_until = 0.0
        self._failed_at: float | None = None
        self._said: set[type[BaseException]] = set()

    def reach(self) -> Reached | None:
        """For threads. None: without the cache this time."""
        opening = self._open()
        if opening is None:
            return None
        ground, future = opening
        if ground.is_here():
            return None  # a setting's own function asks: it cannot wait for the thread that it runs in
        with suppress(TimeoutError):  # `_reached` says so
            future.exception(self._patience())
        return self._reached(ground, future)

    async def reach_async(self) -> Reached | None:
        """For tasks of any loop."""
        opening = self._open()
        if opening is None:
            return None
        ground, future = opening
        if not future.done():
            waiting = asyncio.wrap_future(future)
            waiting.add_done_callback(_seen)
            await asyncio.wait([waiting], timeout=self._patience())
        return self._reached(ground, future)

    def failed(self, error: BaseException) -> None:
        """A request went on without it; said once for each kind of trouble."""
        if isinstance(error, SemgateError | EngineClosed):
            self._say(type(error), str(error))
        else:
            self._say(type(error), f"{type(error).__name__}: {error}", error)

    def _say(self, kind: type[BaseException], detail: str, cause: BaseException | None = None) -> None:
        silent = kind is EngineClosed or kind in self._said
        self._said.add(kind)
        level = logging.DEBUG if silent else logging.WARNING
        LOG.log(level, "requests go on without the cache: %s", detail, exc_info=cause)

    def _open(self) -> tuple[Engine, Future[Inside]] | None:
        now = time.monotonic()
        if self._failed_at is not None:
            if now < self._failed_at + AGAIN:
                return None
            self._failed_at = None
        try:
            ground = engine()
            future = ground.opened(self._key, self._make, self)
        except (RuntimeError, OSError) as error:  # the process is ending, or can have no more threads or files
            self._not_opened(error)
            return None
        if future is not self._opening:
            self._opening, self._patient_until = future, now + OPENING
        return ground, future

    def _reached(self, ground: Engine, future: Future[Inside]) -> Reached | None:
        if not future.done():
            self._say(TimeoutError, "it takes long to open")
            return None
        error = future.exception()
        if error is not None:
            self._not_opened(error)
            return None
        return Reached(ground, future.result())

    def _not_opened(self, error: BaseException) -> None:
        self._failed_at = time.monotonic()
        self.failed(error)

    def _patience(self) -> float:
        return max(0.0, self._patient_until - time.monotonic())


def _seen(future: asyncio.Future[Inside]) -> None:
    """So that nobody complains of an error that nobody looked at: it is told elsewhere."""
    if not future.cancelled():
        future.exception()
