"""A client's limits: how a minute is counted, how long to wait, and what is told in headers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.quota import (
    LONGEST_WAIT,
    SLOT_SECONDS,
    SLOTS,
    Counts,
    Limit,
    Limits,
    Over,
    Usage,
    duration,
    reset,
    stand,
    total,
    wait,
)

MINUTE = SLOTS * SLOT_SECONDS
START = 1_700_000_000.0


class Minute:
    """What a store does: it counts in slots, and looks before it counts."""

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}

    def seen(self, now: float) -> Counts:
        oldest = math.floor(now / SLOT_SECONDS) - SLOTS
        return tuple(sorted((slot, amount) for slot, amount in self._slots.items() if slot >= oldest))

    def add(self, now: float, amount: int) -> None:
        slot = math.floor(now / SLOT_SECONDS)
        self._slots[slot] = self._slots.get(slot, 0) + amount

    def admit(self, now: float, limit: int) -> bool:
        fits = total(self.seen(now)) < limit
        if fits:
            self.add(now, 1)
        return fits

    def usage(self, now: float, *, admitted: bool) -> Usage:
        return Usage(now, SLOT_SECONDS, self.seen(now), (), admitted)


pauses = st.lists(st.floats(0.0, 40.0), max_size=120)


@given(pauses, st.integers(1, 12))
def test_in_no_minute_is_more_admitted_than_the_limit(between: list[float], limit: int) -> None:
    minute, now = Minute(), START
    admitted: list[float] = []
    for pause in between:
        now += pause
        if minute.admit(now, limit):
            admitted.append(now)
    assert all(sum(first <= other < first + MINUTE for other in admitted) <= limit for first in admitted)


@given(pauses, st.integers(1, 12))
def test_who_kept_to_the_limit_for_a_minute_and_a_slot_is_never_refused(between: list[float], limit: int) -> None:
    minute, now = Minute(), START
    asked: list[float] = []
    for pause in between:
        now += pause
        if sum(now - MINUTE - SLOT_SECONDS <= other for other in asked) < limit:
            assert minute.admit(now, limit)
            asked.append(now)


@given(st.lists(st.tuples(st.floats(0.0, 10.0), st.integers(1, 9)), min_size=1, max_size=40), st.integers(1, 12))
def test_the_wait_is_as_long_as_it_must_be_and_no_longer(spent: list[tuple[float, int]], limit: int) -> None:
    minute, now = Minute(), START
    for pause, amount in spent:
        now += pause
        minute.add(now, amount)
    usage = minute.usage(now, admitted=False)
    seconds = wait(usage.requests, limit, usage)
    assert seconds <= reset(usage.requests, usage) <= MINUTE + SLOT_SECONDS
    assert total(minute.seen(now + seconds + 0.001)) < limit
    if seconds > 0.001:
        assert total(minute.seen(now + seconds - 0.001)) >= limit
    assert total(minute.seen(now + reset(usage.requests, usage) + 0.001)) == 0


def usage(requests: int = 0, tokens: int = 0, *, admitted: bool = True, ago: float = 0.0) -> Usage:
    """All of it used so many seconds ago."""
    slot = math.floor((START - ago) / SLOT_SECONDS)
    one: Counts = ((slot, requests),) if requests else ()
    other: Counts = ((slot, tokens),) if tokens else ()
    return Usage(START, SLOT_SECONDS, one, other, admitted)


def told(limits: Limits, seen: Usage | None, spent: float | None = None) -> dict[str, str]:
    headers = stand(limits, seen, spent, left=100_000.0).headers
    return {name.decode(): value.decode() for name, value in headers}


def test_what_is_left_is_told_as_openai_tells_it() -> None:
    assert told(Limits(60, 1000), usage(3, 250)) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "57",
        "x-ratelimit-reset-requests": "1m2s",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "750",
        "x-ratelimit-reset-tokens": "1m2s",
    }


def test_only_what_is_limited_is_told() -> None:
    assert set(told(Limits(60), usage(3))) == {
        f"x-ratelimit-{kind}-requests" for kind in ("limit", "remaining", "reset")
    }
    assert told(Limits(None, None, 5.0), None, spent=1.25) == {
        "x-ratelimit-limit-dollars": "5.00",
        "x-ratelimit-remaining-dollars": "3.7500",
        "x-ratelimit-reset-dollars": "27h46m40s",
    }


def test_nothing_is_left_below_nothing() -> None:
    headers = told(Limits(5, 100, 1.0), usage(9, 400), spent=3.0)
    assert [headers[f"x-ratelimit-remaining-{kind}"] for kind in ("requests", "tokens", "dollars")] == [
        "0",
        "0",
        "0.0000",
    ]


def test_nothing_used_resets_at_once() -> None:
    assert told(Limits(5, 100), usage(1))["x-ratelimit-reset-tokens"] == "0s"


@pytest.mark.parametrize(
    ("limits", "seen", "spent", "over"),
    [
        (Limits(60), usage(60), None, None),
        (Limits(60), usage(60, admitted=False), None, Limit.REQUESTS),
        (Limits(60, 100), usage(5, 100, admitted=False), None, Limit.TOKENS),
        (Limits(60, 100), usage(60, 20, admitted=False), None, Limit.REQUESTS),
        (Limits(60, 100, 5.0), usage(5, 20), 4.99, None),
        (Limits(60, 100, 5.0), None, 5.0, Limit.DOLLARS),
        # What nobody knows stops nobody.
        (Limits(60, 100, 5.0), None, None, None),
    ],
)
def test_what_a_client_is_over(limits: Limits, seen: Usage | None, spent: float | None, over: Limit | None) -> None:
    found = stand(limits, seen, spent, left=100.0).over
    assert (None if found is None else found.limit) is over


@pytest.mark.parametrize(("ago", "seconds"), [(0.0, LONGEST_WAIT), (30.0, 32), (61.5, 1)])
def test_retry_after_is_in_whole_seconds_and_never_longer_than_sdks_wait(ago: float, seconds: int) -> None:
    found = stand(Limits(1), usage(1, admitted=False, ago=ago), None, left=100.0).over
    assert found == Over(Limit.REQUESTS, seconds)


def test_a_budget_is_there_again_next_month() -> None:
    assert stand(Limits(dollars=1.0), None, 1.0, left=86_399.5).over == Over(Limit.DOLLARS, 86_400)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (-1.0, "0s"),
        (0.12, "120ms"),
        (0.9999, "1s"),
        (1.0, "1s"),
        (59.2, "1m0s"),
        (61.5, "1m2s"),
        (360.0, "6m0s"),
        (3600.0, "1h0m0s"),
        (1_483_203.0, "412h0m3s"),
    ],
)
def test_durations_are_written_as_in_go(seconds: float, text: str) -> None:
    assert duration(seconds) == text
