"""Fits the trees of the `pairwise` verifier and writes them, with the word table, as the plain data that it reads.

Gradient boosting with monotone constraints: more similarity never lowers a score, more contradiction or more left over
never raises it, so that what is learned holds for sources that were not seen. Each source weighs the same, and in it each
label. The same material gives the same bytes, on one thread.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from gateway.verifiers.pairwise import Exported, Trees
from gateway.verifiers.pairwise_features import FALLING, FEATURES, RISING, PairFeatures
from gateway.verifiers.pairwise_words import WordTable
from quality.pairwise.material import GENERATED, Lesson, Material, gather
from quality.pairwise.words import vocabulary, word_table

ROUNDS, DEPTH, RATE = 250, 4, 0.1
LEAF, SHRINK = 60, 5.0
SEEN = 0.4
"""Share of the features that a node chooses among: no source's habit rules all trees."""
CONTRADICTIONS = ("numbers", "negation", "exchanged", "contradicting")
BEYOND = 1e9
"""Stands for "never more than", where a tree ends early: JSON has no infinity."""


class TrainedJudge:
    """A model that is not written anywhere: the verifier's score, by other trees."""

    def __init__(self, features: PairFeatures, trees: Trees) -> None:
        self._features, self._trees = features, trees

    def score(self, question: str, other: str, similarity: float) -> float:
        if question == other:
            return 1.0
        row = self._features.unless_settled(question, other, similarity)
        return 0.0 if row is None else self._trees.score(row)


class _Rows(msgspec.Struct, frozen=True, eq=False):
    lesson: Lesson
    features: NDArray[np.float64]
    label: NDArray[np.int64]


class Trainer:
    """Reads a folder once; trains as often as asked. Raises UnreadableData."""

    def __init__(self, data: Path, cache: Path, console: Console, generated: int | None = None) -> None:
        material = gather(data, cache, console, generated)
        self.words, self.vectors = word_table(material.vectors, vocabulary())
        self.features = PairFeatures(WordTable(self.words, self.vectors))
        self._rows = self._read(material)

    def train(self, without: set[str], without_domains: set[str]) -> TrainedJudge:
        """A judge that has seen neither these sources nor generated pairs of these domains."""
        return TrainedJudge(self.features, Trees(self.fit(without, without_domains)))

    def fit(self, without: set[str] = frozenset(), without_domains: set[str] = frozenset()) -> Exported:  # type: ignore[assignment]
        kept = [
            rows
            for rows in self._rows
            if rows.lesson.source not in without
            and not (rows.lesson.source == GENERATED and rows.lesson.domain in without_domains)
        ]
        features = np.vstack([rows.features for rows in kept])
        label = np.concatenate([rows.label for rows in kept])
        weight = np.concatenate([_weights(rows) for rows in kept])
        model = HistGradientBoostingClassifier(
            max_iter=ROUNDS,
            max_depth=DEPTH,
            max_leaf_nodes=2**DEPTH,
            learning_rate=RATE,
            min_samples_leaf=LEAF,
            l2_regularization=SHRINK,
            max_bins=64,
            max_features=SEEN,
            monotonic_cst=[1 if name in RISING else -1 if name in FALLING else 0 for name in FEATURES],
            early_stopping=False,
            random_state=0,
        )
        with threadpool_limits(1):
            model.fit(features, label, sample_weight=weight * len(weight) / weight.sum())
        return exported(model)

    def _read(self, material: Material) -> list[_Rows]:
        found = []
        for lesson in material.lessons:
            features, label = [], []
            for example in lesson.examples:
                row = self.features.row(example.text_a, example.text_b, example.similarity)
                if row is not None and not (lesson.loose and example.label and _contradicts(row)):
                    features.append(row)
                    label.append(example.label)
            if features:
                found.append(_Rows(lesson, np.array(features, dtype=np.float64), np.array(label)))
        return found


def _contradicts(row: list[float]) -> bool:
    """Same intent with another number or a negation: for an answer that is a 0, whatever the label says. Left out."""
    return any(row[FEATURES.index(name)] > 0 for name in CONTRADICTIONS)


def _weights(rows: _Rows) -> NDArray[np.float64]:
    weight = np.ones(len(rows.label))
    for label in (0, 1):
        chosen = rows.label == label
        weight[chosen] /= max(chosen.sum(), 1)
    return weight * (rows.lesson.weight / weight.sum())


def exported(model: HistGradientBoostingClassifier) -> Exported:
    """scikit-learn's trees as heaps of one depth; a leaf that comes early is repeated below."""
    inner = 2**DEPTH - 1
    features, limits, leaves = [], [], []
    for (tree,) in model._predictors:
        feature, limit, leaf = [0] * inner, [BEYOND] * inner, [0.0] * (inner + 1)

        def fill(
            node: int,
            place: int,
            nodes: NDArray[np.void] = tree.nodes,
            to: tuple[list[int], list[float], list[float]] = (feature, limit, leaf),
        ) -> None:
            if place >= inner:
                to[2][place - inner] = float(f"{nodes[node]['value']:.6g}")
                return
            below = (node, node)
            if not nodes[node]["is_leaf"]:
                to[0][place] = int(nodes[node]["feature_idx"])
                to[1][place] = float(f"{nodes[node]['num_threshold']:.7g}")
                below = (int(nodes[node]["left"]), int(nodes[node]["right"]))
            fill(below[0], 2 * place + 1)
            fill(below[1], 2 * place + 2)

        fill(0, 0)
        features.append(feature)
        limits.append(limit)
        leaves.append(leaf)
    base = float(f"{float(np.ravel(model._baseline_prediction)[0]):.7g}")
    return Exported(FEATURES, base, features, limits, leaves)


def write(trainer: Trainer, trees: Exported, folder: Path) -> None:
    """words.txt, words.npy and trees.json, as the verifier reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "words.txt").write_text("\n".join(trainer.words), encoding="utf-8")
    np.save(folder / "words.npy", trainer.vectors, allow_pickle=False)
    (folder / "trees.json").write_bytes(msgspec.json.encode(trees) + b"\n")
