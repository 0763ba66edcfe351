"""A Guard stands before one outside part of the cache (a store, an embedder): a time budget and a breaker.

Late is as good as down. After several failures in a row the part is skipped for a while, longer each time, then one
call at a time may try whether it is back: a slow part costs its budget once in a while, not on every request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

import msgspec

from gateway.core.events import BreakerMoved, Stage, Timed, Trouble
from gateway.core.ports import Emit
from gateway.errors import CacheTrouble, TextUnfit

P = ParamSpec("P")
T = TypeVar("T")


class Skipping(msgspec.Struct, frozen=True):
    """After so many failures in a row a part is skipped, for `pause` seconds first and then twice as long each time, up to
    `longest`."""

    failures: int = 5
    pause: float = 0.5
    longest: float = 15.0


USUAL = Skipping()


class Guard:
    """`part` is the name in the routes file, `timeout` seconds, `clock` a monotonic clock in seconds. `trouble` is what
    the last call failed with, None after a good one."""

    def __init__(
        self, part: str, timeout: float, emit: Emit, clock: Callable[[], float], skipping: Skipping = USUAL
    ) -> None:
        self.part = part
        self._timeout = timeout
        self._emit = emit
        self._clock = clock
        self._skipping = skipping
        self.trouble: str | None = None
        self._failures = 0
        self._pause = self._skipping.pause
        self._closed_until = 0.0
        self._probing = False

    @property
    def open(self) -> bool:
        """Is the part being skipped?"""
        return self._failures >= self._skipping.failures

    async def call(self, stage: Stage, work: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await `work(...)` within the budget. Raises CacheTrouble: the part's own, lateness, or that it is skipped."""
        result = await self.begin(stage, work, *args, **kwargs)
        self._succeeded()
        return result

    async def begin(self, stage: Stage, work: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for what is only the beginning of a call: whether that was a good one is told by `ended`."""
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
        return result

    def ended(self, trouble: CacheTrouble | None) -> None:
        """What was begun came to its end, or broke off with this trouble."""
        if trouble is None:
            self._succeeded()
        else:
            self._failed(trouble)

    def _succeeded(self) -> None:
        if self.open:
            self._emit(BreakerMoved(self.part, open=False))
        self.trouble = None
        self._failures = 0
        self._pause = self._skipping.pause

    def _failed(self, trouble: CacheTrouble) -> None:
        self.trouble = str(trouble)
        self._failures += 1
        self._emit(Trouble(self.part, str(trouble)))
        if not self.open:
            return
        if self._failures == self._skipping.failures:
            self._emit(BreakerMoved(self.part, open=True))
        else:
            self._pause = min(self._pause * 2, self._skipping.longest)
        self._closed_until = self._clock() + self._pause
