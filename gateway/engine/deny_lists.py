"""The denied questions of one route as look-ups see them: by their words, by their vectors, and without what was reported.

Who puts them together, from the routes file and from what operators added, is `runtime.denying`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from gateway.core.denial import DeniedQuestion
from gateway.core.messages import Vector

MOST_NEAR = 50
"""Denied questions of a list that are looked at where more are near."""


class Compared(Protocol):
    """The vectors of some denied questions."""

    async def near(self, vector: Vector) -> list[tuple[int, float]] | None:
        """Those at their own `at_least` or above: their places and similarities, nearest first, MOST_NEAR at most. None:
        some have no vector yet, but will have."""


class DenyList:
    """Denied questions that are compared together. `compared` are those of them that other words may mean, in their order;
    None where there is nothing to compare by (no embedder)."""

    def __init__(self, denied: Iterable[DeniedQuestion], compared: Compared | None) -> None:
        self.denied = tuple(denied)
        self._by_words: dict[str, list[DeniedQuestion]] = {}
        for each in self.denied:
            self._by_words.setdefault(each.words, []).append(each)
        self._similar = [each for each in self.denied if not each.by_words_only]
        self._compared = compared if self._similar else None

    @property
    def compares(self) -> bool:
        """Are any compared by similarity?"""
        return self._compared is not None

    def same_words(self, words: str) -> Sequence[DeniedQuestion]:
        return self._by_words.get(words, ())

    async def near(self, vector: Vector) -> list[tuple[DeniedQuestion, float]] | None:
        """As Compared has it."""
        if self._compared is None:
            return []
        found = await self._compared.near(vector)
        return None if found is None else [(self._similar[place], similarity) for place, similarity in found]


class DenyLists(Protocol):
    """What is denied on one route now; `version` changes whenever that does."""

    @property
    def version(self) -> int: ...

    @property
    def lists(self) -> Sequence[DenyList]:
        """Without empty ones."""

    def spares(self, denied_id: str, words: str) -> bool:
        """Were these words reported as not meant by it?"""

    def used(self, denied_id: str) -> None:
        """It was asked; counted later, never in the caller's way."""
