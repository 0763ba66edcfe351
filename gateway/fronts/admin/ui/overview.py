"""The overview and the page of one route: how much was answered from the cache, how fast, how near, and what it saved."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from litestar import Controller, get
from litestar.exceptions import NotFoundException
from litestar.response import Template

from gateway.errors import StoreError
from gateway.fronts.admin.access import operations_of
from gateway.fronts.admin.operations import Distribution, Moment, Readiness, RouteStats, Running, Stats
from gateway.fronts.admin.ui import formats
from gateway.fronts.admin.ui.access import HOME, Visitor
from gateway.fronts.admin.ui.figures import (
    Chart,
    add_up,
    edges,
    growth,
    histogram,
    in_order,
    over_time,
    quantile,
    used_classes,
)
from gateway.fronts.admin.ui.page import page

RANGES = {"15m": (900, 15), "1h": (3600, 60), "6h": (21600, 300), "24h": (86400, 900)}
"""Seconds shown, and seconds between two points."""
RANGE = "1h"
NAMED = {"hit": "hits", "miss": "near misses"}


class Overview(Controller):
    @get("/")
    async def overview(self, request: Visitor) -> Template:
        """All routes together, and each in a table."""
        operations = operations_of(request)
        running = operations.running()
        stats, trouble = await _stats(request)
        totals = add_up(stats.routes.values())
        span = _range(request)
        history = operations.history()
        traffic = _traffic(history, span, lambda sample: (sample.requests, sample.hits))
        return page(
            request,
            "overview",
            **_common(request, span, HOME),
            stats=stats,
            trouble=trouble,
            totals=totals,
            shares={name: add_up([route]) for name, route in stats.routes.items()},
            routes=_in_order_of_the_file(running, stats),
            readiness=await _readiness(request),
            running=running,
            example=next((route for route in running.routes if "{" not in route.path and "*" not in route.path), None),
            pace=_pace(traffic[0]),
            lines=[*traffic, _savings(history, span)],
            similarity=similarity_chart(stats.similarities),
            latencies=latency_charts(stats.seconds),
        )

    @get("/routes/{name:str}")
    async def route(self, request: Visitor) -> Template:
        """One route."""
        name: str = request.path_params["name"]
        operations = operations_of(request)
        stats, trouble = await _stats(request)
        declared = next((route for route in operations.running().routes if route.name == name), None)
        counted = stats.routes.get(name)
        if declared is None and counted is None:
            raise NotFoundException(detail=f"there is no route {name[:80]!r}")
        span = _range(request)

        def of_route(sample: Moment) -> tuple[int, int]:
            return sample.routes.get(name, (0, 0))

        traffic = _traffic(operations.history(), span, of_route)
        return page(
            request,
            "route",
            **_common(request, span, f"{HOME}/routes/{name}"),
            name=name,
            route=declared,
            stats=stats,
            counted=counted,
            totals=add_up([counted] if counted else []),
            trouble=trouble,
            pace=_pace(traffic[0]),
            lines=traffic,
            similarity=similarity_chart(counted.similarities if counted else {}),
            latencies=latency_charts(counted.seconds if counted else {}),
        )


def similarity_chart(found: Mapping[str, Distribution]) -> Chart | None:
    """Hits and near misses over their similarity. None without any."""
    shapes = {name: shape for name, shape in in_order(found).items() if name in NAMED}
    if not shapes:
        return None
    said = "; ".join(
        f"{sum(shape.counts):,} {NAMED[name]}, half of them at {quantile(shape, 0.5) or 0:.3f} or above"
        for name, shape in shapes.items()
    )
    classes = used_classes(shapes.values())
    return histogram("similarity", "Similarity", shapes, lambda bound: f"{bound:.3g}", f"{said}.", classes)


def latency_charts(found: Mapping[str, Distribution]) -> list[Chart]:
    """One for each outcome, all over the same classes."""
    shapes = in_order(found)
    if not shapes:
        return []
    classes = used_classes(shapes.values())
    return [
        histogram(
            f"seconds-{name}",
            name,
            {name: shape},
            formats.duration,
            f"{sum(shape.counts):,} answers; median {_seconds(shape, 0.5)}, "
            f"95\u00a0% in {_seconds(shape, 0.95)}, 99\u00a0% in {_seconds(shape, 0.99)}.",
            classes,
        )
        for name, shape in shapes.items()
    ]


def _traffic(history: list[Moment], span: str, counts: Callable[[Moment], tuple[int, int]]) -> list[Chart]:
    seconds, step = RANGES[span]
    at = edges(_last(history), seconds, step)
    requests = growth(history, lambda sample: counts(sample)[0], at)
    hits = growth(history, lambda sample: counts(sample)[1], at)
    per_minute = 60 / step
    shares = [
        found / asked if asked and found is not None else None for asked, found in zip(requests, hits, strict=True)
    ]
    asked_all, found_all = _total(requests), _total(hits)
    said = f"{asked_all:,.0f} requests, {found_all:,.0f} of them hits." if asked_all else "No requests in this time."
    if all(value is None for value in requests):
        said = f"There is a point for every {formats.span(step)}, and none is complete yet."
    rate = f"{formats.percent(found_all / asked_all)} of the requests of this time." if asked_all else said
    return [
        over_time(
            "traffic",
            "Requests per minute",
            "rate",
            at,
            {"requests": _times(requests, per_minute), "hit": _times(hits, per_minute)},
            said,
        ),
        over_time("hit-rate", "Hit rate", "percent", at, {"hit": shares}, rate),
    ]


def _last(history: list[Moment]) -> float:
    """Up to when anything is known: a step that ends later would be empty."""
    return history[-1].at if history else time.time()


def _pace(traffic: Chart) -> float | None:
    return traffic.rows[-1].values[0]


def _in_order_of_the_file(running: Running, stats: Stats) -> list[tuple[str, RouteStats | None]]:
    """Then those that are no longer in it and were asked for."""
    named = [route.name for route in running.routes]
    return [(name, stats.routes.get(name)) for name in named] + [
        each for each in stats.routes.items() if each[0] not in named
    ]


def _savings(history: list[Moment], span: str) -> Chart:
    seconds, step = RANGES[span]
    at = edges(_last(history), seconds, step)
    dollars = growth(history, lambda sample: sample.dollars, at)
    said = f"{formats.dollars(_total(dollars))} in this time, net of what embeddings cost."
    return over_time("savings", "Dollars saved per hour", "dollars", at, {"saved": _times(dollars, 3600 / step)}, said)


async def _stats(request: Visitor) -> tuple[Stats, str]:
    try:
        return await operations_of(request).stats(), ""
    except StoreError as error:
        return Stats(time.time(), {}), str(error)


async def _readiness(request: Visitor) -> Readiness:
    try:
        return await operations_of(request).readiness()
    except StoreError as error:
        return Readiness("degraded", {"postgres": str(error)})


def _common(request: Visitor, span: str, path: str) -> dict[str, Any]:
    return {
        "here": "overview",
        "span": span,
        "ranges": list(RANGES),
        "live": f"{path}?{urlencode({'range': span})}",
        "path": path,
        "origin": str(request.base_url).rstrip("/"),
    }


def _range(request: Visitor) -> str:
    asked = request.query_params.get("range", RANGE)
    return asked if asked in RANGES else RANGE


def _times(values: list[float | None], factor: float) -> list[float | None]:
    return [None if value is None else value * factor for value in values]


def _total(values: list[float | None]) -> float:
    return sum(value for value in values if value is not None)


def _seconds(shape: Distribution, share: float) -> str:
    return formats.duration(quantile(shape, share))
