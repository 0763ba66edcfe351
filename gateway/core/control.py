"""From findings to what a route may serve: the least strength at and above which a bound on the wrong rate is proven.

A hit's strength is its verifier's score, else its similarity. Nine levels of strength are fixed beforehand; each gathers
what was found at it and above, and is proven by a bet (`betting`). They are tested from the strictest down, and one that
is proven hands its share of the permitted error on to the next: the fallback procedure (B. L. Wiens, "A fixed
sequence Bonferroni procedure for testing multiple endpoints", Pharm. Stat. 2, 2003). All levels of all times together
err with a probability of 5 %, as long as the true rates stay what they are; that they rise is `Watch`'s to see.

No finding is weighted by how likely it was to be made. Hits below the level that is served are forwarded, and all
compared; of those above only a sample is, so what is weaker counts for more than its share of the traffic. That cannot
hide a wrong rate: true traffic is a mixture of what is proven already and of what the findings show, and neither is
above the bound. It holds while no stronger hit is more likely to be compared than a weaker one.
"""

from __future__ import annotations

import math
from enum import Enum

import msgspec

from gateway.core.betting import Bet, Watch, at_most, right_needed
from gateway.core.judgement import Finding, Judgement, Origin

CHANCES = (*[0.00125] * 8, 0.04)
"""The probability with which each level may err by itself, the strictest first. Most is given to the loosest, which is all
that the route's own thresholds let through: where that is as good as was hoped for, it is proven soonest."""
AUDITED = 0.05
"""The share of served hits that is compared, so that the evidence stays fresh."""
AUDITED_IN_DOUBT = 0.5
DOUBT = 3.0
"""`Watch.level` from which more is audited: one wrong answer is enough, where the bound is low."""
ALARM = 1000.0
"""`Watch.level` at which the rate has risen: once in 1,000 findings by mere chance, at most."""
MOST_UNSURE = 0.5
"""Where the comparison cannot judge more than this share, what it says of the others proves nothing."""
UNSURE_STEPS = 10


class Standing(Enum):
    """UNPROVEN: nothing is served yet. PROVEN: served at a level. RISEN: nothing is served again, as too much was wrong."""

    UNPROVEN = "unproven"
    PROVEN = "proven"
    RISEN = "risen"


class Level(msgspec.Struct, gc=False):
    """What was found at this strength and above. `reported` were told to be wrong, beside the sample. `proven` once it is,
    until the evidence speaks against it."""

    least: float
    right: int = 0
    wrong: int = 0
    unsure: int = 0
    reported: int = 0
    proven: bool = False

    @property
    def compared(self) -> int:
        """Drawn, and not reported."""
        return self.right + self.wrong + self.unsure

    @property
    def doubt(self) -> float:
        """By how much the rate may be higher than among what could be judged. Right and wrong answers leave the comparison
        unsure about equally often (docs/shadow.md); here the unsure ones are taken to be wrong twice as often as the others.
        So the rate of all is at most 1 + the unsure share (in tenths, rounded up) times that of the judged."""
        return 1 + math.ceil(UNSURE_STEPS * self.unsure / max(1, self.compared)) / UNSURE_STEPS

    def count(self, finding: Finding, *, reported: bool) -> None:
        if reported:
            self.reported += 1
        elif finding is Finding.RIGHT:
            self.right += 1
        elif finding is Finding.WRONG:
            self.wrong += 1
        else:
            self.unsure += 1


class Account(msgspec.Struct, frozen=True):
    """How it stands: `at` is the level that is served, or, where none is, all that the route's thresholds let through.
    `at_most` is its wrong rate with 95 % confidence; `needed` how many more right ones would prove it (None: too many leave
    the comparison unsure)."""

    standing: Standing
    at: Level
    at_most: float
    needed: int | None


def levels_from(floor: float) -> list[Level]:
    """The strictest first, the last is `floor`: the strength that the route's own thresholds ask for. Each leaves 0.7 times
    as much room below 1 as the next: with a floor of 0.8 the strictest is 0.9875."""
    return [Level(1 - (1 - floor) / 2 ** (step / 2)) for step in reversed(range(len(CHANCES)))]


def strength_of(judgement: Judgement) -> float:
    """What is not known (who reports need not know it) counts against every level."""
    if judgement.score is not None:
        return judgement.score
    return 1.0 if judgement.similarity is None else judgement.similarity


class Controller:
    """One route's, for one setting of its models and thresholds. `bound` is the wrong rate allowed, above 0 and below 1;
    `floor` the strength of the weakest hits there are."""

    def __init__(self, bound: float, floor: float) -> None:
        self.bound = bound
        self._floor = floor
        steps = [1 + step / UNSURE_STEPS for step in range(round(MOST_UNSURE * UNSURE_STEPS) + 1)]
        self._bets = {doubt: Bet(bound / doubt, AUDITED) for doubt in steps}
        self._risen = False
        self._begin()

    def _begin(self) -> None:
        self._levels = levels_from(self._floor)
        self._capitals = [0.0] * len(self._levels)
        self._watch = Watch(self.bound)
        self._served: Level | None = None
        self._chance = CHANCES[-1]

    @property
    def least(self) -> float | None:
        """Hits of this strength or more may be served; None: none may."""
        return None if self._served is None else self._served.least

    @property
    def audited(self) -> float:
        """The share of served hits to compare."""
        return AUDITED_IN_DOUBT if self._watch.level >= DOUBT else AUDITED

    def learn(self, judgement: Judgement) -> None:
        """One more finding, in about the order in which they were made."""
        finding, reported = judgement.finding, judgement.origin is Origin.FEEDBACK
        if reported and finding is not Finding.WRONG:
            return  # whoever reports chooses what: it proves something only against serving
        strength = strength_of(judgement)
        for place, level in enumerate(self._levels):
            if strength >= level.least:
                level.count(finding, reported=reported)
                bet = self._bets.get(level.doubt)
                counted = level.right, level.wrong, level.reported
                self._capitals[place] = -math.inf if bet is None else bet.capital(*counted)
        if self._served is not None and strength >= self._served.least and finding is not Finding.UNSURE:
            # An audit stands for all the hits that were not audited, a report for one.
            self._watch.see(wrong=finding is Finding.WRONG, weight=AUDITED if reported else 1.0)
            if self._watch.level >= ALARM:
                self._begin()
                self._risen = True
        self._test()

    def _test(self) -> None:
        """Which levels are proven now, and what is served: the loosest of them."""
        handed_on, self._served = 0.0, None
        for level, own, capital in zip(self._levels, CHANCES, self._capitals, strict=True):
            chance = own + handed_on
            level.proven = capital >= -math.log(chance) or (level.proven and capital >= 0.0)
            handed_on = chance if level.proven else 0.0
            if level.proven:
                self._served, self._chance, self._risen = level, chance, False

    def account(self) -> Account:
        at = self._served or self._levels[-1]
        chance = CHANCES[-1] if self._served is None else self._chance
        counted, needed = (at.wrong, at.reported, AUDITED), None
        if at.doubt in self._bets:
            needed = max(0, right_needed(self.bound / at.doubt, chance, *counted) - at.right)
        standing = Standing.PROVEN if self._served else Standing.RISEN if self._risen else Standing.UNPROVEN
        most = 1.0 if needed is None else min(1.0, at.doubt * at_most(chance, at.right, *counted))
        return Account(standing, msgspec.structs.replace(at), most, needed)
