"""What clients may still use: what is not booked yet counts, and what a store cannot tell or take stops nobody."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from gateway.core.events import Event, Limited, Spent
from gateway.core.messages import Cost
from gateway.core.quota import SLOT_SECONDS, Limit, Limits, Over, Standing, Usage, total
from gateway.engine.allowance import TOLD_FOR, Allowances
from gateway.engine.guard import Guard
from gateway.errors import StoreError

MIDNIGHT = datetime(2026, 12, 31, 23, 59, 50, tzinfo=UTC).timestamp()


class Store:
    """Counters and the month's dollars, as little as will do; `down`: it answers nothing."""

    def __init__(self) -> None:
        self.down = False
        self.asked = 0
        self.requests = 0
        self.tokens = 0
        self.dollars: dict[tuple[str, str], float] = {}

    async def admit(self, client: str, limits: Limits) -> Usage:
        await self._answer()
        fits = (limits.requests is None or self.requests < limits.requests) and (
            limits.tokens is None or self.tokens < limits.tokens
        )
        self.requests += fits
        now = 1000.0
        return Usage(now, SLOT_SECONDS, ((500, self.requests),), ((500, self.tokens),), fits)

    async def add(self, client: str, tokens: int) -> None:
        await self._answer()
        self.tokens += tokens

    async def spent(self, client: str, month: str) -> float:
        await self._answer()
        return self.dollars.get((client, month), 0.0)

    async def spend(self, client: str, month: str, dollars: float) -> float:
        await self._answer()
        self.dollars[client, month] = self.dollars.get((client, month), 0.0) + dollars
        return self.dollars[client, month]

    async def _answer(self) -> None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.down:
            raise StoreError("down")


class Bench:
    def __init__(self) -> None:
        self.now = MIDNIGHT - 1000
        self.store = Store()
        self.events: list[Event] = []
        guard = Guard("store", 5.0, self.events.append, lambda: self.now)
        self.allowances = Allowances((self.store, guard), (self.store, guard), self.events.append, lambda: self.now)

    def admit(self, limits: Limits, client: str = "web") -> Standing:
        return asyncio.run(self.allowances.admit(client, limits))

    def over(self, limits: Limits) -> Limit | None:
        over = self.admit(limits).over
        return None if over is None else over.limit

    def pay(self, limits: Limits, cost: Cost, dollars: float | None = None) -> None:
        async def scenario() -> None:
            await self.allowances.pay("web", limits, cost, dollars)

        asyncio.run(scenario())


@pytest.fixture
def bench() -> Bench:
    return Bench()


TOKENS = Limits(tokens=100)
DOLLARS = Limits(dollars=1.0)


def test_a_clients_next_request_knows_of_its_last_answer(bench: Bench) -> None:
    async def scenario() -> None:
        limits = Limits(tokens=100, dollars=1.0)
        bench.allowances.pay("web", limits, Cost("m", 50, 10), 0.5)
        standing = await bench.allowances.admit("web", limits)
        told = dict(standing.headers)
        assert (told[b"x-ratelimit-remaining-tokens"], told[b"x-ratelimit-remaining-dollars"]) == (b"40", b"0.5000")
        assert standing.over is None
        bench.allowances.pay("web", limits, Cost("m", 50, 10), 0.1)
        standing = await bench.allowances.admit("web", limits)
        assert standing.over is not None
        assert standing.over.limit is Limit.TOKENS
        assert (await bench.allowances.admit("mobile", DOLLARS)).over is None

    asyncio.run(scenario())
    assert bench.allowances._bookings == {}


def test_whoever_leaves_while_it_waits_stops_no_booking(bench: Bench) -> None:
    async def scenario() -> None:
        booking = bench.allowances.pay("web", DOLLARS, Cost("m", 50, 10), 0.5)
        asking = asyncio.create_task(bench.allowances.admit("web", DOLLARS))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        await booking

    asyncio.run(scenario())
    assert sum(bench.store.dollars.values()) == 0.5


def test_what_was_booked_counts_once(bench: Bench) -> None:
    bench.pay(TOKENS, Cost("m", 60, 39))
    assert bench.store.tokens == 99
    assert bench.over(TOKENS) is None
    bench.pay(DOLLARS, Cost("m", 1, 1), 0.75)
    headers = dict(bench.admit(DOLLARS).headers)
    assert headers[b"x-ratelimit-remaining-dollars"] == b"0.2500"


