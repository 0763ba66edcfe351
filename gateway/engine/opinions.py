"""Second opinions on candidates: nearest first, as many at once as the verifier likes, until one is served.

A verifier that is down or late is passed over like any other part: nothing is served on similarity alone then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from gateway.core.events import Stage
from gateway.core.messages import Candidate, Hit, Near, Subject
from gateway.core.policy import CachePolicy, accepted
from gateway.engine.explain import FOUND_WRONG, Trace
from gateway.engine.tiers import WORKING_FOR, Tiers
from gateway.errors import CacheTrouble, VerifierError

SAME_WORDS = 1.0

Serve: TypeAlias = Callable[[Candidate, float | None], Awaitable[Hit | None]]


class Opinions:
    """One route's. Without a verifier every candidate is accepted, and has no score."""

    def __init__(self, policy: CachePolicy, tiers: Tiers) -> None:
        self._policy = policy
        self._tiers = tiers
        self._verifier = tiers.verifier

    @property
    def asked(self) -> bool:
        """Does the route ask for any?"""
        return self._verifier is not None

    async def first(
        self, subject: Subject, near: Sequence[Candidate], trace: Trace | None, serve: Serve
    ) -> tuple[Hit | None, int]:
        """What `serve` makes of the first candidate that is accepted and that it does not pass over; and how many were not
        accepted before that. Raises VerifierError, and what `serve` raises."""
        batch = len(near) if self._verifier is None else self._verifier[0].batch
        refused = len(near)
        near = [each for each in near if not self._is_wrong(subject, each, trace)]
        refused -= len(near)
        for start in range(0, len(near), max(1, batch)):
            some = near[start : start + batch]
            scores = await self.scores(subject.text, some)
            for candidate, score in zip(some, scores, strict=True):
                may = accepted(self._policy, score)
                if trace is not None and score is not None:
                    trace.opinion(candidate, score, may)
                hit = await serve(candidate, score) if may else None
                if hit is not None:
                    return hit, refused
                refused += not may
        return None, refused

    def _is_wrong(self, subject: Subject, candidate: Candidate, trace: Trace | None) -> bool:
        """Was the candidate's answer found wrong for this question before?"""
        evidence, route = self._tiers.evidence, self._tiers.route
        wrong = evidence is not None and evidence.is_wrong(route, subject.exact, candidate.exact)
        if wrong and trace is not None:
            trace.judged(candidate.id, candidate.similarity, FOUND_WRONG)
        return wrong

    async def scores(self, question: str, near: Sequence[Candidate]) -> list[float | None]:
        """The same words need no opinion; of words that cannot be read there is none that would do. Raises VerifierError."""
        if self._verifier is None:
            return [None] * len(near)
        verifier, guard = self._verifier
        scores: dict[str, float | None] = {each.id: SAME_WORDS for each in near if each.question == question}
        others = [each for each in near if each.id not in scores and each.question is not None]
        if others:
            asked = [Near(each.question or "", each.similarity) for each in others]
            WORKING_FOR.set(self._tiers.route)
            try:
                judged = await guard.call(Stage.VERIFY, verifier.judge, question, asked)
            except CacheTrouble as trouble:  # late, or skipped
                raise VerifierError(str(trouble)) from trouble
            scores |= {each.id: score for each, score in zip(others, judged, strict=True)}
        return [scores.get(each.id, 0.0) for each in near]
