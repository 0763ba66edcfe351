"""LangCache's SDK for JavaScript, as it comes from npm, in Node."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running import Gateway
from workers import Peers, Worker, running

PASSWORD = "How do I reset my password?"


@pytest.fixture(scope="module")
def node(peers: Peers) -> Iterator[Worker]:
    script = Path(__file__).parent / "langcache_node.cjs"
    with running(
        [peers.folder / "bin/node", script], {**os.environ, "NODE_PATH": f"{peers.folder}/node_modules"}
    ) as worker:
        yield worker


class Client:
    def __init__(self, worker: Worker, url: str, cache_id: str) -> None:
        self._worker = worker
        self._of = {"url": url, "cacheId": cache_id, "key": "a-key"}

    def __call__(self, method: str, **request: Any) -> Any:
        told = self._worker.tell({**self._of, "method": method, "request": request})
        assert "raised" not in told, told
        return told["result"]

    def raised(self, method: str, **request: Any) -> Any:
        return self._worker.tell({**self._of, "method": method, "request": request})["raised"]


@pytest.fixture
def cache(node: Worker, gateway: Gateway, cache_id: str) -> Client:
    return Client(node, gateway.url, cache_id)


def test_every_operation_does_what_it_says(cache: Client) -> None:
    assert cache("search", prompt=PASSWORD) == {"data": []}
    put = cache("set", prompt=PASSWORD, response="Click „vergessen“ 🙂", attributes={"lang": "en"}, ttlMillis=60_000)
    (found,) = cache("search", prompt="How can I reset my password?", similarityThreshold=0.8)["data"]
    assert found.pop("similarity") > 0.9
    assert found == {
        "id": put["entryId"],
        "prompt": PASSWORD,
        "response": "Click „vergessen“ 🙂",
        "attributes": {"lang": "en"},
        "searchStrategy": "semantic",
    }
    (exact,) = cache("search", prompt=PASSWORD, searchStrategies=["exact", "semantic"], attributes={"lang": "en"})[
        "data"
    ]
    assert (exact["similarity"], exact["searchStrategy"]) == (1, "exact")
    assert cache("search", prompt=PASSWORD, attributes={"lang": "de"}) == {"data": []}
    assert cache("deleteById", entryId=put["entryId"]) is None
    cache("set", prompt=PASSWORD, response="again", attributes={"lang": "en"})
    assert cache("deleteQuery", attributes={"lang": "en"}) == {"deletedEntriesCount": 1}
    cache("set", prompt=PASSWORD, response="again")
    assert cache("flush") is None
    assert cache("search", prompt=PASSWORD) == {"data": []}


def test_its_errors_are_of_its_own_classes(gateway: Gateway, cache: Client, node: Worker, cache_id: str) -> None:
    invalid = cache.raised("set", prompt="", response="x", ttlMillis=0)
    assert (invalid["name"], invalid["statusCode"]) == ("BadRequestErrorResponseContent", 400)
    assert invalid["data"]["type"] == "/errors/invalid-data"
    assert {each["field"] for each in invalid["data"]["fields"]} == {"prompt", "ttlMillis"}
    missing = cache.raised("deleteById", entryId="0" * 32)
    assert (missing["name"], missing["data"]["type"]) == (
        "NotFoundErrorResponseContent",
        "/errors/cache/entry/not-found",
    )
    large = Client(node, f"{gateway.url}/bounded", cache_id).raised("set", prompt=PASSWORD, response="x" * 3000)
    assert (large["name"], large["data"]["type"]) == (
        "PayloadTooLargeErrorResponseContent",
        "/errors/payload-too-large",
    )
    refused = Client(node, f"{gateway.url}/guarded", cache_id).raised("search", prompt="Who will win the election?")
    assert (refused["name"], refused["statusCode"]) == ("ForbiddenErrorResponseContent", 403)
