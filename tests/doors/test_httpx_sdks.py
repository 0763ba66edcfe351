"""The official SDKs through the transports: whatever they ask a second time is answered here, as they were answered first."""

from __future__ import annotations

from collections.abc import Iterator

import ollama
import openai
import pytest
from api_common import UNKNOWN_MODEL
from sdkbench import OPENAI, OTHER_WORDS, QUESTION, SDKS, Clouds, Sdk, ask_in_turn, sync_client, told

from gateway.doors.httpx import CacheTransport


@pytest.fixture(scope="module")
def clouds() -> Iterator[Clouds]:
    server = Clouds()
    yield server
    server.stop()


every_sdk = pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.name)
both_flavours = pytest.mark.parametrize("flavour", ["sync", "async"])
both_forms = pytest.mark.parametrize("stream", [False, True], ids=["single", "stream"])


@every_sdk
@both_flavours
@both_forms
def test_what_was_asked_before_is_answered_without_the_upstream(
    clouds: Clouds, key: str, sdk: Sdk, flavour: str, stream: bool
) -> None:
    texts, responses = ask_in_turn(sdk, flavour, clouds.url, key, [(QUESTION, stream), (QUESTION, stream)])
    assert "answer" in texts[0]
    assert texts[1] == texts[0]
    assert len(clouds.asked[key]) == 1
    assert [told(response).hit for response in responses] == [False, True]
    assert [response.headers["x-cache"] for response in responses] == ["MISS", "HIT"]
    assert told(responses[1]).kind == "exact"
    assert told(responses[1]).entry == responses[1].headers["x-cache-entry"]


@every_sdk
@both_flavours
def test_other_words_and_the_other_form_are_answered_too(clouds: Clouds, key: str, sdk: Sdk, flavour: str) -> None:
    texts, responses = ask_in_turn(sdk, flavour, clouds.url, key, [(QUESTION, True), (OTHER_WORDS, False)])
    assert texts[1] == texts[0]
    assert len(clouds.asked[key]) == 1
    said = told(responses[1])
    assert (said.hit, said.kind, said.forwarded) == (True, "verified", None)
    assert f"{said.similarity:.4f}" == responses[1].headers["x-cache-similarity"] > "0.6"


@both_forms
def test_ollamas_own_client_needs_no_key(clouds: Clouds, stream: bool) -> None:
    responses = []
    before = len(clouds.asked.get("nobody", []))
    client = ollama.Client(clouds.url, transport=CacheTransport(), event_hooks={"response": [responses.append]})

    def ask() -> str:
        answer = client.chat(model=f"m-{stream}", messages=[{"role": "user", "content": QUESTION}], stream=stream)
        return "".join(str(part.message.content) for part in answer) if stream else str(answer.message.content)

    with client:
        assert ask() == ask()
    assert [told(response).hit for response in responses] == [False, True]
    assert len(clouds.asked["nobody"]) == before + 1


def test_the_sdk_cannot_tell_a_hit_from_a_miss_but_by_headers(clouds: Clouds, key: str) -> None:
    with sync_client(OPENAI.library, CacheTransport()) as (client, responses):
        sdk = openai.OpenAI(base_url=f"{clouds.url}/v1", api_key=key, http_client=client)
        asked = {"model": "m", "messages": [{"role": "user", "content": QUESTION}]}
        first, second = (sdk.chat.completions.with_raw_response.create(**asked) for _ in range(2))
    assert second.parse() == first.parse()
    assert "x-ratelimit-remaining-requests" in first.headers
    assert "x-ratelimit-remaining-requests" not in second.headers
    assert responses[1].http_version == "HTTP/1.1"


def test_an_upstreams_error_is_the_sdks_error_and_not_kept(clouds: Clouds, key: str) -> None:
    with sync_client(OPENAI.library, CacheTransport()) as (client, _):
        sdk = openai.OpenAI(base_url=f"{clouds.url}/v1", api_key=key, http_client=client)
        for _attempt in range(2):
            with pytest.raises(openai.NotFoundError, match="does not exist"):
                sdk.chat.completions.create(model=UNKNOWN_MODEL, messages=[{"role": "user", "content": QUESTION}])
    assert len(clouds.asked[key]) == 2
