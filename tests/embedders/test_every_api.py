"""What every embedder behind an API does in the same way: it tells what was paid for, and that it is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from imitated_apis import CohereApi, EmbeddingsApi, VoyageApi, cohere_embedder, openai_embedder, voyage_embedder

from gateway.errors import EmbedError

APIS = {
    "openai": (openai_embedder, EmbeddingsApi),
    "cohere": (cohere_embedder, CohereApi),
    "voyage": (voyage_embedder, VoyageApi),
}


@pytest.fixture(params=APIS)
def embedder(request: pytest.FixtureRequest, serve: Any, hashed: Callable[..., np.ndarray]) -> Any:
    opening, api = APIS[request.param]
    return opening(serve, api(hashed))


def run(scenario: Any) -> None:
    asyncio.run(scenario())


def test_a_closed_embedder_says_so(embedder: Any) -> None:
    async def scenario() -> None:
        async with embedder() as e:
            await e.embed("question")
            await e.close()
            with pytest.raises(EmbedError, match="closed"):
                await e.embed("question")

    run(scenario)


def test_what_was_paid_for_is_told(embedder: Any) -> None:
    paid: list[int] = []

    async def scenario() -> None:
        async with embedder(on_tokens=paid.append) as e:
            await e.embed("how long is a piece of string")
            await e.embed("two words")

    run(scenario)
    assert paid == [7, 2]
