"""Figures of routes, as a gateway would tell them."""

from __future__ import annotations

import msgspec

from gateway.cli.stats import total
from gateway.fronts.admin.operations import RouteStats, Saved

BOUNDS = [0.001, 0.01, 0.1, 1.0]


def route_stats(hits: int = 0, misses: int = 0, dollars: float | None = None) -> RouteStats:
    return msgspec.structs.replace(
        total({}),
        requests=hits + misses,
        hits={"exact": hits},
        misses=misses,
        saved=Saved(10 * hits, 5 * hits, dollars),
        entries=misses,
        bytes=misses * 1000,
    )


def told_stats(requests: int, hits: dict[str, int], **more: object) -> RouteStats:
    """Of a route with all kinds of figures; `more` are any of them."""
    told = {
        "stale": 0,
        "collapsed": 0,
        "misses": requests - sum(hits.values()),
        "bypasses": {},
        "refused": 0,
        "errors": 0,
        "not_kept": {},
        "saved": Saved(100, 50, 0.25),
        "entries": 7,
        "bytes": 7 * 1024,
        **more,
    }
    return RouteStats(requests=requests, hits=hits, **told)  # type: ignore[arg-type]
