"""How shadow mode, audits and feedback are counted: apart from what was really served and saved."""

from __future__ import annotations

import pytest

from gateway.core.events import Audited, Event, Judged, Outcome, Served, Uncompared, Unjudged
from gateway.core.judgement import Finding, Origin
from gateway.core.messages import Cost, HitKind, Reason, Source
from gateway.observe.metrics import Metrics
from gateway.observe.observer import Observer
from gateway.observe.stats import read_figures

WOULD_BE = Served(
    "chat",
    Outcome.SHADOW_HIT,
    0.5,
    200,
    source=Source.MEMORY,
    reason=Reason.SHADOW,
    similarity=0.97,
    cost=Cost("gpt-*", 9, 3),
    kind=HitKind.VERIFIED,
    dollars=0.25,
)
NOTHING = Served("chat", Outcome.SHADOW_MISS, 0.5, 200, reason=Reason.SHADOW)
WRONG = Judged("chat", Origin.AUDIT, Finding.WRONG, HitKind.VERIFIED, served=True)
RIGHT = Judged("chat", Origin.SHADOW, Finding.RIGHT, HitKind.VERIFIED, served=False)


def counted(*events: Event) -> Metrics:
    metrics = Metrics()
    observer = Observer(metrics)
    for event in events:
        observer(event)
    return metrics


@pytest.mark.parametrize(
    ("event", "series", "value"),
    [
        (WOULD_BE, 'requests_total{outcome="shadow-hit",route="chat",source="memory"}', 1),
        (WOULD_BE, 'would_be_hits_total{kind="verified",route="chat"}', 1),
        (WOULD_BE, 'would_be_tokens_saved_total{kind="prompt",model="gpt-*",route="chat"}', 9),
        (WOULD_BE, 'would_be_tokens_saved_total{kind="completion",model="gpt-*",route="chat"}', 3),
        (WOULD_BE, 'would_be_cost_saved_usd_total{model="gpt-*",route="chat"}', 0.25),
        (WOULD_BE, 'similarity_sum{outcome="shadow-hit",route="chat"}', 0.97),
        (NOTHING, 'requests_total{outcome="shadow-miss",route="chat",source=""}', 1),
        (WRONG, 'judgements_total{finding="wrong",kind="verified",origin="audit",route="chat"}', 1),
        (
            Unjudged("chat", Origin.SHADOW, Uncompared.NO_ANSWER),
            'not_judged_total{origin="shadow",reason="no-answer",route="chat"}',
            1,
        ),
        (Audited("chat", Cost("m", 5, 7), 0.5), 'audit_tokens_total{kind="completion",model="m",route="chat"}', 7),
        (Audited("chat", Cost("m", 5, 7), 0.5), 'audit_cost_usd_total{model="m",route="chat"}', 0.5),
    ],
)
def test_what_is_found_is_counted(event: Event, series: str, value: float) -> None:
    lines = counted(event).render().decode().splitlines()
    shown = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}
    assert shown[f"semgate_{series}"] == pytest.approx(value)


def test_what_would_have_been_served_was_not_and_saved_nothing() -> None:
    figures = read_figures(counted(WOULD_BE, WOULD_BE, NOTHING).read()).routes["chat"]
    assert (figures.requests, figures.hits, figures.would_be) == (3, {}, {"verified": 2})
    assert (figures.prompt_tokens, figures.completion_tokens, figures.dollars) == (0, 0, None)


def test_figures_have_findings_by_their_origin_also_of_a_route_that_nobody_asked() -> None:
    figures = read_figures(counted(WRONG, RIGHT, RIGHT).read()).routes["chat"]
    assert figures.judged == {"audit": {"wrong": 1}, "shadow": {"right": 2}}
    assert figures.requests == 0
