"""`semgate stats`: what the gateway has done since it started, by route: how much was answered, how, why not, what it saved."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from gateway.cli.client import open_gateway
from gateway.cli.options import Reach
from gateway.cli.showing import (
    Column,
    count,
    dollars,
    in_order,
    moment,
    share,
    size,
    span,
    visible,
    write,
    write_json,
    write_table,
)
from gateway.core.evidence import wilson
from gateway.core.judgement import Finding, Origin
from gateway.core.synthesis import Written
from gateway.fronts.admin.operations import RouteStats, Saved, Stats

TOTAL = "total"
MADE = (Written.SERVED, Written.COMPARED)


def run(reach: Reach, form: str) -> int:
    with open_gateway(reach) as gateway:
        stats = gateway.stats()
    if form == "json":
        write_json(stats)
    else:
        write(f"{gateway.url}, since {moment(stats.since)} ({span(max(0.0, time.time() - stats.since))})")
        _show(stats)
    return 0


def total(routes: Mapping[str, RouteStats]) -> RouteStats:
    """All routes as one. A sum in which any part is unknown is unknown; dollars are of the routes with a price."""
    every = list(routes.values())
    priced = [each.saved.dollars for each in every if each.saved.dollars is not None]
    entries = [each.entries for each in every]
    sizes = [each.bytes for each in every]
    return RouteStats(
        requests=sum(each.requests for each in every),
        hits=_added(each.hits for each in every),
        stale=sum(each.stale for each in every),
        collapsed=sum(each.collapsed for each in every),
        misses=sum(each.misses for each in every),
        bypasses=_added(each.bypasses for each in every),
        refused=sum(each.refused for each in every),
        errors=sum(each.errors for each in every),
        not_kept=_added(each.not_kept for each in every),
        saved=Saved(
            prompt_tokens=sum(each.saved.prompt_tokens for each in every),
            completion_tokens=sum(each.saved.completion_tokens for each in every),
            dollars=sum(priced) if priced else None,
        ),
        entries=None if None in entries else sum(each for each in entries if each is not None),
        bytes=None if None in sizes else sum(each for each in sizes if each is not None),
        would_be=_added(each.would_be for each in every),
        synthesis=_added(each.synthesis for each in every),
    )


def _added(many: Iterable[Mapping[str, int]]) -> dict[str, int]:
    added: dict[str, int] = {}
    for counts in many:
        for name, number in counts.items():
            added[name] = added.get(name, 0) + number
    return added


def _show(stats: Stats) -> None:
    whole = total(stats.routes)
    lines = [*sorted(stats.routes.items()), (TOTAL, whole)]
    kinds = [name for name, _ in in_order(whole.hits.items())]
    # What never happened gets no column.
    rare = _rare(whole)
    shown = [name for name, number in rare.items() if number]
    write("\nrequests")
    columns = [Column("route"), *(Column(name, right=True) for name in ("requests", "hit rate", *map(visible, kinds)))]
    columns += [Column(name, right=True) for name in ("misses", "bypasses", *shown)]
    write_table(columns, [_requests(name, route, kinds, shown) for name, route in lines])
    write("\nstored and saved")
    columns = [Column("route"), *(Column(name, right=True) for name in ("entries", "size"))]
    columns += [Column(name, right=True) for name in ("prompt tokens", "completion tokens", "dollars")]
    write_table(columns, [_saved(name, route) for name, route in lines])
    proofs = [(visible(name), visible(route.proof)) for name, route in sorted(stats.routes.items()) if route.proof]
    if proofs:
        write("\nmax_error")
        write_table((Column("route"), Column("what is served")), proofs)
    reasons = [
        (visible(name), what, visible(reason), count(number))
        for name, route in sorted(stats.routes.items())
        for what, counts in (
            ("bypassed", route.bypasses),
            ("not kept", route.not_kept),
            ("not synthesized", {why: number for why, number in route.synthesis.items() if why not in MADE}),
        )
        for reason, number in in_order(counts.items())
        if number
    ]
    judged = [
        _judged(name, origin, found)
        for name, route in sorted(stats.routes.items())
        for origin, found in route.judged.items()
    ]
    if judged:
        write("\nright and wrong")
        names = ("right", "wrong", "unsure", "wrong rate", "95 % interval")
        write_table((Column("route"), Column("found by"), *(Column(each, right=True) for each in names)), judged)
    if reasons:
        write("\nwhy not")
        write_table((Column("route"), Column("what"), Column("reason"), Column("count", right=True)), reasons)


def _rare(route: RouteStats) -> dict[str, int]:
    """Would-be hits are those of shadow mode."""
    return {
        "synthesized": route.synthesis.get(Written.SERVED, 0),
        "would-be hits": sum(route.would_be.values()),
        "stale": route.stale,
        "collapsed": route.collapsed,
        "refused": route.refused,
        "errors": route.errors,
    }


def _requests(name: str, route: RouteStats, kinds: list[str], shown: list[str]) -> list[str]:
    rare = _rare(route)
    return [
        visible(name),
        count(route.requests),
        share(sum(route.hits.values()), route.requests),
        *(count(route.hits.get(kind, 0)) for kind in kinds),
        count(route.misses),
        count(sum(route.bypasses.values())),
        *(count(rare[each]) for each in shown),
    ]


def _judged(name: str, origin: str, found: Mapping[str, int]) -> list[str]:
    """The rate of those that were right or wrong; of what people say there is none, as it is no sample."""
    right, wrong, unsure = (found.get(finding, 0) for finding in Finding)
    low, high = wilson(wrong, right + wrong)
    sampled = origin != Origin.FEEDBACK and right + wrong > 0
    rate = (share(wrong, right + wrong), f"{100 * low:.1f} to {100 * high:.1f} %") if sampled else ("-", "-")
    return [visible(name), visible(origin), count(right), count(wrong), count(unsure), *rate]


def _saved(name: str, route: RouteStats) -> list[str]:
    saved = route.saved
    tokens = (count(saved.prompt_tokens), count(saved.completion_tokens))
    return [visible(name), count(route.entries), size(route.bytes), *tokens, dollars(saved.dollars)]
