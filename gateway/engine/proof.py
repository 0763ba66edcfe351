"""A route's bound on errors, at work: which hits it serves, which of these it has compared all the same, and why.

What is proven is `core.control`'s to say; here it is kept in step with what this process knows of all workers' and
replicas' judgements, one by one as they come, and only when somebody asks for a hit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.core.control import Account, Controller, Level, Standing
from gateway.core.events import Proven
from gateway.core.judgement import Judgement, Origin
from gateway.core.messages import Hit, HitKind
from gateway.core.ports import Emit

LATELY = 1000
"""Hits that the share served is told of."""

MANY = 5
"""Wrong ones from which on it is said that they are too many, instead of how many right ones would outweigh them."""


class Judged(Protocol):
    """Where judgements are known: `Evidence`."""

    def window(self, route: str) -> Sequence[Judgement]:
        """The latest of the route; new ones are added at the end."""

    def version(self, route: str) -> int:
        """Goes up by one with each that is added, and by more than the window holds where it was made anew."""


class Proof:
    """One route's; it outlives reloads. `bound` is the wrong rate allowed and `floor` the strength of the weakest hits, 0 to
    1; `setting` digests what finds and judges the hits (b"" while that is not known): what was judged under another one
    proves nothing. `draw` gives numbers from 0 up to 1; `strength` names what is compared with: a `score` or the
    `similarity`."""

    def __init__(
        self,
        route: str,
        bound: float,
        floor: float,
        setting: Callable[[], bytes],
        evidence: Judged,
        emit: Emit,
        draw: Callable[[], float],
        *,
        strength: str = "score",
    ) -> None:
        self.bound = bound
        self._route = route
        self._floor = floor
        self._setting_now = setting
        self._evidence = evidence
        self._emit = emit
        self._strength = strength
        self._draw = draw
        self._setting = b""
        self._version = -1
        self._controller = Controller(bound, floor)
        self._known: tuple[float | None] | None = None
        self._lately: deque[bool] = deque(maxlen=LATELY)

    def allows(self, hit: Hit, *, counts: bool = True) -> bool:
        """May it be served? The same words need no proof. `counts`: it is a request, and not only a question about one."""
        if hit.kind is HitKind.EXACT:
            return True
        least = self._keep_up().least
        strength = hit.similarity if hit.score is None else hit.score
        allowed = least is not None and strength is not None and strength >= least
        if counts:
            self._lately.append(allowed)
        return allowed

    def audits(self, hit: Hit) -> bool:
        """Is this hit, which is served, one of those to be compared, so that a change is noticed?"""
        return hit.kind is not HitKind.EXACT and self._draw() < self._keep_up().audited

    @property
    def share(self) -> float | None:
        """Of this process's latest hits on other words, how much was served; None: there were none."""
        return sum(self._lately) / len(self._lately) if self._lately else None

    @property
    def least(self) -> float | None:
        """Hits of this strength or more are served; None: none is."""
        return self._keep_up().least

    def explain(self) -> str:
        """How it stands, in one line."""
        account = self._keep_up().account()
        share = self.share
        lately = "" if share is None else f"; {_percent(share)} of hits on other words served lately"
        return self._told(account) + lately

    def _told(self, account: Account) -> str:
        at, bound = account.at, _percent(self.bound)
        counted = f"{_counted(at)}, at most {_percent(account.at_most)} with 95 % confidence"
        if account.standing is Standing.PROVEN:
            return f"serves at a {self._strength} of {at.least:.4g} or more: {counted}"
        begins = "not yet"
        if account.standing is Standing.RISEN:
            begins = f"stopped, as more than {bound} came out wrong, and begun anew"
        if account.needed is None:
            return f"{begins}: {counted}, as too many leave the comparison unsure"
        if at.wrong >= MANY and at.wrong > self.bound * at.compared:
            return f"{begins}: {counted}, where {bound} may be"
        return f"{begins}: {counted}; {account.needed:,} more right ones would show {bound}"

    def _keep_up(self) -> Controller:
        """Learn what has been judged since."""
        version, setting = self._evidence.version(self._route), self._setting_now()
        if version == self._version and setting == self._setting:
            return self._controller
        window, new = self._evidence.window(self._route), version - self._version
        if setting != self._setting or not 0 <= new <= len(window):
            self._controller = Controller(self.bound, self._floor)
            new = len(window)
        self._setting, self._version = setting, version
        for judgement in window[len(window) - new :]:
            if self._is_about(judgement):
                self._controller.learn(judgement)
        if self._known != (self._controller.least,):
            self._known = (self._controller.least,)
            self._emit(Proven(self._route, self._controller.least, self._told(self._controller.account())))
        return self._controller

    def _is_about(self, judgement: Judgement) -> bool:
        """Was it made under this setting? Who reports need not know under which one, nor how the answer was found."""
        if not self._setting:
            return False
        if judgement.origin is Origin.FEEDBACK and not judgement.setting:
            return True
        return judgement.setting == self._setting and judgement.kind is not HitKind.EXACT


def _counted(at: Level) -> str:
    parts = [f"{at.compared:,} compared", f"{at.wrong:,} wrong"]
    if at.unsure:
        parts.append(f"{at.unsure:,} unsure")
    if at.reported:
        parts.append(f"{at.reported:,} reported")
    return ", ".join(parts)


def _percent(share: float) -> str:
    """Two digits that say something; none is rounded down to nothing."""
    return f"{100 * share:.2g} %" if share < 0.995 else "100 %"
