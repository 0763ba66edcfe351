"""Looking for what was put by hand: the same search as that of requests, for several entries, among those with certain
attributes.

Only PostgreSQL is asked. What a program puts, replaces or removes is so for every process at once; copies in memory and
in Redis would have to hear of it first.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.core.events import Stage
from gateway.core.messages import Candidate, Hit, HitKind, Reason, Vector
from gateway.core.policy import CachePolicy
from gateway.core.ports import ShelfStore
from gateway.engine.landing import Landings
from gateway.engine.search import Query, Search
from gateway.engine.tiers import Tiers
from gateway.errors import CacheTrouble


class ShelfSearch(Search):
    """One search, for up to `limit` entries with all of these labels. `threshold` stands in place of the route's;
    without `opinion` nearness alone decides."""

    def __init__(
        self,
        policy: CachePolicy,
        tiers: Tiers,
        rows: ShelfStore,
        labels: Sequence[bytes],
        *,
        threshold: float | None,
        opinion: bool,
        limit: int,
    ) -> None:
        if not opinion:
            policy = msgspec.structs.replace(policy, opinion=None)
            tiers = msgspec.structs.replace(tiers, verifier=None)
        super().__init__(_as_asked(policy, threshold, limit), None, tiers, Landings(), questions=True)
        self._rows = rows
        self._labels = labels
        self._limit = limit
        self._hits: dict[str, Hit] = {}

    async def find_several(self, query: Query, *, same_words: bool) -> list[Hit]:
        """Those with the same words first, where they are asked for, then the nearest. `query.reason` says why there are
        none."""
        ahead = self._embed_ahead(query)
        try:
            if same_words:
                await self._find_same_words(query)
            if len(self._hits) < self._limit:
                await self._find_nearest(query, ahead)
        finally:
            if ahead is not None and not ahead.cancel() and not ahead.cancelled():
                ahead.exception()  # seen, as in `find`
        return list(self._hits.values())

    async def _find_same_words(self, query: Query) -> None:
        guard, subject = self._tiers.postgres[1], query.subject
        asked = (subject.exact, self._labels, self._limit, query.now)
        try:
            entries = await guard.call(Stage.POSTGRES_EXACT, self._rows.same_words, *asked)
        except CacheTrouble:
            query.blame(Reason.STORE_TROUBLE)
            return
        source = self._tiers.postgres[0].source
        for entry in entries:
            if entry.partition == subject.partition and not await self._is_void(query, entry, None):
                hit = await self._serve(query, entry, HitKind.EXACT, source, None)
                if hit is not None:
                    self._take(msgspec.structs.replace(hit, question=subject.text))

    async def _ask_nearest(self, partition: bytes, vector: Vector, at: float, since: float) -> list[Candidate]:
        if not self._labels:
            return await super()._ask_nearest(partition, vector, at, since)
        guard = self._tiers.postgres[1]
        asked = (partition, vector, self._labels, self._policy.top_k, at, since)
        return await guard.call(Stage.NEAREST, self._rows.nearest_labelled, *asked)

    def _take(self, hit: Hit) -> Hit | None:
        if hit.entry.mark is not None:
            self._hits.setdefault(hit.entry.id, hit)
        return hit if len(self._hits) >= self._limit else None


def _as_asked(policy: CachePolicy, threshold: float | None, limit: int) -> CachePolicy:
    """The same rules for another nearness and for more entries; of each, the one with the same words may be among the
    nearest as well."""
    top_k = policy.top_k if limit == 1 else max(policy.top_k, 2 * limit)
    if threshold is None:
        return msgspec.structs.replace(policy, top_k=top_k)
    opinion = policy.opinion
    if opinion is not None:
        opinion = msgspec.structs.replace(opinion, candidate=threshold)
    return msgspec.structs.replace(policy, top_k=top_k, hit=threshold, opinion=opinion)
