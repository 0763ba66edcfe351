"""What a declared client may use: its routes, requests and tokens per minute, dollars per month; over all gateways."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "stores"))

from running import NDJSON, Exchange, Gateway, RawUpstream, chat, completion, events, http_answer, serve, stream, until
from servers import RedisServer, redis_server

# Each test has clients of its own, so that none meets what another used.
NAMES = [f"client-{number}" for number in range(44)]
CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: {namespace}, admin: {{token: TOKEN}}, access_log: true}}
{stores}
upstreams: {{llm: {{url: "{url}"}}}}
prices: {{"gpt-4o*": {{prompt: 10000, completion: 20000}}, "cheap": {{prompt: 0.01}}}}
clients:
{clients}
routes:
  - {{name: chat, path: /v1/chat/completions, upstream: llm, preset: openai-chat, scope: public, models: ["gpt-*", "alias"]}}
  - {{name: chat-other, path: /v1/chat/completions, upstream: llm, preset: openai-chat, scope: public}}
  - {{name: messages, path: /v1/messages, upstream: llm, preset: anthropic-messages, scope: public}}
  - {{name: ollama, path: /api/chat, upstream: llm, preset: ollama-chat, scope: public}}
  - {{name: off, path: /off, upstream: llm, preset: openai-chat, mode: "off", scope: public}}
  - {{name: abort, path: /abort, upstream: llm, preset: openai-chat, scope: public, on_disconnect: abort}}
  - {{name: renewed, path: /renewed, upstream: llm, preset: openai-chat, scope: public, ttl: 100ms,
      stale_while_revalidate: 1h}}
  - {{name: plain, path: /plain, upstream: llm, preset: json-query, scope: public, vary: {{ignore: [$.n]}}}}
"""

_questions = itertools.count()


def config(upstream: RawUpstream, data_dir: Path, kind: str, redis: str, limits: dict[str, str]) -> str:
    """`limits` by client; the others have none. Whether requests are counted in Redis or PostgreSQL is `kind`'s to say."""
    clients = "\n".join(f"  - {{name: {name}, key: {key(name)}, {limits.get(name, 'limits: {}')}}}" for name in NAMES)
    stores = f"stores: {{redis: {{url: {redis!r}, timeout: 2s}}}}" if kind == "redis" else ""
    return CONFIG.format(data=data_dir, url=upstream.url, namespace=f"limits-{kind}", stores=stores, clients=clients)


def key(name: str) -> str:
    return f"key-of-{name}-0123456789abcdef"


def question(**more: Any) -> dict[str, Any]:
    """One that nobody asked before, and that is like no other."""
    return chat("is it a number?", seed=next(_questions), **more)


class Limited:
    """Two gateways that share their stores, and clients with limits."""

    def __init__(self, gateways: tuple[Gateway, Gateway], limits: dict[str, str]) -> None:
        self.gateways = gateways
        self._limits = limits
        self._kinds = {limit: [name for name in limits if limits[name] == limit] for limit in set(limits.values())}

    def client(self, limit: str) -> Client:
        return Client(self, self._kinds[limit].pop())


class Client:
    def __init__(self, limited: Limited, name: str) -> None:
        self._gateways = limited.gateways
        self.name = name
        self.headers = {"Authorization": f"Bearer {key(name)}"}

    def ask(
        self, body: Any = None, path: str = "/v1/chat/completions", which: int = 0, **headers: str
    ) -> httpx.Response:
        return self._gateways[which].ask(path, question() if body is None else body, {**self.headers, **headers})


FIVE = "limits: {requests_per_minute: 5}"
TOKENS = "limits: {tokens_per_minute: 30}"
MANY_TOKENS = "limits: {tokens_per_minute: 1000000}"
DOLLARS = "limits: {dollars_per_month: 0.2}"
ALL = "limits: {requests_per_minute: 100, tokens_per_minute: 1000, dollars_per_month: 100}"
ONE_ROUTE = "routes: [plain]"
PATTERN = 'routes: ["chat-*", plain], limits: {requests_per_minute: 5}'
LIMITS = dict(
    zip(
        NAMES,
        [FIVE] * 8 + [TOKENS] * 8 + [MANY_TOKENS] * 12 + [DOLLARS] * 5 + [ALL] * 3 + [ONE_ROUTE] * 2 + [PATTERN] * 2,
        strict=False,
    )
)
FREE = NAMES[-1]


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(scope="module", params=["redis", "postgres"])
def limited(
    request: pytest.FixtureRequest,
    upstream: RawUpstream,
    data_dir: Path,
    redis: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Limited]:
    text = config(upstream, data_dir, request.param, redis.url, LIMITS)
    folder = tmp_path_factory.mktemp("limits")
    with serve(folder, text) as one, serve(folder, text) as other:
        yield Limited((one, other), LIMITS)
        assert [one.stop(), other.stop()] == [0, 0]
        assert not [
            line for line in (one.logged() + other.logged()).splitlines() if "Traceback" in line or "Task" in line
        ]


