"""The real LiteLLM proxy as the upstream: semgate in front of another gateway.

Its mock responses, and what it makes of the imitated APIs. LiteLLM has a new id for each call in its headers, so a
second call can be seen. Its answers say `Vary: Origin`, for browsers, which the presets reckon with.
"""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import openai
import pytest
from apis import Apis
from running import Gateway, free_port, serve, until
from speak_anthropic import message
from speak_openai import chat, response
from speaking import OTHER_WORDS, Ask, Heard, Question
from workers import Peers

TEXT = "Paris, that is sure. Grüße! 🗼"
KEY = f"sk-{secrets.token_hex(16)}"
MODELS = """
general_settings: {{master_key: {key}}}
router_settings: {{num_retries: 0}}
model_list:
  - model_name: mock
    litellm_params: {{model: openai/gpt-4o, api_key: none, mock_response: "{text}"}}
  - model_name: busy
    litellm_params: {{model: openai/gpt-4o, api_key: none, mock_response: litellm.RateLimitError}}
  - model_name: through
    litellm_params: {{model: openai/gpt-4o, api_key: sk-of-litellm, api_base: "{url}/v1"}}
"""
CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: litellm}}
upstreams: {{litellm: {{url: "{url}", headers: {{Authorization: "Bearer {key}"}}, retry: {{attempts: 1}}}}}}
routes:
  - {{name: chat, path: /v1/chat/completions, preset: openai-chat, {more}}}
  - {{name: responses, path: /v1/responses, preset: openai-responses, {more}}}
  - {{name: messages, path: /v1/messages, preset: anthropic-messages, {more}}}
"""
MORE = "upstream: litellm, scope: client"
# Its mock responses have no streams but for chat.
ASKED = {
    "chat": (chat, False),
    "chat stream": (chat, True),
    "responses": (response, False),
    "messages": (message, False),
}
Kept = Callable[[Callable[[], Heard]], Heard]


@pytest.fixture(scope="module")
def litellm_url(peers: Peers, apis: Apis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a LiteLLM proxy that takes KEY, which semgate adds; the callers' own keys only tell them apart."""
    folder = tmp_path_factory.mktemp("litellm")
    config, log = folder / "config.yaml", folder / "log"
    config.write_text(MODELS.format(key=KEY, text=TEXT, url=apis.url))
    port = free_port()
    command = [str(peers.folder / "bin/litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [*command, "--telemetry", "False"], env=peers.environment(), cwd=folder, stdout=sink, stderr=sink
        )
    url = f"http://127.0.0.1:{port}"

    def lives() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return httpx.get(f"{url}/health/liveliness").status_code == 200
        except httpx.TransportError:
            return False

    try:
        until(lives, "LiteLLM does not start", 120)
        yield url
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="module")
def gateway(litellm_url: str, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = CONFIG.format(data=data_dir, url=litellm_url, key=KEY, more=MORE)
    with serve(tmp_path_factory.mktemp("before-litellm"), config) as running:
        yield running


@pytest.mark.parametrize(("ask", "stream"), ASKED.values(), ids=ASKED.keys())
def test_a_mock_response_is_kept_and_replayed(gateway: Gateway, key: str, kept: Kept, ask: Ask, stream: bool) -> None:
    question = Question(model="mock", stream=stream)
    miss = kept(lambda: ask(gateway.url, key, question))
    same, near = (
        ask(gateway.url, key, each) for each in (question, Question(OTHER_WORDS, stream=stream, model="mock"))
    )
    assert [heard.cache for heard in (miss, same, near)] == ["MISS", "HIT", "HIT"]
    assert miss.said.texts == [TEXT]
    assert miss.parsed == same.parsed == near.parsed
    for hit in (same, near):
        assert not [name for name in hit.headers if "litellm" in name]
    assert "x-litellm-call-id" in miss.headers


@pytest.mark.parametrize("stream_first", [False, True])
def test_a_mock_response_answers_both_forms(gateway: Gateway, key: str, kept: Kept, stream_first: bool) -> None:
    miss = kept(lambda: chat(gateway.url, key, Question(model="mock", stream=stream_first)))
    hit = chat(gateway.url, key, Question(model="mock", stream=not stream_first))
    assert (miss.cache, hit.cache) == ("MISS", "HIT")
    assert hit.said == miss.said
    assert hit.parsed[0]["id"] == miss.parsed[0]["id"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_mock_rate_limit_is_the_clients_error_and_is_not_kept(gateway: Gateway, key: str, stream: bool) -> None:
    ids = []
    for _ in range(2):
        with pytest.raises(openai.RateLimitError, match="mock rate limit") as caught:
            chat(gateway.url, key, Question(model="busy", stream=stream))
        assert caught.value.response.headers["x-cache"] == "MISS"
        ids.append(caught.value.response.headers["x-litellm-call-id"])
    assert len(set(ids)) == 2


@pytest.mark.parametrize("tools", [False, True], ids=["text", "tools"])
@pytest.mark.parametrize("stream", [False, True], ids=["single", "stream"])
@pytest.mark.parametrize("ask", [chat, message])
def test_what_litellm_makes_of_another_api_is_kept_for_both_forms(
    gateway: Gateway, apis: Apis, key: str, kept: Kept, ask: Ask, stream: bool, tools: bool
) -> None:
    asking = partial(Question, model="through", tools=tools)
    asked = apis.calls("sk-of-litellm")
    miss = kept(lambda: ask(gateway.url, key, asking(stream=stream)))
    same, other = (ask(gateway.url, key, asking(stream=form)) for form in (stream, not stream))
    assert [heard.cache for heard in (miss, same, other)] == ["MISS", "HIT", "HIT"]
    assert apis.calls("sk-of-litellm") == asked + 1
    assert same.parsed == miss.parsed
    assert same.said == other.said == miss.said
    assert bool(miss.said.calls) is tools
