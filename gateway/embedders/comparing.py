"""Texts that every question is compared with: each embedded once, in the background, then one matrix product for all.

A Comparer is one embedder's. It keeps the vectors of texts that some Comparison still needs, so a list that was changed in
one line costs one text. Texts that do not fit the model are compared by nobody; while the embedder is down the rest waits,
and is tried again less and less often.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from gateway.errors import CacheTrouble, EmbedError, TextUnfit

if TYPE_CHECKING:
    from gateway.core.messages import Vector
    from gateway.embedders.queue import BoundedEmbedder

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 15.0
SIDE_BY_SIDE = 8
"""Texts that a remote embedder is asked for at once."""
EMBED_SECONDS = 30.0
"""For one of them: nobody waits for it."""
SETTLING_SECONDS = 5.0
"""How long whoever brings a new list waits for its vectors."""
# Numbers that are multiplied on the spot: about 3 ms. More are work for a thread.
IN_PLACE = 8_000_000

Texts: TypeAlias = tuple[tuple[str, float], ...]
"""Each with the similarity from which a question is near it."""


class Comparer:
    """`side_by_side`: for a local model 1, or questions would wait behind texts that nobody waits for. `on_trouble` is told
    why texts have no vectors yet."""

    def __init__(
        self, embedder: BoundedEmbedder, on_trouble: Callable[[CacheTrouble], None], *, side_by_side: int = SIDE_BY_SIDE
    ) -> None:
        self._embedder = embedder
        self._on_trouble = on_trouble
        self._side_by_side = side_by_side
        self._vectors: dict[str, Vector | None] = {}
        self._comparisons: weakref.WeakValueDictionary[tuple[Texts, int], Comparison] = weakref.WeakValueDictionary()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def compare(self, texts: Texts, most: int) -> Comparison:
        """One for all who compare with the same texts; of those that are near, the `most` nearest count."""
        known = self._comparisons.get((texts, most))
        if known is None:
            known = self._comparisons[texts, most] = Comparison(self, texts, most)
            needed = {text for each in self._comparisons.values() for text, _ in each.texts}
            self._vectors = {text: vector for text, vector in self._vectors.items() if text in needed}
        return known

    def vectors_of(self, texts: Texts) -> list[Vector | None] | None:
        """None for a text that does not fit the model. None altogether while some are still to be embedded: that is begun."""
        if all(text in self._vectors for text, _ in texts):
            return [self._vectors[text] for text, _ in texts]
        if self._task is None and not self._closed:
            self._task = asyncio.create_task(self._embed_missing(), name="semgate denied questions")
            self._task.add_done_callback(self._rest)
        return None

    async def settled(self) -> None:
        """Wait until nothing is being embedded."""
        while self._task is not None:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _rest(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled():
            task.result()

    async def _embed_missing(self) -> None:
        pause = FIRST_PAUSE
        while missing := self._missing():
            try:
                await self._embed_all(missing)
                pause = FIRST_PAUSE
            except EmbedError as trouble:
                self._on_trouble(trouble)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    def _missing(self) -> list[str]:
        needed = [text for each in list(self._comparisons.values()) for text, _ in each.texts]
        return [text for text in dict.fromkeys(needed) if text not in self._vectors]

    async def _embed_all(self, texts: list[str]) -> None:
        """Raises EmbedError; what was embedded by then is known."""
        waiting = iter(texts)

        async def work() -> None:
            for text in waiting:
                self._vectors[text] = await self._embed(text)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._side_by_side, len(texts))):
                    group.create_task(work())
        except* EmbedError as troubles:
            raise EmbedError(str(troubles.exceptions[0])) from None

    async def _embed(self, text: str) -> Vector | None:
        try:
            async with asyncio.timeout(EMBED_SECONDS):
                return await self._embedder.embed(text)
        except TextUnfit:
            return None
        except TimeoutError:
            raise EmbedError(f"the embedder has not answered for {EMBED_SECONDS:g} s") from None


class Comparison:
    """With one list of texts. Made by a Comparer."""

    def __init__(self, comparer: Comparer, texts: Texts, most: int) -> None:
        self.texts = texts
        self._comparer = comparer
        self._most = most
        self._matrix: np.ndarray[tuple[int, int], np.dtype[np.float32]] | None = None
        self._places = np.empty(0, dtype=np.intp)
        self._at_least = np.empty(0, dtype=np.float32)

    def begin(self) -> None:
        """Have the vectors made that are missing."""
        self._ready()

    async def open(self) -> None:
        """Wait for the vectors, but not for long. Never raises: a question that cannot be compared is forwarded."""
        if not self._ready():
            try:
                async with asyncio.timeout(SETTLING_SECONDS):
                    await self._comparer.settled()
            except TimeoutError:
                return  # they come later

    def unfit(self) -> frozenset[str]:
        """Texts that do not fit the model, as far as that is known."""
        vectors = self._comparer.vectors_of(self.texts)
        return (
            frozenset()
            if vectors is None
            else frozenset(text for (text, _), vector in zip(self.texts, vectors, strict=True) if vector is None)
        )

    async def near(self, vector: Vector) -> list[tuple[int, float]] | None:
        """Places in the list and cosine similarities of the nearest at their own similarity or above, nearest first. None
        while some have no vector yet."""
        if not self._ready() or self._matrix is None:
            return None
        if self._matrix.size > IN_PLACE:
            return await asyncio.to_thread(self._near, self._matrix, vector)
        return self._near(self._matrix, vector)

    def _ready(self) -> bool:
        if self._matrix is None:
            vectors = self._comparer.vectors_of(self.texts)
            if vectors is None:
                return False
            fitting = [(place, vector) for place, vector in enumerate(vectors) if vector is not None]
            self._places = np.array([place for place, _ in fitting], dtype=np.intp)
            self._at_least = np.array([self.texts[place][1] for place, _ in fitting], dtype=np.float32)
            rows = [np.frombuffer(vector, "<f4") for _, vector in fitting]
            self._matrix = np.stack(rows) if rows else np.empty((0, 0), dtype=np.float32)
        return True

    def _near(
        self, matrix: np.ndarray[tuple[int, int], np.dtype[np.float32]], vector: Vector
    ) -> list[tuple[int, float]]:
        if not len(matrix):
            return []
        similarities = np.clip(matrix @ np.frombuffer(vector, "<f4"), 0.0, 1.0)
        (near,) = np.nonzero(similarities >= self._at_least)
        nearest = near[np.argsort(-similarities[near], kind="stable")][: self._most]
        return [(int(self._places[each]), float(similarities[each])) for each in nearest]
