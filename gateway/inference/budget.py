"""What a model behind an API may cost: calls in any minute, dollars in a UTC day.

No clock of its own and no waiting: a call that does not fit is refused at once. Before a call its highest possible price
is set aside, and afterwards put right by what it did cost; so calls in flight together cannot overdraw it. A call whose
price never becomes known (it was late, its answer had no count) keeps what was set aside.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

MINUTE = 60.0
DAY = 86_400.0


class OverBudget(Exception):
    """The call does not fit. Says so of itself."""


class Spend:
    """One call's place in the budget."""

    __slots__ = ("day", "dollars")

    def __init__(self, day: int, dollars: float) -> None:
        self.day = day
        self.dollars = dollars


class Budget:
    """One process's.

    Args:
        who: for messages.
        calls_per_minute: in any 60 seconds.
        dollars_per_day: None: any.
        clock: Unix seconds.
    """

    def __init__(
        self, who: str, *, calls_per_minute: int, dollars_per_day: float | None, clock: Callable[[], float]
    ) -> None:
        self._who = who
        self._calls_per_minute = calls_per_minute
        self._dollars_per_day = dollars_per_day
        self._clock = clock
        self._calls: deque[float] = deque(maxlen=calls_per_minute)
        self._day = 0
        self._spent = 0.0

    def take(self, dollars: float) -> Spend:
        """Set aside the highest price of one call. Raises OverBudget where it does not fit."""
        now = self._clock()
        if len(self._calls) == self._calls_per_minute and 0 <= now - self._calls[0] < MINUTE:
            raise OverBudget(f"{self._who} has used up its budget of {self._calls_per_minute} calls a minute")
        self._turn(int(now // DAY))
        if self._dollars_per_day is not None and self._spent + dollars > self._dollars_per_day:
            raise OverBudget(f"{self._who} has used up its budget of {self._dollars_per_day:g} dollars a day")
        self._calls.append(now)
        self._spent += dollars
        return Spend(self._day, dollars)

    def settle(self, spend: Spend, dollars: float) -> None:
        """The call did cost this."""
        if spend.day == self._day:
            self._spent += dollars - spend.dollars

    def _turn(self, day: int) -> None:
        if day > self._day:
            self._day, self._spent = day, 0.0
