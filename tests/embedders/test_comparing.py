"""Texts that every question is compared with: each embedded once, whatever becomes of the lists; and the nearest of them."""

from __future__ import annotations

import asyncio
import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.core.messages import Vector
from gateway.embedders import comparing as module
from gateway.embedders.comparing import Comparer, Comparison
from gateway.embedders.queue import BoundedEmbedder
from gateway.embedders.vector import unit
from gateway.errors import CacheTrouble, EmbedError, TextUnfit

MOST = 3


class Angles:
    """Texts are angles in degrees."""

    identity = "angles"
    dimensions: int | None = 2

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.down = False
        self.under_way = self.at_once = 0
        self.gate: asyncio.Event | None = None

    async def open(self) -> None: ...

    async def embed(self, text: str) -> Vector:
        self.asked.append(text)
        self.under_way += 1
        self.at_once = max(self.at_once, self.under_way)
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0)
            if self.down:
                raise EmbedError("down")
            if text == "too long":
                raise TextUnfit("too long")
            return angle(float(text))
        finally:
            self.under_way -= 1

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


def angle(degrees: float) -> Vector:
    return unit([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], 2)


def comparer(angles: Angles, troubles: list[str] | None = None, side_by_side: int = 4) -> Comparer:
    def tell(trouble: CacheTrouble) -> None:
        if troubles is not None:
            troubles.append(str(trouble))

    return Comparer(BoundedEmbedder(angles, cache=0), tell, side_by_side=side_by_side)


def texts(*degrees: object, at_least: float = 0.9) -> tuple[tuple[str, float], ...]:
    return tuple((str(each), at_least) for each in degrees)


async def places(comparison: Comparison, degrees: float) -> list[int] | None:
    found = await comparison.near(angle(degrees))
    return None if found is None else [place for place, _ in found]


def test_the_nearest_come_first_each_at_its_own_similarity() -> None:
    async def run() -> None:
        comparison = comparer(Angles()).compare((("0", 0.99), ("10", 0.9), ("90", 0.5), ("20", 0.5)), MOST)
        await comparison.open()
        found = await comparison.near(angle(12))
        assert found is not None
        assert [place for place, _ in found] == [1, 3]
        assert found[0][1] == pytest.approx(np.cos(np.radians(2)), abs=1e-6)

    asyncio.run(run())


def test_of_many_that_are_near_the_nearest_count() -> None:
    async def run() -> None:
        comparison = comparer(Angles()).compare(texts(*range(20), at_least=0.1), MOST)
        await comparison.open()
        assert await places(comparison, 7) == [7, 6, 8]

    asyncio.run(run())


def test_until_all_have_vectors_nothing_is_told_and_nobody_waits_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLING_SECONDS", 0.01)

    async def run() -> None:
        angles = Angles()
        angles.gate = asyncio.Event()
        made = comparer(angles)
        comparison = made.compare(texts(0, 90), MOST)
        await comparison.open()
        assert await places(comparison, 0) is None
        angles.gate.set()
        await made.settled()
        assert await places(comparison, 0) == [0]

    asyncio.run(run())


def test_a_changed_list_costs_what_is_new_in_it() -> None:
    async def run() -> None:
        angles = Angles()
        made = comparer(angles)
        first = made.compare(texts(0, 30, 60), MOST)
        await first.open()
        assert made.compare(texts(0, 30, 60), MOST) is first
        second = made.compare(texts(0, 30, 90), MOST)
        await second.open()
        assert angles.asked == ["0", "30", "60", "90"]
        del first
        gc.collect()
        third = made.compare(texts(30), MOST)  # 60 is needed by nobody any more
        fourth = made.compare(texts(60), MOST)
        await fourth.open()
        assert await places(third, 30) == [0]
        assert angles.asked == ["0", "30", "60", "90", "60"]

    asyncio.run(run())


def test_a_text_that_does_not_fit_the_model_is_near_nothing() -> None:
    async def run() -> None:
        comparison = comparer(Angles()).compare(texts("too long", 10), MOST)
        await comparison.open()
        assert await places(comparison, 10) == [1]
        assert comparison.unfit() == {"too long"}
        alone = comparer(Angles()).compare(texts("too long"), MOST)
        await alone.open()
        assert await places(alone, 10) == []

    asyncio.run(run())


def test_while_the_embedder_is_down_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(module, "SETTLING_SECONDS", 0.01)

    async def run() -> None:
        angles, troubles = Angles(), list[str]()
        angles.down = True
        made = comparer(angles, troubles)
        comparison = made.compare(texts(0, 10), MOST)
        await comparison.open()
        assert await places(comparison, 0) is None
        angles.down = False
        await made.settled()
        assert await places(comparison, 0) == [0, 1]
        assert set(troubles) == {"down"}

    asyncio.run(run())


def test_only_so_many_are_embedded_at_once() -> None:
    async def run() -> None:
        for bound in (1, 4):
            angles = Angles()
            comparison = comparer(angles, side_by_side=bound).compare(texts(*range(40)), MOST)
            await comparison.open()
            assert angles.at_once == bound

    asyncio.run(run())


def test_closed_it_embeds_nothing_more() -> None:
    async def run() -> None:
        angles = Angles()
        angles.gate = asyncio.Event()
        made = comparer(angles)
        comparison = made.compare(texts(0), MOST)
        assert await places(comparison, 0) is None
        await made.close()
        assert await places(comparison, 0) is None
        assert angles.under_way == 0

    asyncio.run(run())


def test_a_large_list_is_compared_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        comparison = comparer(Angles()).compare(texts(0, 45, 90), MOST)
        await comparison.open()
        here = await comparison.near(angle(40))
        monkeypatch.setattr(module, "IN_PLACE", 1)
        assert await comparison.near(angle(40)) == here

    asyncio.run(run())


@given(st.lists(st.integers(0, 90), min_size=1, max_size=20, unique=True), st.floats(0, 90), st.floats(0.5, 1))
def test_it_finds_what_comparing_one_by_one_finds(degrees: list[int], asked: float, at_least: float) -> None:
    async def run() -> list[tuple[int, float]] | None:
        comparison = comparer(Angles()).compare(texts(*degrees, at_least=at_least), len(degrees))
        await comparison.open()
        return await comparison.near(angle(asked))

    def cosine(one: Vector, other: Vector) -> float:
        rows: list[NDArray[np.float32]] = [np.frombuffer(each, "<f4") for each in (one, other)]
        return float(rows[0] @ rows[1])

    found = asyncio.run(run())
    assert found is not None
    clear = 1e-5
    near = {place: cosine(angle(each), angle(asked)) for place, each in enumerate(degrees)}
    assert {place for place, _ in found} >= {place for place, nearness in near.items() if nearness >= at_least + clear}
    assert {place for place, _ in found} <= {place for place, nearness in near.items() if nearness >= at_least - clear}
    assert [nearness for _, nearness in found] == sorted((nearness for _, nearness in found), reverse=True)
