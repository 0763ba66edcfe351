"""The voyage embedder through Voyage's own client, against an HTTP server that speaks its API."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from imitated_apis import VOYAGE_KEY as KEY
from imitated_apis import WINDOW, VoyageApi, voyage_embedder

from gateway.embedders.vector import unit
from gateway.embedders.voyage import VoyageEmbedder
from gateway.errors import ConfigError, EmbedError, TextUnfit


@pytest.fixture
def api(hashed: Callable[..., np.ndarray]) -> VoyageApi:
    return VoyageApi(hashed)


@pytest.fixture
def embedder(serve: Any, api: VoyageApi) -> Any:
    return voyage_embedder(serve, api)


def run(scenario: Any) -> None:
    asyncio.run(scenario())


def test_a_text_becomes_its_vector(api: VoyageApi, embedder: Any) -> None:
    async def scenario() -> None:
        async with embedder() as e:
            assert await e.embed("how are you") == unit(api.hashed("how are you"), 64)
            await e.ping()
            assert e.dimensions == 64
        assert api.keys == [f"Bearer {KEY}"] * 2
        asked = api.asked[0]
        assert (asked["model"], asked["truncation"], asked["input_type"]) == ("voyage-test", False, None)

    run(scenario)


def test_dimensions_are_asked_for(api: VoyageApi, embedder: Any) -> None:
    async def scenario() -> None:
        async with embedder(dimensions=32) as e:
            assert e.dimensions == 32
            assert len(await e.embed("question")) == 4 * 32
        assert api.asked[0]["output_dimension"] == 32

    run(scenario)


def test_a_vector_does_not_depend_on_load_and_connections_are_bounded_and_kept(api: VoyageApi, embedder: Any) -> None:
    texts = [f"question {number}" for number in range(100)]

    async def scenario() -> None:
        async with embedder(connections=5) as e:
            together = await asyncio.gather(*(e.embed(text) for text in texts))
            assert together == [await e.embed(text) for text in texts]
        assert len(api.callers) <= 5

    run(scenario)


def test_a_text_beyond_the_models_window_is_refused_not_cut(api: VoyageApi, embedder: Any) -> None:
    async def scenario() -> None:
        async with embedder() as e:
            await e.embed("word " * WINDOW)
            with pytest.raises(TextUnfit):
                await e.embed("word " * (WINDOW + 1))

    run(scenario)


def test_a_text_far_beyond_the_window_is_not_even_sent(api: VoyageApi, embedder: Any) -> None:
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
        (403, "answered 403: check `api_key`"),
        (422, "answered 422$"),
        (429, "answered 429: rate limit or quota"),
        (500, "answered 500$"),
        (503, "answered 503$"),
    ],
)
def test_a_failed_call_is_an_error_that_holds_neither_key_nor_text(
    api: VoyageApi, embedder: Any, status: int, says: str
) -> None:
    api.answer = web.json_response({"detail": f"{KEY} asked 'tell me a secret'"}, status=status)

    async def scenario() -> None:
        async with embedder() as e:
            with pytest.raises(EmbedError, match=says) as caught:
                await e.embed("tell me a secret")
            assert not isinstance(caught.value, TextUnfit)
            shown = "".join(traceback.format_exception(caught.value))
            assert KEY not in shown
            assert "a secret'" not in shown
        assert len(api.asked) == 1

    run(scenario)


@pytest.mark.parametrize(
    "body",
    [
        "<html>",
        "[]",
        "{}",
        '"text"',
        '{"data": []}',
        '{"data": [], "usage": {"total_tokens": 1}}',
        '{"data": [{"embedding": "?"}], "usage": {"total_tokens": 1}}',
        '{"data": [{"embedding": ["a"]}], "usage": {"total_tokens": 1}}',
        '{"data": [{"embedding": [NaN]}], "usage": {"total_tokens": 1}}',
        '{"data": [{"embedding": null}], "usage": {"total_tokens": 1}}',
        '{"data": 7, "usage": {"total_tokens": 1}}',
    ],
)
@pytest.mark.parametrize("status", [200, 404])
def test_an_answer_that_is_not_an_embedding_is_an_error(api: VoyageApi, embedder: Any, body: str, status: int) -> None:
    api.answer = web.Response(text=body, content_type="application/json", status=status)

    async def scenario() -> None:
        async with embedder() as e:
            with pytest.raises(EmbedError):
                await e.embed("question")

    run(scenario)


def test_a_server_that_is_down_is_an_error_at_once(nobody: str) -> None:
    async def scenario() -> None:
        e = VoyageEmbedder(model="voyage-test", api_key=KEY, base_url=f"{nobody}/v1")
        with pytest.raises(EmbedError, match=r"'voyage-test' at 127.0.0.1:.* cannot be reached"):
            await e.embed("question")
        await e.close()

    run(scenario)


def test_a_server_that_does_not_answer_is_an_error_within_the_timeout(api: VoyageApi, embedder: Any) -> None:
    async def scenario() -> None:
        api.gate = asyncio.Event()
        async with embedder(timeout=0.2) as e:
            with pytest.raises(EmbedError, match=r"did not answer within 0.2 s"):
                await e.embed("question")
            api.gate.set()

    run(scenario)


def test_texts_do_not_reach_the_log_at_any_level(embedder: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with embedder() as e:
            await e.embed("tell me a secret")

    with caplog.at_level(logging.DEBUG):
        run(scenario)
    assert "a secret" not in caplog.text
    assert KEY not in caplog.text


def test_the_space_is_the_model_and_its_dimensions() -> None:
    def space(**settings: Any) -> str:
        return VoyageEmbedder(**{"model": "a", "api_key": KEY, **settings}).identity

    assert space() == space(base_url="http://127.0.0.1:1/v1", api_key="pa-other")
    assert len({space(), space(model="b"), space(dimensions=512)}) == 3


def test_a_key_that_no_header_can_carry_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigError, match="api_key") as caught:
        VoyageEmbedder(model="a", api_key=f"{KEY}\n")
    assert "pa-" not in str(caught.value)
