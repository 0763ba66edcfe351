"""Who shares answers through the transports: the same key, at the same URL, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from running import completion
from transports import chat, told

from gateway.doors.httpx import CacheTransport

URL = "https://api.one.test/v1/chat/completions"


class Counting:
    """An upstream in the program; `asked` counts its calls, and each answer is another."""

    def __init__(self) -> None:
        self.asked = 0
        self.transport = CacheTransport(transport=httpx2.MockTransport(self.answer))

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        return httpx2.Response(200, json=completion(f"{self.asked} for {request.url}"))


@pytest.fixture
def upstream() -> Counting:
    return Counting()


@pytest.fixture
def http(upstream: Counting, key: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(transport=upstream.transport, headers={"Authorization": f"Bearer {key}"}) as client:
        client.post(URL, json=chat()).raise_for_status()
        assert told(client.post(URL, json=chat())).hit
        yield client


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer another"},
        {"api-key": "another"},
        {"x-api-key": "another"},
        {"x-goog-api-key": "another"},
        {"Cookie": "session=another"},
        {"OpenAI-Organization": "another"},
        {"X-Session-Token": "another"},
        {"X-Team": "another"},
        {"Helicone-Target-URL": "https://api.two.test"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_another_key_never_gets_the_answer(http: httpx2.Client, upstream: Counting, headers: dict[str, str]) -> None:
    other = http.post(URL, json=chat(), headers=headers)
    assert not told(other).hit
    assert upstream.asked == 2


@pytest.mark.parametrize(
    "url",
    [
        "https://api.two.test/v1/chat/completions",
        "http://api.one.test/v1/chat/completions",
        "https://api.one.test:444/v1/chat/completions",
        "https://api.one.test/openai/v1/chat/completions",
        "https://api.one.test/openai/deployments/x/chat/completions",
        "https://api.one.test/v1/chat/completions?api-version=2",
        "https://api.one.test/v1/%63hat/completions",
    ],
)
def test_another_url_never_gets_the_answer(http: httpx2.Client, upstream: Counting, url: str) -> None:
    assert not (said := told(http.post(url, json=chat()))) or not said.hit
    assert upstream.asked == 2


@pytest.mark.parametrize(
    "more",
    [
        {"headers": {"Host": "api.two.test"}},
        {"extensions": {"sni_hostname": "api.two.test"}},
        {"extensions": {"target": b"/elsewhere"}},
    ],
    ids=["host", "sni", "target"],
)
def test_what_is_sent_elsewhere_than_its_url_says_is_not_cached(
    http: httpx2.Client, upstream: Counting, more: dict[str, Any]
) -> None:
    for _ in range(2):
        assert told(http.post(URL, json=chat(), **more)) is None
    assert upstream.asked == 3


def test_what_says_nothing_of_who_asks_makes_no_difference(http: httpx2.Client, upstream: Counting) -> None:
    headers = {"User-Agent": "x", "X-Request-Id": "7", "traceparent": "00-1-2-03", "X-Stainless-Retry-Count": "1"}
    headers |= {
        "Idempotency-Key": "7",
        "X-Fern-SDK-Version": "7",
        "Accept": "application/json",
        "Content-Type": "text/json",
    }
    assert told(http.post(URL, json=chat(), headers=headers)).hit
    assert told(http.post("https://API.ONE.test:443/v1/chat/completions", json=chat())).hit
    assert upstream.asked == 1


def test_names_in_the_url_are_credentials(upstream: Counting, key: str) -> None:
    with httpx2.Client(transport=upstream.transport) as client:
        for user in (key, f"other{key}"):
            assert not told(client.post(f"https://{user}:x@api.one.test/v1/chat/completions", json=chat())).hit
        assert told(client.post(f"https://{key}:x@api.one.test/v1/chat/completions", json=chat())).hit
    assert upstream.asked == 2


def test_a_route_may_say_itself_who_shares(key: str) -> None:
    """A token that is another every hour is no name for who asks."""
    counting = Counting()
    tokens = {"Bearer 1": "anna", "Bearer 2": "anna", "Bearer 3": "bob"}
    route = {
        "name": "chat",
        "path": "/chat/completions",
        "preset": "openai-chat",
        "scope": lambda request: tokens[request.headers["authorization"]] + key,
    }
    transport = CacheTransport({"routes": [route]}, transport=httpx2.MockTransport(counting.answer))
    with httpx2.Client(transport=transport) as client:
        hits = [
            told(client.post(URL, json=chat(), headers={"Authorization": f"Bearer {nth}"})).hit for nth in (1, 2, 3)
        ]
    assert hits == [False, True, False]
