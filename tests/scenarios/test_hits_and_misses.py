"""The main job: a question is forwarded once and then answered from the cache, in the same words or in others."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
from running import Exchange, Gateway, RawUpstream, chat, completion, http_answer, serve

CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: hits, admin: {{token: secret-admin-token}}}}
upstreams:
  llm: {{url: "{url}"}}
routes:
  - {{name: chat, path: /v1/chat/completions, upstream: llm, preset: openai-chat, scope: client}}
  - {{name: loose, path: /loose, upstream: llm, preset: json-query, scope: public, thresholds: {{hit: 0.8}},
      allow: {{threshold: {{min: 0.5}}, ttl: {{max: 1h}}}}}}
  - {{name: strict, path: /strict, upstream: llm, preset: json-query, scope: "header:X-Tenant", thresholds: {{hit: 1.0}}}}
  - {{name: exact, path: /exact, upstream: llm, preset: json-query, scope: public, match: exact}}
  - {{name: lang, path: /lang, upstream: llm, preset: json-query, scope: public, vary: {{headers: [Accept-Language]}}}}
  - {{name: search, path: /search, methods: [GET], upstream: llm, query: "query:q", scope: public}}
  - {{name: status, path: /status, upstream: llm, preset: json-query, scope: public, response: {{expose: status}}}}
  - {{name: "off", path: "/off/*", methods: [GET], upstream: llm, scope: public, mode: "off"}}
"""

RESET = "How do I reset my password?"
RESET_OTHERWISE = "What is the way to reset my password?"


@pytest.fixture(scope="module")
def gateway(upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(http_answer(completion(f"answer {exchange.nth}"), "X-Request-Id: 7", "Date: yesterday"))

    upstream.behaviour = answer
    config = CONFIG.format(data=data_dir, url=upstream.url)
    with serve(tmp_path_factory.mktemp("hits"), config) as running:
        yield running


def key(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


def test_the_same_words_hit(gateway: Gateway, upstream: RawUpstream):
    asked = len(upstream.seen)
    first = gateway.ask("/v1/chat/completions", chat(RESET), key("one"))
    second = gateway.ask("/v1/chat/completions", chat(RESET), key("one"))
    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("MISS", "HIT")
    assert first.headers["cache-status"] == "semgate; fwd=miss"
    assert second.headers["cache-status"].startswith("semgate; hit; ttl=")
    assert second.headers["cache-status"].endswith("; detail=exact")
    assert second.headers["x-cache-source"] == "memory"
    assert int(second.headers["age"]) >= 0
    assert second.headers["x-cache-entry"]
    assert first.content == second.content
    assert len(upstream.seen) == asked + 1


def test_other_words_hit_and_tell_how_near_they_are(gateway: Gateway):
    first = gateway.ask("/v1/chat/completions", chat(RESET), key("two"))
    second = gateway.ask("/v1/chat/completions", chat(RESET_OTHERWISE), key("two"))
    assert second.headers["x-cache"] == "HIT"
    assert "detail=verified" in second.headers["cache-status"]
    assert second.headers["x-cache-source"] == "postgres"
    assert 0.95 <= float(second.headers["x-cache-similarity"]) < 1
    assert len(second.headers["x-cache-similarity"]) == len("0.9711")
    assert first.content == second.content


def test_another_question_misses_and_tells_the_best_similarity(gateway: Gateway):
    gateway.ask("/v1/chat/completions", chat(RESET), key("three"))
    other = gateway.ask("/v1/chat/completions", chat("Which planet is the largest?"), key("three"))
    assert other.headers["x-cache"] == "MISS"
    assert float(other.headers["x-cache-similarity"]) < 0.5


def test_another_caller_never_gets_the_answer(gateway: Gateway):
    first = gateway.ask("/v1/chat/completions", chat(RESET), key("alice"))
    second = gateway.ask("/v1/chat/completions", chat(RESET), key("mallory"))
    assert second.headers["x-cache"] == "MISS"
    assert "x-cache-similarity" not in second.headers
    assert first.content != second.content


def test_a_caller_without_a_scope_is_forwarded(gateway: Gateway):
    for _ in range(2):
        answer = gateway.ask("/v1/chat/completions", chat(RESET))
        assert answer.headers["x-cache"] == "BYPASS"
        assert answer.headers["cache-status"] == "semgate; fwd=bypass; detail=no-scope"


def test_a_header_scope_keeps_tenants_apart(gateway: Gateway):
    answers = [gateway.ask("/strict", {"query": "x"}, {"X-Tenant": tenant}) for tenant in ("a", "b", "a")]
    assert [answer.headers["x-cache"] for answer in answers] == ["MISS", "MISS", "HIT"]


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.5},
        {"model": "gpt-4o-mini"},
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": RESET}]},
        {"response_format": {"type": "json_object"}},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
    ],
)
def test_whatever_else_differs_is_another_question(gateway: Gateway, change: dict[str, object]):
    gateway.ask("/v1/chat/completions", chat(RESET), key("four"))
    answer = gateway.ask("/v1/chat/completions", {**chat(RESET), **change}, key("four"))
    assert answer.headers["x-cache"] != "HIT"


