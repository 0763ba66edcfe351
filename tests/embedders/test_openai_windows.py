"""The openai embedder and texts beyond a server's window: refused, cut in silence or not counted, none is taken for whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from imitated_apis import WINDOW, EmbeddingsApi, openai_embedder, refuse

from gateway.errors import TextUnfit


@pytest.fixture
def api(hashed: Callable[..., np.ndarray]) -> EmbeddingsApi:
    return EmbeddingsApi(hashed)


@pytest.fixture
def embedder(serve: Any, api: EmbeddingsApi) -> Any:
    return openai_embedder(serve, api)


def run(scenario: Any) -> None:
    asyncio.run(scenario())


def test_a_text_that_the_server_refuses_as_too_long_is_exact_only(embedder: Any) -> None:
    async def scenario() -> None:
        async with embedder() as e:
            with pytest.raises(TextUnfit):
                await e.embed("word " * (WINDOW + 1))

    run(scenario)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "Invalid 'input': maximum input length is 8192 tokens."),
        (400, "This model's maximum context length is 512 tokens. However, you requested 600 tokens in the input"),
        (400, "the input length exceeds the context length"),
        (413, "Input validation error: `inputs` must have less than 512 tokens. Given: 600"),
        (422, "`inputs` must have less than 512 tokens. Given: 600"),
        (500, "input is too large to process. increase the physical batch size"),
        (400, "input (600 tokens) is larger than the max context size (512 tokens). skipping"),
    ],
)
def test_other_servers_words_for_too_long_are_understood(
    api: EmbeddingsApi, embedder: Any, status: int, message: str
) -> None:
    api.answer = refuse(status, message)

    async def scenario() -> None:
        async with embedder() as e:
            with pytest.raises(TextUnfit):
                await e.embed("question")

    run(scenario)


def test_a_text_that_was_cut_in_silence_is_never_taken_for_the_whole(api: EmbeddingsApi, embedder: Any) -> None:
    api.cuts = True

    async def scenario() -> None:
        async with embedder() as e:
            await e.embed("word " * 90)
            for words in (WINDOW, WINDOW + 1, 3 * WINDOW // 2):  # at the window itself nobody knows
                with pytest.raises(TextUnfit, match="cut"):
                    await e.embed("word " * words)

    run(scenario)


def test_a_server_whose_window_is_smaller_than_ours_says_is_found_out(api: EmbeddingsApi, embedder: Any) -> None:
    api.cuts = True

    async def scenario() -> None:
        async with embedder(window=8191) as e:
            with pytest.raises(TextUnfit, match="its window is smaller"):
                await e.embed("word " * 1000)

    run(scenario)


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": 0, "total_tokens": 0}])
def test_a_server_that_does_not_count_is_trusted_as_far_as_bytes_prove(
    api: EmbeddingsApi, embedder: Any, usage: Any
) -> None:
    api.usage = usage

    async def scenario() -> None:
        async with embedder() as e:
            await e.embed("x" * (WINDOW - 8))
            with pytest.raises(TextUnfit, match="does not count"):
                await e.embed("x" * (WINDOW - 7))

    run(scenario)


def test_a_text_far_beyond_the_window_is_not_even_sent(api: EmbeddingsApi, embedder: Any) -> None:
    async def scenario() -> None:
        async with embedder() as e:
            with pytest.raises(TextUnfit):
                await e.embed("x" * (WINDOW * 8 + 1))
        assert api.asked == []

    run(scenario)
