"""What declared clients may still use: asked before each request, told after each answer that an upstream gave.

Requests and tokens are counted by one store for all processes, dollars by one that outlives them. What a store cannot
tell, because it is down or late, stops nobody. What an answer cost is booked by a task of its own, and the same client's
next request waits for that: so who asks one after the other goes beyond a limit by no more than one answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from gateway.core.events import Limited, Spent, Stage
from gateway.core.messages import Cost
from gateway.core.ports import Counters, Emit, Spending
from gateway.core.quota import Limit, Limits, Standing, Usage, stand
from gateway.engine.guard import Guard
from gateway.errors import CacheTrouble

# Seconds for which what PostgreSQL said of a client's month is not asked again: other processes may have booked meanwhile.
TOLD_FOR = 0.1


class _Purse:
    """One client's month: what PostgreSQL last said of it and when, and what could not be booked there so far."""

    __slots__ = ("month", "owed", "told", "told_at")

    def __init__(self, month: str) -> None:
        self.month = month
        self.told: float | None = None
        self.told_at = float("-inf")
        self.owed = 0.0


class Allowances:
    """Of one namespace; keeps a few numbers for each client. `clock` is the Unix time."""

    def __init__(
        self,
        counters: tuple[Counters, Guard],
        spending: tuple[Spending, Guard],
        emit: Emit,
        clock: Callable[[], float],
    ) -> None:
        self._counters, self._counting = counters
        self._spending, self._booking = spending
        self._emit = emit
        self._clock = clock
        self._purses: dict[str, _Purse] = {}
        self._bookings: dict[str, set[asyncio.Task[None]]] = {}

    async def admit(self, client: str, limits: Limits) -> Standing:
        """Count a request, unless the client is over one of its limits; where it stands."""
        if client in self._bookings:
            await asyncio.wait([*self._bookings[client]])
        now = datetime.fromtimestamp(self._clock(), UTC)
        spent, usage = None, None
        if limits.dollars is not None:
            spent = await self._spent(client, self._purse(client, now))
        if limits.by_minute and (spent is None or limits.dollars is None or spent < limits.dollars):
            usage = await self._count(client, limits)
        standing = stand(limits, usage, spent, _left_of_month(now))
        if standing.over is not None:
            self._emit(Limited(client, standing.over.limit))
        return standing

    def forbid(self, client: str) -> None:
        """It asked for a route that it may not use."""
        self._emit(Limited(client, Limit.ALLOWED))

    def pay(self, client: str, limits: Limits, cost: Cost, dollars: float | None) -> asyncio.Task[None]:
        """An answer cost this: it is booked from now on."""
        self._emit(Spent(client, cost, dollars))
        tokens = 0 if limits.tokens is None else cost.prompt + cost.completion
        purse = None
        if limits.dollars is not None and dollars:
            purse = self._purse(client, datetime.fromtimestamp(self._clock(), UTC))
            purse.owed += dollars
        booking = asyncio.create_task(self._book(client, tokens, purse), name="semgate booking")
        self._bookings.setdefault(client, set()).add(booking)
        booking.add_done_callback(lambda done: self._booked(client, done))
        return booking

    def _booked(self, client: str, booking: asyncio.Task[None]) -> None:
        self._bookings[client].discard(booking)
        if not self._bookings[client]:
            del self._bookings[client]

    async def _book(self, client: str, tokens: int, purse: _Purse | None) -> None:
        """Tokens that cannot be counted now are forgotten: their minute will be over."""
        if tokens:
            with suppress(CacheTrouble):
                await self._counting.call(Stage.LIMIT, self._counters.add, client, tokens)
        if purse is not None:
            await self._book_dollars(client, purse)

    async def _book_dollars(self, client: str, purse: _Purse) -> None:
        """All that are owed. Those that cannot be booked now are kept for the next time, and count here until then."""
        dollars, purse.owed = purse.owed, 0.0
        if not dollars:
            return  # booked with another answer's
        try:
            told = await self._booking.call(Stage.LIMIT, self._spending.spend, client, purse.month, dollars)
        except CacheTrouble:
            purse.owed += dollars
        else:
            purse.told, purse.told_at = told, self._clock()

    async def _spent(self, client: str, purse: _Purse) -> float | None:
        """Dollars of this month as far as they are known; None where nobody has told them yet."""
        now = self._clock()
        if purse.owed:
            await self._book_dollars(client, purse)
        elif not 0 <= now - purse.told_at < TOLD_FOR:
            try:
                told = await self._booking.call(Stage.LIMIT, self._spending.spent, client, purse.month)
            except CacheTrouble:
                pass  # what was told before is better than nothing
            else:
                purse.told, purse.told_at = told, now
        if purse.told is None and not purse.owed:
            return None
        return (purse.told or 0.0) + purse.owed

    async def _count(self, client: str, limits: Limits) -> Usage | None:
        try:
            return await self._counting.call(Stage.LIMIT, self._counters.admit, client, limits)
        except CacheTrouble:
            return None

    def _purse(self, client: str, now: datetime) -> _Purse:
        month = f"{now:%Y-%m}"
        purse = self._purses.get(client)
        if purse is None or purse.month != month:
            purse = self._purses[client] = _Purse(month)
        return purse


def _left_of_month(now: datetime) -> float:
    year, month = (now.year + 1, 1) if now.month == 12 else (now.year, now.month + 1)
    return (datetime(year, month, 1, tzinfo=UTC) - now).total_seconds()
