"""What happened over time, for charts: samples of totals, dense for the last hour and sparse for the last day.

Each worker samples the figures of all, so that any of them can answer; one that is new begins anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

from gateway.observe.stats import Figures, RouteFigures

DENSE_SECONDS = 10
SPARSE_SECONDS = 60
HOUR = 3600
DAY = 24 * HOUR


class Totals(msgspec.Struct, frozen=True):
    """Of all routes at a time (Unix seconds), since the gateway started; `routes` has requests and hits by route."""

    at: float
    requests: int
    hits: int
    misses: int
    bypasses: int
    errors: int
    dollars: float
    routes: dict[str, tuple[int, int]]


def total(figures: Figures, at: float) -> Totals:
    """Hits are those of any kind, stale ones included; collapsed requests are counted as requests only."""
    routes = figures.routes.values()
    return Totals(
        at=at,
        requests=sum(route.requests for route in routes),
        hits=sum(_hits(route) for route in routes),
        misses=sum(route.misses for route in routes),
        bypasses=sum(sum(route.bypasses.values()) for route in routes),
        errors=sum(route.errors for route in routes),
        dollars=sum(route.dollars or 0.0 for route in routes),
        routes={name: (route.requests, _hits(route)) for name, route in figures.routes.items()},
    )


class History:
    """Takes a sample each DENSE_SECONDS; keeps so many that it never grows beyond a day's."""

    def __init__(self) -> None:
        self._dense: deque[Totals] = deque(maxlen=HOUR // DENSE_SECONDS)
        self._sparse: deque[Totals] = deque(maxlen=(DAY - HOUR) // SPARSE_SECONDS)

    def add(self, totals: Totals) -> None:
        if len(self._dense) == self._dense.maxlen:
            oldest = self._dense[0]
            if not self._sparse or oldest.at - self._sparse[-1].at >= SPARSE_SECONDS:
                self._sparse.append(oldest)
        self._dense.append(totals)

    def samples(self) -> Iterable[Totals]:
        """Oldest first."""
        return (*self._sparse, *self._dense)


def _hits(route: RouteFigures) -> int:
    return sum(route.hits.values()) + route.stale
