"""`kind: query` where something is the matter, and how its routes stand with the rest: followers, wishes, shadow, figures."""

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

import pytest
from asking import Asking, statuses
from queried import WEB, Model, ask, queried
from running import Exchange, Gateway, RawUpstream, completion, http_answer, serve, stream, until

ROOT = Path(__file__).parents[2]


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