def test_many_answers_at_once_are_all_booked_once(bench: Bench) -> None:
    async def scenario() -> None:
        limits = Limits(tokens=10**9, dollars=10.0)
        await asyncio.gather(*[bench.allowances.pay("web", limits, Cost("m", 1, 1), 0.125) for _ in range(20)])
        standing = await bench.allowances.admit("web", limits)
        assert dict(standing.headers)[b"x-ratelimit-remaining-dollars"] == b"7.5000"

    asyncio.run(scenario())
    assert bench.store.tokens == 40
    assert sum(bench.store.dollars.values()) == pytest.approx(2.5)


def test_a_store_that_is_down_stops_nobody(bench: Bench) -> None:
    bench.store.down = True
    assert bench.admit(Limits(1, 1, 1.0)) == Standing((), None)
    assert bench.admit(Limits(1, 1, 1.0)) == Standing((), None)


def test_dollars_that_could_not_be_booked_are_booked_later_and_count_until_then(bench: Bench) -> None:
    bench.store.down = True
    bench.pay(DOLLARS, Cost("m", 1, 1), 0.6)
    bench.pay(DOLLARS, Cost("m", 1, 1), 0.6)
    assert bench.store.dollars == {}
    assert bench.over(DOLLARS) is Limit.DOLLARS
    bench.store.down = False
    assert bench.over(DOLLARS) is Limit.DOLLARS
    assert sum(bench.store.dollars.values()) == pytest.approx(1.2)
    bench.now += 1
    assert bench.over(DOLLARS) is Limit.DOLLARS
    assert sum(bench.store.dollars.values()) == pytest.approx(1.2)


def test_tokens_that_could_not_be_counted_are_forgotten(bench: Bench) -> None:
    bench.store.down = True
    bench.pay(TOKENS, Cost("m", 1000, 0))
    bench.store.down = False
    assert bench.over(TOKENS) is None


def test_the_last_word_of_a_ledger_that_is_down_holds(bench: Bench) -> None:
    bench.pay(DOLLARS, Cost("m", 1, 1), 2.0)
    bench.now += 10
    bench.store.down = True
    assert bench.over(DOLLARS) is Limit.DOLLARS


def test_what_others_spend_is_known_a_moment_later(bench: Bench) -> None:
    assert bench.over(DOLLARS) is None
    asked = bench.store.asked
    assert bench.over(DOLLARS) is None
    assert bench.store.asked == asked
    month = f"{datetime.fromtimestamp(bench.now, UTC):%Y-%m}"
    bench.store.dollars["web", month] = 5.0
    bench.now += 2 * TOLD_FOR
    assert bench.over(DOLLARS) is Limit.DOLLARS


def test_who_is_out_of_dollars_is_not_asked_for_requests(bench: Bench) -> None:
    limits = Limits(requests=5, dollars=1.0)
    bench.pay(limits, Cost("m", 1, 1), 1.0)
    assert bench.over(limits) is Limit.DOLLARS
    assert bench.store.requests == 0


def test_a_new_month_is_a_new_budget(bench: Bench) -> None:
    bench.now = MIDNIGHT
    bench.pay(DOLLARS, Cost("m", 1, 1), 1.0)
    assert bench.admit(DOLLARS).over == Over(Limit.DOLLARS, 10)
    bench.now += 10
    assert bench.over(DOLLARS) is None
    assert list(bench.store.dollars) == [("web", "2026-12")]


def test_limits_may_change_between_requests(bench: Bench) -> None:
    assert [bench.over(Limits(2)) for _ in range(3)] == [None, None, Limit.REQUESTS]
    assert bench.over(Limits(3)) is None
    assert bench.over(Limits(3)) is Limit.REQUESTS


def test_what_is_not_limited_is_not_asked_for(bench: Bench) -> None:
    bench.pay(Limits(dollars=5.0), Cost("m", 5, 5), None)
    bench.pay(Limits(requests=5), Cost("m", 5, 5), 3.0)
    assert bench.store.asked == 0
    bench.admit(Limits(requests=5))
    assert (bench.store.asked, total(((1, bench.store.requests),))) == (1, 1)


def test_every_refusal_and_every_cost_is_told(bench: Bench) -> None:
    bench.pay(TOKENS, Cost("gpt-*", 90, 10), 0.5)
    bench.admit(TOKENS)
    bench.allowances.forbid("web")
    told = [event for event in bench.events if isinstance(event, Limited | Spent)]
    assert told == [
        Spent("web", Cost("gpt-*", 90, 10), 0.5),
        Limited("web", "tokens"),
        Limited("web", "allowed"),
    ]
