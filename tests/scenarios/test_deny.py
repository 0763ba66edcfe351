"""Denied questions over real gateways: from the routes file and its files, by operators, in every worker and replica."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import Exchange, Gateway, RawUpstream, http_answer, serve, until

from gateway.stores.embedded import EmbeddedPostgres

CANCEL = "How do I cancel my contract?"
CANCEL_OTHERWISE = "How can I cancel my contract?"
MONEY = "Can I have my money back?"
WEATHER = "Will it rain in Lisbon tomorrow?"
DENIED = "semgate; fwd=bypass; detail=denied"

CONFIG = """
server: {{listen: LISTEN, data_dir: "{data}", namespace: {namespace}, watch: 100ms, admin: {{token: TOKEN}}}}
upstreams:
  llm: {{url: "{upstream}"}}
  gone: {{url: "http://127.0.0.1:9", retry: {{attempts: 1}}}}
deny:
  - {{file: denied.txt, at_least: 0.85, name: staff}}
  - {{text: "Who will win the election?", then: refuse, answer: "We do not talk about that.", name: politics}}
routes:
  - {{name: ask, path: /ask, upstream: llm, preset: json-query, scope: public, thresholds: {{hit: 0.9}}}}
  - {{name: words, path: /words, upstream: llm, preset: json-query, scope: public, match: exact}}
  - {{name: gone, path: /gone, upstream: gone, preset: json-query, scope: public, thresholds: {{hit: 0.9}}, ttl: 1s,
      stale_if_error: 1h}}
  - {{name: shadow, path: /shadow, upstream: llm, preset: json-query, scope: public, thresholds: {{hit: 0.9}}, mode: shadow}}
"""


@pytest.fixture(autouse=True)
def answering(upstream: RawUpstream) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(http_answer({"answer": f"number {exchange.nth}"}))

    upstream.behaviour = answer


@pytest.fixture
def gateway(upstream: RawUpstream, data_dir: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """In a namespace of its own for each test."""
    (tmp_path / "denied.txt").write_text(f"# What staff answers.\n{CANCEL}\n")
    namespace = f"deny-{abs(hash(request.node.name)) % 10**9}"
    with serve(tmp_path, CONFIG.format(data=data_dir, upstream=upstream.url, namespace=namespace)) as running:
        yield running


def status_of(gateway: Gateway, query: str, path: str = "/ask") -> str:
    return str(gateway.ask(path, {"query": query}).headers["cache-status"])


def kept(gateway: Gateway, query: str, path: str = "/ask") -> None:
    assert "fwd=miss" in status_of(gateway, query, path)
    assert "; hit;" in status_of(gateway, query, path)


def test_a_file_of_questions_is_forwarded_and_never_kept(gateway: Gateway) -> None:
    answers = [gateway.ask("/ask", {"query": CANCEL_OTHERWISE}).text for _ in range(3)]
    assert len(set(answers)) == 3
    assert status_of(gateway, CANCEL_OTHERWISE) == DENIED
    assert gateway.ask("/ask", {"query": CANCEL}).headers["x-cache"] == "BYPASS"
    kept(gateway, WEATHER)
    # Memory has it sooner than PostgreSQL; whatever was kept before it is there by then.
    entries = until(lambda: gateway.admin("GET", "entries").json()["entries"], "the row is not there")
    assert [each["question"] for each in entries] == [WEATHER]
    assert gateway.metric("semgate_bypass_total", route="ask", reason="denied") == 5
    assert gateway.metric("semgate_denied_total", route="ask", then="forward") == 5


def test_a_changed_file_is_in_effect_by_itself_also_for_what_is_stored(gateway: Gateway) -> None:
    kept(gateway, MONEY)
    file = gateway.file.parent / "denied.txt"
    file.write_text(f"{MONEY}\n")
    until(lambda: status_of(gateway, MONEY) == DENIED, "the file is not read again")
    assert "fwd=miss" in status_of(gateway, CANCEL)
    file.write_bytes(b"\xff")
    until(lambda: "denied.txt" in str(gateway.admin("GET", "config").json()["last_error"]), "nobody complains")
    assert status_of(gateway, MONEY) == DENIED
    file.write_text("")
    until(lambda: "; hit;" in status_of(gateway, MONEY), "the file is not read again")


def test_a_refused_question_reaches_no_upstream_whatever_the_client_wishes(
    gateway: Gateway, upstream: RawUpstream
) -> None:
    asked: list[bytes] = []

    async def answer(exchange: Exchange) -> None:
        asked.append(exchange.body)
        await exchange.send(http_answer({"answer": "Somebody."}))

    upstream.behaviour = answer
    for path in ("/ask", "/words", "/shadow"):
        for control in ("max-age=60", "no-store", "no-cache", "only-if-cached"):
            refused = gateway.ask(path, {"query": "who will win the election"}, {"Cache-Control": control})
            assert refused.status_code == 403
            assert refused.headers["content-type"] == "application/problem+json"
            assert refused.headers["cache-status"] == "semgate; detail=denied"
            assert (refused.json()["detail"], refused.json()["deny"]) == ("We do not talk about that.", "politics")
    assert asked == []
    assert gateway.metric("semgate_denied_total", then="refuse") == 12
    assert gateway.metric("semgate_requests_total", outcome="refused") == 12


def test_exact_routes_deny_the_same_words(gateway: Gateway) -> None:
    assert status_of(gateway, f"  {CANCEL.lower()} ", "/words") == DENIED
    assert "fwd=miss" in status_of(gateway, CANCEL_OTHERWISE, "/words")


def test_a_stale_answer_does_not_stand_in_for_a_denied_question(gateway: Gateway, upstream: RawUpstream) -> None:
    config = gateway.file.read_text()
    gateway.file.write_text(config.replace("http://127.0.0.1:9", upstream.url).replace(", retry: {attempts: 1}", ""))
    until(lambda: gateway.ask("/gone", {"query": WEATHER}).status_code == 200, "it is not reloaded")
    kept(gateway, MONEY, "/gone")
    gateway.file.write_text(config)
    number = itertools.count()  # none is asked twice: what was answered before the reload is stored
    until(lambda: gateway.ask("/gone", {"query": f"{next(number)} apples"}).status_code == 502, "it is not reloaded")
    until(lambda: "fwd=stale" in status_of(gateway, MONEY, "/gone"), "no stale answer stands in")
    assert gateway.admin("POST", "deny", {"text": MONEY}).status_code == 200
    answer = gateway.ask("/gone", {"query": MONEY})
    assert answer.status_code == 502
    assert answer.headers["cache-status"] == DENIED


def test_in_shadow_mode_a_denied_question_is_forwarded_and_not_compared(gateway: Gateway) -> None:
    assert status_of(gateway, CANCEL, "/shadow") == DENIED
    assert "shadow-miss" in status_of(gateway, WEATHER, "/shadow")


REPLICAS = """
server: {{listen: LISTEN, workers: {workers}, digest_key: a digest key that replicas share, admin: {{token: TOKEN}}}}
stores: {{postgres: {{url: "{postgres}", timeout: 2s}}}}
upstreams: {{llm: {{url: "{upstream}"}}}}
routes:
  - {{name: ask, path: /ask, upstream: llm, preset: json-query, scope: public, thresholds: {{hit: 0.9}}}}
