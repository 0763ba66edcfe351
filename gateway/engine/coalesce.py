"""Identical requests in flight: one is forwarded, the others follow its answer.

A Flight is one call upstream; a Seat is one follower's place in it. Followers of a stream go along from its start;
followers of a single answer, and those who want the other form, wait until it is kept. Where the answer cannot be
shared they are let go at a bounded rate, and the key is remembered for a while, so that nobody waits in vain again
(Varnish calls this hit-for-miss). Flights are found by exact key: scope and partition are in it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import msgspec

from gateway.core.messages import Entry, Form, Headers, Hit, Reason, Wanted
from gateway.core.purges import Asked

UNCACHEABLE_REMEMBERED = 100_000
# Why an answer is not kept that say nothing of the answer: the next one may well be shared.
SHAREABLE = frozenset({Reason.CLIENT_LEFT, Reason.STORE_BUSY, Reason.STORE_TROUBLE, Reason.PURGED})
# Bytes that a follower is given at once.
TOGETHER = 1 << 18


class Coalescing(msgspec.Struct, frozen=True):
    """One route's bounds: most `followers` of one call (0: no coalescing), how many of them per second are `release`d,
    seconds for which `uncacheable` keys are remembered, bytes that a follower may lag behind."""

    followers: int
    release: float
    uncacheable: float
    lag: int


class Head(NamedTuple):
    """Of a stream that can be followed; `synthesized`: it is made of kept answers."""

    status: int
    headers: Headers
    form: Form
    synthesized: bool = False


class Shared(NamedTuple):
    """What the answer to somebody else's same request became, in the follower's form."""

    hit: Hit


class Broken(Exception):
    """The followed stream broke off, or this follower lags too far behind: its client must see that it is not whole."""


class Flight:
    """One call upstream. The Recording tells it what passes by (it is the recording's Audience), the cache how it ended."""

    def __init__(
        self,
        asked: Asked,
        wanted: Wanted | None,
        bounds: Coalescing,
        landed: Callable[[Flight], None],
        *,
        renews: bool,
    ) -> None:
        self.renews = renews
        self.asked = asked
        self.wanted = wanted
        self._bounds = bounds
        self._tell_landed = landed
        self._seats: set[Seat] = set()
        self._so_far: Callable[[], list[bytes]] | None = None
        self.head: Head | None = None
        self.over = False
        self.broken = False
        self.landed = False
        self.shareable = False
        self.entry: Entry | None = None
        self._let_go = 0

    @property
    def followed(self) -> bool:
        return bool(self._seats)

    def board(self) -> Seat | None:
        """A place for one more, None if there is none. Who comes after the last byte of a stream waits for the entry."""
        if self.landed or len(self._seats) >= self._bounds.followers:
            return None
        seat = Seat(self, self._bounds.lag, too_late=self.over)
        self._seats.add(seat)
        for piece in () if self._so_far is None else self._so_far():
            seat.put(piece)
        return seat

    def leave(self, seat: Seat) -> None:
        self._seats.discard(seat)

    def next_pause(self) -> float:
        """Seconds until the next follower may go upstream by itself."""
        self._let_go += 1
        return (self._let_go - 1) / self._bounds.release

    def start(
        self, status: int, headers: Headers, form: Form, so_far: Callable[[], list[bytes]], *, synthesized: bool = False
    ) -> None:
        if form is not Form.SINGLE:
            self.head, self._so_far = Head(status, headers, form, synthesized), so_far
            self._wake()

    def feed(self, chunk: bytes) -> None:
        if self.head is not None and chunk:
            for seat in self._seats:
                seat.put(chunk)

    def abandon(self, reason: Reason) -> None:
        if reason in (Reason.INCOMPLETE, Reason.CLIENT_LEFT) and not self.over:
            self.broken = True
        self.shareable = reason in SHAREABLE
        self.land(None)

    def finish(self) -> None:
        self.over, self._so_far = True, None
        self._wake()

    def land(self, entry: Entry | None) -> None:
        """It is known whether the answer is kept. Followers who wait for that go on; those of a stream see its end."""
        if not self.landed:
            self._so_far = None
            self.landed, self.entry = True, entry
            self._tell_landed(self)
        self._wake()

    def _wake(self) -> None:
        for seat in self._seats:
            seat.wake()


class Seat:
    """One follower's place: what it has not sent yet."""

    def __init__(self, flight: Flight, lag: int, *, too_late: bool) -> None:
        self._flight = flight
        self._lag = lag
        self._too_late = too_late
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._fell_behind = False
        self._along = True
        self._waiting: asyncio.Future[None] | None = None

    @property
    def wanted(self) -> Wanted | None:
        """The form that the followed request asks for."""
        return self._flight.wanted

    @property
    def asked(self) -> Asked:
        """What was asked, and when; the answer may have more tags."""
        return self._flight.asked

    def leave(self) -> None:
        self._flight.leave(self)

    def put(self, chunk: bytes) -> None:
        if not self._along:
            return
        self._pieces.append(chunk)
        self._size += len(chunk)
        if self._size > self._lag:
            self._fell_behind = True
            self._pieces.clear()
        self.wake()

    def wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def head(self) -> Head | None:
        """The head of a stream to go along with; None if the answer is a single one, or cannot be shared."""
        flight = self._flight
        if self._too_late:
            return None
        while flight.head is None and not flight.landed and not flight.broken:
            await self._wait()
        return None if flight.broken else flight.head

    async def entry(self) -> Entry | None:
        """The entry that the answer became. None if it was not kept: go on by yourself, from now on."""
        self._along = False
        self._pieces.clear()
        flight = self._flight
        while not flight.landed:
            await self._wait()
        if flight.entry is None:
            await asyncio.sleep(flight.next_pause())
        return flight.entry

    async def pieces(self) -> AsyncIterator[bytes]:
        """The stream's bytes from its start, as they come. Raises Broken."""
        flight = self._flight
        while True:
            if self._fell_behind:
                raise Broken
            if self._pieces:
                yield self._next()
            elif flight.broken:
                raise Broken
            elif flight.over:
                return
            else:
                await self._wait()

    def _next(self) -> bytes:
        together, size = [], 0
        while self._pieces and size < TOGETHER:
            together.append(self._pieces.popleft())
            size += len(together[-1])
        self._size -= size
        return b"".join(together)

    async def _wait(self) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None


class Flights:
    """Those of one route, by exact key. `clock` is a monotonic clock in seconds."""

    def __init__(self, bounds: Coalescing, clock: Callable[[], float]) -> None:
        self._bounds = bounds
        self._clock = clock
        self._in_flight: dict[bytes, Flight] = {}
        self._uncacheable: OrderedDict[bytes, float] = OrderedDict()

    def join(self, key: bytes, *, renewals: bool) -> Seat | None:
        """A place in the flight under this key, if there is one; with `renewals` also in one that renews a stale answer."""
        flight = self._in_flight.get(key)
        return None if flight is None or (flight.renews and not renewals) else flight.board()

    def lead(self, asked: Asked, wanted: Wanted | None) -> Flight | None:
        """A new flight for others to follow; None where there is one already, or nobody shall wait for this key."""
        return self._take_off(asked, wanted, renews=False) if self._bounds.followers else None

    def renew(self, asked: Asked, wanted: Wanted | None) -> Flight | None:
        """A new flight to renew a stale answer, which is served meanwhile; None as with `lead`."""
        return self._take_off(asked, wanted, renews=True)

    def drop(self, key: bytes, is_void: Callable[[Asked], bool]) -> None:
        """Where a purge covers what is under way, nobody else shall join it, and the next one may lead. Who is on board
        asked before the purge, and stays."""
        flight = self._in_flight.get(key)
        if flight is not None and is_void(flight.asked):
            del self._in_flight[key]

    def _take_off(self, asked: Asked, wanted: Wanted | None, *, renews: bool) -> Flight | None:
        key = asked.exact
        if key in self._in_flight or self._uncacheable.get(key, 0.0) > self._clock():
            return None
        flight = self._in_flight[key] = Flight(asked, wanted, self._bounds, self._landed, renews=renews)
        return flight

    def _landed(self, flight: Flight) -> None:
        key = flight.asked.exact
        if self._in_flight.get(key) is flight:
            del self._in_flight[key]
        if flight.entry is not None:
            self._uncacheable.pop(key, None)
        if flight.entry is not None or flight.shareable:
            return
        now, remembered = self._clock(), self._uncacheable
        remembered[key] = now + self._bounds.uncacheable
        remembered.move_to_end(key)
        while remembered and (next(iter(remembered.values())) <= now or len(remembered) > UNCACHEABLE_REMEMBERED):
            remembered.popitem(last=False)
