"""The table of common words that the `pairwise` verifier weighs what is left over by: a vector and a weight for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gateway.core.lexicon import (
    ASKING,
    BOUND,
    CONTENT,
    FILLER,
    KINDS,
    LIGHT,
    MODAL,
    NEGATOR,
    PAUSE,
    PERSON,
    PLACING,
    WHEN,
)
from gateway.core.lexicon_european import CLOSED_IN_PORTUGUESE as CLOSED
from gateway.core.pairs_grammar import OPEN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

WEIGHTS = {
    NEGATOR: 0.8,
    ASKING: 0.5,
    PLACING: 0.3,
    PERSON: 0.25,
    MODAL: 0.2,
    BOUND: 0.6,
    WHEN: 0.8,
    LIGHT: 0.03,
    FILLER: 0.0,
    PAUSE: 0.0,
}
"""What a word of a closed class weighs; numbers, symbols and words that nobody knows weigh 1."""
SEQUENCE = dict.fromkeys(("before", "after", "until", "since"), 0.5)
"""Of the relations these weigh most: what is said behind them is a condition."""


class WordTable:
    """Vectors and weights of some 20,000 common words, most frequent first."""

    def __init__(self, words: Sequence[str], vectors: NDArray[np.int8]) -> None:
        self.places = {word: place for place, word in enumerate(words)}
        scaled = vectors.astype(np.float32)
        self.vectors = scaled / np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1e-6)
        # The order of the vocabulary stands for frequency: a rare word says more about what is asked.
        rank = np.arange(len(words))
        rarity = np.clip(np.log((rank + 30) / 150) / np.log(30000 / 150), 0.25, 1.0)
        self._weights = dict(zip(words, rarity.tolist(), strict=True))
        self._weights.update((word, WEIGHTS.get(kind, 1.0)) for word, kind in KINDS.items() if kind is not CONTENT)
        self._weights.update((word, WEIGHTS.get(kind, 1.0)) for word, kind in CLOSED.values() if word[-1] == "_")
        self._weights.update(dict.fromkeys(OPEN, WEIGHTS[LIGHT]))
        self._weights.update(SEQUENCE)

    def weigh(self, words: list[str]) -> list[float]:
        weight = self._weights.get
        return [weight(word, 1.0) for word in words]


def read_words(folder: Path) -> WordTable:
    words = (folder / "words.txt").read_text(encoding="utf-8").split("\n")
    return WordTable(words, np.load(folder / "words.npy", allow_pickle=False))
