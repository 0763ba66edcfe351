"""The word table: a short vector for each whole word of the shipped model's vocabulary.

A word's vector is what the shipped model says of the word alone, centred and projected on the main axes of all words. The
order of the words is the vocabulary's, which is roughly that of frequency.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from gateway.embedders.folder import SHIPPED
from quality.embedding import Vectors

AXES = 64


def vocabulary() -> list[str]:
    """Whole words of two letters or more, in the vocabulary's order."""
    told = json.loads((SHIPPED / "all-MiniLM-L6-v2" / "tokenizer.json").read_text(encoding="utf-8"))
    ranked = sorted(told["model"]["vocab"].items(), key=lambda entry: entry[1])
    return [word for word, _ in ranked if word.isalpha() and len(word) > 1]


def word_table(vectors: Vectors, words: Iterable[str]) -> tuple[list[str], NDArray[np.int8]]:
    """The words that the model can read, and their vectors: (words, AXES), each scaled to -127..127."""
    known = [(word, vector) for word in words if (vector := vectors.get(word)) is not None]
    matrix = np.stack([vector for _, vector in known]).astype(np.float64)
    matrix -= matrix.mean(axis=0)
    _, axes = np.linalg.eigh(matrix.T @ matrix)
    short = matrix @ axes[:, ::-1][:, :AXES]
    scaled = short * (127 / np.abs(short).max(axis=1, keepdims=True))
    return [word for word, _ in known], np.round(scaled).astype(np.int8)
