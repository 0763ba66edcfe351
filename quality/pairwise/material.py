"""What the pairwise model learns from: labelled pairs, pairs of neighbours in streams, generated edits; by source.

A source is everything that one data set gave (pairs and stream), so that leaving it out leaves nothing of it in. No row
is kept anywhere: a folder of labelled sets is read when training.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console

from quality.edits import generate
from quality.embedding import Vectors, embed_all
from quality.pairwise.words import vocabulary
from quality.sources import PairSet, Stream, read_folder

FLOOR = 0.70
"""Pairs less similar than this teach nothing that decides."""
NEIGHBOURS = 4
"""Of each question of a stream, so many earlier ones are its pairs."""
GENERATED = "generated"
SEED = 0


class Example(msgspec.Struct, frozen=True):
    text_a: str
    text_b: str
    label: int
    similarity: float


class Lesson(msgspec.Struct, frozen=True):
    """Examples that together weigh `weight`. `loose`: the label says same intent, so other values may hide in a 1."""

    source: str
    domain: str
    examples: list[Example]
    weight: float
    loose: bool


class Material(msgspec.Struct, frozen=True):
    lessons: list[Lesson]
    vectors: Vectors


def gather(data: Path, cache: Path, console: Console, generated: int | None = None) -> Material:
    """All lessons of a folder and of the generator. Raises UnreadableData."""
    pair_sets, streams = read_folder(data)
    edits = generate(SEED, generated)
    texts = [text for pairs in pair_sets for pair in pairs.pairs for text in (pair.text_a, pair.text_b)]
    texts += [text for stream in streams for text in stream.texts]
    texts += [text for pair in edits for text in (pair.text_a, pair.text_b)]
    vectors = embed_all([*texts, *vocabulary()], cache, console)
    with_stream = {stream.name for stream in streams}
    lessons = [_of_pairs(pairs, vectors, pairs.name in with_stream) for pairs in pair_sets]
    lessons += [_of_stream(stream, vectors) for stream in streams]
    domains = sorted({pair.domain for pair in edits})
    for domain in domains:
        chosen = [(pair.text_a, pair.text_b, pair.label) for pair in edits if pair.domain == domain]
        lessons.append(Lesson(GENERATED, domain, _examples(chosen, vectors), len(chosen) / len(edits), loose=False))
    return Material(lessons, vectors)


def _of_pairs(pairs: PairSet, vectors: Vectors, loose: bool) -> Lesson:
    chosen = [(pair.text_a, pair.text_b, pair.label) for pair in pairs.pairs]
    # Its stream teaches an intent set's lesson too; edits are what the verifier is for.
    weight = 2.0 if pairs.edits else 0.5 if loose else 1.0
    return Lesson(pairs.name, "", _examples(chosen, vectors), weight, loose)


def _of_stream(stream: Stream, vectors: Vectors) -> Lesson:
    known = [
        (text, cluster)
        for text, cluster in zip(stream.texts, stream.clusters, strict=True)
        if vectors.get(text) is not None
    ]
    matrix = np.stack([vectors.get(text) for text, _ in known])
    chosen = []
    for at in range(1, len(known)):
        near = matrix[:at] @ matrix[at]
        for other in np.argsort(-near, kind="stable")[:NEIGHBOURS].tolist():
            if known[other][0] != known[at][0]:
                chosen.append((known[at][0], known[other][0], int(known[at][1] == known[other][1])))
    return Lesson(stream.name, "", _examples(chosen, vectors), 1.0, loose=True)


def _examples(chosen: list[tuple[str, str, int]], vectors: Vectors) -> list[Example]:
    rated = [Example(a, b, label, vectors.similarity(a, b)) for a, b, label in chosen]
    return [example for example in rated if example.similarity >= FLOOR]
