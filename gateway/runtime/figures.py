"""What was counted, and what is stored, in the shapes of the admin API."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.fronts.admin.operations import Distribution, Moment, RouteStats, Saved, Stats
from gateway.observe.history import Totals
from gateway.observe.stats import Figures, RouteFigures, Spread
from gateway.runtime.generation import CompiledRoute
from gateway.stores.catalog import Total


def stats_of(figures: Figures, routes: Mapping[str, CompiledRoute], stored: Mapping[str, Total] | None) -> Stats:
    """Of the routes that run and those that have figures. `stored` None: PostgreSQL does not answer."""
    names = dict.fromkeys([*routes, *figures.routes])
    proofs = {name: route.proof.explain() for name, route in routes.items() if route.proof is not None}
    return Stats(
        since=figures.since,
        routes={name: _route(figures, name, _total(stored, name), proofs.get(name)) for name in names},
        seconds=_distributions(figures.seconds),
        similarities=_distributions(figures.similarities),
    )


def moment_of(totals: Totals) -> Moment:
    return Moment(
        at=totals.at,
        requests=totals.requests,
        hits=totals.hits,
        misses=totals.misses,
        bypasses=totals.bypasses,
        errors=totals.errors,
        dollars=totals.dollars,
        routes=totals.routes,
    )


def _total(stored: Mapping[str, Total] | None, name: str) -> Total | None:
    return None if stored is None else stored.get(name, Total(0, 0))


def _route(all_figures: Figures, name: str, total: Total | None, proof: str | None) -> RouteStats:
    figures = all_figures.routes.get(name, RouteFigures())
    return RouteStats(
        requests=figures.requests,
        hits=figures.hits,
        stale=figures.stale,
        collapsed=figures.collapsed,
        misses=figures.misses,
        bypasses=figures.bypasses,
        refused=figures.refused,
        errors=figures.errors,
        not_kept=figures.not_kept,
        saved=Saved(figures.prompt_tokens, figures.completion_tokens, figures.dollars),
        entries=None if total is None else total.entries,
        bytes=None if total is None else total.bytes,
        seconds=_distributions(all_figures.seconds_of.get(name, {})),
        similarities=_distributions(all_figures.similarities_of.get(name, {})),
        proof=proof,
        would_be=figures.would_be,
        judged=figures.judged,
        synthesis=figures.synthesis,
    )


def _distributions(spreads: Mapping[str, Spread]) -> dict[str, Distribution]:
    return {outcome: Distribution(spread.bounds, spread.counts) for outcome, spread in spreads.items()}
