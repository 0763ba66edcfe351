"""Who judges which set: the shipped model, or for honest figures one that was trained without that very source.

Near misses made of other sets' questions are no unseen material for a model that saw them, and the other way round; so
these sets are left out together. Generated pairs are judged by models that saw no template of their domains. The
hand-written pairs are never trained on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from gateway.verifiers.pairwise import PairwiseVerifier
from quality.edits import domains
from quality.judging import Judge
from quality.sources import LabelledPair

TOGETHER = {
    "nearmiss_open": {"nearmiss_open", "banking77", "clinc150"},
    "banking77": {"banking77", "nearmiss_open"},
    "clinc150": {"clinc150", "nearmiss_open"},
}
"""What is left out beside the set itself: near misses made of its questions, or the questions they were made of."""
FOLDS = 3
Train = Callable[[set[str], set[str]], Judge]
"""Trains without these sources and without the templates of these domains."""


class Shipped:
    """The model in the package judges everything."""

    told = "Judged by the shipped model, which was trained on most of these sources: see --leave-one-out."

    def __init__(self) -> None:
        self.timed = PairwiseVerifier()

    def of(self, name: str) -> Callable[[LabelledPair], Judge]:
        return lambda _pair: self.timed


class LeftOut:
    """Each set is judged by a model that was trained without it."""

    told = "Each set is judged by a model that was trained without it (hand-written pairs: by the shipped one)."

    def __init__(self, train: Train) -> None:
        self.timed = PairwiseVerifier()
        self._train = train
        self._trained: dict[frozenset[str], Judge] = {}
        self._fold = {domain: number % FOLDS for number, domain in enumerate(domains())}
        self._of_fold: dict[int, Judge] = {}

    def of(self, name: str) -> Callable[[LabelledPair], Judge]:
        if name.startswith("handwritten"):
            return lambda _pair: self.timed
        if name == "generated":
            return self._of_domain
        left_out = frozenset(TOGETHER.get(name, {name}))
        if left_out not in self._trained:
            self._trained[left_out] = self._train(set(left_out), set())
        judge = self._trained[left_out]
        return lambda _pair: judge

    def _of_domain(self, pair: LabelledPair) -> Judge:
        fold = self._fold[pair.domain]
        if fold not in self._of_fold:
            self._of_fold[fold] = self._train(set(), {domain for domain, other in self._fold.items() if other == fold})
        return self._of_fold[fold]


def left_out(data: Path, cache: Path, console: Console) -> LeftOut:
    """Reads the folder for training, which takes a while. Raises UnreadableData; training needs scikit-learn."""
    from quality.pairwise.training import Trainer

    return LeftOut(Trainer(data, cache, console).train)