"""


def everywhere(gateways: list[Gateway], query: str, status: str) -> bool:
    """Of all workers: each of many connections of its own may meet any of them."""
    body: dict[str, Any] = {"query": query}
    answers = [
        httpx.post(f"{each.url}/ask", json=body, timeout=30, verify=False) for each in gateways for _ in range(8)
    ]
    return all(status in answer.headers["cache-status"] for answer in answers)


def test_what_one_denies_all_deny_over_restarts(upstream: RawUpstream, tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres", max_connections=200)
    try:
        config = REPLICAS.format(postgres=server.start(), upstream=upstream.url, workers=2)
        with ExitStack() as stack:
            gateways = [stack.enter_context(serve(tmp_path, config)) for _ in range(2)]
            one = gateways[0]
            kept(one, CANCEL)
            until(lambda: everywhere(gateways, CANCEL, "; hit;"), "it is not stored")
            denied = one.admin("POST", "deny", {"text": CANCEL}).json()
            until(lambda: everywhere(gateways, CANCEL, "detail=denied"), "somebody has not heard")
            reported = one.admin("POST", f"deny/{denied['id']}/false-positive", {"question": CANCEL_OTHERWISE}).json()
            until(lambda: everywhere(gateways, CANCEL_OTHERWISE, "; hit;"), "somebody has not heard")
        with serve(tmp_path, config) as again:
            assert everywhere([again], CANCEL, "detail=denied")
            assert "; hit;" in status_of(again, CANCEL_OTHERWISE)
            (shown,) = again.admin("GET", "deny").json()["denied"]
            assert (shown["id"], shown["text"], shown["false_positives"]) == (denied["id"], CANCEL, [reported])
            assert shown["hits"] >= 16
            assert again.admin("DELETE", f"deny/{denied['id']}").status_code == 204
            until(lambda: everywhere([again], CANCEL, "; hit;"), "a worker has not heard")
    finally:
        server.stop()
