"""What a client's answers cost it: tokens of a minute and dollars of a month, over all gateways."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from limited import DOLLARS, Client, Limited, key, numbers, priced_answer, question, remaining, two_gateways
from running import NDJSON, Exchange, RawUpstream, chat, completion, events, http_answer, stream, until

TOKENS = "limits: {tokens_per_minute: 30}"
MANY_TOKENS = "limits: {tokens_per_minute: 1000000}"
CLIENTS = [TOKENS] + [MANY_TOKENS] * 12 + [DOLLARS] * 3


@pytest.fixture(scope="module", params=["redis", "postgres"])
def limited(
    request: pytest.FixtureRequest, upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Limited]:
    with two_gateways(upstream, data_dir, tmp_path_factory.mktemp("spending"), request.param, CLIENTS) as running:
        yield running


@pytest.fixture(autouse=True)
def answering(upstream: RawUpstream) -> None:
    upstream.behaviour = priced_answer


def test_tokens_are_counted_after_the_answer_over_both_gateways_and_hits_cost_none(limited: Limited) -> None:
    client, same = limited.client(TOKENS), question()
    first = client.ask(same)
    assert (first.status_code, remaining(first, "tokens")) == (200, 30)
    hits = [client.ask(same) for _ in range(5)]
    assert [(hit.headers["x-cache"], remaining(hit, "tokens")) for hit in hits] == [("HIT", 18)] * 5
    assert client.ask().status_code == 200
    third = client.ask()
    assert (third.status_code, remaining(third, "tokens")) == (200, 6)

    def refused_elsewhere() -> httpx.Response | None:
        answer = client.ask(same, which=1)
        return answer if answer.status_code == 429 else None

    refused = until(refused_elsewhere, "the other gateway does not know of the tokens")
    assert (refused.json()["limit"], remaining(refused, "tokens")) == ("tokens", 0)
    assert client.ask(same).status_code == 429


def used(client: Client) -> float:
    """Tokens that a client with very many has used so far."""
    return 1_000_000 - remaining(client.ask({"query": "again"}, path="/plain"), "tokens")


def test_tokens_of_a_stream_that_tells_them(limited: Limited, upstream: RawUpstream) -> None:
    client = limited.client(MANY_TOKENS)
    upstream.behaviour = stream(events("one", "two", usage=True))
    answer = client.ask(question(stream=True, stream_options={"include_usage": True}))
    assert answer.text.endswith("data: [DONE]\n\n")
    assert used(client) == 12


def test_tokens_of_a_stream_that_does_not_tell_them_are_estimated(limited: Limited, upstream: RawUpstream) -> None:
    client = limited.client(MANY_TOKENS)
    upstream.behaviour = stream(events("one", "and twelve b"))
    client.ask(chat("eight by" + "tes." * 2, stream=True, seed=next(numbers)))
    # 16 bytes asked, 3 and 12 answered, at four a token.
    assert used(client) == 4 + 1 + 3


@pytest.mark.parametrize("size", [7, 64, 100_000])
def test_tokens_of_other_streams(limited: Limited, upstream: RawUpstream, size: int) -> None:
    """However the bytes of their events fall into pieces."""
    client = limited.client(MANY_TOKENS)
    message = {"id": "m", "type": "message", "role": "assistant", "model": "claude", "content": []}
    payloads: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "usage": {"input_tokens": 25, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 15}},
        {"type": "message_stop"},
    ]
    body = b"".join(f"event: {each['type']}\r\ndata: {json.dumps(each)}\r\n\r\n".encode() for each in payloads)
    upstream.behaviour = stream([body[begin : begin + size] for begin in range(0, len(body), size)])
    asked = {
        "model": "claude",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": f"hi {size}"}],
        "stream": True,
    }
    client.ask(asked, path="/v1/messages")
    assert used(client) == 40
    lines = [{"model": "llama", "message": {"role": "assistant", "content": "x"}, "done": False}]
    lines.append({**lines[0], "done": True, "prompt_eval_count": 4, "eval_count": 2})
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    upstream.behaviour = stream(
        [body[begin : begin + size] for begin in range(0, len(body), size)], content_type=NDJSON
    )
    client.ask({"model": "llama", "messages": [{"role": "user", "content": f"hi {size}"}]}, path="/api/chat")
    assert used(client) == 46


def test_tokens_count_on_a_route_without_a_cache_and_of_answers_that_are_not_kept(
    limited: Limited, upstream: RawUpstream
) -> None:
    client = limited.client(MANY_TOKENS)
    client.ask(question(), path="/off")
    assert used(client) == 12

    async def answer(exchange: Exchange) -> None:
        await exchange.send(http_answer(completion("private"), "Cache-Control: no-store"))

    upstream.behaviour = answer
    client.ask()
    assert used(client) == 24


def test_a_failing_upstream_costs_nothing(limited: Limited, upstream: RawUpstream) -> None:
    client = limited.client(MANY_TOKENS)

    async def answer(exchange: Exchange) -> None:
        await exchange.send(http_answer({"error": {"message": "no " * 100}}, status="400 Bad Request"))

    upstream.behaviour = answer
    assert client.ask().status_code == 400
    assert used(client) == 0


def test_an_answer_that_its_client_leaves_costs_what_is_known_by_then(limited: Limited, upstream: RawUpstream) -> None:
    client, go_on = limited.client(MANY_TOKENS), threading.Event()
    pieces = events(*["sixteen bytes..."] * 5)

    async def answer(exchange: Exchange) -> None:
        await stream(pieces[:4])(exchange) if go_on.is_set() else await half(exchange)

    async def half(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in pieces[:3]:
            await exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        await exchange.peer_closed()

    upstream.behaviour = answer
    body = chat("four....", stream=True, seed=next(numbers))
    with limited.gateways[0].http.stream("POST", "/abort", json=body, headers=client.headers) as begun:
        next(begun.iter_bytes())
        time.sleep(0.2)
    # Two tokens asked, and two times four answered.
    assert until(lambda: used(client) or None, "what was left is not counted") == 2 + 8


def test_who_follows_pays_nothing(limited: Limited, upstream: RawUpstream) -> None:
    leader, follower = limited.client(MANY_TOKENS), limited.client(MANY_TOKENS)
    asked, go_on = threading.Event(), threading.Event()

    async def answer(exchange: Exchange) -> None:
        asked.set()
        while not go_on.is_set():
            await asyncio.sleep(0.01)
        await exchange.send(http_answer(completion("shared")))

    upstream.behaviour = answer
    same, answers = question(), {}
    threads = [
        threading.Thread(target=lambda who=who: answers.update({who: who.ask(same)})) for who in (leader, follower)
    ]
    threads[0].start()
    assert asked.wait(30)
    threads[1].start()
    time.sleep(0.3)
    go_on.set()
    for thread in threads:
        thread.join(60)
    assert "collapsed" in answers[follower].headers["cache-status"]
    assert (used(leader), used(follower)) == (12, 0)


def test_a_stale_answer_is_free_and_its_renewal_is_paid_by_who_set_it_off(limited: Limited) -> None:
    client, same = limited.client(MANY_TOKENS), question()
    client.ask(same, path="/renewed")
    assert used(client) == 12
    time.sleep(0.2)
    assert client.ask(same, path="/renewed").headers["cache-status"].startswith("semgate; hit; ttl=-")
    assert until(lambda: used(client) == 24, "the renewal is not counted")


def test_a_budget_of_dollars_ends_over_both_gateways_and_hits_cost_nothing(limited: Limited) -> None:
    client, same = limited.client(DOLLARS), question()
    first = client.ask(same)
    assert first.headers["x-ratelimit-limit-dollars"] == "0.20"
    assert remaining(first, "dollars") == 0.2
    assert [remaining(client.ask(same), "dollars") for _ in range(3)] == [0.05] * 3
    metric = limited.gateways[0].metric
    assert metric("semgate_client_cost_usd_total", client=client.name) == pytest.approx(0.15)
    assert metric("semgate_client_tokens_total", client=client.name, kind="prompt") == 9
    assert client.ask().status_code == 200

    def refused_elsewhere() -> httpx.Response | None:
        answer = client.ask(same, which=1)
        return answer if answer.status_code == 429 else None

    refused = until(refused_elsewhere, "the other gateway does not know of the dollars")
    problem = refused.json()
    assert (problem["limit"], problem["code"]) == ("dollars", "insufficient_quota")
    assert "dollars_per_month" in problem["detail"]
    assert refused.headers["x-should-retry"] == "false"
    assert 1 <= int(refused.headers["retry-after"]) <= 31 * 86_400
    assert client.ask(same).status_code == 429


def test_sdks_do_not_try_again_when_a_budget_is_used_up(limited: Limited, upstream: RawUpstream) -> None:
    client = limited.client(DOLLARS)
    with openai.OpenAI(base_url=f"{limited.gateways[0].url}/v1", api_key=key(client.name), max_retries=5) as sdk:
        for _ in range(2):
            sdk.chat.completions.create(**question())
        began = time.monotonic()
        with pytest.raises(openai.RateLimitError) as caught:
            sdk.chat.completions.create(**question())
    assert caught.value.code == "insufficient_quota"
    assert time.monotonic() - began < 20


def test_the_answers_own_model_has_a_price_where_the_requests_is_an_alias(limited: Limited) -> None:
    client = limited.client(DOLLARS)
    client.ask({**question(), "model": "alias"})
    assert remaining(client.ask({"query": "x"}, path="/plain"), "dollars") == 0.05
    client.ask({**question(), "model": "cheap"})
    assert remaining(client.ask({"query": "x"}, path="/plain"), "dollars") == 0.05
