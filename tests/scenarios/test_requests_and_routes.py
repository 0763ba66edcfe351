"""What a declared client may use: its routes, and its requests of a minute over all gateways."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import openai
import pytest
from limited import FIVE, FREE, Limited, key, priced_answer, question, remaining, two_gateways
from running import Exchange, RawUpstream, completion, http_answer, until

ALL = "limits: {requests_per_minute: 100, tokens_per_minute: 1000, dollars_per_month: 100}"
ONE_ROUTE = "routes: [plain]"
PATTERN = 'routes: ["chat-*", plain], limits: {requests_per_minute: 5}'
CLIENTS = [FIVE] * 8 + [ALL] + [ONE_ROUTE] + [PATTERN]


@pytest.fixture(scope="module", params=["redis", "postgres"])
def limited(
    request: pytest.FixtureRequest, upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Limited]:
    with two_gateways(upstream, data_dir, tmp_path_factory.mktemp("requests"), request.param, CLIENTS) as running:
        yield running


@pytest.fixture(autouse=True)
def answering(upstream: RawUpstream) -> None:
    upstream.behaviour = priced_answer


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
