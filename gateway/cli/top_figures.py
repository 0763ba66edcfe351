"""What `semgate top` shows, worked out from two looks at a gateway's counts. Pure: looks and times in, figures out."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import msgspec

from gateway.cli.stats import total
from gateway.fronts.admin.operations import Distribution, Readiness, RouteStats, Running, Stats
from gateway.fronts.admin.ui.figures import in_order, quantile

# Rates are of this many seconds at most: long enough to be calm, short enough to follow what happens.
WINDOW = 60.0
# Looks that are kept, however short the interval: the window, and what the curves are drawn from.
MOST_LOOKS = 240


class Look(msgspec.Struct, frozen=True):
    """What a gateway said at a time (monotonic seconds)."""

    at: float
    stats: Stats
    readiness: Readiness
    running: Running


class Line(msgspec.Struct, frozen=True):
    """A route, or all of them: `rate` requests a second and `hit_rate` 0 to 1 of late (None: no requests), then since the
    start."""

    name: str
    rate: float
    hit_rate: float | None
    so_far: RouteStats


class Latency(msgspec.Struct, frozen=True):
    """Seconds of the requests with this outcome, of late (`late`), or where there were none, since the start."""

    outcome: str
    requests: int
    p50: float
    p95: float
    late: bool


class Figures(msgspec.Struct, frozen=True):
    """`rates` and `hit_rates` are of the intervals between looks, oldest first; `seconds` how long "of late" is."""

    now: Look
    seconds: float
    whole: Line
    routes: list[Line]
    latencies: list[Latency]
    rates: list[float]
    hit_rates: list[float]


class Looks:
    """The looks of late. A gateway that was started anew begins a new series: its counts are its own."""

    def __init__(self) -> None:
        self._looks: deque[Look] = deque(maxlen=MOST_LOOKS)

    def add(self, look: Look) -> None:
        if self._looks and _has_begun_anew(self._looks[-1].stats, look.stats):
            self._looks.clear()
        self._looks.append(look)

    def figures(self) -> Figures | None:
        """None before the first look."""
        if not self._looks:
            return None
        now = self._looks[-1]
        before = next(look for look in self._looks if look.at >= now.at - WINDOW)
        seconds = now.at - before.at
        steps = list(zip(self._looks, list(self._looks)[1:], strict=False))
        requests = [(total(old.stats.routes), total(new.stats.routes), new.at - old.at) for old, new in steps]
        return Figures(
            now=now,
            seconds=seconds,
            whole=_line("all", total(before.stats.routes), total(now.stats.routes), seconds),
            routes=[
                _line(name, before.stats.routes.get(name), route, seconds) for name, route in now.stats.routes.items()
            ],
            latencies=_latencies(before.stats.seconds, now.stats.seconds),
            rates=[(new.requests - old.requests) / each if each else 0.0 for old, new, each in requests],
            hit_rates=[_hit_rate(old, new) or 0.0 for old, new, _ in requests],
        )


def _has_begun_anew(before: Stats, after: Stats) -> bool:
    return total(after.routes).requests < total(before.routes).requests


def _line(name: str, before: RouteStats | None, now: RouteStats, seconds: float) -> Line:
    """A route that was not there before has had all its requests since."""
    before = before or _NOTHING
    rate = (now.requests - before.requests) / seconds if seconds else 0.0
    return Line(name, rate, _hit_rate(before, now), now)


def _hit_rate(before: RouteStats, now: RouteStats) -> float | None:
    requests = now.requests - before.requests
    if requests <= 0:
        return None
    hits = sum(now.hits.values()) - sum(before.hits.values())
    return min(1.0, max(0.0, hits / requests))


def _latencies(before: Mapping[str, Distribution], now: Mapping[str, Distribution]) -> list[Latency]:
    found = []
    for outcome, whole in in_order(now).items():
        late = _since(before.get(outcome), whole)
        shape = late if sum(late.counts) else whole
        p50, p95 = quantile(shape, 0.5), quantile(shape, 0.95)
        if p50 is not None and p95 is not None:
            found.append(Latency(outcome, sum(shape.counts), p50, p95, shape is late))
    return found


def _since(before: Distribution | None, now: Distribution) -> Distribution:
    """What came in between; all of it where there was nothing to compare with."""
    if before is None or before.bounds != now.bounds:
        return now
    return Distribution(now.bounds, [max(0, new - old) for old, new in zip(before.counts, now.counts, strict=True)])


_NOTHING = total({})
