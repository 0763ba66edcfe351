"""A stream of questions played through a cache under `max_error`: what it serves, what it compares, what of it is wrong.

The controller is the gateway's own (`gateway.core.control`), and so are embedder, verifier and thresholds. The cache
begins empty; a question that is forwarded is kept. A long stream is the same questions in rounds, each in another order
and with the cache emptied, as if all had expired: the evidence stays. What the gateway remembers of pairs found wrong is
left out, as it would flatter the later rounds.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from gateway.core.control import Controller
from gateway.core.judgement import Finding, Judgement, Origin
from gateway.core.messages import HitKind
from quality.embedding import Vectors
from quality.judging import LOOSE, Setting
from quality.replay import TOP_K
from quality.sources import Stream

WINDOW = 250
Score = Callable[[str, str, float], float]
"""A verifier: question asked, question asked before, similarity."""


@dataclass(frozen=True)
class Decision:
    """From which similarity a candidate is looked at, and from which score of the verifier it is a hit (None: there is no
    verifier, and similarity decides)."""

    name: str
    candidate: float
    at_least: float | None = None

    @property
    def floor(self) -> float:
        return self.candidate if self.at_least is None else self.at_least


def by_verifier(setting: Setting) -> Decision:
    return Decision("verifier", setting.candidate, setting.at_least)


BY_COSINE = Decision(f"cosine {LOOSE}", LOOSE)


@dataclass(frozen=True)
class Comparison:
    """What it finds of right and of wrong answers: how often right, how often it is unsure; wrong otherwise."""

    name: str
    of_right: tuple[float, float]
    of_wrong: tuple[float, float]

    def find(self, *, wrong: bool, draw: random.Random) -> Finding:
        found_right, unsure = self.of_wrong if wrong else self.of_right
        drawn = draw.random()
        if drawn < found_right:
            return Finding.RIGHT
        return Finding.UNSURE if drawn < found_right + unsure else Finding.WRONG


PERFECT = Comparison("perfect", (1.0, 0.0), (0.0, 0.0))
MISTAKEN = Comparison("errs in 5 %", (0.95, 0.0), (0.05, 0.0))
OF_PROSE = Comparison("as of prose", (0.694, 0.306), (0.036, 0.306))
"""As docs/shadow.md has measured it."""


@dataclass(frozen=True)
class Near:
    """A question that may answer another: its place in the stream, and how strong a hit it makes; None: it makes none."""

    place: int
    strength: float | None


@dataclass
class Played:
    """Hits are those on other words. `windows` has (hits, served, wrong of these) for each 250 hits."""

    hits: int = 0
    wrong_hits: int = 0
    served: int = 0
    wrong: int = 0
    audits: int = 0
    first: int | None = None
    """Hits before the first that was served."""
    least: float | None = None
    hits_after: int = 0
    """Since answers went bad."""
    served_after: int = 0
    wrong_after: int = 0
    windows: list[list[int]] = field(default_factory=list)

    def count(self, *, served: bool, wrong: bool) -> None:
        if self.hits % WINDOW == 0:
            self.windows.append([0, 0, 0])
        window = self.windows[-1]
        self.hits += 1
        self.wrong_hits += wrong
        window[0] += 1
        if served:
            self.first = self.hits - 1 if self.first is None else self.first
            self.served += 1
            self.wrong += wrong
            window[1] += 1
            window[2] += wrong


def neighbours(stream: Stream, vectors: Vectors, decision: Decision, score: Score) -> list[list[Near]]:
    """Of each question the others that are looked at, the nearest first."""
    placed = [(place, vector) for place, text in enumerate(stream.texts) if (vector := vectors.get(text)) is not None]
    matrix = np.stack([vector for _, vector in placed])
    found: list[list[Near]] = [[] for _ in stream.texts]
    for place, vector in placed:
        similarities = matrix @ vector
        order = np.argsort(-similarities, kind="stable")
        for row in order[: int(np.count_nonzero(similarities >= decision.candidate))].tolist():
            other, strength = placed[row][0], float(similarities[row])
            if other == place:
                continue
            if decision.at_least is not None:
                strength = score(stream.texts[place], stream.texts[other], strength)
            found[place].append(Near(other, strength if strength >= decision.floor else None))
    return found


def orders(count: int, rounds: int, draw: random.Random) -> Iterator[Sequence[int]]:
    """The first round is in order of arrival."""
    order = list(range(count))
    yield order
    for _ in range(rounds - 1):
        yield draw.sample(order, count)


def play(
    stream: Stream,
    near: list[list[Near]],
    decision: Decision,
    bound: float,
    *,
    rounds: int = 1,
    comparison: Comparison = PERFECT,
    gone_bad: float = 0.0,
    seed: int = 0,
) -> Played:
    """`gone_bad`: from the middle of the rounds on, so many of the stored answers that were right are wrong."""
    draw, played, controller = random.Random(seed), Played(), Controller(bound, decision.floor)
    for number, order in enumerate(orders(len(stream.texts), rounds, draw)):
        bad = gone_bad if number >= rounds / 2 else 0.0
        kept: set[int] = set()
        for place in order:
            hit = _hit(near[place], kept)
            if hit is None:
                kept.add(place)
                continue
            strength, other = hit
            wrong = stream.clusters[place] != stream.clusters[other] or draw.random() < bad
            served = controller.least is not None and strength >= controller.least
            played.count(served=served, wrong=wrong)
            played.hits_after += bad > 0
            played.served_after += served and bad > 0
            played.wrong_after += served and wrong and bad > 0
            audited = served and draw.random() < controller.audited
            played.audits += audited
            if audited or not served:
                controller.learn(_judgement(strength, comparison.find(wrong=wrong, draw=draw), served=served))
            if not served:
                kept.add(place)
    played.least = controller.least
    return played


def _hit(near: list[Near], kept: set[int]) -> tuple[float, int] | None:
    """The nearest that is kept and good enough."""
    looked_at = 0
    for each in near:
        if each.place in kept:
            if each.strength is not None:
                return each.strength, each.place
            looked_at += 1
            if looked_at == TOP_K:
                return None
    return None


def _judgement(strength: float, finding: Finding, *, served: bool) -> Judgement:
    origin = Origin.AUDIT if served else Origin.SHADOW
    return Judgement("", 0.0, origin, finding, "exact", HitKind.SEMANTIC, strength, None, "", b"", b"", served=served)
