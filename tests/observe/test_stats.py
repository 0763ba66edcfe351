"""The figures behind `stats`, and their history."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from gateway.core.events import Embedded, Event, NotKept, Outcome, Served
from gateway.core.messages import Cost, HitKind, Reason, Source
from gateway.observe.history import DENSE_SECONDS, History, Totals, total
from gateway.observe.metrics import Metrics
from gateway.observe.observer import Observer
from gateway.observe.stats import Figures, RouteFigures, read_figures


def figures(*events: Event) -> Figures:
    metrics = Metrics()
    observer = Observer(metrics)
    for event in events:
        observer(event)
    return read_figures(metrics.read())


def served(route: str, outcome: Outcome, **more: object) -> Served:
    return Served(route, outcome, 0.003, 200, **more)  # type: ignore[arg-type]


def hit(route: str, kind: HitKind = HitKind.EXACT, dollars: float | None = None) -> Served:
    cost = Cost("gpt-*", 9, 3)
    return served(route, Outcome.HIT, source=Source.MEMORY, kind=kind, cost=cost, dollars=dollars)


def test_each_route_is_counted_by_itself():
    found = figures(
        hit("chat", dollars=0.5),
        hit("chat", HitKind.SEMANTIC, dollars=0.25),
        served("chat", Outcome.STALE, kind=HitKind.EXACT, source=Source.MEMORY),
        served("chat", Outcome.COLLAPSED),
        served("chat", Outcome.MISS, reason=Reason.NO_CANDIDATE),
        served("chat", Outcome.MISS, reason=Reason.BELOW_THRESHOLD, similarity=0.8),
        served("chat", Outcome.BYPASS, reason=Reason.NO_TEXT),
        served("chat", Outcome.REFUSED, reason=Reason.REQUESTED),
        served("chat", Outcome.ERROR),
        NotKept("chat", Reason.STATUS),
        served("embed", Outcome.MISS),
    )
    assert found.routes == {
        "chat": RouteFigures(
            requests=9,
            hits={"exact": 1, "semantic": 1},
            stale=1,
            collapsed=1,
            misses=2,
            bypasses={"no-text": 1},
            refused=1,
            errors=1,
            not_kept={"status": 1},
            prompt_tokens=18,
            completion_tokens=6,
            dollars=0.75,
        ),
        "embed": RouteFigures(requests=1, misses=1),
    }


def test_nothing_happened_yet():
    before = time.time()
    found = figures()
    assert (found.routes, found.seconds, found.similarities) == ({}, {}, {})
    assert before - 1 < found.since <= time.time()


def test_what_embedding_cost_is_taken_off_what_was_saved_hit_or_miss():
    found = figures(
        hit("chat", dollars=0.5), Embedded("oai", 100, 0.125, "chat"), Embedded("oai", 100, 0.25, "other-route")
    )
    assert found.routes["chat"].dollars == 0.375
    assert found.routes["other-route"].dollars == -0.25


def test_what_operators_embed_is_no_routes_expense():
    assert figures(Embedded("oai", 100, 0.125, "")).routes == {}


def test_without_prices_nobody_knows_what_was_saved():
    assert figures(hit("chat")).routes["chat"].dollars is None
    assert figures(hit("chat"), Embedded("local", 9, 0.0, "chat")).routes["chat"].dollars is None


def test_spreads_are_of_all_routes_together():
    found = figures(
        hit("a"), hit("b"), served("a", Outcome.MISS, similarity=0.62), served("b", Outcome.MISS, similarity=0.9999)
    )
    seconds = found.seconds["hit"]
    assert len(seconds.counts) == len(seconds.bounds) + 1
    assert sum(seconds.counts) == 2
    assert seconds.counts[seconds.bounds.index(0.005)] == 2
    near = found.similarities["miss"]
    assert near.counts[near.bounds.index(0.7)] == 1
    assert near.counts[near.bounds.index(1.0)] == 1
    assert near.counts[-1] == 0
    assert "hit" not in found.similarities


def test_totals_are_of_all_routes():
    found = figures(hit("a", dollars=1.0), served("b", Outcome.STALE), served("b", Outcome.MISS), hit("b"))
    assert total(found, 5.0) == Totals(5.0, 4, 3, 1, 0, 0, 1.0, {"a": (1, 1), "b": (3, 2)})


def sample(at: float) -> Totals:
    return Totals(at, 0, 0, 0, 0, 0, 0.0, {})


@pytest.mark.parametrize("days", [1, 3])
def test_history_is_dense_for_an_hour_sparse_for_a_day_and_no_longer(days: int):
    history = History()
    last = days * 86400
    for at in range(0, last, DENSE_SECONDS):
        history.add(sample(at))
    times = [each.at for each in history.samples()]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert times == sorted(times)
    assert times[-1] == last - DENSE_SECONDS
    assert set(gaps[-359:]) == {10}
    assert set(gaps[:-360]) == {60}
    assert len(times) <= 360 + 23 * 60
    assert times[-1] - times[0] <= 86400


def test_a_young_history_has_what_there_is():
    history = History()
    history.add(sample(1.0))
    history.add(sample(2.0))
    assert [each.at for each in history.samples()] == [1.0, 2.0]
