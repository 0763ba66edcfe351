"""What the overview shows, worked out from counts: shares, figures over time, histograms with their quantiles. Pure.

A chart is a table first: its rows are what a screen reader reads and what the browser draws from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

import msgspec

from gateway.core.synthesis import Written
from gateway.fronts.admin.operations import Distribution, Moment, RouteStats
from gateway.fronts.admin.ui import formats

ORDER = ("hit", "synthesis", "collapsed", "stale", "miss", "bypass", "refused", "error")
"""Outcomes as pages list them, from the best on."""


class Row(msgspec.Struct, frozen=True):
    """One row of a chart's table: `x` to draw at, its label, and a value for each series (None: nothing known)."""

    x: float
    label: str
    values: tuple[float | None, ...]


class Chart(msgspec.Struct, frozen=True):
    """`kind` is `lines` (x in Unix seconds) or `bars` (x is a class), `unit` how values are written (`rate`, `percent`,
    `dollars`, `count`). `series` names them, as CSS names their colours. `summary` says in words what is to be seen."""

    id: str
    title: str
    summary: str
    kind: str
    unit: str
    head: str
    series: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def known(self) -> bool:
        """Is there anything to draw?"""
        return any(value is not None for row in self.rows for value in row.values)


class Totals(msgspec.Struct, frozen=True):
    """Sums over routes. `hit_rate` is of all requests, `found_rate` of those that were looked up; None without any."""

    requests: int
    hits: dict[str, int]
    parts: dict[str, int]
    tokens: int
    dollars: float | None
    entries: int | None
    bytes: int | None
    hit_rate: float | None
    found_rate: float | None


def add_up(routes: Iterable[RouteStats]) -> Totals:
    routes = list(routes)
    hits: dict[str, int] = {}
    for route in routes:
        for kind, number in route.hits.items():
            hits[kind] = hits.get(kind, 0) + number
    found = sum(hits.values())
    parts = {
        "hit": found,
        "synthesis": sum(route.synthesis.get(Written.SERVED, 0) for route in routes),
        "collapsed": sum(route.collapsed for route in routes),
        "stale": sum(route.stale for route in routes),
        "miss": sum(route.misses for route in routes),
        "bypass": sum(sum(route.bypasses.values()) for route in routes),
        "refused": sum(route.refused for route in routes),
        "error": sum(route.errors for route in routes),
    }
    requests = sum(route.requests for route in routes)
    looked_up = found + parts["synthesis"] + parts["collapsed"] + parts["stale"] + parts["miss"]
    priced = [route.saved.dollars for route in routes if route.saved.dollars is not None]
    return Totals(
        requests=requests,
        hits=hits,
        parts=parts,
        tokens=sum(route.saved.prompt_tokens + route.saved.completion_tokens for route in routes),
        dollars=sum(priced) if priced else None,
        entries=_sum(route.entries for route in routes),
        bytes=_sum(route.bytes for route in routes),
        hit_rate=found / requests if requests else None,
        found_rate=found / looked_up if looked_up else None,
    )


def growth(history: Sequence[Moment], counted: Callable[[Moment], float], edges: Sequence[float]) -> list[float | None]:
    """How much a count grew between neighbouring edges (Unix seconds), interpolated between samples; None where there
    are none. Where there are fewer requests than before, the gateway was started anew, and its counts with it."""
    if len(history) < 2:
        return [None for _ in pairwise(edges)]
    times = [sample.at for sample in history]
    grown = [0.0]
    for before, after in pairwise(history):
        begun_anew = after.requests < before.requests
        grown.append(grown[-1] + counted(after) - (0 if begun_anew else counted(before)))
    at_edges = [_between(times, grown, edge) for edge in edges]
    return [None if first is None or last is None else last - first for first, last in pairwise(at_edges)]


def edges(now: float, seconds: int, step: int) -> list[float]:
    """The whole steps of the last so many seconds, so that a figure does not change once it is shown."""
    last = int(now // step) * step
    return [float(last - seconds + nth * step) for nth in range(seconds // step + 1)]


def over_time(
    name: str, title: str, unit: str, at: Sequence[float], series: Mapping[str, Sequence[float | None]], summary: str
) -> Chart:
    """`at` are the edges: each value is drawn where its step ends."""
    rows = tuple(
        Row(edge, formats.clock(edge) if at[1] - at[0] >= 60 else formats.moment(edge)[11:], values)
        for edge, values in zip(at[1:], zip(*series.values(), strict=True), strict=True)
    )
    return Chart(name, title, summary, "lines", unit, "Until (UTC)", tuple(series), rows)


def histogram(
    name: str,
    title: str,
    counted: Mapping[str, Distribution],
    write: Callable[[float], str],
    summary: str,
    classes: tuple[int, int],
) -> Chart:
    """One bar for each class and series, from the first class to the last that are given. All have the same bounds."""
    bounds = next(iter(counted.values())).bounds
    rows = tuple(
        Row(
            nth,
            f"≤ {write(bounds[nth])}" if nth < len(bounds) else f"> {write(bounds[-1])}",
            tuple(float(shape.counts[nth]) for shape in counted.values()),
        )
        for nth in range(classes[0], classes[1] + 1)
    )
    return Chart(name, title, summary, "bars", "count", "Class", tuple(counted), rows)


def used_classes(shapes: Iterable[Distribution]) -> tuple[int, int]:
    """The first and last class with anything in them, and one more on either side where that has a bound."""
    shapes = list(shapes)
    used = [nth for shape in shapes for nth, number in enumerate(shape.counts) if number]
    last = len(shapes[0].bounds) - 1
    return max(0, min(used) - 1), max(max(used), min(last, max(used) + 1))


def quantile(shape: Distribution, share: float) -> float | None:
    """Estimated within its class as if it were filled evenly; above the last bound, that bound. None without any."""
    wanted = share * sum(shape.counts)
    if not wanted:
        return None
    before = 0.0
    for nth, number in enumerate(shape.counts[:-1]):
        if number and before + number >= wanted:
            lower = shape.bounds[nth - 1] if nth else 0.0
            return lower + (shape.bounds[nth] - lower) * (wanted - before) / number
        before += number
    return shape.bounds[-1]


def in_order(outcomes: Mapping[str, Distribution]) -> dict[str, Distribution]:
    """Those with anything in them, from the best outcome on."""
    known = [name for name in ORDER if name in outcomes]
    names = known + sorted(outcomes.keys() - set(ORDER))
    return {name: outcomes[name] for name in names if sum(outcomes[name].counts)}


def _between(times: Sequence[float], values: Sequence[float], at: float) -> float | None:
    if not times[0] <= at <= times[-1]:
        return None
    for nth in range(1, len(times)):
        if at <= times[nth]:
            length = times[nth] - times[nth - 1]
            part = (at - times[nth - 1]) / length if length else 1.0
            return values[nth - 1] + (values[nth] - values[nth - 1]) * part
    return values[-1]


def _sum(numbers: Iterable[int | None]) -> int | None:
    """None where any is not known."""
    total = 0
    for number in numbers:
        if number is None:
            return None
        total += number
    return total
