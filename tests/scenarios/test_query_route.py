"""`kind: query` in a running gateway: the small form `{query}` outside, the upstream's own API inside, and the cache between
them as on any route."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from asking import Asking, statuses
from running import Exchange, Gateway, RawUpstream, completion, http_answer, serve, stream, until

ROOT = Path(__file__).parents[2]
CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: query, admin: {{token: TOKEN}}}}
prices: {{"gpt-*": {{prompt: 1, completion: 2}}}}
stores: {{memory: {{max_bytes: 0}}}}
clients: [{{name: web, key: web-key}}, {{name: app, key: app-key}}]
upstreams:
  llm: {{url: "{url}", headers: {{Authorization: "Bearer upstream-key"}}}}
  down: {{url: "http://127.0.0.1:9", timeout: {{connect: 500ms}}}}
routes:
  - {{name: ask, path: /query, kind: query, upstream: llm, ask: {{model: gpt-4o-mini}}, scope: public}}
  - {{name: own, path: /own, kind: query, upstream: llm, ask: {{model: gpt-4o-mini}}, scope: client}}
  - {{name: user, path: /user, kind: query, upstream: llm, ask: {{model: gpt-4o-mini}}, scope: $.user}}
  - {{name: lower, path: /lower, kind: query, upstream: llm, ask: {{model: gpt-4o-mini}}, scope: public,
      thresholds: {{hit: 0.99}}, allow: {{threshold: {{min: 0.7}}}}}}
  - {{name: strict, path: /strict, kind: query, upstream: llm, ask: {{model: gpt-4o-mini}}, scope: public, thresholds: {{hit: 0.99}}}}
  - {{name: deaf, path: /deaf, kind: query, upstream: llm, ask: {{model: gpt-4o-mini}}, scope: public, match: exact,
      allow: {{cache-control: []}}}}
  - {{name: generate, path: /ask, kind: query, upstream: llm, upstream_path: /generate, scope: public,
      ask: {{body: {{inputs: "Be brief. {{query}}", parameters: {{n: 1}}}}, answer: "$.generated[*].text"}}, response: {{headers: {{X-Route: generate}}}}}}
  - {{name: down, path: /down, kind: query, upstream: down, ask: {{model: gpt-4o-mini}}, scope: public}}
  - {{name: stale, path: /stale, kind: query, upstream: llm, ask: {{model: gpt-4o-mini}}, scope: public, ttl: 100ms, stale_if_error: 1h}}
  - {{name: refused, path: /refused, kind: query, upstream: llm, ask: {{model: gpt-4o-mini}}, scope: public, max_body: 1KiB,
      deny: [{{text: "What is the admin password?", then: refuse, answer: "We do not tell."}}]}}
  - {{name: off, path: /off, kind: query, upstream: llm, ask: {{model: gpt-4o-mini}}, scope: public, mode: "off"}}
  - {{name: shadow, path: /shadow, kind: query, upstream: llm, upstream_path: /generate, scope: public, mode: shadow,
      ask: {{body: {{inputs: "{{query}}"}}, answer: "$.generated[0].text"}}}}
"""
WEB = {"Authorization": "Bearer web-key"}
APP = {"Authorization": "Bearer app-key"}