@pytest.fixture(autouse=True)
def answering(upstream: RawUpstream) -> None:
    """9 tokens and 3, which are 0.15 dollars of gpt-4o."""

    async def answer(exchange: Exchange) -> None:
        await exchange.send(http_answer(completion(f"answer {exchange.nth}")))

    upstream.behaviour = answer


def remaining(answer: httpx.Response, kind: str) -> float:
    return float(answer.headers[f"x-ratelimit-remaining-{kind}"])


def test_requests_of_a_minute_are_counted_over_both_gateways_hits_included(limited: Limited) -> None:
    client, same = limited.client(FIVE), question()
    for gateway in limited.gateways:
        free = partial(gateway.ask, "/v1/chat/completions", same, {"x-api-key": key(FREE)})
        until(lambda ask=free: ask().headers["x-cache"] == "HIT", "it is not stored")
    answers = [client.ask(same, which=nth % 2) for nth in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert [remaining(answer, "requests") for answer in answers] == [4, 3, 2, 1, 0]
    assert [answer.headers["x-cache"] for answer in answers] == ["HIT"] * 5
    for which in (0, 1):
        refused = client.ask(same, which=which)
        assert refused.status_code == 429
        assert refused.headers["content-type"] == "application/problem+json"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["x-ratelimit-limit-requests"] == "5"
        assert remaining(refused, "requests") == 0
        assert refused.headers["x-ratelimit-reset-requests"].endswith("s")
        problem = refused.json()
        assert (problem["status"], problem["limit"], problem["code"]) == (429, "requests", "rate_limit_exceeded")
        assert "requests_per_minute" in problem["detail"]
        assert "x-should-retry" not in refused.headers


def test_a_refused_request_asks_no_upstream_and_is_counted_by_metrics(limited: Limited, upstream: RawUpstream) -> None:
    client = limited.client(FIVE)
    for _ in range(5):
        client.ask()
    asked = len(upstream.seen)
    counted = limited.gateways[0].metric("semgate_limited_total", client=client.name, limit="requests")
    assert client.ask().status_code == 429
    assert len(upstream.seen) == asked
    assert limited.gateways[0].metric("semgate_limited_total", client=client.name, limit="requests") == counted + 1


def test_a_large_body_of_a_refused_request_does_not_hide_the_answer(limited: Limited) -> None:
    client = limited.client(FIVE)
    for _ in range(5):
        client.ask()
    body = b'{"query": "' + b"x" * 3_000_000 + b'"}'
    refused = limited.gateways[0].http.post("/plain", content=body, headers=client.headers)
    assert refused.status_code == 429
    pieces = (body[begin : begin + 100_000] for begin in range(0, len(body), 100_000))
    refused = limited.gateways[0].http.post("/plain", content=pieces, headers=client.headers)
    assert refused.status_code == 429


def test_who_has_no_limits_is_told_nothing_of_them(limited: Limited) -> None:
    answer = limited.gateways[0].ask("/v1/chat/completions", question(), {"x-api-key": key(FREE)})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]


def test_an_upstreams_limits_give_way_to_ours_of_the_same_name(limited: Limited, upstream: RawUpstream) -> None:
    async def answer(exchange: Exchange) -> None:
        theirs = (
            "X-RateLimit-Limit-Requests: 10000",
            "x-ratelimit-remaining-tokens: 77",
            "x-ratelimit-limit-tokens: 99",
        )
        await exchange.send(http_answer(completion("theirs"), *theirs))

    upstream.behaviour = answer
    told = limited.client(FIVE).ask().headers
    assert told.get_list("x-ratelimit-limit-requests") == ["5"]
    assert told["x-ratelimit-remaining-tokens"] == "77"
    free = limited.gateways[0].ask("/v1/chat/completions", question(), {"x-api-key": key(FREE)})
    assert free.headers["x-ratelimit-limit-requests"] == "10000"


def test_errors_tell_a_limited_client_where_it_stands_too(limited: Limited) -> None:
    client = limited.client(FIVE)
    assert remaining(client.ask({"model": "nobody"}, path="/v1/messages"), "requests") == 4
    missing = client.ask(question(), **{"Cache-Control": "only-if-cached"})
    assert (missing.status_code, remaining(missing, "requests")) == (504, 3)


def test_the_openai_sdk_sees_a_rate_limit_and_waits_as_long_as_it_is_told(limited: Limited) -> None:
    client = limited.client(FIVE)
    with openai.OpenAI(base_url=f"{limited.gateways[0].url}/v1", api_key=key(client.name), max_retries=0) as sdk:
        for _ in range(5):
            sdk.chat.completions.create(**question())
        with pytest.raises(openai.RateLimitError) as caught:
            sdk.chat.completions.create(**question())
    assert caught.value.code == "rate_limit_exceeded"
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 60


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
    client.ask(chat("eight by" + "tes." * 2, stream=True, seed=next(_questions)))
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
    body = chat("four....", stream=True, seed=next(_questions))
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


