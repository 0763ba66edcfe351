"""What would be served: by plain cosine at a threshold, or by a verifier's score among those that are similar enough.

A Judge is anything with the verifier's `score`. Judged is a pair set as numbers: similarity, score and label of each pair.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from gateway.config.model_routes import AT_LEAST_PAIRWISE, CANDIDATE
from quality.embedding import Vectors
from quality.sources import LabelledPair, PairSet

LOOSE, STRICT = 0.92, 0.95
"""The thresholds of plain cosine that issue and goals compare with."""
COSINE_LOOSE, COSINE_STRICT, VERIFIER = f"cosine {LOOSE}", f"cosine {STRICT}", "verifier"
RULES = (COSINE_LOOSE, COSINE_STRICT, VERIFIER)


class Judge(Protocol):
    def score(self, question: str, other: str, similarity: float) -> float: ...


class Setting(msgspec.Struct, frozen=True):
    """Served at this similarity or above, if the score is at this or above."""

    candidate: float = CANDIDATE
    at_least: float = AT_LEAST_PAIRWISE


class Judged(msgspec.Struct, frozen=True, eq=False):
    """A pair set after judging. The score of a pair that is not similar enough to be judged is 0."""

    name: str
    pairs: list[LabelledPair]
    edits: bool
    similarity: NDArray[np.float64]
    score: NDArray[np.float64]
    label: NDArray[np.bool_]
    setting: Setting

    def served(self, rule: str) -> NDArray[np.bool_]:
        """Which pairs are served by one of RULES."""
        if rule == COSINE_LOOSE:
            return self.similarity >= LOOSE
        if rule == COSINE_STRICT:
            return self.similarity >= STRICT
        return (self.similarity >= self.setting.candidate) & (self.score >= self.setting.at_least)

    def rank(self) -> NDArray[np.float64]:
        """One number that orders pairs as the combination does: by score, and by similarity where that is too low."""
        judged = self.similarity >= self.setting.candidate
        return np.where(judged, 2 + self.score, self.similarity)


def judge(pairs: PairSet, vectors: Vectors, judge_of: Callable[[LabelledPair], Judge], setting: Setting) -> Judged:
    """Each pair by the judge that has not seen it."""
    similarity = np.array([vectors.similarity(pair.text_a, pair.text_b) for pair in pairs.pairs])
    score = [
        judge_of(pair).score(pair.text_a, pair.text_b, float(near)) if near >= setting.candidate else 0.0
        for pair, near in zip(pairs.pairs, similarity, strict=True)
    ]
    label = np.array([pair.label == 1 for pair in pairs.pairs])
    return Judged(pairs.name, pairs.pairs, pairs.edits, similarity, np.array(score), label, setting)
