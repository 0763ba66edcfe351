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

from gateway.verifiers.pairwise_features import FEATURES, PairFeatures, read_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.core.messages import Near

FOLDER = Path(__file__).parent / "models" / "pairwise"
NEAR, SAID_OTHERWISE = 0.80, 0.2
"""Below this similarity only a rewrite is accepted: no word may be left over that the other side does not say.

Typing errors and courtesies cost a short question more similarity (0.65 is common) than a change of meaning does.
"""
_VETOES = tuple(map(FEATURES.index, ("numbers", "negation", "exchanged")))
_SIMILARITY, _UNSAID = FEATURES.index("similarity"), FEATURES.index("unsaid_most")


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
        self._to_leaf = np.arange(count) - inner
        self._base = exported.base

    def score(self, row: list[float]) -> float:
        right = np.array(row).take(self._feature) > self._at_most
        node = self._roots
        for _ in range(self._depth):
            node = node + node - self._roots + right.take(node) + 1
        raw = self._base + float(self._leaf.take(node + self._to_leaf).sum())
        return 1 / (1 + math.exp(-raw))


def refused(row: Sequence[float]) -> bool:
    """Whether rules settle the pair before the trees are asked: they hold a small share of served contradictions."""
    return any(row[at] > 0 for at in _VETOES) or (row[_SIMILARITY] < NEAR and row[_UNSAID] > SAID_OTHERWISE)


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
        row = self._features.row(question, other, similarity)
        return 0.0 if row is None or refused(row) else self._trees.score(row)

    async def judge(self, question: str, others: Sequence[Near]) -> list[float]:
        return [self.score(question, near.text, near.similarity) for near in others]

    async def open(self) -> None:
        """Nothing to connect to."""

    async def ping(self) -> None:
        """Always there: it is this process."""

    async def close(self) -> None:
        """Holds nothing open."""
