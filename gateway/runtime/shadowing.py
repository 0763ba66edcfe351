"""The report on shadow mode and audits: what was looked up, what would have been served, how often that was wrong.

Rates are of samples: of the hits that shadow mode found and of those that audits drew. Feedback comes from those who care
to give it, so it is shown beside them and is in no rate.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping

import msgspec

from gateway.config.units import parse_duration
from gateway.core.comparison import STATED_ERROR, Stated
from gateway.core.evidence import wilson
from gateway.core.judgement import CLIENT, Finding, Judgement, Origin, Tally, TallyKey
from gateway.core.messages import HitKind
from gateway.errors import InvalidOrder
from gateway.fronts.admin.judged import (
    Band,
    ComparisonError,
    Estimate,
    Findings,
    ShadowLine,
    ShadowReport,
    ShadowRoute,
    WouldSave,
)
from gateway.runtime.asking import route_named
from gateway.runtime.generation import Generation
from gateway.stores.evidence_log import Count

SIMILARITIES = [0.7, 0.75, 0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.98, 0.99]
SCORES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98]
GONE = "gone"
"""The mode of a route that is no more."""


async def shadow_report(generation: Generation, route: str | None, ago: str | None) -> ShadowReport:
    """Of one route or all, for so long. Raises InvalidOrder, StoreError."""
    if route is not None:
        route_named(generation, route)
    since = _since(ago)
    log = generation.resources.evidence_log
    tallies = await log.tallies(route, since)
    counts = await log.counts(route, since, SIMILARITIES, SCORES)
    modes = {name: compiled.settings.mode for name, compiled in generation.routes.items()}
    names = [route] if route is not None else _names(modes, counts, tallies)
    routes = {name: _of_route(name, modes.get(name, GONE), counts, tallies) for name in names}
    return ShadowReport(since, routes, {how: _error(stated) for how, stated in STATED_ERROR.items()})


async def log_lines(generation: Generation, route: str | None, ago: str | None) -> AsyncIterator[bytes]:
    """Each judgement as a JSON line. Raises InvalidOrder, StoreError."""
    if route is not None:
        route_named(generation, route)
    encode = msgspec.json.Encoder().encode
    async for judgement in generation.resources.evidence_log.judgements(route, _since(ago)):
        yield encode(_line(judgement)) + b"\n"


def _since(ago: str | None) -> float:
    """Unix seconds."""
    if ago is None:
        return 0.0
    try:
        return time.time() - float(parse_duration(ago))
    except ValueError as error:
        raise InvalidOrder(f"`since` is {error}") from None


def findings(right: int, wrong: int, unsure: int) -> Findings:
    """With the wrong rates that they mean."""
    whole = right + wrong + unsure
    return Findings(
        right,
        wrong,
        unsure,
        decided=_estimate(wrong, right + wrong),
        at_best=_estimate(wrong, whole),
        at_worst=_estimate(wrong + unsure, whole),
    )


def _estimate(wrong: int, trials: int) -> Estimate | None:
    return _share(wrong, trials) if trials else None


def _error(stated: Stated) -> ComparisonError:
    wrong, unsure = stated.right_found_wrong, stated.right_found_unsure
    right, unsure_too = stated.wrong_found_right, stated.wrong_found_unsure
    return ComparisonError(*(_share(*each) for each in (wrong, unsure, right, unsure_too)))


def _share(count: int, of: int) -> Estimate:
    return Estimate(count / of, *wilson(count, of))


def _names(modes: Mapping[str, str], counts: Iterable[Count], tallies: Iterable[TallyKey]) -> list[str]:
    """In the order of the file: those in shadow mode, and those that anything is known of; then those that are gone."""
    known = {each.route for each in counts} | {each.route for each in tallies}
    here = [name for name, mode in modes.items() if mode == "shadow" or name in known]
    return [*here, *sorted(known - modes.keys())]


def _of_route(name: str, mode: str, counts: list[Count], tallies: Mapping[TallyKey, Tally]) -> ShadowRoute:
    mine = [each for each in counts if each.route == name]
    drawn = [each for each in mine if each.origin != Origin.FEEDBACK]
    sampled = [each for each in drawn if each.kind != HitKind.SYNTHESIS]
    written = [each for each in drawn if each.kind == HitKind.SYNTHESIS]
    by_kind = {key.kind: tally for key, tally in tallies.items() if key.route == name}
    hits = {kind: tally for kind, tally in sorted(by_kind.items()) if kind}
    return ShadowRoute(
        mode=mode,
        looked_up=sum(tally.requests for tally in by_kind.values()),
        would_be={kind: tally.requests for kind, tally in hits.items()},
        saved=_saved(hits.values()),
        compared=_sum(sampled),
        origins=_grouped(sampled, lambda each: each.origin),
        kinds=_grouped(sampled, lambda each: each.kind),
        similarities=_bands(sampled, lambda each: each.similarity, SIMILARITIES),
        scores=_bands(sampled, lambda each: each.score, SCORES),
        how=_grouped(sampled, lambda each: each.how),
        told=_told(each for each in mine if each.origin == Origin.FEEDBACK),
        synthesized=_sum(written) if written else None,
    )


def _saved(tallies: Iterable[Tally]) -> WouldSave:
    whole = Tally()
    for tally in tallies:
        whole = whole.plus(tally)
    return WouldSave(whole.prompt, whole.completion, whole.dollars if whole.priced else None)


def _grouped(counts: Iterable[Count], key: Callable[[Count], str]) -> dict[str, Findings]:
    """The largest group first."""
    groups: dict[str, list[Count]] = defaultdict(list)
    for each in counts:
        groups[key(each)].append(each)
    found = {name: _sum(members) for name, members in groups.items()}
    return dict(sorted(found.items(), key=lambda item: -(item[1].right + item[1].wrong + item[1].unsure)))


def _bands(counts: list[Count], key: Callable[[Count], int | None], bounds: list[float]) -> list[Band]:
    """The highest first; those without a figure last, and no band at all where none has one."""
    groups: dict[int | None, list[Count]] = defaultdict(list)
    for each in counts:
        groups[key(each)].append(each)
    if not groups.keys() - {None}:
        return []
    edges = [0.0, *bounds, 1.0]
    bands = [
        Band(edges[place], edges[place + 1], _sum(groups[place]))
        for place in sorted((place for place in groups if place is not None), reverse=True)
    ]
    return [*bands, Band(None, None, _sum(groups[None]))] if None in groups else bands


def _sum(counts: Iterable[Count]) -> Findings:
    sums = dict.fromkeys(Finding, 0)
    for each in counts:
        if each.finding in sums:
            sums[Finding(each.finding)] += each.judgements
    return findings(sums[Finding.RIGHT], sums[Finding.WRONG], sums[Finding.UNSURE])


def _told(counts: Iterable[Count]) -> dict[str, dict[str, int]]:
    told: dict[str, dict[str, int]] = {}
    for each in counts:
        by = told.setdefault("clients" if each.how == CLIENT else "operators", {"right": 0, "wrong": 0})
        by[each.finding] = by.get(each.finding, 0) + each.judgements
    return told


def _line(judgement: Judgement) -> ShadowLine:
    return ShadowLine(
        at=judgement.at,
        route=judgement.route,
        origin=judgement.origin,
        finding=judgement.finding,
        how=judgement.how,
        kind=judgement.kind,
        similarity=judgement.similarity,
        verifier_score=judgement.score,
        verdict=judgement.finding,
        text_a=judgement.question,
        text_b=judgement.asked_before,
        served=judgement.served,
        entry=judgement.entry,
    )
