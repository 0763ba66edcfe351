"""What the transports do without settings: the well-known APIs, at whatever address, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from running import completion
from transports import OTHER_WORDS, chat, told

from gateway.config.preset import presets
from gateway.doors.httpx import AsyncCacheTransport, CacheTransport, Told
from gateway.doors.transport_defaults import DEFAULT

PAGE = (Path(__file__).parents[2] / "docs" / "sdk.md").read_text()
ROUTES: Any = DEFAULT["routes"]


@pytest.fixture
def http(key: str) -> Iterator[httpx2.Client]:
    answering = httpx2.MockTransport(lambda _request: httpx2.Response(200, json=completion("Hi")))
    with httpx2.Client(transport=CacheTransport(transport=answering), headers={"api-key": key}) as client:
        yield client


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1/chat/completions",
        "https://api.openai.com/v1/responses",
        "https://api.openai.com/v1/embeddings",
        "https://api.openai.com/v1/completions",
        "https://me.openai.azure.com/openai/deployments/my%20model/chat/completions?api-version=2025-01-01",
        "https://me.openai.azure.com/openai/deployments/old/completions?api-version=2025-01-01",
        "https://me.openai.azure.com/openai/responses?api-version=2025-03-01",
        "https://api.mistral.ai/v1/chat/completions",
        "https://api.groq.com/openai/v1/chat/completions",
        "https://openrouter.ai/api/v1/chat/completions",
        "https://api.deepseek.com/chat/completions",
        "https://api.anthropic.com/v1/messages",
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:generateContent",
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
        "https://eu-aiplatform.googleapis.com/v1/projects/p/locations/eu/publishers/google/models/gemini:generateContent",
        "https://api.cohere.com/v2/chat",
        "http://127.0.0.1:11434/api/chat",
        "http://127.0.0.1:11434/api/generate",
    ],
)
def test_well_known_apis_go_through_the_cache(http: httpx2.Client, url: str) -> None:
    assert told(http.post(url, json=chat())) is not None


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "https://api.openai.com/v1/chat/completions"),
        ("POST", "https://api.openai.com/v1/files"),
        ("POST", "https://api.openai.com/v1/threads/1/messages"),
        ("POST", "https://api.openai.com/v1/chat/completions/1"),
        ("POST", "https://api.mistral.ai/v1/fim/completions"),
        ("POST", "https://api.mistral.ai/v1/agents/completions"),
        ("POST", "https://api.anthropic.com/v1/messages/count_tokens"),
        ("POST", "https://api.anthropic.com/v1/messages/batches"),
        ("POST", "https://example.com/ask"),
        ("POST", "https://example.com/" + "a/" * 40 + "v1/messages"),
    ],
)
def test_others_do_not(http: httpx2.Client, method: str, url: str) -> None:
    assert told(http.request(method, url, json=chat())) is None


def test_every_preset_of_an_api_has_a_route_and_every_path_is_documented() -> None:
    assert {route["preset"] for route in ROUTES} == set(presets()) - {"json-query"}
    for route in ROUTES:
        assert f"`{route['path']}`" in PAGE


def test_every_member_of_what_the_cache_says_is_documented() -> None:
    table = PAGE.split("| Member |")[1].split("\n\n")[0]
    for field in msgspec.structs.fields(Told):
        assert f"`{field.name}`" in table


def test_one_setting_can_be_changed_alone(key: str) -> None:
    """What is left out at the top is as it is without settings."""
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, json=completion("Hi"))

    transport = CacheTransport({"defaults": {"ttl": "1h"}}, transport=httpx2.MockTransport(answer))
    with httpx2.Client(transport=transport, headers={"api-key": key}) as client:
        url = "https://api.openai.com/v1/chat/completions"
        first, second = client.post(url, json=chat()), client.post(url, json=chat(OTHER_WORDS))
    assert (told(first).hit, told(second).hit) == (False, True)
    assert "ttl=3" in second.headers["cache-status"]


def test_what_a_route_keeps_from_the_headers_is_said_to_the_program(key: str) -> None:
    route = {
        "name": "chat",
        "path": "/chat/completions",
        "preset": "openai-chat",
        "scope": "client",
        "response": {"expose": "none"},
    }
    answering = httpx2.MockTransport(
        lambda _request: httpx2.Response(200, json=completion("Hi"), headers={"Cache-Status": "other; hit"})
    )
    with httpx2.Client(
        transport=CacheTransport({"routes": [route]}, transport=answering), headers={"api-key": key}
    ) as client:
        first, second = (client.post("http://up.test/v1/chat/completions", json=chat()) for _ in range(2))
    assert told(first) == Told(hit=False)
    assert (told(second).hit, told(second).kind) == (True, "exact")
    assert "cache-status" not in second.headers


def test_outside_asyncio_requests_pass_untouched() -> None:
    answering = httpx2.MockTransport(lambda _request: httpx2.Response(200, json=completion("Hi")))
    request = httpx2.Request("POST", "http://up.test/v1/chat/completions", json=chat())
    asking = AsyncCacheTransport(transport=answering).handle_async_request(request)
    with pytest.raises(StopIteration) as ended:  # as a loop that is not asyncio's would drive it
        asking.send(None)
    assert ended.value.value.json() == completion("Hi")
    assert told(ended.value.value) is None


def test_a_gateways_routes_file_serves_a_transport_too(key: str) -> None:
    """What only a gateway has a use for, in it, is passed over."""
    answering = httpx2.MockTransport(lambda _request: httpx2.Response(200, json=completion("Hi")))
    file = Path(__file__).parents[2] / "routes.yaml"
    with httpx2.Client(transport=CacheTransport(file, transport=answering), headers={"Authorization": key}) as client:
        url = "https://api.openai.com/v1/chat/completions"
        first, second = client.post(url, json=chat()), client.post(url, json=chat())
        rest = client.get("https://api.openai.com/v1/models")
    assert (told(first).hit, told(second).hit) == (False, True)
    assert (told(rest).forwarded, told(rest).detail) == ("bypass", "off")