def test_members_that_change_no_answer_do_not_matter(gateway: Gateway):
    gateway.ask("/v1/chat/completions", chat(RESET, user="u1"), key("five"))
    answer = gateway.ask("/v1/chat/completions", chat(RESET, user="u2"), key("five"))
    assert answer.headers["x-cache"] == "HIT"


def test_a_varying_header_is_part_of_the_question(gateway: Gateway):
    answers = [gateway.ask("/lang", {"query": "x"}, {"Accept-Language": language}) for language in ("de", "en", "de")]
    assert [answer.headers["x-cache"] for answer in answers] == ["MISS", "MISS", "HIT"]


def test_an_exact_route_takes_the_same_words_only(gateway: Gateway):
    answers = [gateway.ask("/exact", {"query": question}) for question in (RESET, RESET_OTHERWISE, RESET)]
    assert [answer.headers["x-cache"] for answer in answers] == ["MISS", "MISS", "HIT"]


def test_a_question_in_the_query_string(gateway: Gateway):
    first = gateway.http.get("/search", params={"q": RESET, "lang": "en"})
    second = gateway.http.get("/search", params={"lang": "en", "q": RESET_OTHERWISE})
    third = gateway.http.get("/search", params={"q": RESET, "lang": "de"})
    assert [answer.headers["x-cache"] for answer in (first, second, third)] == ["MISS", "HIT", "MISS"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"not json", "not-json"),
        (b'{"query":"a","query":"b"}', "ambiguous-json"),
        (b'{"query":"\\ud800"}', "ambiguous-json"),
        (b'{"query":"  "}', "no-text"),
        (b'{"other":1}', "no-text"),
        (b'{"query":"x","stream":"yes"}', "stream"),
        (b'{"query":"' + b"x" * (1 << 20) + b'"}', "body-too-large"),
    ],
)
def test_what_cannot_be_read_for_certain_is_forwarded_untouched(
    gateway: Gateway, upstream: RawUpstream, body: bytes, reason: str
):
    answer = gateway.http.post("/loose", content=body, headers={"content-type": "application/json"})
    assert answer.headers["cache-status"] == f"semgate; fwd=bypass; detail={reason}"
    assert answer.headers["x-cache"] == "BYPASS"
    assert upstream.seen[-1].body == body


def test_a_text_beyond_the_window_matches_its_exact_words_only(gateway: Gateway):
    long = "many words about nothing in particular " * 100
    answers = [gateway.ask("/loose", {"query": text}) for text in (long, long + "again", long)]
    assert [answer.headers["x-cache"] for answer in answers] == ["MISS", "MISS", "HIT"]


def test_an_off_route_forwards_everything_under_its_path(gateway: Gateway, upstream: RawUpstream):
    answer = gateway.http.get("/off/a%2Fb//c;d?x=%20&y", headers={"accept": "x/y"})
    assert answer.headers["cache-status"] == "semgate; fwd=bypass; detail=off"
    assert upstream.seen[-1].request_line == b"GET /off/a%2Fb//c;d?x=%20&y HTTP/1.1"