def test_all_limits_are_told_together(limited: Limited) -> None:
    told = limited.client(ALL).ask().headers
    kinds = {
        f"x-ratelimit-{word}-{kind}"
        for word in ("limit", "remaining", "reset")
        for kind in ("requests", "tokens", "dollars")
    }
    assert {name for name in told if name.startswith("x-ratelimit")} == kinds


def test_a_client_may_use_its_routes_only(limited: Limited, upstream: RawUpstream) -> None:
    client, asked = limited.client(ONE_ROUTE), len(upstream.seen)
    refused = client.ask()
    assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
    assert client.name in refused.json()["detail"]
    assert len(upstream.seen) == asked
    assert client.ask({"query": f"mine {asked}"}, path="/plain").status_code == 200


def test_routes_may_be_patterns_and_the_model_may_choose_one_that_is_forbidden(limited: Limited) -> None:
    client = limited.client(PATTERN)
    refused = client.ask()
    assert refused.status_code == 403
    assert "'chat'" in refused.json()["detail"]
    assert client.ask({**question(), "model": "cheap"}).status_code == 200
    assert client.ask(question(), path="/off").status_code == 403


def test_a_path_that_is_not_there_and_a_method_that_is_not_taken_are_told_first(limited: Limited) -> None:
    client = limited.client(FIVE)
    assert limited.gateways[0].http.get("/plain", headers=client.headers).status_code == 405
    assert limited.gateways[0].http.get("/nowhere", headers=client.headers).status_code == 404
    assert remaining(client.ask(), "requests") == 4


def test_limits_may_change_while_counts_stay(
    upstream: RawUpstream, data_dir: Path, redis: RedisServer, tmp_path: Path
) -> None:
    def text(limit: str) -> str:
        return config(upstream, data_dir, "postgres", "", {NAMES[0]: limit}).replace("limits-postgres", "changing")

    with serve(tmp_path, text("limits: {requests_per_minute: 3}")) as gateway:
        headers = {"x-api-key": key(NAMES[0])}

        def ask() -> httpx.Response:
            return gateway.ask("/plain", {"query": "the same"}, headers)

        assert [ask().status_code for _ in range(4)] == [200, 200, 200, 429]
        gateway.file.write_text(gateway.text(text("limits: {requests_per_minute: 5}")))
        assert gateway.admin("POST", "reload").status_code == 200
        assert [ask().status_code for _ in range(3)] == [200, 200, 429]
        gateway.file.write_text(gateway.text(text("limits: {}")))
        assert gateway.admin("POST", "reload").status_code == 200
        assert [ask().status_code for _ in range(6)] == [200] * 6


def test_two_workers_count_together_and_dollars_outlive_a_restart(
    upstream: RawUpstream, data_dir: Path, tmp_path: Path
) -> None:
    text = config(upstream, data_dir, "postgres", "", {NAMES[0]: FIVE, NAMES[1]: DOLLARS})
    text = text.replace("limits-postgres", "restarted").replace("access_log: true", "workers: 2")
    for expected in (5, 0):
        with serve(tmp_path, text) as gateway, ExitStack() as stack:
            # Many connections, so that both workers get some.
            clients = [stack.enter_context(httpx.Client(base_url=gateway.url, timeout=30)) for _ in range(12)]
            statuses = [
                client.post("/plain", json={"query": "x"}, headers={"x-api-key": key(NAMES[0])}).status_code
                for client in clients
            ]
            assert (statuses.count(200), statuses.count(429)) == (expected, 12 - expected)
            spend = [
                gateway.ask("/v1/chat/completions", question(), {"x-api-key": key(NAMES[1])}).status_code
                for _ in range(3 if expected else 1)
            ]
            assert spend[-1] == 429


def test_without_its_store_a_limit_stops_nobody(upstream: RawUpstream, data_dir: Path, tmp_path: Path) -> None:
    with redis_server() as own:
        limits = {NAMES[0]: "limits: {requests_per_minute: 2, dollars_per_month: 100}"}
        text = config(upstream, data_dir, "redis", own.url, limits).replace("limits-redis", "down")
        with serve(tmp_path, text.replace("timeout: 2s", "timeout: 200ms")) as gateway:
            headers = {"x-api-key": key(NAMES[0])}
            assert [gateway.ask("/plain", {"query": "x"}, headers).status_code for _ in range(3)] == [200, 200, 429]
            own.stop()
            for _ in range(10):
                answer = gateway.ask("/plain", {"query": "x"}, headers)
                assert answer.status_code == 200
                assert "x-ratelimit-limit-requests" not in answer.headers
                assert answer.headers["x-ratelimit-limit-dollars"] == "100.00"
            assert gateway.metric("semgate_trouble_total", part="redis") > 0
            own.start()
            until(
                lambda: gateway.ask("/plain", {"query": "x"}, headers).status_code == 429,
                "limits do not hold again after Redis came back",
            )
