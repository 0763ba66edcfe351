"""What findings prove about a wrong rate, however often they are looked at: bets against "it is above the bound".

Bounds for a fixed count (`evidence`) err more often than they say if one waits for the moment at which they look good. A
bettor cannot wait for luck: whoever starts with 1 and bets at odds that are fair at the bound, or worse than fair above
it, is ever at 20 or more with a chance of at most 1/20 (Ville's inequality: J. Ville, "Etude critique de la notion de
collectif", 1939). So capital is evidence at any time. The bets are likelihood ratios (A. Wald, Ann. Math. Stat. 16,
1945), mixed over rates (H. Robbins, Ann. Math. Stat. 41, 1970); turned round they are a confidence sequence (I.
Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting", J. R. Stat. Soc. B 86, 2024).
"""

from __future__ import annotations

import math

STAKES = ((0.0, 0.4), (0.1, 0.2), (0.25, 0.15), (0.45, 0.15), (0.7, 0.1))
"""Rates that are bet on, as shares of the bound, and how much of the 1 is put on each. At a bound of 1 % and a chance of
4 % these prove with 366 findings of which none is wrong, 715 with one and 1,497 with five; more on none at all being wrong
(0.6) would take 359, 852 and 1,538."""
EXCESSES = (1.5, 2.0, 4.0, 8.0)
"""Rates that `Watch` looks out for, as multiples of the bound."""
_STEPS = 40
"""Of a bisection: more than any printed digit needs."""


class Bet:
    """Against "the wrong rate is `bound` or more". Findings must be drawn without regard to what they will say; their order
    does not matter. A wrong one that was reported, not drawn, is a bet of `weight` (0 to 1, exclusive) of what there is."""

    def __init__(self, bound: float, weight: float = 0.5) -> None:
        self._terms = [
            (
                math.log(stake),
                math.log1p(-share * bound) - math.log1p(-bound),
                math.log(share) if share else -math.inf,
                math.log1p(-weight * (1 - share)),
            )
            for share, stake in STAKES
        ]

    def capital(self, right: int, wrong: int, reported: int = 0) -> float:
        """What 1 has become after these findings, as a logarithm."""
        # 0 x infinity is not a number: rates of 0 are out of the game with the first wrong one, and not before.
        terms = self._terms[1:] if wrong else self._terms
        logs = [
            stake + right * each + (wrong * lost if wrong else 0.0) + reported * told
            for stake, each, lost, told in terms
        ]
        most = max(logs)
        return most + math.log(sum([math.exp(each - most) for each in logs]))


def at_most(chance: float, right: int, wrong: int, reported: int = 0, weight: float = 0.5) -> float:
    """The wrong rate that is not exceeded: at every time at once this errs with a probability of at most `chance`. The
    smallest bound at which capital is 1 / chance."""
    wanted, low, high = -math.log(chance), 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if Bet(middle, weight).capital(right, wrong, reported) < wanted:
            low = middle
        else:
            high = middle
    return high


def right_needed(bound: float, chance: float, wrong: int = 0, reported: int = 0, weight: float = 0.5) -> int:
    """How many right ones prove the bound beside these wrong ones: 366 for 1 % at a chance of 4 %, if none is wrong."""
    wanted, bet, most = -math.log(chance), Bet(bound, weight), 1
    while bet.capital(most, wrong, reported) < wanted:
        most *= 2
    least = most // 2
    while most - least > 1:
        middle = (least + most) // 2
        if bet.capital(middle, wrong, reported) < wanted:
            least = middle
        else:
            most = middle
    return most


class Watch:
    """Has the wrong rate risen above the bound? Bets on rates above it, begun anew whenever they have lost (E. S. Page's
    CUSUM, Biometrika 41, 1954). `level`, the mean of the bets, reaches `n` by chance on average once in `n` findings or
    more rarely (J. Shin, A. Ramdas and A. Rinaldo, "E-detectors", New Engl. J. Stat. Data Sci. 2, 2024)."""

    def __init__(self, bound: float) -> None:
        rates = [min(bound * excess, (1 + bound) / 2) for excess in EXCESSES]
        self._right = [(1 - rate) / (1 - bound) for rate in rates]
        self._wrong = [rate / bound for rate in rates]
        self._bets = [1.0] * len(rates)

    @property
    def level(self) -> float:
        """1 where nothing points that way."""
        return sum(self._bets) / len(self._bets)

    def see(self, *, wrong: bool, weight: float = 1.0) -> None:
        """One more finding; `weight` as in `capital`."""
        factors = self._wrong if wrong else self._right
        self._bets = [
            max(1.0, bet * (1 + weight * (factor - 1))) for bet, factor in zip(self._bets, factors, strict=True)
        ]
