"""What counts prove about a rate: intervals and bounds for "k of n were wrong". Pure arithmetic, no sampling.

Everything that states a wrong-answer rate (calibration, audits, shadow mode, reports) takes its bounds from here, so that
they mean the same everywhere. Rates and confidences are shares, 0 to 1.
"""

from __future__ import annotations

import math

Z_95 = 1.96
"""Standard errors to either side of a 95 % interval."""
_HALVINGS = 60
"""Steps of a bisection: enough for the last bit of a float between 0 and 1."""


def wilson(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """The interval (low, high) of the rates that `successes` of `trials` do not contradict; (0, 1) of no trials.

    Wilson's score interval: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", J. Am.
    Stat. Assoc. 22 (1927); recommended over the textbook's by Brown, Cai and DasGupta, Statistical Science 16 (2001).
    Either end alone is meant to err in 2.5 % of draws; at rates of 0.1 to 10 % and up to 5,000 trials the upper end errs
    in at most 2.7 % (tests/core/test_evidence.py computes it), so it is an upper bound that
    holds with 95 % confidence, and more. Raises ValueError where successes are no part of trials.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no share")
    if trials == 0:
        return 0.0, 1.0
    rate, square = successes / trials, z * z
    centre = rate + square / (2 * trials)
    half = z * math.sqrt(rate * (1 - rate) / trials + square / (4 * trials * trials))
    scale = 1 + square / trials
    # The ends are known exactly there; floats would miss them by an ulp.
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == trials else (centre + half) / scale
    return low, high


def upper_bound(wrong: int, trials: int, confidence: float = 0.95) -> float:
    """The largest rate at which so few wrong ones still happen by chance with 1 - `confidence`; 1 of no trials.

    The exact one-sided bound: C. J. Clopper and E. S. Pearson, Biometrika 26 (1934). It never errs more often than it says,
    at the price of being a little wide. Takes time in proportion to `wrong`.
    """
    if not 0 <= wrong <= trials:
        raise ValueError(f"{wrong} of {trials} is no share")
    if wrong == trials:
        return 1.0
    low, high = wrong / trials, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if at_most(wrong, trials, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def at_most(wrong: int, trials: int, rate: float) -> float:
    """The chance of `wrong` or fewer in so many trials (the binomial distribution function)."""
    if wrong >= trials or rate <= 0:
        return 1.0
    if rate >= 1:
        return 0.0
    odds = math.log(rate) - math.log1p(-rate)
    each = trials * math.log1p(-rate)
    total = math.exp(each)
    for k in range(1, wrong + 1):
        each += math.log(trials - k + 1) - math.log(k) + odds
        total += math.exp(each)
    return min(total, 1.0)


def clean_trials(rate: float, confidence: float = 0.95) -> int:
    """How many trials without a wrong one prove a rate of at most `rate`: 299 for 1 %.

    The smallest n with (1 - rate)^n <= 1 - confidence, about 3 / rate at 95 %: J. A. Hanley and A. Lippman-Hand, "If nothing
    goes wrong, is everything all right?", JAMA 249 (1983). Fits `upper_bound`.
    """
    if not 0 < rate < 1:
        raise ValueError(f"a rate to prove is between 0 and 1, and not {rate:g}")
    return math.ceil(math.log1p(-confidence) / math.log1p(-rate))


def trials_to_prove(rate: float, wrong: int = 0, z: float = Z_95) -> int:
    """How many trials, `wrong` of them wrong, bring the upper end of `wilson` down to `rate`: 381 for 1 % and none wrong.

    The interval is the score test turned round: its upper end is `rate` where n rate - wrong = z sqrt(n rate (1 - rate)),
    a quadratic equation in sqrt(n).
    """
    if not 0 < rate < 1:
        raise ValueError(f"a rate to prove is between 0 and 1, and not {rate:g}")
    spread = z * math.sqrt(rate * (1 - rate))
    root = (spread + math.sqrt(spread * spread + 4 * rate * wrong)) / (2 * rate)
    trials = max(math.ceil(root * root), wrong)
    # Rounding may be off by one either way.
    while trials > wrong and wilson(wrong, trials - 1, z)[1] <= rate:
        trials -= 1
    while wilson(wrong, trials, z)[1] > rate:
        trials += 1
    return trials
