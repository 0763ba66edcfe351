"""Audits: a sample of the hits that were served is compared with the upstream's answer, once the client has its own."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import Exchange, Gateway, RawUpstream, serve, until
from tried import (
    OFF,
    OFF_ANSWER,
    ON,
    ON_ANSWER,
    RESET,
    RESET_ANSWER,
    RESET_ANSWER_TOO,
    RESET_TOO,
    SERVER,
    Knowing,
    Route,
    routes,
    said,
)

from gateway.engine.trial import AUDITS_AT_ONCE

SETTINGS = "audit: 100%, thresholds: {hit: 0.8}, verify: none"

numbers = itertools.count()


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def gateway(
    upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Gateway]:
    head = SERVER.format(data=data_dir, url=upstream.url, namespace=f"audit-{request.param}", workers=request.param)
    with serve(tmp_path_factory.mktemp("audit"), head + routes(12, SETTINGS)) as running:
        yield running


@pytest.fixture
def route(gateway: Gateway) -> Route:
    return Route(gateway, f"r{next(numbers)}")


def kept(route: Route, question: str) -> None:
    """Every worker can find it."""
    route.ask(question)
    until(route.entries, "it is not kept")


def test_a_hit_is_compared_after_the_client_has_it(route: Route, upstream: RawUpstream):
    llm = Knowing(upstream, {RESET: RESET_ANSWER, RESET_TOO: RESET_ANSWER_TOO})
    kept(route, RESET)
    go = asyncio.Event()

    async def waiting(exchange: Exchange) -> None:
        await go.wait()
        await llm.behave(exchange)

    upstream.behaviour = waiting
    answer = route.ask(RESET_TOO)  # while the upstream says nothing
    assert (answer.headers["x-cache"], said(answer)) == ("HIT", RESET_ANSWER)
    route.judges(0)
    upstream.call(go.set)
    route.judges(1, origin="audit", finding="right")
    assert route.metric("audit_tokens") == 30
    assert route.metric("audit_cost_usd") == pytest.approx(0.05)
    assert llm.asked == [RESET, RESET_TOO]
    assert route.ask(RESET_TOO).headers["x-cache"] == "HIT"
    route.judges(2)


def test_the_same_words_are_not_audited(route: Route, upstream: RawUpstream):
    llm = Knowing(upstream, {RESET: RESET_ANSWER})
    kept(route, RESET)
    for _ in range(5):
        assert route.ask(RESET).headers["x-cache"] == "HIT"
    assert llm.asked == [RESET]


def test_a_wrong_entry_goes_and_its_pair_is_not_served_again(route: Route, upstream: RawUpstream):
    Knowing(upstream, {ON: ON_ANSWER, OFF: OFF_ANSWER})
    kept(route, ON)
    assert said(route.ask(OFF)) == ON_ANSWER
    route.judges(1, origin="audit", finding="wrong")
    # The upstream's answer is kept in the place of the wrong one: in each worker's time, so on all of them.
    until(lambda: all(said(route.ask(OFF)) == OFF_ANSWER for _ in range(6)), "the wrong answer is served again")
    assert len(route.entries()) == 1
    # Asked and kept anew, the two are still not taken for each other, by any worker.
    until(lambda: all(said(route.ask(ON)) == ON_ANSWER for _ in range(6)), "the pair is served the other way round")
    assert all(said(route.ask(OFF)) == OFF_ANSWER for _ in range(6))


def test_audits_at_once_are_bounded(route: Route, upstream: RawUpstream):
    llm = Knowing(upstream, {RESET: RESET_ANSWER})
    kept(route, RESET)
    go = asyncio.Event()

    async def waiting(exchange: Exchange) -> None:
        await go.wait()
        await llm.behave(exchange)

    upstream.behaviour = waiting
    workers = len(route.gateway.workers())
    asked = AUDITS_AT_ONCE * workers + 6
    for nth in range(asked):
        assert route.ask(f"{RESET_TOO}{' ' * (nth + 1)}").headers["x-cache"] == "HIT"
    until(lambda: route.metric("not_judged", reason="busy") >= 6, "all are audited")
    upstream.call(go.set)
    until(lambda: len(llm.asked) > 1, "none is audited")
    assert len(llm.asked) <= 1 + AUDITS_AT_ONCE * workers


def test_an_upstream_in_trouble_is_no_judgement(route: Route, upstream: RawUpstream):
    llm = Knowing(upstream, {RESET: RESET_ANSWER})
    kept(route, RESET)
    llm.status = "500 Broken"
    assert said(route.ask(RESET_TOO)) == RESET_ANSWER
    until(lambda: route.metric("not_judged", reason="no-answer") == 1, "it is not told")
    route.judges(0)
    assert route.ask(RESET_TOO).headers["x-cache"] == "HIT"


def test_an_audit_does_not_hold_up_the_end(upstream: RawUpstream, data_dir: Path, tmp_path: Path):
    Knowing(upstream, {RESET: RESET_ANSWER})
    head = SERVER.format(data=data_dir, url=upstream.url, namespace="audit-end", workers=1)
    with serve(tmp_path, head + routes(1, SETTINGS)) as gateway:
        route = Route(gateway, "r0")
        kept(route, RESET)
        asked = asyncio.Event()

        async def silent(exchange: Exchange) -> None:
            asked.set()
            await exchange.peer_closed()

        upstream.behaviour = silent
        assert route.ask(RESET_TOO).headers["x-cache"] == "HIT"
        until(asked.is_set, "no audit was begun")
        assert gateway.stop() == 0
        assert "error" not in gateway.logged()
