"""Events in, metrics out: the names and labels that dashboards rely on."""

from __future__ import annotations

import logging

import pytest

from gateway.core.events import (
    BreakerMoved,
    Embedded,
    Event,
    Kept,
    Limited,
    NotKept,
    Outcome,
    Purged,
    Reloaded,
    Served,
    Spent,
    Stage,
    Timed,
    Trouble,
    UpstreamTried,
)
from gateway.core.messages import Cost, HitKind, Reason, Source
from gateway.observe.metrics import Metrics
from gateway.observe.observer import Observer

PROMISED = {
    "semgate_requests_total": {"route", "outcome", "source"},
    "semgate_bypass_total": {"route", "reason"},
    "semgate_miss_total": {"route", "reason"},
    "semgate_verifier_tokens_total": {"route", "verifier"},
    "semgate_verifier_cost_usd_total": {"route", "verifier"},
    "semgate_not_kept_total": {"route", "reason"},
    "semgate_request_seconds": {"route", "outcome"},
    "semgate_stage_seconds": {"stage"},
    "semgate_similarity": {"route", "outcome"},
    "semgate_entry_age_seconds": {"route"},
    "semgate_tokens_saved_total": {"route", "model", "kind"},
    "semgate_cost_saved_usd_total": {"route", "model"},
    "semgate_reloads_total": {"result"},
    "semgate_upstream_requests_total": {"upstream", "result"},
    "semgate_upstream_seconds": {"upstream"},
}
HIT = Served(
    "chat",
    Outcome.HIT,
    0.001,
    200,
    source=Source.POSTGRES,
    similarity=0.97,
    age=5.0,
    entry="id",
    cost=Cost("gpt-*", 9, 3),
    kind=HitKind.SEMANTIC,
    dollars=0.25,
)


def told(*events: Event) -> dict[str, float]:
    """What a fresh registry shows after these events, without what has not moved."""
    metrics = Metrics()
    observer = Observer(metrics)
    for event in events:
        observer(event)
    lines = metrics.render().decode().splitlines()
    shown = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}
    return {series: value for series, value in shown.items() if value}


def test_the_promised_names_have_the_promised_labels():
    collectors = Metrics().registry._collector_to_names
    found = {}
    for collector in collectors:
        family = next(iter(collector.collect()))
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = set(collector._labelnames)
    assert {name: found.get(name) for name in PROMISED} == PROMISED


@pytest.mark.parametrize(
    ("event", "series", "value"),
    [
        (HIT, 'semgate_requests_total{outcome="hit",route="chat",source="postgres"}', 1),
        (HIT, 'semgate_hits_total{kind="semantic",route="chat"}', 1),
        (HIT, 'semgate_request_seconds_bucket{le="0.001",outcome="hit",route="chat"}', 1),
        (HIT, 'semgate_similarity_sum{outcome="hit",route="chat"}', 0.97),
        (HIT, 'semgate_entry_age_seconds_sum{route="chat"}', 5),
        (HIT, 'semgate_tokens_saved_total{kind="prompt",model="gpt-*",route="chat"}', 9),
        (HIT, 'semgate_tokens_saved_total{kind="completion",model="gpt-*",route="chat"}', 3),
        (HIT, 'semgate_cost_saved_usd_total{model="gpt-*",route="chat"}', 0.25),
        (
            Served("chat", Outcome.BYPASS, 1.0, 200, reason=Reason.NO_TEXT),
            'semgate_bypass_total{reason="no-text",route="chat"}',
            1,
        ),
        (
            Served("chat", Outcome.BYPASS, 1.0, 200, reason=Reason.NO_TEXT),
            'semgate_requests_total{outcome="bypass",route="chat",source=""}',
            1,
        ),
        (NotKept("chat", Reason.VARY), 'semgate_not_kept_total{reason="vary",route="chat"}', 1),
        (Kept("chat", 100), 'semgate_kept_bytes_total{route="chat"}', 100),
        (Timed(Stage.EMBED, 0.02), 'semgate_stage_seconds_count{stage="embed"}', 1),
        (UpstreamTried("llm", "5xx", 0.1), 'semgate_upstream_requests_total{result="5xx",upstream="llm"}', 1),
        (UpstreamTried("llm", "5xx", 0.1), 'semgate_upstream_seconds_count{upstream="llm"}', 1),
        (Trouble("redis", "down"), 'semgate_trouble_total{part="redis"}', 1),
        (BreakerMoved("redis", open=True), 'semgate_breaker_moves_total{part="redis",state="open"}', 1),
        (Purged(7), "semgate_purged_total", 7),
        (Limited("web", "tokens"), 'semgate_limited_total{client="web",limit="tokens"}', 1),
        (Spent("web", Cost("m", 5, 0), 0.5), 'semgate_client_tokens_total{client="web",kind="prompt"}', 5),
        (Spent("web", Cost("m", 5, 0), 0.5), 'semgate_client_cost_usd_total{client="web"}', 0.5),
        (
            Embedded("oai", 12, 0.03, "chat"),
            'semgate_embedding_tokens_total{embedder="oai",route="chat"}',
            12,
        ),
        (
            Embedded("oai", 12, 0.03, "chat"),
            'semgate_embedding_cost_usd_total{embedder="oai",route="chat"}',
            0.03,
        ),
        (Reloaded("failed", "why"), 'semgate_reloads_total{result="failed"}', 1),
    ],
)
def test_what_happens_is_counted(event: Event, series: str, value: float):
    assert told(event)[series] == pytest.approx(value)


def test_an_answer_without_a_price_saves_tokens_and_no_known_sum():
    free = Served("chat", Outcome.HIT, 0.001, 200, cost=Cost("other", 9, 3), kind=HitKind.EXACT)
    assert not [series for series in told(free) if series.startswith("semgate_cost_saved")]


def test_a_stale_answer_is_no_hit():
    stale = Served("chat", Outcome.STALE, 0.001, 200, source=Source.MEMORY, kind=HitKind.EXACT)
    shown = told(stale)
    assert shown['semgate_requests_total{outcome="stale",route="chat",source="memory"}'] == 1
    assert not [series for series in shown if series.startswith("semgate_hits")]


@pytest.mark.parametrize(
    ("results", "successful"), [([], 1), (["failed"], 0), (["failed", "ok"], 1), (["failed", "unchanged"], 1)]
)
def test_the_last_reload_is_shown(results: list[str], successful: int):
    shown = told(*(Reloaded(result) for result in results))
    assert shown.get("semgate_config_last_reload_successful", 0) == successful
    assert shown["semgate_config_loaded_timestamp_seconds"] > 1_700_000_000


def test_a_failed_reload_is_an_error_in_the_log_and_says_why(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, logger="semgate"):
        told(Reloaded("failed", "routes.yaml:3:1: what is this"), Reloaded("ok"))
    failed, fine = caplog.records
    assert (failed.levelname, failed.fields) == (
        "ERROR",
        {"result": "failed", "detail": "routes.yaml:3:1: what is this"},
    )
    assert (fine.levelname, fine.fields) == ("INFO", {"result": "ok"})


def test_every_event_is_told_to_the_tracer():
    class Listener:
        heard: list[Event] = []

        def observe(self, event: Event) -> None:
            self.heard.append(event)

        def trace_id(self) -> str | None:
            return None

    observer = Observer(Metrics())
    observer.tracer = Listener()
    observer(HIT)
    observer(Purged(1))
    assert Listener.heard == [HIT, Purged(1)]
