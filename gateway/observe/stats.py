"""The figures behind `stats`: what the registry counted, put together for people. Pure: metrics in, numbers out.

A hit saves what its answer cost; what embedding the questions of a route cost is taken off, hit or miss. Where neither a
price nor such a cost is known, dollars are None.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import msgspec
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

from gateway.core.events import Outcome
from gateway.core.judgement import Origin
from gateway.core.messages import HitKind

_SPENT = (
    "semgate_embedding_cost_usd_total",
    "semgate_verifier_cost_usd_total",
    "semgate_audit_cost_usd_total",
    "semgate_synthesis_cost_usd_total",
)


class RouteFigures(msgspec.Struct, frozen=True):
    """One route since the gateway started. `hits` by kind, `bypasses` and `not_kept` by reason; `dollars` saved, net of
    embeddings; `would_be` hits of shadow mode by kind, `judged` by origin and finding, `synthesis` by what became of it."""

    requests: int = 0
    hits: dict[str, int] = {}
    stale: int = 0
    collapsed: int = 0
    misses: int = 0
    bypasses: dict[str, int] = {}
    refused: int = 0
    errors: int = 0
    not_kept: dict[str, int] = {}
    prompt_tokens: int = 0
    completion_tokens: int = 0
    dollars: float | None = None
    would_be: dict[str, int] = {}
    judged: dict[str, dict[str, int]] = {}
    synthesis: dict[str, int] = {}


class Spread(msgspec.Struct, frozen=True):
    """A histogram: `counts[i]` observations at or below `bounds[i]` and above the bound before; the last count is of what
    is above the last bound."""

    bounds: list[float]
    counts: list[int]


class Figures(msgspec.Struct, frozen=True):
    """Of all workers. `since` is when the gateway started (Unix seconds); `seconds` and `similarities` by outcome, of all
    routes together. Routes that nobody has asked for yet are absent."""

    since: float
    routes: dict[str, RouteFigures]
    seconds: dict[str, Spread]
    similarities: dict[str, Spread]
    seconds_of: dict[str, dict[str, Spread]] = {}
    similarities_of: dict[str, dict[str, Spread]] = {}
    """The same by route."""


class _Tables:
    """The samples by name and label values."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._samples: dict[str, list[Sample]] = defaultdict(list)
        for family in families:
            for sample in family.samples:
                self._samples[sample.name].append(sample)

    def value(self, name: str) -> float:
        return max((sample.value for sample in self._samples[name]), default=0.0)

    def sums(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """By the values of these labels, over all others."""
        found: dict[tuple[str, ...], float] = defaultdict(float)
        for sample in self._samples[name]:
            found[tuple(sample.labels.get(label, "") for label in labels)] += sample.value
        return found

    def counts(self, name: str, label: str) -> dict[str, dict[str, int]]:
        """By route, and by the values of a label where there is anything to count."""
        found: dict[str, dict[str, int]] = defaultdict(dict)
        for (route, value), total in self.sums(name, "route", label).items():
            if total:
                found[route][value] = int(total)
        return found

    def spreads(self, name: str, *label: str) -> dict[str, dict[str, Spread]]:
        """By outcome: by the values of a label, or of all together, under ""."""
        cumulative: dict[tuple[str, ...], dict[float, float]] = defaultdict(dict)
        for (*place, outcome, bound), total in self.sums(f"{name}_bucket", *label, "outcome", "le").items():
            cumulative[*place, outcome][float(bound)] = total
        found: dict[str, dict[str, Spread]] = defaultdict(dict)
        for (*place, outcome), counts in cumulative.items():
            if any(counts.values()):
                found["".join(place)][outcome] = _spread(counts)
        return found


def read_figures(families: Iterable[Metric]) -> Figures:
    """From what `Metrics.read` gives."""
    tables = _Tables(families)
    outcomes = tables.counts("semgate_requests_total", "outcome")
    hits = tables.counts("semgate_hits_total", "kind")
    bypasses = tables.counts("semgate_bypass_total", "reason")
    not_kept = tables.counts("semgate_not_kept_total", "reason")
    tokens = tables.counts("semgate_tokens_saved_total", "kind")
    dollars = _dollars(tables)
    would_be = tables.counts("semgate_would_be_hits_total", "kind")
    judged = _judged(tables)
    synthesis = tables.counts("semgate_synthesis_total", "result")
    routes = (set(outcomes) | set(not_kept) | set(dollars) | set(judged)) - {""}
    return Figures(
        since=tables.value("semgate_start_time_seconds"),
        routes={
            route: RouteFigures(
                requests=sum(outcomes[route].values())
                - outcomes[route].get(Outcome.WRITTEN, 0),  # nobody asked anything
                hits=hits[route],
                stale=outcomes[route].get(Outcome.STALE, 0),
                collapsed=outcomes[route].get(Outcome.COLLAPSED, 0),
                misses=outcomes[route].get(Outcome.MISS, 0),
                bypasses=bypasses[route],
                refused=outcomes[route].get(Outcome.REFUSED, 0),
                errors=outcomes[route].get(Outcome.ERROR, 0),
                not_kept=not_kept[route],
                prompt_tokens=tokens[route].get("prompt", 0),
                completion_tokens=tokens[route].get("completion", 0),
                dollars=dollars.get(route),
                would_be=would_be[route],
                judged=judged.get(route, {}),
                synthesis=synthesis[route],
            )
            for route in sorted(routes)
        },
        seconds=tables.spreads("semgate_request_seconds")[""],
        similarities=tables.spreads("semgate_similarity")[""],
        seconds_of=dict(tables.spreads("semgate_request_seconds", "route")),
        similarities_of=dict(tables.spreads("semgate_similarity", "route")),
    )


def _judged(tables: _Tables) -> dict[str, dict[str, dict[str, int]]]:
    """By origin; what was found of synthesized answers stands apart, but for what people say."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    labels = "route", "origin", "finding", "kind"
    for (route, origin, finding, kind), total in tables.sums("semgate_judgements_total", *labels).items():
        if total:
            apart = kind == HitKind.SYNTHESIS and origin != Origin.FEEDBACK
            counts = found.setdefault(route, {}).setdefault(kind if apart else origin, {})
            counts[finding] = counts.get(finding, 0) + int(total)
    return found


def _dollars(tables: _Tables) -> dict[str, float]:
    """Saved less spent on embeddings, judges, audits and synthesis; routes of which none is known are absent."""
    found = {route: saved for (route,), saved in tables.sums("semgate_cost_saved_usd_total", "route").items()}
    for metric in _SPENT:
        for (route,), spent in tables.sums(metric, "route").items():
            if spent:
                found[route] = found.get(route, 0.0) - spent
    return found


def _spread(cumulative: dict[float, float]) -> Spread:
    bounds = sorted(cumulative)
    totals = [cumulative[bound] for bound in bounds]
    counts = [int(total - before) for before, total in zip([0.0, *totals], totals, strict=False)]
    return Spread(bounds[:-1], counts)  # the last bound is infinity