def test_the_openai_sdk_reads_misses_and_hits_alike(gateway: Gateway):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="sdk-key") as client:
        first, second = (
            client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": question}])
            for question in (RESET, RESET_OTHERWISE)
        )
    assert first == second
    assert first.choices[0].message.content.startswith("answer")


def test_the_async_openai_sdk_reads_a_hit(gateway: Gateway):
    async def ask() -> tuple[str, str]:
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="async-sdk-key") as client:
            for _ in range(2):
                raw = await client.chat.completions.with_raw_response.create(
                    model="gpt-4o", messages=[{"role": "user", "content": RESET}]
                )
            return raw.headers["x-cache"], raw.parse().choices[0].message.role

    assert asyncio.run(ask()) == ("HIT", "assistant")


def test_curl_reads_a_hit(gateway: Gateway):
    command = ["curl", "-si", f"{gateway.url}/loose", "--json", json.dumps({"query": "asked by curl"})]
    answers = [subprocess.run(command, capture_output=True, check=True, timeout=30).stdout for _ in range(2)]
    assert b"x-cache: MISS" in answers[0]
    assert b"x-cache: HIT" in answers[1]


def test_many_at_once_are_all_answered(gateway: Gateway):
    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as client:
            return await asyncio.gather(
                *(client.post("/loose", json={"query": f"what is {number % 20} plus one?"}) for number in range(200))
            )

    answers = asyncio.run(ask())
    assert {answer.status_code for answer in answers} == {200}


def test_metrics_count_what_happened(gateway: Gateway):
    before = gateway.metric("semgate_requests_total", route="status", outcome="hit", source="memory")
    bypassed = gateway.metric("semgate_bypass_total", route="loose", reason="not-json")
    gateway.ask("/status", {"query": "counted?"})
    gateway.ask("/status", {"query": "counted?"})
    gateway.http.post("/loose", content=b"x")
    assert gateway.metric("semgate_requests_total", route="status", outcome="hit", source="memory") == before + 1
    assert gateway.metric("semgate_bypass_total", route="loose", reason="not-json") == bypassed + 1
    assert gateway.metric("semgate_request_seconds_count", route="status", outcome="hit") >= 1
    assert gateway.metric("semgate_stage_seconds_count", stage="embed") >= 1
    assert gateway.metric("semgate_entry_age_seconds_count", route="status") >= 1
    assert gateway.metric("semgate_similarity_count", route="loose") >= 1


def test_tokens_that_hits_did_not_spend_are_counted(gateway: Gateway):
    saved = [gateway.metric("semgate_tokens_saved_total", route="chat", kind=kind) for kind in ("prompt", "completion")]
    for _ in range(2):
        gateway.ask("/v1/chat/completions", chat("what do you cost?"), key("counting"))
    now = [gateway.metric("semgate_tokens_saved_total", route="chat", kind=kind) for kind in ("prompt", "completion")]
    assert [after - before for before, after in zip(saved, now, strict=True)] == [9, 3]
    assert gateway.metric("semgate_tokens_saved_total", model="gpt-4o") == 0  # no label takes a client's words


def test_the_running_configuration_needs_the_token(gateway: Gateway):
    assert gateway.http.get("/-/config").status_code == 401
    assert gateway.http.get("/-/config", headers=key("wrong")).status_code == 401
    shown = gateway.http.get("/-/config", headers=key("secret-admin-token"))
    assert shown.status_code == 200
    assert shown.json()["last_error"] is None
    assert "chat" in [route["name"] for route in shown.json()["routes"]]
    assert gateway.http.get("/-/live").json() == {"status": "live"}
    assert gateway.http.get("/-/ready").json()["status"] == "ready"
    assert gateway.http.get("/health").json()["status"] == "ready"
    assert gateway.http.get("/-/nothing").status_code == 404
