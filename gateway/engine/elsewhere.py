"""Coalescing with other processes: a short lock under the exact key, optional per route.

Who gets the lock forwards; the others look for its answer every now and then, until it is there, the lock is gone, or
the time is over that an upstream has for its first byte. Trouble with the lock means that everybody forwards.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from gateway.core.events import Stage
from gateway.core.messages import Hit
from gateway.core.ports import Locks
from gateway.core.recording import Recording
from gateway.engine.guard import Guard
from gateway.errors import CacheTrouble

FIRST_LOOK = 0.02
LONGEST_PAUSE = 0.25


class Elsewhere:
    """One route's. `seconds` is the longest that a lock is held, and that anybody waits for one."""

    def __init__(self, locks: Locks, guard: Guard, seconds: float) -> None:
        self._locks = locks
        self._guard = guard
        self._seconds = seconds

    async def lead_or_wait(self, recording: Recording, landed: Callable[[], Awaitable[Hit | None]]) -> Hit | None:
        """None: forward. A hit: another process has asked the same, and this became of it (`landed` looks for it)."""
        deadline = time.monotonic() + self._seconds
        pause = FIRST_LOOK
        try:
            while not await self._acquired(recording):
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, LONGEST_PAUSE)
                hit = await landed()
                if hit is not None or time.monotonic() > deadline:
                    return hit
        except CacheTrouble:
            return None
        # The lock may have become free just now because the answer was stored.
        return await landed() if pause > FIRST_LOOK else None

    async def release(self, recording: Recording) -> None:
        """The answer is stored, or will not be."""
        token, recording.lock = recording.lock, None
        if token is None:
            return
        try:
            await self._guard.call(Stage.LOCK, self._locks.release, recording.subject.exact, token)
        except CacheTrouble:
            return  # it ends by itself

    async def _acquired(self, recording: Recording) -> bool:
        key = recording.subject.exact
        recording.lock = await self._guard.call(Stage.LOCK, self._locks.acquire, key, self._seconds)
        return recording.lock is not None
