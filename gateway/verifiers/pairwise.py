"""The built-in second opinion: a small learned model over the similarity of two questions and how their words differ.

Rules refuse what contradicts; boosted trees, exported to plain data, judge the rest. `models/pairwise/CARD.md` says how they
were trained and what they reach. No part of it waits for anything.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from gateway.verifiers.pairwise_features import FEATURES, PairFeatures
from gateway.verifiers.pairwise_words import read_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.core.messages import Near

FOLDER = Path(__file__).parent / "models" / "pairwise"
SLOPE, MIDDLE = 20.0, 0.93
"""What similarity adds to the log odds where words are left over.

Edits teach the trees that similarity says little. Among questions that differ in earnest it says more than they learn.
"""
_SIMILARITY, _LEFT = FEATURES.index("similarity"), FEATURES.index("left_most")


class Exported(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Boosted trees of equal depth as plain data, one row each.

    A row is a heap: node n asks whether `feature[n]` is more than `at_most[n]` and goes on to 2n + 2, else to 2n + 1;
    behind the nodes stand the leaves. Their sum plus `base` is the log odds.
    """

    features: tuple[str, ...]
    base: float
    feature: list[list[int]]
    at_most: list[list[float]]
    leaf: list[list[float]]


class Trees:
    """All trees at once, a level at a time. Raises ValueError if they were trained for other features."""

    def __init__(self, exported: Exported) -> None:
        if exported.features != FEATURES:
            raise ValueError("these trees were trained for other features: run the training again")
        count, inner = len(exported.feature), len(exported.feature[0])
        self._depth = inner.bit_length()
        self._feature = np.array(exported.feature, dtype=np.int64).ravel()
        self._at_most = np.array(exported.at_most).ravel()
        self._leaf = np.array(exported.leaf).ravel()
        self._roots = np.arange(count) * inner
        # For each node the place of its left child; the right one stands behind it.
        self._below = (self._roots[:, None] + 2 * np.arange(inner) + 1).ravel()
        self._to_leaf = np.arange(count) - inner
        self._base = exported.base

    def score(self, row: list[float]) -> float:
        below = self._below + (np.array(row, np.float64).take(self._feature) > self._at_most)
        node = self._roots
        for _ in range(self._depth):
            node = below.take(node)
        raw = self._base + float(self._leaf.take(node + self._to_leaf).sum())
        raw += SLOPE * (row[_SIMILARITY] - MIDDLE) * min(row[_LEFT], 1.0)
        return 1 / (1 + math.exp(-raw))


class PairwiseVerifier:
    """Judges one pair at a time, without waiting for anything."""

    batch = 1

    def __init__(self, folder: Path = FOLDER) -> None:
        self._features = PairFeatures(read_words(folder))
        self._trees = Trees(msgspec.json.decode((folder / "trees.json").read_bytes(), type=Exported))

    def score(self, question: str, other: str, similarity: float) -> float:
        """How sure it is, 0 to 1, that what answered `other` answers `question`.

        0 where the two contradict, are far apart, have no words, or are too long to be compared in full.
        """
        if question == other:
            return 1.0
        row = self._features.unless_settled(question, other, similarity)
        return 0.0 if row is None else self._trees.score(row)

    async def judge(self, question: str, others: Sequence[Near]) -> list[float]:
        return [self.score(question, near.text, near.similarity) for near in others]

    async def open(self) -> None:
        """Nothing to connect to."""

    async def ping(self) -> None:
        """Always there: it is this process."""

    async def close(self) -> None:
        """Holds nothing open."""
