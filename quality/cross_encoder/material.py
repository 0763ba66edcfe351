"""What one training run sees: labelled pairs of the sources that are not left out, and generated edits of two sorts.

Near misses and rewrites come from templates, of the domains that are not left out, and are made of the questions of the
sources used: the former bring kinds and words, the latter the way real people write. Sets of edits are never trained on.
A second opinion is asked only about candidates, so pairs far below every sensible `thresholds.candidate` teach it nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from random import Random

import msgspec

from quality.edits import REWRITES, changes, domains, generate, rewrite
from quality.embedding import Vectors
from quality.sources import LabelledPair, PairSet

NEAR = 0.6
"""Cosine from which a pair is used."""


class Row(msgspec.Struct, frozen=True):
    """A pair to train on, with its cosine."""

    text_a: str
    text_b: str
    label: int
    cosine: float


def labelled(sets: Sequence[PairSet], left_out: Collection[str]) -> dict[str, list[LabelledPair]]:
    """By source, every pair that may be trained on."""
    return {each.name: each.pairs for each in sets if not each.edits and each.name not in left_out}


def of_templates(count: int, left_out: Collection[str], seed: int) -> list[LabelledPair]:
    """Near misses and rewrites, half of each, of the domains that are not left out."""
    kept = [domain for domain in domains() if domain not in left_out]
    return [LabelledPair(each.text_a, each.text_b, each.label) for each in generate(seed, count, only=kept)]


def of_questions(pairs: Sequence[LabelledPair], count: int, seed: int) -> list[LabelledPair]:
    """The same, made of questions that people asked. Where the other side of a near miss is rewritten as well, the amount
    of difference tells nothing: so some are."""
    chance = Random(seed)
    texts = sorted({text for pair in pairs for text in (pair.text_a, pair.text_b)})
    chance.shuffle(texts)
    made: list[LabelledPair] = []
    for text in texts:
        if len(made) >= count:
            break
        found = changes(text, chance)
        same = rewrite(text, chance.choice(sorted(REWRITES)), chance)
        if not found or same is None:
            continue
        kind = chance.choice(sorted({kind for kind, _ in found}))
        changed = chance.choice([new for each, new in found if each == kind])
        made.append(LabelledPair(same if chance.random() < 0.4 else text, changed, 0))
        made.append(LabelledPair(text, same, 1))
    return made


def sample(piles: Mapping[str, Sequence[LabelledPair]], vectors: Vectors, most: int, chance: Random) -> list[Row]:
    """At most `most` near pairs, as many of each pile as of the others and, within it, of each label, where there are."""
    by_label: dict[tuple[str, int], list[Row]] = {}
    for name, pairs in piles.items():
        for pair in pairs:
            cosine = vectors.similarity(pair.text_a, pair.text_b)
            if cosine >= NEAR:
                row = Row(pair.text_a, pair.text_b, pair.label, cosine)
                by_label.setdefault((name, pair.label), []).append(row)
    taken: list[Row] = []
    for place, pile in enumerate(sorted(by_label.values(), key=len)):
        share = (most - len(taken)) // (len(by_label) - place)
        taken += chance.sample(pile, min(len(pile), share))
    chance.shuffle(taken)
    return taken
