"""What a client may wish of the cache, and what it is told: Cache-Control and its like where a route allows them, and the
headers of an answer that was replayed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from running import Exchange, Gateway, RawUpstream, completion, http_answer, serve

CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: wishes}}
upstreams:
  llm: {{url: "{url}"}}
routes:
  - {{name: loose, path: /loose, upstream: llm, preset: json-query, scope: public, thresholds: {{hit: 0.8}},
      allow: {{threshold: {{min: 0.5}}, ttl: {{max: 1h}}}}}}
  - {{name: status, path: /status, upstream: llm, preset: json-query, scope: public, response: {{expose: status}}}}
  - {{name: silent, path: /silent, upstream: llm, preset: json-query, scope: public, response: {{expose: none}}}}
  - {{name: buffered, path: /buffered, upstream: llm, preset: json-query, scope: public,
      response: {{miss: buffer, headers: {{X-Route: buffered}}}}}}
"""


@pytest.fixture(scope="module")
def gateway(upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(http_answer(completion(f"answer {exchange.nth}"), "X-Request-Id: 7", "Date: yesterday"))

    upstream.behaviour = answer
    config = CONFIG.format(data=data_dir, url=upstream.url)
    with serve(tmp_path_factory.mktemp("wishes"), config) as running:
        yield running


def test_no_cache_skips_the_read_and_still_stores(gateway: Gateway):
    question = {"query": "no-cache question"}
    gateway.ask("/loose", question)
    fresh = gateway.ask("/loose", question, {"Cache-Control": "no-cache"})
    after = gateway.ask("/loose", question)
    assert fresh.headers["cache-status"] == "semgate; fwd=request"
    assert after.headers["x-cache"] == "HIT"
    assert after.content == fresh.content


def test_no_store_neither_reads_nor_stores(gateway: Gateway, upstream: RawUpstream):
    question = {"query": "a no-store question of its own"}
    for _ in range(2):
        answer = gateway.ask("/loose", question, {"Cache-Control": "no-store"})
        assert answer.headers["cache-status"] == "semgate; fwd=request"
    assert gateway.ask("/loose", question).headers["x-cache"] == "MISS"


def test_only_if_cached_is_504_on_a_miss_and_asks_nobody(gateway: Gateway, upstream: RawUpstream):
    asked = len(upstream.seen)
    answer = gateway.ask("/loose", {"query": "zebra stripes?"}, {"Cache-Control": "only-if-cached"})
    assert answer.status_code == 504
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(upstream.seen) == asked
    gateway.ask("/loose", {"query": "zebra stripes?"})
    assert gateway.ask("/loose", {"query": "zebra stripes?"}, {"Cache-Control": "only-if-cached"}).status_code == 200


def test_max_age_rules_older_answers_out(gateway: Gateway):
    question = {"query": "max-age question"}
    gateway.ask("/loose", question)
    assert gateway.ask("/loose", question, {"Cache-Control": "max-age=60"}).headers["x-cache"] == "HIT"
    assert (
        gateway.ask("/loose", question, {"Cache-Control": "max-age=0"}).headers["cache-status"]
        == "semgate; fwd=request"
    )


def test_a_client_may_raise_the_threshold_where_allowed(gateway: Gateway):
    gateway.ask("/loose", {"query": "How do I close my account?"})
    near = {"query": "What is the way to close my account?"}
    assert gateway.ask("/loose", near, {"X-Cache-Threshold": "0.9999"}).headers["x-cache"] == "MISS"
    other = {"query": "What would be a way to close my account?"}
    assert gateway.ask("/loose", other, {"X-Cache-Threshold": "0.5"}).headers["x-cache"] == "HIT"


def test_a_client_may_shorten_the_ttl_where_allowed(gateway: Gateway):
    question = {"query": "a question with its own ttl"}
    gateway.ask("/loose", question, {"X-Cache-TTL": "30s"})
    ttl = gateway.ask("/loose", question).headers["cache-status"].partition("ttl=")[2].partition(";")[0]
    assert 25 <= int(ttl) <= 30


def test_exposure_is_the_routes_choice(gateway: Gateway):
    for path, names in (("/status", {"cache-status", "age"}), ("/silent", set())):
        gateway.ask(path, {"query": "exposed?"})
        hit = gateway.ask(path, {"query": "exposed?"})
        found = {name for name in hit.headers if name == "age" or "cache" in name}
        assert found == names


def test_a_buffered_miss_knows_that_it_was_stored(gateway: Gateway):
    first = gateway.ask("/buffered", {"query": "buffered?"})
    second = gateway.ask("/buffered", {"query": "buffered?"})
    assert first.headers["cache-status"] == "semgate; fwd=miss; stored"
    assert second.headers["x-cache"] == "HIT"
    assert first.headers["x-route"] == second.headers["x-route"] == "buffered"
    assert first.content == second.content


def test_a_replay_carries_nothing_of_the_first_callers_answer_but_the_answer(gateway: Gateway):
    first = gateway.ask("/loose", {"query": "replay?"})
    second = gateway.ask("/loose", {"query": "replay?"})
    assert first.headers["x-request-id"] == "7"
    assert "x-request-id" not in second.headers
    assert second.headers["content-type"] == "application/json"
    assert second.headers.get("date") != "yesterday"
