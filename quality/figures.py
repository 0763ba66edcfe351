"""Shares with their 95 % intervals, average precision, and the goals, from judged pairs and replayed streams. Pure."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from gateway.core.evidence import wilson
from quality.judging import COSINE_LOOSE, COSINE_STRICT, RULES, VERIFIER, Judged
from quality.replay import Replayed

CHANGES_SERVED, KIND_SERVED, STRICT_KIND_SERVED, REWRITES_SERVED = 0.05, 0.10, 0.02, 0.85
LEAST_OF_A_KIND = 20
STRICT_KINDS = frozenset({"number", "negation", "direction"})
WRONG_OF_HITS, RIGHT_KEPT = 0.01, 0.85


class Share(msgspec.Struct, frozen=True):
    """So many of so many."""

    part: int
    whole: int

    @property
    def value(self) -> float:
        return self.part / self.whole if self.whole else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.part, self.whole)


class Goal(msgspec.Struct, frozen=True):
    """`value` is to be at most or at least `bound`; both are shares or counts."""

    name: str
    value: float
    bound: float
    at_least: bool

    @property
    def reached(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound


class PairFigures(msgspec.Struct, frozen=True):
    """By rule, the share of the right and of the wrong pairs that is served; average precision of both orders.

    Of the right pairs of a set of edits: those of which the `surface` differs, and the `reworded` ones; else None.
    """

    name: str
    right: dict[str, Share]
    wrong: dict[str, Share]
    precision_cosine: float
    precision_verifier: float
    goals: list[Goal]
    surface: dict[str, Share] | None = None
    reworded: dict[str, Share] | None = None


class KindFigures(msgspec.Struct, frozen=True):
    """One kind of one set: the share served by each rule. For a change (label 0) all of it is wrong."""

    source: str
    label: int
    kind: str
    served: dict[str, Share]
    goal: Goal | None

    @property
    def proves(self) -> bool:
        """Fewer pairs prove nothing, and have no say in whether goals are reached."""
        return self.served[VERIFIER].whole >= LEAST_OF_A_KIND


class StreamFigures(msgspec.Struct, frozen=True):
    """By rule: wrong hits of all hits. `kept`: the verifier's right hits of those that plain cosine 0.92 gives."""

    name: str
    questions: int
    hits: dict[str, int]
    wrong: dict[str, Share]
    kept: float
    kept_strict: float
    goals: list[Goal]


def pair_figures(judged: Judged) -> PairFigures:
    right = {rule: _share(judged.served(rule), judged.label) for rule in RULES}
    wrong = {rule: _share(judged.served(rule), ~judged.label) for rule in RULES}
    goals = []
    surface = reworded = None
    if judged.edits:
        on_surface = np.array([pair.surface for pair in judged.pairs])
        surface = {rule: _share(judged.served(rule), on_surface) for rule in RULES}
        reworded = {rule: _share(judged.served(rule), judged.label & ~on_surface) for rule in RULES}
        goals.append(Goal("changes served", wrong[VERIFIER].value, CHANGES_SERVED, at_least=False))
        for name, shares in (("surface rewrites served", surface), ("reworded served", reworded)):
            if shares[VERIFIER].whole >= LEAST_OF_A_KIND:
                goals.append(Goal(name, shares[VERIFIER].value, REWRITES_SERVED, at_least=True))
    else:
        goals.append(Goal("right served", right[VERIFIER].part, right[COSINE_STRICT].part, at_least=True))
        goals.append(Goal("wrong served", wrong[VERIFIER].part, wrong[COSINE_STRICT].part / 2, at_least=False))
    return PairFigures(
        judged.name,
        right,
        wrong,
        average_precision(judged.similarity, judged.label),
        average_precision(judged.rank(), judged.label),
        goals,
        surface,
        reworded,
    )


def kind_figures(judged: Judged) -> list[KindFigures]:
    """Changes first, then rewrites, each in the order of their names."""
    found = []
    kinds = np.array([pair.kind for pair in judged.pairs])
    for label in (0, 1):
        of_label = judged.label == bool(label)
        for kind in sorted(set(kinds[of_label].tolist())):
            chosen = of_label & (kinds == kind)
            served = {rule: _share(judged.served(rule), chosen) for rule in RULES}
            goal = None
            if label == 0:
                bound = STRICT_KIND_SERVED if kind in STRICT_KINDS else KIND_SERVED
                goal = Goal(f"{kind} served", served[VERIFIER].value, bound, at_least=False)
            found.append(KindFigures(judged.name, label, kind, served, goal))
    return found


def stream_figures(replayed: dict[str, Replayed], name: str, questions: int) -> StreamFigures:
    hits = {rule: play.hits for rule, play in replayed.items()}
    wrong = {rule: Share(play.wrong, play.hits) for rule, play in replayed.items()}
    right = replayed[VERIFIER].right
    kept = right / max(replayed[COSINE_LOOSE].right, 1)
    bound = max(wrong[COSINE_STRICT].value, WRONG_OF_HITS)
    goals = [
        Goal("wrong of hits", wrong[VERIFIER].value, bound, at_least=False),
        Goal(f"right hits of {COSINE_LOOSE} kept", kept, RIGHT_KEPT, at_least=True),
    ]
    return StreamFigures(name, questions, hits, wrong, kept, right / max(replayed[COSINE_STRICT].right, 1), goals)


def average_precision(rank: NDArray[np.float64], label: NDArray[np.bool_]) -> float:
    """Area under precision over recall as steps, pairs of equal rank taken together; 0 without a right pair."""
    precision, recall = precision_and_recall(rank, label)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def precision_and_recall(
    rank: NDArray[np.float64], label: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At each rank from the highest down: share of what is served that is right, share of what is right that is served."""
    order = np.argsort(-rank, kind="stable")
    right = np.cumsum(label[order])
    last = np.flatnonzero(np.diff(rank[order], append=-np.inf))
    return right[last] / (last + 1), right[last] / max(int(label.sum()), 1)


def _share(served: NDArray[np.bool_], among: NDArray[np.bool_]) -> Share:
    return Share(int((served & among).sum()), int(among.sum()))
