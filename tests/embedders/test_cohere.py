"""The cohere embedder against an HTTP server that speaks Cohere's `/v2/embed`."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from imitated_apis import COHERE_KEY as KEY
from imitated_apis import WINDOW, CohereApi, cohere_embedder

from gateway.embedders.cohere import CohereEmbedder
from gateway.embedders.vector import unit
from gateway.errors import ConfigError, EmbedError, TextUnfit


@pytest.fixture
def api(hashed: Callable[..., np.ndarray]) -> CohereApi:
    return CohereApi(hashed)


@pytest.fixture
def embedder(serve: Any, api: CohereApi) -> Any:
    return cohere_embedder(serve, api)


def run(scenario: Any) -> None:
    asyncio.run(scenario())


def test_a_text_becomes_its_vector(api: CohereApi, embedder: Any) -> None:
    async def scenario() -> None:
        async with embedder() as e:
            assert await e.embed("how are you") == unit(api.hashed("how are you"), 64)
            await e.ping()
            assert e.dimensions == 64
        assert api.keys == [f"Bearer {KEY}"] * 2
        assert api.asked[0] == {
            "model": "embed-test",
            "texts": ["how are you"],
            "input_type": "clustering",
            "embedding_types": ["float"],
            "truncate": "NONE",
        }

    run(scenario)


def test_dimensions_are_asked_for(api: CohereApi, embedder: Any) -> None:
    async def scenario() -> None:
        async with embedder(dimensions=32) as e:
            assert e.dimensions == 32
            assert len(await e.embed("question")) == 4 * 32
        assert api.asked[0]["output_dimension"] == 32

    run(scenario)


def test_a_vector_does_not_depend_on_load_and_connections_are_bounded(api: CohereApi, embedder: Any) -> None:
    texts = [f"question {number}" for number in range(100)]

    async def scenario() -> None:
        async with embedder(connections=5) as e:
            together = await asyncio.gather(*(e.embed(text) for text in texts))
            assert together == [await e.embed(text) for text in texts]
        assert len(api.callers) <= 5

    run(scenario)


def test_a_text_beyond_the_models_window_is_refused_not_cut(embedder: Any) -> None:
    async def scenario() -> None:
        async with embedder() as e:
            await e.embed("word " * WINDOW)
            with pytest.raises(TextUnfit):
                await e.embed("word " * (WINDOW + 1))

    run(scenario)


def test_a_text_far_beyond_the_window_is_not_even_sent(api: CohereApi, embedder: Any) -> None:
    async def scenario() -> None:
        async with embedder(window=10) as e:
            with pytest.raises(TextUnfit):
                await e.embed("x" * 81)
        assert api.asked == []

    run(scenario)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (400, "answered 400$"),
        (401, "answered 401: check `api_key`"),
        (404, "answered 404: check `base_url` and `model`"),
        (429, "answered 429: rate limit or quota"),
        (500, "answered 500$"),
    ],
)
def test_a_failed_call_is_an_error_that_holds_neither_key_nor_text(
    api: CohereApi, embedder: Any, status: int, says: str
) -> None:
    api.answer = web.json_response({"message": f"{KEY} asked 'tell me a secret'"}, status=status)

    async def scenario() -> None:
        async with embedder() as e:
            with pytest.raises(EmbedError, match=says) as caught:
                await e.embed("tell me a secret")
            assert not isinstance(caught.value, TextUnfit)
            shown = "".join(traceback.format_exception(caught.value))
            assert KEY not in shown
            assert "a secret'" not in shown

    run(scenario)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"embeddings": {"float": []}}',
        b'{"embeddings": [[1.0]]}',
        b'{"embeddings": {"float": [["a"]]}}',
        b'{"embeddings": {"float": [[NaN]]}}',
        b'{"embeddings": {"float": [[0.0]]}}',
        b"\xff",
    ],
)
def test_an_answer_that_is_not_an_embedding_is_an_error(api: CohereApi, embedder: Any, body: bytes) -> None:
    api.answer = web.Response(body=body, content_type="application/json")

    async def scenario() -> None:
        async with embedder() as e:
            with pytest.raises(EmbedError):
                await e.embed("question")

    run(scenario)


def test_a_server_that_is_down_is_an_error_at_once(nobody: str) -> None:
    async def scenario() -> None:
        e = CohereEmbedder(model="embed-test", api_key=KEY, base_url=nobody)
        with pytest.raises(EmbedError, match=r"'embed-test' at 127.0.0.1:.* cannot be reached"):
            await e.embed("question")
        await e.close()

    run(scenario)


def test_a_server_that_does_not_answer_is_an_error_within_the_timeout(api: CohereApi, embedder: Any) -> None:
    async def scenario() -> None:
        api.gate = asyncio.Event()
        async with embedder(timeout=0.2) as e:
            with pytest.raises(EmbedError, match=r"did not answer within 0.2 s"):
                await e.embed("question")
            api.gate.set()

    run(scenario)


def test_the_space_is_the_model_and_its_dimensions() -> None:
    def space(**settings: Any) -> str:
        return CohereEmbedder(**{"model": "a", "api_key": KEY, **settings}).identity

    assert space() == space(base_url="http://127.0.0.1:1", api_key="co-other")
    assert len({space(), space(model="b"), space(dimensions=512)}) == 3


def test_a_key_that_no_header_can_carry_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigError, match="api_key") as caught:
        CohereEmbedder(model="a", api_key=f"{KEY}\n")
    assert "co-test" not in str(caught.value)
