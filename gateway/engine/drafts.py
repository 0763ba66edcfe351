"""A route's drafts: answers that may be made of kept ones before the upstream is asked, or in place of a hit on other words.

Who makes them is the Synthesis; here is when, and which of them are audited. A route without one has none.
"""

from __future__ import annotations

import msgspec

from gateway.core.messages import Follow, Hit, Miss, Reason
from gateway.core.policy import CachePolicy
from gateway.core.recording import Recording
from gateway.core.synthesis import Draft
from gateway.engine.answering import Answering
from gateway.engine.search import Query
from gateway.engine.synthesis import Synthesis, as_hit
from gateway.engine.trial import Trial


class Drafts:
    def __init__(self, synthesis: Synthesis | None, trial: Trial | None, policy: CachePolicy) -> None:
        self._synthesis = synthesis
        self._trial = trial
        self._policy = policy

    @property
    def any(self) -> bool:
        """May there be one at all?"""
        return self._synthesis is not None

    async def of(self, query: Query, found: Hit | Follow | None) -> Draft | None:
        """What an answer could be made of; `found` is what the look-up came to."""
        if self._synthesis is None or isinstance(found, Follow):
            return None
        return await self._synthesis.draft(query, found)

    async def answer(self, verdict: Hit | Miss) -> Answering | None:
        """What a model makes of kept answers, to be sent in place of what the verdict says; None where there is no such
        answer. Whoever gets one closes it."""
        in_shadow = isinstance(verdict, Miss) and verdict.reason is Reason.SHADOW
        if self._synthesis is None or verdict.draft is None or in_shadow:
            return None
        return await self._synthesis.begin(verdict.draft)

    def sampled(self, draft: Draft) -> Hit | None:
        """The answer that was made of this draft and went out, where it is to be audited."""
        recording = draft.recording
        if self._trial is None or recording is None or recording.entry is None:
            return None
        if not self._trial.audits(as_hit(draft, recording.entry)):
            return None
        asked = recording.subject, self._policy.keep, recording.wishes, recording.asked_at, recording.vector
        return as_hit(draft, recording.entry, Recording(*asked, embed_later=recording.embed_later))


def watched(draft: Draft | None, recording: Recording) -> Draft | None:
    """The same, with what watches its answer."""
    return None if draft is None else msgspec.structs.replace(draft, recording=recording)
