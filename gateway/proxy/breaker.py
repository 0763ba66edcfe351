"""The Breaker of one upstream: after failures in a row it is left alone for a while, then one request tries.

Closed: everybody may ask, and a success sets the count back. Open: nobody may until the pause is over; then exactly one
(half-open), the others are still skipped. Its success closes the breaker, its failure doubles the pause. Requests that
began before it opened tell nothing about now, so their outcomes are ignored: each opening begins a new `era`.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Breaker:
    """`failures` in a row open it (0: never), for `pause` seconds at first and at most `longest`; `clock` is a monotonic
    clock in seconds."""

    def __init__(
        self,
        failures: int = 0,
        pause: float = 1.0,
        longest: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = failures
        self._first_pause = min(pause, longest)
        self._longest = longest
        self._clock = clock
        self._era = 0
        self._failures = 0
        self._pause = self._first_pause
        self._rests_until = 0.0
        self._trying = False
        self.open = False

    def enter(self) -> int | None:
        """The era in which a request may be sent now, to be handed back with its outcome; None: leave it alone.

        Who enters must end with one of `succeeded`, `failed` and `left`.
        """
        if self.open:
            if self._trying or self._clock() < self._rests_until:
                return None
            self._trying = True
        return self._era

    def rests(self) -> float:
        """Seconds until a request may try again; 0: now, or as soon as the one that is trying has its answer."""
        return max(0.0, self._rests_until - self._clock()) if self.open else 0.0

    def succeeded(self, era: int) -> int:
        """It answered. Returns how many failures this success set back, in case it proves to be none."""
        if era != self._era:
            return 0
        before, self._failures = self._failures, 0
        self._pause = self._first_pause
        self._trying = self.open = False
        return before

    def failed(self, era: int, at_least: float = 0.0, set_back: int = 0) -> None:
        """It did not answer, or not well. `at_least` is how many seconds it asked to be left alone; `set_back` what
        `succeeded` returned for this request before its answer broke off."""
        if era != self._era or not self._limit:
            return
        self._failures = max(self._failures, set_back) + 1
        if self.open:
            self._pause = min(self._pause * 2, self._longest)
        elif self._failures < self._limit:
            return
        self.open = True
        self._trying = False
        self._era += 1
        self._rests_until = self._clock() + min(max(self._pause, at_least), self._longest)

    def left(self, era: int) -> None:
        """The request ended without an outcome: its client went, say. If it was to try, the next one does."""
        if era == self._era:
            self._trying = False
