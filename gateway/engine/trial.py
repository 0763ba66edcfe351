"""What a route only tries out: hits that it holds back, and hits that it looks at again afterwards.

In shadow mode every hit is held back; under a bound on errors those that are not proven good enough. What was held back is
compared with the upstream's answer, and so is a sample of what was served (audits). A wrong entry goes, everywhere, and
its pair of questions is remembered. The look-up, the forwarding and the comparison are others'; here is when, and what of it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from gateway.core.events import Uncompared, Unjudged
from gateway.core.judgement import Finding, Judgement, Origin
from gateway.core.messages import Entry, Hit, HitKind, Reason, Subject
from gateway.core.synthesis import judged_under

if TYPE_CHECKING:
    from gateway.core.ports import Emit
    from gateway.engine.comparing import Comparing
    from gateway.engine.explain import Trace

AUDITS_AT_ONCE = 4
"""Of one route, in one worker; a hit that is sampled beyond it is not audited."""
AUDITS_A_MINUTE = 60
"""The same: so much may be spent upstream on answers that nobody waits for."""
EVICTIONS_A_MINUTE = 60
"""The same for entries found wrong; beyond it the pair of questions is remembered, and the entry stays."""
AUDIT_SECONDS = 120.0
"""For an upstream's answer to an audit; beyond it there is none."""
_MINUTE = 60.0
HELD_BACK = {
    Reason.SHADOW: "would be served, were this not shadow mode",
    Reason.UNPROVEN: "would be served, were it proven that such answers are right",
}


class Notes(Protocol):
    """Where judgements go: `Evidence`."""

    def note(self, judgement: Judgement) -> bool:
        """Never blocks. Was it news?"""


class Proves(Protocol):
    """A route's bound on errors: `Proof`. It is not asked about hits on the same words."""

    def allows(self, hit: Hit, *, counts: bool = True) -> bool:
        """May it be served? `counts`: it will be, if so."""

    def audits(self, hit: Hit) -> bool:
        """Is it to be compared, so that the proof stays fresh? Asked once of each hit that is served."""

    def explain(self) -> str:
        """How it stands, in a line."""


class Trial:
    """One route's. `audit` is the share of hits to compare, 0 to 1; `evict` removes an entry from every tier, worker and
    replica; `setting` digests what decides about hits, `draw` gives numbers from 0 up to 1, `clock` monotonic seconds."""

    def __init__(
        self,
        route: str,
        comparing: Comparing,
        evidence: Notes,
        evict: Callable[[Entry], Awaitable[None]],
        emit: Emit,
        *,
        draw: Callable[[], float],
        shadow: bool = False,
        audit: float = 0.0,
        proof: Proves | None = None,
        setting: Callable[[], bytes] = bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.shadow = shadow
        self._route = route
        self._comparing = comparing
        self._evidence = evidence
        self._evict = evict
        self._emit = emit
        self._audit = audit
        self._proof = proof
        self._setting = setting
        self._draw = draw
        self._clock = clock
        self._begun: deque[float] = deque()
        self._evicted: deque[float] = deque()
        self._under_way = 0

    def holds(self, hit: Hit) -> Reason | None:
        """Why this hit is not served; None where it is. The same words are no matter of proof."""
        if self.shadow:
            return Reason.SHADOW
        if self._proof is None or hit.kind is HitKind.EXACT or self._proof.allows(hit):
            return None
        return Reason.UNPROVEN

    def audits(self, hit: Hit) -> bool:
        """Is this hit, which is served, to be compared with the upstream's answer? Never one on the same words, whose
        answer is what the upstream said to them, nor a stale one, for which a new answer is fetched anyway."""
        if hit.kind is HitKind.EXACT or hit.stale or not self._drawn(hit):
            return False
        if self._has_room():
            return True
        self.uncompared(Origin.AUDIT, Uncompared.BUSY)
        return False

    @contextmanager
    def auditing(self) -> Iterator[bool]:
        """Around an audit: may it begin? Others may have since the hit was sampled."""
        if not self._has_room():
            self.uncompared(Origin.AUDIT, Uncompared.BUSY)
            yield False
            return
        self._begun.append(self._clock())
        self._under_way += 1
        try:
            yield True
        finally:
            self._under_way -= 1

    async def judge(
        self, origin: Origin, hit: Hit, subject: Subject, fresh: Entry | None, *, stored: bool = True
    ) -> Finding | None:
        """Compare what a hit answered, or would have, with the upstream's answer; None where that is not possible. `stored`:
        its entry can be found, and is to go if it is wrong."""
        if hit.kind is HitKind.EXACT:
            return None
        if fresh is None:
            self.uncompared(origin, Uncompared.NO_ANSWER)
            return None
        # No rule about hits decided on such a one, and it is no other question's answer.
        written = hit.kind is HitKind.SYNTHESIS
        before = subject.text if written and hit.question is None else hit.question
        compared = await self._comparing.compare(subject.text, before, hit.entry, fresh)
        if compared is None:
            self.uncompared(origin, Uncompared.BUSY)
            return None
        judgement = Judgement(
            route=self._route,
            at=time.time(),
            origin=origin,
            finding=compared.finding,
            how=compared.how,
            kind=hit.kind,
            similarity=hit.similarity,
            score=hit.score,
            entry=hit.entry.id,
            exact=subject.exact,
            other=judged_under(subject.exact) if written else hit.entry.exact,
            question=subject.text,
            asked_before=before,
            served=origin is Origin.AUDIT,
            scope=hit.entry.scope,
            setting=b"" if written else self._setting(),
        )
        self._evidence.note(judgement)
        if compared.finding is Finding.WRONG and stored and self._lately(self._evicted) < EVICTIONS_A_MINUTE:
            self._evicted.append(self._clock())
            await self._evict(hit.entry)
        return compared.finding

    def uncompared(self, origin: Origin, reason: Uncompared) -> None:
        self._emit(Unjudged(self._route, origin, reason))

    def explain(self, hit: Hit, trace: Trace) -> Reason | None:
        """As `holds`, told step by step; nothing is counted or drawn."""
        same = hit.kind is HitKind.EXACT
        reason: Reason | None = None
        if self.shadow:
            reason = Reason.SHADOW
            trace.step("shadow", "this would be served; instead the upstream answers, and the two are compared")
        elif self._proof is not None:
            allowed = same or self._proof.allows(hit, counts=False)
            reason = None if allowed else Reason.UNPROVEN
            told = "the same words need no proof" if same else self._proof.explain()
            trace.step("proof", f"{'served' if allowed else 'held back'}: {told}")
        if reason is not None:
            trace.judged(hit.entry.id, hit.similarity, HELD_BACK[reason])
        elif self._audit and not same:
            trace.step("audit", f"{self._audit:.4g} of such hits are compared with the upstream's answer")
        return reason

    def _drawn(self, hit: Hit) -> bool:
        if self._audit and self._draw() < self._audit:
            return True
        return self._proof is not None and self._proof.audits(hit)

    def _has_room(self) -> bool:
        return self._under_way < AUDITS_AT_ONCE and self._lately(self._begun) < AUDITS_A_MINUTE

    def _lately(self, times: deque[float]) -> int:
        """How many there were in the last minute; older ones are forgotten."""
        since = self._clock() - _MINUTE
        while times and times[0] <= since:
            times.popleft()
        return len(times)
