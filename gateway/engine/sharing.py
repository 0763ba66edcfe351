"""What becomes of a request that follows another: may it have that one's answer, and in which form?

Waiting for it is `coalesce`'s. What cannot be shared is looked up anew.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gateway.core.freshness import Wishes
from gateway.core.messages import Follow, Hit, HitKind, Miss, Source
from gateway.core.purges import Asked
from gateway.core.tags import answer_tags
from gateway.engine.coalesce import Head, Seat, Shared
from gateway.engine.search import Search
from gateway.engine.tiers import Tiers


class Sharing:
    """One route's."""

    def __init__(self, tiers: Tiers, search: Search) -> None:
        self._tiers = tiers
        self._search = search

    async def meet(self, follow: Follow, accepts: Callable[[Head], bool]) -> Head | Shared | Miss | None:
        """The head of a stream to go along with, or what the answer became; the follower's own verdict where it shall not have
        it, None where it is to be looked up again. `accepts`: can this client read it as it is?"""
        seat, recording = follow.seat, follow.otherwise.recording
        assert isinstance(seat, Seat)
        assert recording is not None
        subject, chooses = recording.subject, _chooses(recording.wishes)
        head = await seat.head()
        if head is not None and head.synthesized and chooses:
            return follow.otherwise
        streams = subject.wanted is None or subject.wanted.stream
        entry = None
        if head is None or not self._is_void(seat.asked, head):
            if head is not None and streams and subject.wanted == seat.wanted and accepts(head):
                return head
            entry = await seat.entry()
        seat.leave()
        if entry is None or await self._tiers.voids(entry):
            return None
        if entry.synthesized and chooses:
            return follow.otherwise
        shown = await self._search.shown(entry, subject)
        kind = HitKind.SYNTHESIS if entry.synthesized else HitKind.EXACT
        return None if shown is None else Shared(Hit(entry, shown, kind, Source.MEMORY, None))

    def _is_void(self, asked: Asked, head: Head) -> bool:
        """Did a purge come before the head did? That may name tags."""
        purges = self._tiers.purges
        if asked.asked_at >= purges.newest:
            return False
        if head.synthesized:  # what it is made of is older, and has tags of its own
            return True
        tags = (*asked.tags, *answer_tags(head.headers))
        return purges.covers(msgspec.structs.replace(asked, tags=tags))


def _chooses(wishes: Wishes) -> bool:
    """Does the client say how old an answer may be, or how near? One made for somebody else is by that one's wishes."""
    return wishes.max_age is not None or wishes.threshold is not None
