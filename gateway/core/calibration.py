"""From counts at many thresholds to the one that holds a wished error rate and serves the most. Pure arithmetic.

Looking at many thresholds and taking the best is optimistic: with enough of them, one looks good by chance. So they are
tested in a fixed order, the strictest first, until the first one that fails; then no test has to be paid for but those
that begin such a sequence (fixed-sequence testing: W. Maurer, L. Hothorn and W. Lehmacher, in "Biometrie in der
chemisch-pharmazeutischen Industrie" 6, 1995; for thresholds of a model: A. N. Angelopoulos, S. Bates, E. J. Candes, M. I.
Jordan and L. Lei, "Learn then Test", arXiv:2110.01052). Very strict ones serve too little to prove anything, so a sequence
begins where something can be proven. That, and where the operator has it now, is known without looking at what was wrong.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from enum import Enum

import msgspec

from gateway.core.evidence import trials_to_prove, wilson

CONFIDENCE = 0.95
SIMILARITIES = tuple(step / 200 for step in range(199, 139, -1))
"""Cosine similarities that are tried, 0.995 down to 0.70."""
SCORES = (0.999, 0.998, 0.995, *(step / 100 for step in range(99, 0, -1)))
"""Scores of a verifier that are tried, 0.999 down to 0.01."""
# There are three sequences, and each may err in a third of 5 % of draws; z of the one-sided bound.
_Z = 2.128
# Where two bounds make one, each may err half as often: z for a sixth of 5 %, and for display half of either 2.5 %.
_Z_OF_TWO, _Z_95_OF_TWO = 2.394, 2.2414
# Two sequences begin where there is just enough evidence, and where there is four times as much; the third where the route
# has its threshold.
_BEGINNINGS = (1.0, 4.0)


class Trial(msgspec.Struct, frozen=True, gc=False):
    """A pair of questions with what the threshold is compared with (None: served at no threshold), and whether the
    answer to one is right for the other."""

    score: float | None
    right: bool


class Level(msgspec.Struct, frozen=True, gc=False):
    """What happens at a threshold: served, how many of these wrong, which share that is (0 of none), its 95 % interval.
    `bound` is what is tested: the upper bound at a third of the error. `best` is that bound if none were wrong: what so
    many can prove at all.

    `right_share`: of all that should be served, how much is; `hit_share`: of all requests, how many are hits. None: not
    known.
    """

    threshold: float
    served: int
    wrong: int
    rate: float
    low: float
    high: float
    bound: float
    best: float
    right_share: float | None = None
    hit_share: float | None = None


class Outcome(Enum):
    """PROVEN: a threshold holds the rate. THIN: one may, and it takes more evidence. WRONG: all serve too much that is wrong."""

    PROVEN = "proven"
    THIN = "thin"
    WRONG = "wrong"


class Calibration(msgspec.Struct, frozen=True):
    """PROVEN: `level` is the loosest threshold that is. THIN: the one that needs the least further evidence (None: nothing was
    served at any), and `more` is about how much: right ones, without a wrong one. WRONG: the strictest that is known to
    serve too much that is wrong."""

    outcome: Outcome
    level: Level | None
    proven: tuple[float, ...]
    more: int


def level(
    threshold: float, served: int, wrong: int, right_share: float | None = None, hit_share: float | None = None
) -> Level:
    """Counts with their bounds, by Wilson."""
    low, high = wilson(wrong, served)
    bound, best = wilson(wrong, served, _Z)[1], wilson(0, served, _Z)[1]
    rate = wrong / served if served else 0.0
    return Level(threshold, served, wrong, rate, low, high, bound, best, right_share, hit_share)


def levels_of(trials: Iterable[Trial], thresholds: Sequence[float], prior: float | None = None) -> list[Level]:
    """Count trials at each threshold. With a `prior` (the share of right ones in traffic, 0 to 1 exclusive) the rates are
    those of traffic, whatever the share among the trials is."""
    trials = list(trials)
    of_right = sorted(trial.score for trial in trials if trial.right and trial.score is not None)
    of_wrong = sorted(trial.score for trial in trials if not trial.right and trial.score is not None)
    right = sum(trial.right for trial in trials)
    levels = []
    for threshold in thresholds:
        served_right = len(of_right) - bisect_left(of_right, threshold)
        wrong = len(of_wrong) - bisect_left(of_wrong, threshold)
        counted = level(threshold, served_right + wrong, wrong, served_right / right if right else None)
        levels.append(counted if prior is None else _reweighed(counted, right, len(trials) - right, prior))
    return levels


def _reweighed(counted: Level, right: int, wrong: int, prior: float) -> Level:
    """The same in traffic with this share of right ones. Shares of the right and of the wrong ones that are served are two
    samples: the bound of the rate takes the worse end of both, each at half the error."""
    served_right = counted.served - counted.wrong

    def ends(z: float) -> tuple[float, float]:
        right_low, right_high = wilson(served_right, right, z)
        wrong_low, wrong_high = wilson(counted.wrong, wrong, z)
        return _mixed(right_high, wrong_low, prior), _mixed(right_low, wrong_high, prior)

    low, high = ends(_Z_95_OF_TWO)
    best = _mixed(wilson(served_right, right, _Z_OF_TWO)[0], wilson(0, wrong, _Z_OF_TWO)[1], prior)
    shares = served_right / right if right else 0.0, counted.wrong / wrong if wrong else 0.0
    hit_share = prior * shares[0] + (1 - prior) * shares[1]
    rate = _mixed(*shares, prior) if counted.served else 0.0
    return msgspec.structs.replace(
        counted, rate=rate, low=low, high=high, bound=ends(_Z_OF_TWO)[1], best=best, hit_share=hit_share
    )


def _mixed(right: float, wrong: float, prior: float) -> float:
    """The wrong share of what is served, where these shares of the right and of the wrong ones are served."""
    served_wrong = (1 - prior) * wrong
    served = prior * right + served_wrong
    return served_wrong / served if served else 1.0


def calibrate(
    levels: Sequence[Level],
    max_error: float,
    own: float | None = None,
    more: Callable[[Level, float], int] | None = None,
) -> Calibration:
    """The loosest threshold whose wrong share is at most `max_error` with 95 % confidence. Levels: the strictest first; `own`:
    the threshold of one of them, chosen without looking at what was wrong. `more` says how much further evidence a level
    takes; without it: right ones among what it serves."""
    proven = _proven(levels, max_error, own)
    if proven:
        chosen = levels[max(proven)]
        return Calibration(Outcome.PROVEN, chosen, tuple(levels[place].threshold for place in sorted(proven)), 0)
    served = [each for each in levels if each.served]
    if not served:
        return Calibration(Outcome.THIN, None, (), trials_to_prove(max_error, 0, _Z))
    hopeful = [each for each in served if each.low <= max_error < each.bound]
    if not hopeful:
        return Calibration(Outcome.WRONG, next(each for each in served if each.low > max_error), (), 0)
    # At a level that looks good already it takes only more of the same.
    candidates = [each for each in hopeful if each.rate <= max_error / 2] or hopeful
    count = more or more_right_ones
    needs = [(count(each, max_error), place) for place, each in enumerate(candidates)]
    fewest, place = min(needs)
    return Calibration(Outcome.THIN, candidates[place], (), fewest)


def _proven(levels: Sequence[Level], max_error: float, own: float | None) -> set[int]:
    """The places that the sequences prove: each goes on from its beginning until the first level that fails."""
    beginnings = {
        next((place for place, each in enumerate(levels) if each.best <= max_error / times), len(levels))
        for times in _BEGINNINGS
    }
    beginnings |= {place for place, each in enumerate(levels) if each.threshold == own}
    proven: set[int] = set()
    for beginning in beginnings:
        for place in range(beginning, len(levels)):
            if levels[place].bound > max_error:
                break
            proven.add(place)
    return proven


def more_right_ones(each: Level, max_error: float) -> int:
    """How many further hits, none of them wrong, would prove this level."""
    return max(1, trials_to_prove(max_error, each.wrong, _Z) - each.served)


def more_wrong_pairs(each: Level, max_error: float, prior: float, wrong_pairs: int) -> int:
    """With a prior: how many further pairs that must not be served, none of them served, would prove this level."""
    share = max_error * prior * (each.right_share or 0.0) / ((1 - max_error) * (1 - prior))
    return max(1, trials_to_prove(min(max(share, 1e-6), 0.5), each.wrong, _Z_OF_TWO) - wrong_pairs)
