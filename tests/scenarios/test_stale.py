"""Answers past their ttl: served while a new one is fetched, or when the upstream fails (RFC 5861)."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from raw_upstream import always
from running import Exchange, Gateway, RawUpstream, events, http_answer, serve, stream, until

CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: stale}}
upstreams:
  llm: {{url: "{url}", timeout: {{first_byte: 2s, idle: 2s}}, breaker: {{failures: 0}}}}
defaults: {{ttl: 400ms}}
routes:
  - {{name: revalidate, path: /revalidate, upstream: llm, preset: json-query, scope: public, stale_while_revalidate: 1h}}
  - {{name: error, path: /error, upstream: llm, preset: json-query, scope: public, stale_if_error: 1h}}
  - {{name: neither, path: /neither, upstream: llm, preset: json-query, scope: public}}
"""

numbers = itertools.count()


@pytest.fixture(scope="module")
def gateway(upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serve(tmp_path_factory.mktemp("stale"), CONFIG.format(data=data_dir, url=upstream.url)) as running:
        yield running


def kept_and_expired(gateway: Gateway, upstream: RawUpstream, path: str, *headers: str) -> str:
    """A question whose answer was kept, and whose time is over."""
    text = f"question number {next(numbers)} of this kind"
    upstream.behaviour = always(http_answer({"a": 1}, *headers))
    assert gateway.ask(path, {"query": text}).headers["x-cache"] == "MISS"
    time.sleep(0.45)
    return text


def ask(gateway: Gateway, path: str, text: str, **headers: str) -> httpx.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return gateway.ask(path, {"query": text}, headers=given)


def test_a_stale_answer_is_served_while_a_new_one_is_fetched(gateway: Gateway, upstream: RawUpstream):
    text = kept_and_expired(gateway, upstream, "/revalidate")
    upstream.behaviour = always(http_answer({"a": 2}))
    stale = ask(gateway, "/revalidate", text)
    assert (stale.json(), stale.headers["x-cache"]) == ({"a": 1}, "STALE")
    assert stale.headers["cache-status"].startswith("semgate; hit; ttl=-")
    assert "age" in stale.headers
    fresh = until(lambda: _fresh(gateway, text), "the new answer is there")
    assert fresh.json() == {"a": 2}


def _fresh(gateway: Gateway, text: str) -> httpx.Response | None:
    answer = ask(gateway, "/revalidate", text)
    return answer if answer.headers["x-cache"] == "HIT" else None


def test_an_upstream_that_fails_meanwhile_costs_nobody_the_stale_answer(gateway: Gateway, upstream: RawUpstream):
    text = kept_and_expired(gateway, upstream, "/revalidate")
    upstream.behaviour = always(http_answer({"a": 2}, status="500 Oops"))
    for _ in range(3):
        answer = ask(gateway, "/revalidate", text)
        assert (answer.json(), answer.headers["x-cache"]) == ({"a": 1}, "STALE")


@pytest.mark.parametrize("status", ["500 Oops", "502 Bad Gateway", "503 Busy", "504 Late"])
def test_a_stale_answer_stands_in_for_an_upstream_that_fails(gateway: Gateway, upstream: RawUpstream, status: str):
    text = kept_and_expired(gateway, upstream, "/error")
    upstream.behaviour = always(http_answer({"error": "overloaded"}, "Retry-After: 5", status=status))
    answer = ask(gateway, "/error", text)
    assert (answer.status_code, answer.json(), answer.headers["x-cache"]) == (200, {"a": 1}, "STALE")
    assert answer.headers["cache-status"] == f"semgate; fwd=stale; fwd-status={status[:3]}"
    assert "retry-after" not in answer.headers


def test_a_stale_answer_stands_in_for_an_upstream_that_is_silent_or_gone(gateway: Gateway, upstream: RawUpstream):
    async def reset(exchange: Exchange) -> None:
        exchange.reset()

    async def silent(exchange: Exchange) -> None:
        await exchange.peer_closed()

    text = kept_and_expired(gateway, upstream, "/error")
    for trouble in (reset, silent):
        upstream.behaviour = trouble
        answer = ask(gateway, "/error", text)
        assert (answer.json(), answer.headers["cache-status"]) == ({"a": 1}, "semgate; fwd=stale")


def test_while_the_upstream_works_its_answer_counts(gateway: Gateway, upstream: RawUpstream):
    text = kept_and_expired(gateway, upstream, "/error")
    upstream.behaviour = always(http_answer({"a": 2}))
    answer = ask(gateway, "/error", text)
    assert (answer.json(), answer.headers["x-cache"]) == ({"a": 2}, "MISS")
    assert answer.headers["cache-status"] == "semgate; fwd=stale"
    assert ask(gateway, "/error", text).headers["x-cache"] == "HIT"


def test_a_clients_mistake_is_told_not_covered_up(gateway: Gateway, upstream: RawUpstream):
    text = kept_and_expired(gateway, upstream, "/error")
    upstream.behaviour = always(http_answer({"error": "bad request"}, status="400 Bad Request"))
    assert ask(gateway, "/error", text).status_code == 400


def test_a_stale_answer_stands_in_for_other_words_too(gateway: Gateway, upstream: RawUpstream):
    upstream.behaviour = always(http_answer({"a": "Tap Reset."}))
    ask(gateway, "/error", "How do I reset the password of my account?")
    time.sleep(0.45)
    upstream.behaviour = always(http_answer({}, status="503 Busy"))
    answer = ask(gateway, "/error", "How do I reset my account's password?")
    assert (answer.json(), answer.headers["x-cache"]) == ({"a": "Tap Reset."}, "STALE")
    assert float(answer.headers["x-cache-similarity"]) > 0.95


def test_a_client_may_want_less_stale_than_the_route_allows(gateway: Gateway, upstream: RawUpstream):
    text = kept_and_expired(gateway, upstream, "/error")
    upstream.behaviour = always(http_answer({}, status="503 Busy"))
    assert ask(gateway, "/error", text, cache_control="stale-if-error=0").status_code == 503
    assert ask(gateway, "/error", text, cache_control="stale-if-error=600").status_code == 200


@pytest.mark.parametrize("control", ["must-revalidate", "proxy-revalidate"])
def test_an_upstream_may_forbid_stale_answers(gateway: Gateway, upstream: RawUpstream, control: str):
    text = kept_and_expired(gateway, upstream, "/error", f"Cache-Control: {control}")
    upstream.behaviour = always(http_answer({}, status="503 Busy"))
    assert ask(gateway, "/error", text).status_code == 503


def test_without_a_window_what_expired_is_gone(gateway: Gateway, upstream: RawUpstream):
    text = kept_and_expired(gateway, upstream, "/neither")
    upstream.behaviour = always(http_answer({}, status="503 Busy"))
    answer = ask(gateway, "/neither", text)
    assert (answer.status_code, answer.headers["x-cache"]) == (503, "MISS")


def test_a_stream_breaking_off_is_no_failure_that_something_could_stand_in_for(gateway: Gateway, upstream: RawUpstream):
    text = f"question number {next(numbers)} of this kind"
    upstream.behaviour = stream(events("Hello"))
    asked = {"query": text, "stream": True}
    gateway.ask("/error", asked)
    time.sleep(0.45)
    upstream.behaviour = stream(events("Hello")[:2], breaks_off=True)
    with pytest.raises(httpx.RemoteProtocolError):
        gateway.ask("/error", asked)
