"""A Guard stands before one outside part of the cache (a store, an embedder): a time budget and a breaker.

Late is as good as down. After FAILURES failures in a row the part is skipped for a while, longer each time up to
LONGEST_PAUSE, then one call at a time may try whether it is back: a slow part costs its budget once in a while, not on
every request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from gateway.core.events import BreakerMoved, Stage, Timed, Trouble
from gateway.core.ports import Emit
from gateway.errors import CacheTrouble, TextUnfit

FAILURES = 5
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0

P = ParamSpec("P")
T = TypeVar("T")


class Guard:
    """`part` is the name in the routes file, `timeout` seconds, `clock` a monotonic clock in seconds. `trouble` is what
    the last call failed with, None after a good one."""

    def __init__(self, part: str, timeout: float, emit: Emit, clock: Callable[[], float]) -> None:
        self.part = part
        self._timeout = timeout
        self._emit = emit
        self._clock = clock
        self.trouble: str | None = None
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._closed_until = 0.0
        self._probing = False

    @property
    def open(self) -> bool:
        """Is the part being skipped?"""
        return self._failures >= FAILURES

    async def call(self, stage: Stage, work: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await `work(...)` within the budget. Raises CacheTrouble: the part's own, lateness, or that it is skipped."""
        probe = self.open
        if probe and (self._probing or self._clock() < self._closed_until):
            raise CacheTrouble(f"{self.part}: skipped after repeated failures")
        self._probing = probe
        started = self._clock()
        try:
            async with asyncio.timeout(self._timeout):
                result = await work(*args, **kwargs)
        except TextUnfit:
            self._succeeded()
            raise
        except TimeoutError:
            trouble = CacheTrouble(f"{self.part}: no answer within its timeout of {self._timeout * 1000:.0f} ms")
            self._failed(trouble)
            raise trouble from None
        except CacheTrouble as trouble:
            self._failed(trouble)
            raise
        finally:
            if probe:
                self._probing = False
            self._emit(Timed(stage, self._clock() - started))
        self._succeeded()
        return result

    def _succeeded(self) -> None:
        if self.open:
            self._emit(BreakerMoved(self.part, open=False))
        self.trouble = None
        self._failures = 0
        self._pause = FIRST_PAUSE

    def _failed(self, trouble: CacheTrouble) -> None:
        self.trouble = str(trouble)
        self._failures += 1
        self._emit(Trouble(self.part, str(trouble)))
        if not self.open:
            return
        if self._failures == FAILURES:
            self._emit(BreakerMoved(self.part, open=True))
        else:
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
        self._closed_until = self._clock() + self._pause