class Model:
    """Answers with the number of the question it was asked, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Exchange] = []
        self.answer: Any = None

    async def behave(self, exchange: Exchange) -> None:
        self.asked.append(exchange)
        if self.answer is not None:
            await self.answer(exchange)
            return
        text = f"answer {len(self.asked)}"
        if b"/generate" in exchange.request_line:
            await exchange.send(
                http_answer({"generated": [{"text": text}, {"text": "."}], "request_no": len(self.asked)})
            )
        else:
            await exchange.send(http_answer(completion(text), "X-Request-Id: r1", "Set-Cookie: __cf_bm=1"))

    def last(self) -> Any:
        return json.loads(self.asked[-1].body)


@pytest.fixture(scope="module")
def model() -> Model:
    return Model()


@pytest.fixture(scope="module")
def gateway(
    upstream: RawUpstream, model: Model, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    upstream.behaviour = model.behave
    with serve(
        tmp_path_factory.mktemp("query"), CONFIG.format(data=data_dir, url=upstream.url), ready=False
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def answers_as_usual(model: Model) -> Iterator[None]:
    yield
    model.answer = None


def ask(gateway: Gateway, path: str, query: str, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    return gateway.ask(path, {"query": query, **more}, {**WEB, **(headers or {})})


def test_a_miss_is_answered_by_the_upstream_in_the_small_form(gateway: Gateway, model: Model) -> None:
    response = ask(gateway, "/query", "How do I change my delivery address?")
    answer = response.json()
    assert list(answer) == [
        "query", "response", "cache_hit", "cached_data", "embedding_dimension", "processing_time",
    ]  # fmt: skip
    assert answer["query"] == "How do I change my delivery address?"
    assert answer["response"] == f"answer {len(model.asked)}"
    assert (answer["cache_hit"], answer["cached_data"], answer["embedding_dimension"]) == (False, None, 384)
    assert 0 < answer["processing_time"] < 10
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-cache"] == "MISS"
    assert "x-request-id" not in response.headers
    assert "set-cookie" not in response.headers


def test_the_upstream_gets_its_own_form_and_key(gateway: Gateway, model: Model) -> None:
    ask(gateway, "/query", 'What does "quoted" mean in {query}?', use_cache=False, similarity_threshold=0.9, extra=1)
    seen = model.asked[-1]
    assert seen.request_line == b"POST /v1/chat/completions HTTP/1.1"
    message = {"role": "user", "content": 'What does "quoted" mean in {query}?'}
    assert model.last() == {"model": "gpt-4o-mini", "messages": [message]}
    headers = {name.lower(): value for name, value in seen.headers}
    assert headers[b"authorization"] == b"Bearer upstream-key"
    assert headers[b"accept-encoding"] == b"identity"
    assert int(headers[b"content-length"]) == len(seen.body)
    assert b"x-cache-threshold" not in headers


def test_the_same_words_and_a_rewrite_are_hits_that_say_what_was_cached(gateway: Gateway, model: Model) -> None:
    before = time.time()
    first = ask(gateway, "/query", "How can I return my order?").json()
    asked = len(model.asked)
    same = ask(gateway, "/query", "How can I return my order?", ignored="by all").json()
    near = ask(gateway, "/query", "how do I return my order").json()
    assert len(model.asked) == asked
    assert same["cache_hit"] is near["cache_hit"] is True
    assert same["response"] == near["response"] == first["response"]
    assert same["cached_data"]["similarity_score"] == 1.0
    assert 0.6 < near["cached_data"]["similarity_score"] < 1.0
    for answer in (same, near):
        cached = answer["cached_data"]
        assert cached["cached_response"] == first["response"]
        assert cached["cached_query"] == "How can I return my order?"
        assert before < cached["cache_timestamp"] < time.time()


def test_without_the_cache_nothing_is_read_and_nothing_kept(gateway: Gateway, model: Model) -> None:
    first = ask(gateway, "/query", "What are the opening hours?", use_cache=False).json()
    second = ask(gateway, "/query", "What are the opening hours?").json()
    third = ask(gateway, "/query", "What are the opening hours?", use_cache="no").json()
    assert [each["cache_hit"] for each in (first, second, third)] == [False, False, False]
    assert len({each["response"] for each in (first, second, third)}) == 3
    assert ask(gateway, "/query", "What are the opening hours?").json()["response"] == second["response"]


def test_a_route_that_honours_no_wishes_ignores_use_cache(gateway: Gateway) -> None:
    first = ask(gateway, "/deaf", "Is there parking?").json()
    second = ask(gateway, "/deaf", "Is there parking?", use_cache=False).json()
    assert (second["cache_hit"], second["response"]) == (True, first["response"])
    assert second["embedding_dimension"] is None


def test_a_client_can_ask_for_nearer_questions(gateway: Gateway) -> None:
    ask(gateway, "/query", "Where can I download my invoice?")
    near = "where do I download my invoice"
    assert ask(gateway, "/query", near, similarity_threshold=0.999).json()["cache_hit"] is False
    other = "where can i download my invoice, please"
    assert ask(gateway, "/query", other, similarity_threshold=0.5).json()["cache_hit"] is True


def test_it_can_ask_for_farther_ones_only_down_to_what_the_route_allows(gateway: Gateway) -> None:
    question, near = "How do I cancel my subscription?", "How can I cancel the subscription?"
    for path in ("/lower", "/strict"):
        ask(gateway, path, question)
        assert ask(gateway, path, near, similarity_threshold=0.99).json()["cache_hit"] is False
        gateway.admin("POST", "purge", {"route": path[1:], "dry_run": False})
        ask(gateway, path, question)
    lowered = ask(gateway, "/lower", near, similarity_threshold=0.7).json()
    assert lowered["cache_hit"] is True
    assert lowered["cached_data"]["cached_query"] == question
    assert 0.7 < lowered["cached_data"]["similarity_score"] < 0.99
    assert ask(gateway, "/strict", near, similarity_threshold=0.7).json()["cache_hit"] is False
    # Below the least that is allowed counts as that.
    assert ask(gateway, "/lower", "What is the weather like?", similarity_threshold=0.0).json()["cache_hit"] is False


def test_the_second_opinion_has_its_say_whatever_threshold_is_asked_for(gateway: Gateway) -> None:
    ask(gateway, "/query", "How do I enable two-factor login?")
    negated = ask(gateway, "/query", "How do I disable two-factor login?", similarity_threshold=0.1)
    assert negated.json()["cache_hit"] is False
    assert float(negated.headers["x-cache-similarity"]) > 0.6


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", [{"loc": ["body"], "msg": "Field required", "type": "missing"}]),
        (b"{}", [{"loc": ["body", "query"], "msg": "Field required", "type": "missing"}]),
        (b'{"query": 7}', [{"loc": ["body", "query"], "msg": "Input should be a valid string", "type": "string_type"}]),
        (
            b'{"query": " "}',
            [{"loc": ["body", "query"], "msg": "String should have at least 1 character", "type": "string_too_short"}],
        ),
        (
            b'["query"]',
            [
                {
                    "loc": ["body"],
                    "msg": "Input should be a valid dictionary or object to extract fields from",
                    "type": "model_attributes_type",
                }
            ],
        ),
        (
            b'{"query": "a",}',
            [
                {
                    "loc": ["body", 14],
                    "msg": "JSON decode error: Expecting property name enclosed in double quotes",
                    "type": "json_invalid",
                }
            ],
        ),
        (
            b'{"query": "a", "use_cache": "perhaps", "similarity_threshold": 2}',
            [
                {
                    "loc": ["body", "use_cache"],
                    "msg": "Input should be a valid boolean, unable to interpret input",
                    "type": "bool_parsing",
                },
                {
                    "loc": ["body", "similarity_threshold"],
                    "msg": "Input should be less than or equal to 1",
                    "type": "less_than_equal",
                },
            ],
        ),
        (
            b'{"query": "a", "use_cache": null, "similarity_threshold": "near"}',
            [
                {"loc": ["body", "use_cache"], "msg": "Input should be a valid boolean", "type": "bool_type"},
                {
                    "loc": ["body", "similarity_threshold"],
                    "msg": "Input should be a valid number, unable to parse string as a number",
                    "type": "float_parsing",
                },
            ],
        ),
    ],
)
def test_a_wrong_body_is_refused_as_fastapi_does(
    gateway: Gateway, model: Model, body: bytes, detail: list[dict[str, object]]
) -> None:
    asked = len(model.asked)
    response = gateway.http.post("/query", content=body, headers=WEB)
    assert (response.status_code, response.json()) == (422, {"detail": detail})
    assert len(model.asked) == asked


def test_a_body_with_two_meanings_is_none(gateway: Gateway, model: Model) -> None:
    asked = len(model.asked)
    response = gateway.http.post("/query", content=b'{"query": "a", "query": "b"}', headers=WEB)
    assert (response.status_code, response.json()["detail"][0]["type"]) == (422, "json_invalid")
    assert len(model.asked) == asked


def test_callers_are_kept_apart(gateway: Gateway, model: Model) -> None:
    ask(gateway, "/own", "What did I order last week?", WEB)
    assert ask(gateway, "/own", "What did I order last week?", APP).json()["cache_hit"] is False
    assert ask(gateway, "/own", "What did I order last week?", WEB).json()["cache_hit"] is True
    ask(gateway, "/user", "What is in my basket?", user="ann")
    assert ask(gateway, "/user", "What is in my basket?", user="bob").json()["cache_hit"] is False
    assert ask(gateway, "/user", "What is in my basket?", user="ann").json()["cache_hit"] is True
    # Without what says who shares, it is answered and not kept.
    for _ in range(2):
        nobody = ask(gateway, "/user", "What is in my basket?")
        assert (nobody.json()["cache_hit"], nobody.headers["x-cache"]) == (False, "BYPASS")


def test_any_json_api_can_be_asked(gateway: Gateway, model: Model) -> None:
    first = ask(gateway, "/ask", "How tall is the tower?")
    assert model.asked[-1].request_line == b"POST /generate HTTP/1.1"
    assert model.last() == {"inputs": "Be brief. How tall is the tower?", "parameters": {"n": 1}}
    assert first.json()["response"] == f"answer {len(model.asked)}."
    assert first.headers["x-route"] == "generate"
    again = ask(gateway, "/ask", "How tall is the tower?")
    assert (again.json()["cache_hit"], again.json()["response"]) == (True, first.json()["response"])
    assert again.headers["x-route"] == "generate"
    assert int(again.headers["age"]) >= 0


def test_what_the_upstream_refuses_is_a_problem_and_not_kept(gateway: Gateway, model: Model) -> None:
    async def busy(exchange: Exchange) -> None:
        await exchange.send(
            http_answer({"error": {"message": "secret"}}, "Retry-After: 7", status="429 Too Many Requests")
        )

    model.answer = busy
    for _ in range(2):
        response = ask(gateway, "/query", "Which plan is the cheapest?")
        assert response.status_code == 502
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["retry-after"] == "7"
        assert response.json()["detail"] == "upstream 'llm' answered 429"
        assert response.json()["upstream"] == "llm"
        assert "secret" not in response.text


def _gone(exchange: Exchange) -> Any:
    return stream([b'{"choices": ['], content_type="application/json", breaks_off=True)(exchange)


def _streamed(exchange: Exchange) -> Any:
    return stream([b"data: {}\n\n", b"data: [DONE]\n\n"])(exchange)


async def _no_answer(exchange: Exchange) -> None:
    await exchange.send(http_answer({"choices": [{"message": {"content": None}}]}))


@pytest.mark.parametrize(
    ("behaviour", "detail"),
    [
        (_gone, "broke off"),
        (_streamed, "is no JSON"),
        (_no_answer, "nothing at $.choices[0].message.content"),
    ],
)
def test_an_answer_without_an_answer_is_a_problem_and_not_kept(
    gateway: Gateway, model: Model, behaviour: Any, detail: str
) -> None:
    question = f"What is a {detail} like?"
    model.answer = behaviour
    for _ in range(2):
        broken = ask(gateway, "/query", question)
        assert (broken.status_code, broken.json()["upstream"]) == (502, "llm")
        assert detail in broken.json()["detail"]
    model.answer = None
    assert ask(gateway, "/query", question).json()["cache_hit"] is False
    assert ask(gateway, "/query", question).json()["cache_hit"] is True


def test_an_upstream_that_is_down_is_a_problem(gateway: Gateway) -> None:
    response = ask(gateway, "/down", "Is anybody there?")
    assert (response.status_code, response.json()["upstream"]) == (502, "down")
    assert response.headers["content-type"] == "application/problem+json"


def test_who_asks_the_same_meanwhile_shares_the_answer(gateway: Gateway, upstream: RawUpstream, model: Model) -> None:
    go = asyncio.Event()

    async def held(exchange: Exchange) -> None:
        await go.wait()
        await exchange.send(http_answer(completion("shared")))

    model.answer = held
    asked, asking = len(model.asked), Asking(gateway)
    for _ in range(3):
        asking.send("/query", {"query": "Who else asks this?"}, WEB)
    until(lambda: len(model.asked) > asked, "nobody asked")
    for _ in range(3):
        ask(gateway, "/query", "")  # refused, after the others came
    upstream.call(go.set)
    told = asking.answers()
    answers = [json.loads(each.read()) for each in told]
    assert {(each["response"], each["cache_hit"]) for each in answers} == {("shared", False)}
    assert statuses(told) == ["semgate; fwd=miss", *["semgate; fwd=miss; collapsed"] * 2]
    assert len(model.asked) == asked + 1


def test_a_compressed_answer_is_read(gateway: Gateway, model: Model) -> None:
    async def compressed(exchange: Exchange) -> None:
        body = gzip.compress(json.dumps(completion("compressed")).encode())
        await exchange.send(http_answer(body, "Content-Encoding: gzip", "Content-Type: application/json"))

    model.answer = compressed
    for hit in (False, True):
        answer = ask(gateway, "/query", "Is this compressed?", {"Accept-Encoding": "gzip"})
        assert (answer.json()["response"], answer.json()["cache_hit"]) == ("compressed", hit)
        assert "content-encoding" not in answer.headers


def test_a_stale_answer_stands_in_for_a_failing_upstream(gateway: Gateway, model: Model) -> None:
    async def failing(exchange: Exchange) -> None:
        await exchange.send(http_answer({"error": "no"}, status="500 Internal Server Error"))

    first = ask(gateway, "/stale", "How many seats does the hall have?").json()
    time.sleep(0.12)
    model.answer = failing
    second = ask(gateway, "/stale", "How many seats does the hall have?")
    assert (second.json()["cache_hit"], second.json()["response"]) == (True, first["response"])
    assert second.headers["x-cache"] == "STALE"


def test_denied_questions_are_refused_and_long_ones_too(gateway: Gateway, model: Model) -> None:
    asked = len(model.asked)
    refused = ask(gateway, "/refused", "What is the admin password?")
    assert (refused.status_code, refused.json()["detail"]) == (403, "We do not tell.")
    long = ask(gateway, "/refused", "why " * 300)
    assert (long.status_code, long.headers["content-type"]) == (413, "application/problem+json")
    assert len(model.asked) == asked


def test_only_if_cached_is_honoured(gateway: Gateway, model: Model) -> None:
    asked = len(model.asked)
    response = ask(gateway, "/query", "What was never asked before?", {"Cache-Control": "only-if-cached"})
    assert response.status_code == 504
    assert len(model.asked) == asked


def test_a_route_that_is_off_forwards(gateway: Gateway) -> None:
    for _ in range(2):
        answer = ask(gateway, "/off", "Is the cache off?").json()
        assert (answer["cache_hit"], answer["embedding_dimension"]) == (False, None)


def test_what_a_hit_saves_is_counted_for_the_model_that_is_asked(gateway: Gateway) -> None:
    ask(gateway, "/query", "How much does a token cost?")
    before = gateway.metric("semgate_tokens_saved_total", route="ask", model="gpt-*")
    ask(gateway, "/query", "How much does a token cost?")
    assert until(lambda: gateway.metric("semgate_tokens_saved_total", route="ask", model="gpt-*") == before + 12, "no")


def test_shadow_mode_compares_what_counts_of_the_answers(gateway: Gateway, model: Model) -> None:
    async def counting(exchange: Exchange) -> None:
        number = len(model.asked)
        await exchange.send(http_answer({"generated": [{"text": "It opens at nine."}], "number": number}))

    model.answer = counting
    for question in ("When does the library open?", "when does the library open, please"):
        assert ask(gateway, "/shadow", question).json()["cache_hit"] is False
    judged = until(
        lambda: gateway.metric("semgate_judgements_total", route="shadow", finding="right"), "nothing was compared"
    )
    assert judged == 1


def test_a_lookup_explains_a_question_of_this_form(gateway: Gateway) -> None:
    ask(gateway, "/query", "How do I contact support?")
    asked = {"route": "ask", "body": {"query": "how can I contact support", "use_cache": True}}
    found = gateway.admin("POST", "lookup", asked).json()
    assert found["verdict"] == "hit"
    assert found["candidates"][0]["question"] == "How do I contact support?"


def test_the_program_of_the_page_runs_against_the_example(
    upstream: RawUpstream, model: Model, data_dir: Path, tmp_path: Path
) -> None:
    page, example = (ROOT / "docs" / "query.md").read_text(), (ROOT / "examples" / "query.yaml").read_text()
    route, program = (re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)[0] for language in ("yaml", "python"))
    assert all(line in example for line in route.splitlines())

    async def answer(exchange: Exchange) -> None:
        await exchange.send(http_answer(completion("Open Settings.")))

    model.answer = answer
    config = example.replace("version: 1\n", f"server: {{listen: LISTEN, data_dir: {data_dir}, namespace: example}}\n")
    env = {"OPENAI_URL": upstream.url, "OPENAI_API_KEY": "sk-1"}
    with serve(tmp_path, config, env=env, ready=False) as gateway:
        command = [sys.executable, "-c", program]
        told = subprocess.check_output(command, env={**os.environ, "SEMGATE_URL": gateway.url}, text=True, timeout=60)
    assert re.sub(r"\(0\.\d\d\)", "(near)", told).splitlines() == [
        "asked the model: Open Settings.",
        "asked before as 'How do I reset my password?' (near): Open Settings.",
        "not from the cache: Open Settings.",
    ]
