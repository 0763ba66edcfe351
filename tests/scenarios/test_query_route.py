"""`kind: query` in a running gateway: the small form `{query}` outside, the upstream's own API inside, and the cache between
them as on any route."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from queried import APP, WEB, Model, ask, queried
from running import Gateway, RawUpstream


@pytest.fixture(scope="module")
def model() -> Model:
    return Model()


@pytest.fixture(scope="module")
def gateway(
    upstream: RawUpstream, model: Model, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    with queried(upstream, model, data_dir, tmp_path_factory.mktemp("query")) as running:
        yield running


@pytest.fixture(autouse=True)
def answers_as_usual(model: Model) -> Iterator[None]:
    yield
    model.answer = None


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
