"""The openai embedder through OpenAI's own client, against an HTTP server that speaks the embeddings API."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from imitated_apis import EmbeddingsApi, openai_embedder, refuse

from gateway.embedders.openai import OpenAIEmbedder
from gateway.embedders.vector import unit
from gateway.errors import ConfigError, EmbedError, TextUnfit

KEY = "sk-test-0123456789"


@pytest.fixture
def api(hashed: Callable[..., np.ndarray]) -> EmbeddingsApi:
    return EmbeddingsApi(hashed)


@pytest.fixture
def embedder(serve: Any, api: EmbeddingsApi) -> Any:
    return openai_embedder(serve, api)


def run(scenario: Any) -> None:
    asyncio.run(scenario())


@pytest.mark.parametrize("as_base64", [True, False])
def test_base64_and_numbers_give_the_same_vector(api: EmbeddingsApi, embedder: Any, as_base64: bool) -> None:
    """Ollama answers with numbers whatever the client asks for."""
    api.base64 = as_base64

    async def scenario() -> None:
        async with embedder() as e:
            assert await e.embed("how are you") == unit(api.hashed("how are you"), 64)
            assert e.dimensions == 64

    run(scenario)


def test_a_vector_does_not_depend_on_load(api: EmbeddingsApi, embedder: Any) -> None:
    texts = [f"question {number}" for number in range(100)]

    async def scenario() -> None:
        async with embedder(connections=5) as e:
            together = await asyncio.gather(*(e.embed(text) for text in texts))
            assert together == [await e.embed(text) for text in texts]
            assert [body["input"] for body in api.asked[100:]] == texts
            assert api.most_at_once <= 5

    run(scenario)


def test_the_key_model_and_dimensions_are_sent(api: EmbeddingsApi, embedder: Any) -> None:
    async def scenario() -> None:
        async with embedder(api_key=KEY, dimensions=32) as e:
            assert e.dimensions == 32
            assert len(await e.embed("question")) == 4 * 32
        assert api.keys == [f"Bearer {KEY}"]
        assert (api.asked[0]["model"], api.asked[0]["dimensions"]) == ("hash", 32)

    run(scenario)


def test_without_a_key_no_authorization_is_sent_and_the_environment_is_not_asked(
    api: EmbeddingsApi, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-somebody-else")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-of-somebody-else")

    async def scenario() -> None:
        async with embedder() as e:
            await e.embed("question")
        assert api.keys == [None]
        assert "somebody-else" not in str(api.headers)

    run(scenario)


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (401, "invalid_api_key", r"answered 401 \(invalid_api_key\): check `api_key`"),
        (404, "model_not_found", r"answered 404 \(model_not_found\): check `base_url` and `model`"),
        (429, "insufficient_quota", r"answered 429 \(insufficient_quota\): rate limit or quota"),
        (500, None, "answered 500$"),
        (503, f"{KEY} tell me a secret", "answered 503$"),
    ],
)
def test_a_failed_call_is_an_error_that_holds_neither_key_nor_text(
    api: EmbeddingsApi, embedder: Any, status: int, code: str | None, says: str
) -> None:
    api.answer = refuse(status, f"Incorrect API key {KEY} for 'tell me a secret'", code)

    async def scenario() -> None:
        async with embedder(api_key=KEY) as e:
            with pytest.raises(EmbedError, match=says) as caught:
                await e.embed("tell me a secret")
            assert not isinstance(caught.value, TextUnfit)
            shown = "".join(traceback.format_exception(caught.value))
            assert KEY not in shown
            assert "a secret'" not in shown
        assert len(api.asked) == 1  # never tried again: that is the caller's to decide

    run(scenario)


@pytest.mark.parametrize(
    "answer",
    [
        {"text": "<html>", "content_type": "text/html"},
        {"text": "{}", "content_type": "application/json"},
        {"text": '{"data": []}', "content_type": "application/json"},
        {"text": '{"data": [{"embedding": [1]}, {"embedding": [2]}]}', "content_type": "application/json"},
        {"text": '{"data": [{"embedding": "?"}]}', "content_type": "application/json"},
        {"text": '{"data": [{"embedding": "AAAA"}]}', "content_type": "application/json"},
        {"text": '{"data": [{"embedding": [NaN, 1]}]}', "content_type": "application/json"},
        {"text": '{"data": [{"embedding": ["a"]}]}', "content_type": "application/json"},
        {"text": '{"data": [{"embedding": "AADAf///f/8="}]}', "content_type": "application/json"},
        {"text": "\udcff", "content_type": "application/json", "broken": True},
    ],
)
def test_an_answer_that_is_not_an_embedding_is_an_error(
    api: EmbeddingsApi, embedder: Any, answer: dict[str, Any]
) -> None:
    raw = answer["text"].encode("utf-8", "surrogateescape")
    api.answer = web.Response(body=raw, content_type=answer["content_type"])

    async def scenario() -> None:
        async with embedder() as e:
            with pytest.raises(EmbedError):
                await e.embed("question")

    run(scenario)


def test_an_answer_of_another_size_than_before_is_an_error(api: EmbeddingsApi, embedder: Any) -> None:
    async def scenario() -> None:
        async with embedder() as e:
            await e.embed("question")
            api.answer = web.json_response({"data": [{"embedding": [1.0, 2.0]}], "usage": {"prompt_tokens": 1}})
            with pytest.raises(EmbedError, match="2 dimensions where 64"):
                await e.embed("another question")

    run(scenario)


def test_a_server_that_is_down_is_an_error_at_once(nobody: str) -> None:
    async def scenario() -> None:
        e = OpenAIEmbedder(model="hash", base_url=f"{nobody}/v1", api_key=KEY)
        with pytest.raises(EmbedError, match=r"'hash' at 127.0.0.1:\d+ cannot be reached"):
            await e.embed("question")
        with pytest.raises(EmbedError):
            await e.ping()
        await e.close()

    run(scenario)


def test_a_server_that_does_not_answer_is_an_error_within_the_timeout(api: EmbeddingsApi, embedder: Any) -> None:
    async def scenario() -> None:
        api.gate = asyncio.Event()
        async with embedder(timeout=0.2) as e:
            await e.open()
            began = time.monotonic()
            with pytest.raises(EmbedError, match=r"did not answer within 0.2 s"):
                await e.embed("question")
            assert time.monotonic() - began < 10  # the server would have taken for ever
            api.gate.set()

    run(scenario)


def test_a_cancelled_call_gives_its_place_to_the_next(api: EmbeddingsApi, embedder: Any) -> None:
    async def scenario() -> None:
        api.gate = asyncio.Event()
        async with embedder(connections=1) as e:
            await e.open()
            first, second = (asyncio.create_task(e.embed(text)) for text in ("first", "second"))
            while not api.asked:
                await asyncio.sleep(0.01)
            first.cancel()
            api.gate.set()
            assert await second == unit(api.hashed("second"), 64)
            assert first.cancelled()

    run(scenario)


def test_a_ping_embeds_a_word(api: EmbeddingsApi, embedder: Any) -> None:
    async def scenario() -> None:
        async with embedder() as e:
            await e.ping()
            assert e.dimensions == 64

    run(scenario)


def test_texts_do_not_reach_the_log_at_any_level(
    embedder: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with embedder(api_key=KEY) as e:
            await e.embed("tell me a secret")

    with caplog.at_level(logging.DEBUG):
        run(scenario)
    assert "a secret" not in caplog.text
    assert KEY not in caplog.text


def test_the_space_is_the_model_and_its_dimensions_not_the_server() -> None:
    def space(**settings: Any) -> str:
        return OpenAIEmbedder(**{"model": "a", **settings}).identity

    assert space() == space(base_url="http://127.0.0.1:1/v1", api_key=KEY, window=9)
    assert len({space(), space(model="b"), space(dimensions=512)}) == 3


def test_dimensions_of_openais_own_models_are_known() -> None:
    assert OpenAIEmbedder(model="text-embedding-3-small").dimensions == 1536
    assert OpenAIEmbedder(model="text-embedding-3-small", dimensions=512).dimensions == 512
    assert OpenAIEmbedder(model="text-embedding-3-small", base_url="http://127.0.0.1:1/v1").dimensions is None


@pytest.mark.parametrize("base_url", ["api.openai.com/v1", "ftp://host/v1", "http://", "http://[", ""])
def test_a_base_url_that_is_none_is_refused(base_url: str) -> None:
    with pytest.raises(ConfigError, match="base_url"):
        OpenAIEmbedder(model="a", base_url=base_url)


@pytest.mark.parametrize("key", ["sk-0123\n", "sk-ключ"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ConfigError, match="api_key") as caught:
        OpenAIEmbedder(model="a", api_key=key)
    assert "sk-" not in str(caught.value)
