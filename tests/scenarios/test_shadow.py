"""Shadow mode: everything is looked up, everybody gets the upstream's answer, and the two are compared."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest
from running import Exchange, Gateway, RawUpstream, chat, events, serve, until
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

SETTINGS = 'mode: "shadow", thresholds: {hit: 0.8}, verify: none'

numbers = itertools.count()


@pytest.fixture(scope="module")
def gateway(upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    head = SERVER.format(data=data_dir, url=upstream.url, namespace="shadow", workers=1)
    with serve(tmp_path_factory.mktemp("shadow"), head + routes(10, SETTINGS)) as running:
        yield running


@pytest.fixture
def route(gateway: Gateway) -> Route:
    return Route(gateway, f"r{next(numbers)}")


def test_every_client_gets_the_upstreams_own_answer_and_is_told_what_would_have_been(
    route: Route, upstream: RawUpstream
):
    llm = Knowing(upstream, {RESET: RESET_ANSWER, RESET_TOO: RESET_ANSWER_TOO})
    first, same, other = (route.ask(question) for question in (RESET, RESET, RESET_TOO))
    assert [said(each) for each in (first, same, other)] == [RESET_ANSWER, RESET_ANSWER, RESET_ANSWER_TOO]
    assert llm.asked == [RESET, RESET, RESET_TOO]
    assert first.headers["cache-status"] == "semgate; fwd=request; detail=shadow-miss"
    assert first.headers["x-cache"] == "SHADOW"
    assert "x-cache-entry" not in first.headers
    assert same.headers["cache-status"] == "semgate; fwd=request; detail=shadow-hit"
    assert "x-cache-similarity" not in same.headers  # the same words
    assert other.headers["cache-status"] == "semgate; fwd=request; detail=shadow-hit"
    assert float(other.headers["x-cache-similarity"]) > 0.9
    assert other.headers["x-cache-entry"] == same.headers["x-cache-entry"]
    route.judges(1, origin="shadow", finding="right")
    route.judges(1)  # the same words are no matter of judgement
    assert route.metric("requests", outcome="shadow-miss") == 1
    assert route.metric("requests", outcome="shadow-hit") == 2
    assert route.metric("tokens_saved") == 0
    assert route.metric("would_be_tokens_saved") == 60


def test_a_would_be_hit_that_is_wrong_is_found_and_its_entry_gives_way(route: Route, upstream: RawUpstream):
    Knowing(upstream, {ON: ON_ANSWER, OFF: OFF_ANSWER})
    kept = route.ask(ON)
    wrong = route.ask(OFF)
    assert said(wrong) == OFF_ANSWER
    assert wrong.headers["cache-status"].endswith("shadow-hit")
    route.judges(1, finding="wrong")
    gone = wrong.headers["x-cache-entry"]
    until(lambda: len(route.entries()) == 1 and gone not in route.entries(), "the wrong entry stays")
    assert kept.headers["cache-status"].endswith("shadow-miss")
    again = route.ask(OFF)
    assert [again.headers["x-cache-entry"]] == route.entries()
    # Its words were removed with it; asked anew, the pair of questions is remembered.
    anew = route.ask(ON)
    assert anew.headers["cache-status"].endswith("shadow-miss")


def test_a_stream_passes_as_it_comes_and_is_compared_when_it_has_ended(route: Route, upstream: RawUpstream):
    Knowing(upstream, {RESET: RESET_ANSWER, RESET_TOO: RESET_ANSWER_TOO})
    route.ask(RESET)
    answer = route.ask(RESET_TOO, stream=True)
    assert answer.headers["cache-status"].endswith("shadow-hit")
    assert answer.text.endswith("data: [DONE]\n\n")
    assert RESET_ANSWER_TOO.split()[3] in answer.text
    route.judges(1, finding="right")


def test_a_stream_begins_before_its_upstream_has_ended(route: Route, upstream: RawUpstream):
    llm = Knowing(upstream, {RESET: RESET_ANSWER})
    route.ask(RESET)
    go = asyncio.Event()
    pieces = events("Open ", "Settings.")

    async def slow(exchange: Exchange) -> None:
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        await exchange.send(head.encode())
        for piece in pieces:
            await exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            await go.wait()
        await exchange.send(b"0\r\n\r\n")

    upstream.behaviour = slow
    url, body = f"{route.gateway.url}/{route.name}", chat(RESET_TOO, stream=True)
    with httpx.stream("POST", url, json=body, timeout=10) as answer:
        assert answer.headers["cache-status"].endswith("shadow-hit")
        received = answer.iter_raw()
        first = next(received)
        assert first == pieces[0]
        upstream.call(go.set)
        assert first + b"".join(received) == b"".join(pieces)
    assert len(llm.asked) == 1


def test_a_client_that_leaves_takes_nothing_along(route: Route, upstream: RawUpstream):
    llm = Knowing(upstream, {RESET: RESET_ANSWER, RESET_TOO: RESET_ANSWER_TOO})
    route.ask(RESET)
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        asked.set()
        await go.wait()
        await llm.behave(exchange)

    upstream.behaviour = slow
    leaving = HTTPConnection("127.0.0.1", route.gateway.port, timeout=10)
    leaving.request("POST", f"/{route.name}", json.dumps(chat(RESET_TOO)), {"content-type": "application/json"})
    until(asked.is_set, "the upstream is not asked")
    leaving.close()
    upstream.call(go.set)
    route.judges(1, finding="right")


def test_what_the_upstream_does_not_answer_is_not_judged(route: Route, upstream: RawUpstream):
    llm = Knowing(upstream, {})
    route.ask(RESET)
    llm.status = "503 Busy"
    assert route.ask(RESET_TOO).status_code == 503
    until(lambda: route.metric("not_judged", reason="no-answer") == 1, "it is not told")
    route.judges(0)


def test_clients_wishes_keep_their_sense(route: Route, upstream: RawUpstream):
    llm = Knowing(upstream, {RESET: RESET_ANSWER})
    route.ask(RESET)
    refused = route.ask(RESET, headers={"cache-control": "only-if-cached"})
    assert (refused.status_code, len(llm.asked)) == (504, 1)
    unread = route.ask(RESET, headers={"cache-control": "no-cache"})
    assert unread.headers["cache-status"] == "semgate; fwd=request"
    unkept = route.ask(RESET_TOO, headers={"cache-control": "no-store"})
    assert unkept.headers["x-cache"] == "BYPASS"
    assert route.metric("requests", outcome="shadow-hit") == 0


def test_what_shadow_mode_has_kept_is_served_once_the_route_serves(route: Route, upstream: RawUpstream):
    llm = Knowing(upstream, {RESET: RESET_ANSWER, RESET_TOO: RESET_ANSWER_TOO})
    route.ask(RESET)
    route.ask(RESET_TOO)
    file = route.gateway.file
    lines = file.read_text().splitlines(keepends=True)
    file.write_text(
        "".join(line.replace('"shadow"', '"serve"') if f"name: {route.name}," in line else line for line in lines)
    )
    until(lambda: route.ask(RESET).headers["x-cache"] == "HIT", "it is not served")
    asked = len(llm.asked)
    answer = route.ask(RESET_TOO)
    assert (answer.headers["x-cache"], said(answer), len(llm.asked)) == ("HIT", RESET_ANSWER, asked)


def test_a_judge_may_compare_the_answers(upstream: RawUpstream, data_dir: Path, tmp_path: Path):
    llm = Knowing(upstream, {RESET: RESET_ANSWER, RESET_TOO: RESET_ANSWER_TOO, ON: ON_ANSWER, OFF: OFF_ANSWER})
    judge = f'verifiers: {{judge: {{type: llm, base_url: "{upstream.url}/v1", model: small}}}}\n'
    head = SERVER.format(data=data_dir, url=upstream.url, namespace="judged", workers=1) + judge
    with serve(tmp_path, head + routes(1, f"{SETTINGS}, compare: judge")) as gateway:
        route = Route(gateway, "r0")
        for question in (RESET, RESET_TOO):
            route.ask(question)
        route.judges(1, finding="right")
        instructions, shown = (message["content"] for message in llm.judged[0])
        assert "stored answer" in instructions
        quoted = json.loads(shown.splitlines()[1])
        assert quoted == {"before": RESET_ANSWER, "now": f"{RESET_TOO}\n\nANSWER: {RESET_ANSWER_TOO}"}
        llm.verdict = "no"
        for question in (ON, OFF):
            route.ask(question)
        route.judges(1, finding="wrong")


def test_a_lookup_says_what_would_be_served(route: Route, upstream: RawUpstream):
    Knowing(upstream, {RESET: RESET_ANSWER})
    route.ask(RESET)
    order = {"route": route.name, "body": {"model": "gpt-4o", "messages": [{"role": "user", "content": RESET_TOO}]}}
    found = route.gateway.admin("POST", "lookup", order).json()
    assert (found["verdict"], found["reason"]) == ("miss", "shadow")
    assert "shadow" in [step["step"] for step in found["steps"]]
    assert found["candidates"][0]["why"] == "would be served, were this not shadow mode"
    assert found["candidates"][0]["served"] is False


def test_a_lookup_for_a_text_says_so_too(route: Route, upstream: RawUpstream):
    Knowing(upstream, {RESET: RESET_ANSWER})
    route.ask(RESET)
    found = route.gateway.admin("POST", "lookup", {"route": route.name, "text": RESET_TOO}).json()
    assert (found["verdict"], found["reason"]) == ("miss", "shadow")
    assert [candidate["served"] for candidate in found["candidates"]] == [False]
