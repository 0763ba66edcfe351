"""What a client may use: so many requests and tokens a minute, so many dollars a calendar month; and how it is told.

Stores count a minute in slots, so that no client has to be asked about each of its requests. The slot that a minute
began in counts whole: in no 60 seconds is more admitted than the limit, and what was used counts for 60 to 62 seconds.
Tokens and dollars are known only when an answer is there, so answers under way may go beyond their limits.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TypeAlias

import msgspec

# Whole slots of a minute; one more, which is not over yet, is counted with them.
SLOTS = 30
SLOT_SECONDS = 2.0
# More than this is not asked of anybody by Retry-After for a minute's limit: older SDKs pass a longer wait over.
LONGEST_WAIT = 60

Counts: TypeAlias = tuple[tuple[int, int], ...]
"""(number of the slot, what was used in it), the oldest first."""


class Limit(StrEnum):
    """What a client can be over; the values of the metric label `limit`."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    DOLLARS = "dollars"
    ALLOWED = "allowed"


class Limits(msgspec.Struct, frozen=True):
    """One client's limits, None where it has none: requests and tokens per minute, US dollars per month."""

    requests: int | None = None
    tokens: int | None = None
    dollars: float | None = None

    @property
    def by_minute(self) -> bool:
        return self.requests is not None or self.tokens is not None

    @property
    def metered(self) -> bool:
        """Does it matter what answers cost?"""
        return self.tokens is not None or self.dollars is not None


class Usage(msgspec.Struct, frozen=True):
    """The last minute of a client, as a store counts it by its own clock (`now`, in seconds; a slot has `seconds`).
    `admitted`: one more request was within the limits, and is counted here."""

    now: float
    seconds: float
    requests: Counts
    tokens: Counts
    admitted: bool


class Over(msgspec.Struct, frozen=True):
    """Which limit a client is over, and how many whole seconds it is asked to wait."""

    limit: Limit
    retry_after: int


class Standing(msgspec.Struct, frozen=True):
    """Where a client stands when it asks: what it is told of it in headers, and what it is over, if anything."""

    headers: tuple[tuple[bytes, bytes], ...]
    over: Over | None


def stand(limits: Limits, usage: Usage | None, spent: float | None, left: float) -> Standing:
    """What a client is told, and whether it may go on. `usage` and `spent` (dollars of this month) are None where they
    are not limited or not known: what nobody knows stops nobody. `left` are the seconds of this month that
    are left."""
    headers: list[tuple[bytes, bytes]] = []
    over = None
    if usage is not None and limits.requests is not None:
        headers += _tell(b"requests", limits.requests, usage.requests, usage)
    if usage is not None and limits.tokens is not None:
        headers += _tell(b"tokens", limits.tokens, usage.tokens, usage)
        if not usage.admitted and total(usage.tokens) >= limits.tokens:
            over = _over(Limit.TOKENS, wait(usage.tokens, limits.tokens, usage))
    if usage is not None and over is None and not usage.admitted:
        over = _over(Limit.REQUESTS, wait(usage.requests, limits.requests or 0, usage))
    if spent is not None and limits.dollars is not None:
        headers += _tell_dollars(limits.dollars, spent, left)
        if spent >= limits.dollars:
            over = Over(Limit.DOLLARS, math.ceil(left))
    return Standing(tuple(headers), over)


def total(counts: Counts) -> int:
    return sum(amount for _, amount in counts)


def wait(counts: Counts, limit: int, usage: Usage) -> float:
    """Seconds until less than `limit` counts, if nothing more is used."""
    left = total(counts)
    for slot, amount in counts:
        if left < limit:
            break
        left -= amount
        until = (slot + SLOTS + 1) * usage.seconds - usage.now
        if left < limit:
            return max(0.0, until)
    return 0.0 if left < limit else (SLOTS + 1) * usage.seconds


def reset(counts: Counts, usage: Usage) -> float:
    """Seconds until nothing counts any more, if nothing more is used."""
    return max(0.0, (counts[-1][0] + SLOTS + 1) * usage.seconds - usage.now) if counts else 0.0


def duration(seconds: float) -> str:
    """As OpenAI writes durations in its headers, and Go everywhere: `0s`, `120ms`, `1s`, `6m0s`, `412h0m3s`."""
    if seconds <= 0:
        return "0s"
    if seconds <= 0.999:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{rest}s"


def _over(limit: Limit, seconds: float) -> Over:
    return Over(limit, min(LONGEST_WAIT, max(1, math.ceil(seconds))))


def _tell(name: bytes, limit: int, counts: Counts, usage: Usage) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-ratelimit-limit-" + name, b"%d" % limit),
        (b"x-ratelimit-remaining-" + name, b"%d" % max(0, limit - total(counts))),
        (b"x-ratelimit-reset-" + name, duration(reset(counts, usage)).encode()),
    ]


def _tell_dollars(limit: float, spent: float, left: float) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-ratelimit-limit-dollars", b"%.2f" % limit),
        (b"x-ratelimit-remaining-dollars", b"%.4f" % max(0.0, limit - spent)),
        (b"x-ratelimit-reset-dollars", duration(left).encode()),
    ]
