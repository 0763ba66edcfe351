"""Bounds around an embedder: once for the same text, so many at once, so many remembered, and nobody cancels another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.core.messages import Vector
from gateway.embedders.queue import ENTRY_BYTES, BoundedEmbedder
from gateway.embedders.vector import unit
from gateway.errors import EmbedError, TextUnfit

Hashed = Callable[..., NDArray[np.float32]]


class Gated:
    """A small embedder that answers when its gate is open, and tells what it was asked."""

    identity = "gated"
    dimensions: int | None = 64

    def __init__(self, hashed: Hashed) -> None:
        self._hashed = hashed
        self.gate = asyncio.Event()
        self.begun: list[str] = []
        self.given_up: list[str] = []
        self.trouble: Exception | None = None
        self.closed = False

    async def open(self) -> None:
        pass

    async def embed(self, text: str) -> Vector:
        self.begun.append(text)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.given_up.append(text)
            raise
        if self.trouble is not None:
            raise self.trouble
        return unit(self._hashed(text), 64)

    async def ping(self) -> None:
        pass

    async def close(self) -> None:
        self.closed = True


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_the_same_text_at_once_is_embedded_once(hashed: Hashed) -> None:
    async def scenario() -> None:
        inner = Gated(hashed)
        embedder = BoundedEmbedder(inner)
        asked = [asyncio.create_task(embedder.embed("one question")) for _ in range(20)]
        await settle()
        inner.gate.set()
        assert len(set(await asyncio.gather(*asked))) == 1
        assert inner.begun == ["one question"]

    asyncio.run(scenario())


def test_a_waiter_that_leaves_takes_nobody_with_it(hashed: Hashed) -> None:
    async def scenario() -> None:
        inner = Gated(hashed)
        embedder = BoundedEmbedder(inner)
        first, second = (asyncio.create_task(embedder.embed("question")) for _ in range(2))
        await settle()
        first.cancel()
        await settle()
        inner.gate.set()
        assert await second == unit(hashed("question"), 64)
        assert first.cancelled()
        assert inner.begun == ["question"]
        assert inner.given_up == []

    asyncio.run(scenario())


def test_a_text_that_everybody_left_is_given_up_and_asked_anew_later(hashed: Hashed) -> None:
    async def scenario() -> None:
        inner = Gated(hashed)
        embedder = BoundedEmbedder(inner, queue=1)
        for _ in range(2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await embedder.embed("question")
        await settle()
        assert inner.given_up == ["question", "question"]
        inner.gate.set()
        assert await embedder.embed("question") == unit(hashed("question"), 64)  # the line of one is free

    asyncio.run(scenario())


def test_who_joins_after_the_last_one_left_gets_an_answer(hashed: Hashed) -> None:
    async def scenario() -> None:
        inner = Gated(hashed)
        embedder = BoundedEmbedder(inner)
        leaver = asyncio.create_task(embedder.embed("question"))
        await settle()
        leaver.cancel()
        joiner = asyncio.create_task(embedder.embed("question"))  # before the cancellation has run
        await settle()
        inner.gate.set()
        assert await joiner == unit(hashed("question"), 64)

    asyncio.run(scenario())


def test_one_text_more_than_the_queue_holds_fails_at_once(hashed: Hashed) -> None:
    async def scenario() -> None:
        inner = Gated(hashed)
        embedder = BoundedEmbedder(inner, queue=3)
        asked = [asyncio.create_task(embedder.embed(f"question {number}")) for number in range(3)]
        await settle()
        with pytest.raises(EmbedError, match="queue full"):
            await embedder.embed("one more")
        joined = asyncio.create_task(embedder.embed("question 1"))  # not one more: it is being embedded
        await settle()
        inner.gate.set()
        await asyncio.gather(*asked, joined)
        await embedder.embed("one more")
        assert len(inner.begun) == 4

    asyncio.run(scenario())


def test_only_so_many_recent_texts_are_remembered(hashed: Hashed) -> None:
    async def scenario() -> list[str]:
        inner = Gated(hashed)
        inner.gate.set()
        embedder = BoundedEmbedder(inner, cache=2)
        for text in ["a", "b", "a", "c", "a", "b"]:  # c pushes b out: a was used since
            await embedder.embed(text)
        return inner.begun

    assert asyncio.run(scenario()) == ["a", "b", "c", "b"]


def test_remembered_vectors_are_bounded_by_bytes_too(hashed: Hashed) -> None:
    async def scenario() -> list[str]:
        inner = Gated(hashed)
        inner.gate.set()
        embedder = BoundedEmbedder(inner, cache=1000, cache_bytes=2 * (64 * 4 + ENTRY_BYTES))
        for text in ["a", "b", "c", "c", "b", "a"]:
            await embedder.embed(text)
        return inner.begun

    assert asyncio.run(scenario()) == ["a", "b", "c", "a"]


@pytest.mark.parametrize("bounds", [{"cache": 0}, {"cache_bytes": 100}])
def test_a_cache_without_room_remembers_nothing(hashed: Hashed, bounds: dict[str, int]) -> None:
    async def scenario() -> list[str]:
        inner = Gated(hashed)
        inner.gate.set()
        embedder = BoundedEmbedder(inner, **bounds)
        await embedder.embed("a")
        await embedder.embed("a")
        return inner.begun

    assert asyncio.run(scenario()) == ["a", "a"]


@pytest.mark.parametrize("trouble", [EmbedError("down"), TextUnfit("long"), ValueError("a bug")])
def test_a_failure_reaches_every_waiter_and_is_not_remembered(hashed: Hashed, trouble: Exception) -> None:
    async def scenario() -> None:
        inner = Gated(hashed)
        inner.trouble = trouble
        embedder = BoundedEmbedder(inner)
        asked = [asyncio.create_task(embedder.embed("question")) for _ in range(3)]
        await settle()
        inner.gate.set()
        assert await asyncio.gather(*asked, return_exceptions=True) == [trouble] * 3
        inner.trouble = None
        assert await embedder.embed("question") == unit(hashed("question"), 64)

    asyncio.run(scenario())


def test_text_that_is_not_unicode_is_an_error(hashed: Hashed) -> None:
    async def scenario() -> None:
        with pytest.raises(EmbedError, match="Unicode"):
            await BoundedEmbedder(Gated(hashed)).embed("half a pair: \ud800")

    asyncio.run(scenario())


def test_closing_fails_those_who_wait_and_closes_the_embedder(hashed: Hashed) -> None:
    async def scenario() -> None:
        inner = Gated(hashed)
        embedder = BoundedEmbedder(inner)
        asked = asyncio.create_task(embedder.embed("question"))
        await settle()
        await embedder.close()
        with pytest.raises(EmbedError, match="closed"):
            await asked
        assert inner.closed

    asyncio.run(scenario())


def test_it_speaks_for_the_embedder_it_bounds(hashed: Hashed) -> None:
    async def scenario() -> None:
        embedder = BoundedEmbedder(Gated(hashed))
        assert (embedder.identity, embedder.dimensions) == ("gated", 64)
        await embedder.open()
        await embedder.ping()

    asyncio.run(scenario())
