"""Is there an answer to serve? The tiers in their order: memory, Redis, PostgreSQL by the exact words, then the nearest.

A Query gathers what was found on the way: why nothing was served, what could stand in for a failing upstream, the
vector. Whether an entry may be served is decided in `core`; what is down or late is passed over.
"""

from __future__ import annotations

import asyncio
import time

import msgspec

from gateway.core.dialects.base import Dialect
from gateway.core.events import Stage
from gateway.core.freshness import Wishes
from gateway.core.messages import Candidate, Entry, Form, Hit, HitKind, Reason, Source, Subject, Vector
from gateway.core.policy import CachePolicy, StaleUse, stale_use, threshold, too_old
from gateway.core.replay import renew, show
from gateway.core.synthesis import least_similarity
from gateway.engine.explain import GONE, OLDER, OTHER_FORM, Trace
from gateway.engine.keep import EXAMINED_IN_PLACE
from gateway.engine.landing import Landings
from gateway.engine.opinions import Opinions
from gateway.engine.tiers import Tiers
from gateway.errors import CacheTrouble, TextUnfit, VerifierError


class Query(msgspec.Struct, gc=False):
    """One look-up on its way. `now` is the time of asking (Unix seconds), `stale` what may be served should the upstream
    fail, `reason` why nothing was served so far; `embed_later`: the text may have a vector, but has none yet; `trace`:
    somebody wants to know how it came about. `near`: what was found near, for those who can make an answer of it."""

    subject: Subject
    wishes: Wishes
    now: float
    reason: Reason = Reason.NO_CANDIDATE
    stale: Hit | None = None
    vector: Vector | None = None
    similarity: float | None = None
    embed_later: bool = True
    trace: Trace | None = None
    near: list[Candidate] = []

    def blame(self, reason: Reason) -> None:
        """A later reason replaces an earlier one, but for those that say that something was there."""
        if self.reason not in (Reason.TOO_OLD, Reason.STALE):
            self.reason = reason


class Search:
    """One route's. `questions`: hits shall tell in whose words their answers were asked for. `find_in_memory` first, then
    `find`; both set `query.reason` where they find nothing to serve:
    OTHER_FORM if these very words have an answer that cannot be had in the form asked for."""

    def __init__(
        self, policy: CachePolicy, dialect: Dialect | None, tiers: Tiers, landings: Landings, *, questions: bool = False
    ) -> None:
        self._policy = policy
        self._dialect = dialect
        self._tiers = tiers
        self._landings = landings
        self._opinions = Opinions(policy, tiers)
        self._questions = questions or self._opinions.asked or policy.synthesis is not None

    async def find_in_memory(self, query: Query) -> Hit | None:
        entry = self._remembered(query)
        if entry is None and await self._landings.settled(query.subject.partition):
            entry = self._remembered(query)
        if query.trace is not None:
            query.trace.looked(Source.MEMORY, entry)
        if entry is None:
            return None
        if entry.asked_at < self._tiers.purges.newest and await self._is_void(query, entry, None):
            return None
        if self._goes_as_it_is(entry, query.subject):
            return self._judge(query, entry, entry, HitKind.EXACT, Source.MEMORY, None)  # nearly all exact hits
        return await self._serve(query, entry, HitKind.EXACT, Source.MEMORY, None)

    async def find(self, query: Query) -> Hit | None:
        """What the outside tiers have."""
        ahead = self._embed_ahead(query)
        try:
            hit = await self._find_exact(query)
            if hit is not None or query.reason in (Reason.OTHER_FORM, Reason.TOO_OLD):
                return hit
            return await self._find_nearest(query, ahead)
        finally:
            if ahead is not None and not ahead.cancel() and not ahead.cancelled():
                ahead.exception()  # seen: asyncio complains of failures that nobody looked at

    async def find_landed(self, query: Query) -> Hit | None:
        """What another process has put under these very words since."""
        since = msgspec.structs.replace(query, now=time.time())
        return await self._find_exact(since)

    async def _find_exact(self, query: Query) -> Hit | None:
        """The first outside tier that holds these very words."""
        for part, stage in ((self._tiers.redis, Stage.REDIS), (self._tiers.postgres, Stage.POSTGRES_EXACT)):
            if part is None:
                continue
            store, guard = part
            try:
                entry = await guard.call(stage, store.get, query.subject.exact, query.now - self._policy.stale)
            except CacheTrouble as trouble:
                query.blame(Reason.STORE_TROUBLE)
                if query.trace is not None:
                    query.trace.step(stage, str(trouble))
                continue
            if query.trace is not None:
                query.trace.looked(stage, entry)
            if entry is not None and not await self._is_void(query, entry, None):
                hit = await self._serve(query, entry, HitKind.EXACT, store.source, None)
                if hit is not None or query.reason is Reason.OTHER_FORM:
                    return hit
        return None

    async def _find_nearest(self, query: Query, ahead: asyncio.Task[Vector] | None) -> Hit | None:
        """The nearest question asked before that is near enough and can be served."""
        subject, tiers = query.subject, self._tiers
        if subject.exact_only or tiers.embedder is None:
            _by_words_only(query, Reason.EXACT_ONLY)
            return None
        try:
            if query.vector is None:  # or it was needed earlier
                query.vector = await (ahead or tiers.embed(subject.text))
        except TextUnfit as unfit:
            _by_words_only(query, Reason.EXACT_ONLY, unfit)
            return None
        except CacheTrouble as trouble:
            _by_words_only(query, Reason.EMBEDDER_TROUBLE, trouble)
            return None
        if query.trace is not None:
            query.trace.embedded(query.vector)
        at, since = threshold(self._policy, query.wishes), query.now - self._policy.stale
        try:
            candidates = await self._ask_nearest(subject.partition, query.vector, self._load_at(query, at), since)
            query.similarity = candidates[0].similarity if candidates else None
            if query.trace is not None:
                query.trace.near(candidates, at)
            if self._policy.synthesis is not None:
                query.near = candidates
            hit = await self._serve_nearest(query, candidates, at, since)
            if hit is not None:
                return hit
        except VerifierError as trouble:
            query.blame(Reason.VERIFIER_TROUBLE)
            if query.trace is not None:
                query.trace.step(Stage.VERIFY, str(trouble))
        except CacheTrouble as trouble:
            query.blame(Reason.STORE_TROUBLE)
            if query.trace is not None:
                query.trace.step(Stage.NEAREST, str(trouble))
        if query.reason is Reason.OTHER_FORM:  # of other words: the place of these is free
            query.reason = Reason.NO_CANDIDATE
        return None

    async def _ask_nearest(self, partition: bytes, vector: Vector, at: float, since: float) -> list[Candidate]:
        store, guard = self._tiers.postgres
        synthesis = self._policy.synthesis
        count = self._policy.top_k if synthesis is None else max(self._policy.top_k, synthesis.most)
        asked = (partition, vector, count, at, since)
        return await guard.call(Stage.NEAREST, store.nearest, *asked, questions=self._questions)

    def _load_at(self, query: Query, at: float) -> float:
        """The similarity from which questions are wanted."""
        synthesis = self._policy.synthesis
        if synthesis is None or query.subject.text_only is None:
            return at
        return min(at, least_similarity(synthesis, query.wishes))

    async def _serve_nearest(self, query: Query, candidates: list[Candidate], at: float, since: float) -> Hit | None:
        """The nearest that is near enough, accepted, and can be served."""
        store, guard = self._tiers.postgres

        async def serve(candidate: Candidate, score: float | None) -> Hit | None:
            entry = candidate.entry or await guard.call(Stage.NEAREST, store.fetch, candidate.id, since)
            hit = await self._serve_near(query, candidate, entry)
            if hit is None or not self._questions:
                return hit
            kind = HitKind.SEMANTIC if score is None else HitKind.VERIFIED
            return self._take(msgspec.structs.replace(hit, kind=kind, score=score, question=candidate.question))

        near = [candidate for candidate in candidates[: self._policy.top_k] if candidate.similarity >= at]
        hit, refused = await self._opinions.first(query.subject, near, query.trace, serve)
        if hit is None and refused:
            query.blame(Reason.UNVERIFIED)
        elif hit is None and len(near) < len(candidates):
            query.blame(Reason.BELOW_THRESHOLD)
        return hit

    def _take(self, hit: Hit) -> Hit | None:
        """One will do; who wants several takes it, and says None until there are as many."""
        return hit

    async def _serve_near(self, query: Query, candidate: Candidate, entry: Entry | None) -> Hit | None:
        # Stores look within the partition; were one ever to err, the answer would still not be somebody else's.
        if entry is None or entry.partition != query.subject.partition:
            if query.trace is not None:
                query.trace.judged(candidate.id, candidate.similarity, GONE)
            return None
        if await self._is_void(query, entry, candidate.similarity):
            return None
        source = self._tiers.postgres[0].source
        return await self._serve(query, entry, HitKind.SEMANTIC, source, candidate.similarity)

    async def _is_void(self, query: Query, entry: Entry, similarity: float | None) -> bool:
        """Has a purge made it void? It may come back from any tier, as long as that has not heard of the purge."""
        void = await self._tiers.voids(entry)
        if void and query.trace is not None:
            query.trace.judged(entry.id, similarity, GONE)
        return void

    async def _serve(
        self, query: Query, entry: Entry, kind: HitKind, source: Source, similarity: float | None
    ) -> Hit | None:
        """A hit with this entry, if it is fresh enough for this client and can be had in its form."""
        return self._judge(query, entry, await self.shown(entry, query.subject), kind, source, similarity)

    def _judge(
        self, query: Query, entry: Entry, shown: Entry | None, kind: HitKind, source: Source, similarity: float | None
    ) -> Hit | None:
        if entry.synthesized:
            if kind is not HitKind.EXACT or not self._policy.keeps_synthesized:
                return None  # it answers its own words, as long as the route keeps such answers
            kind = HitKind.SYNTHESIS
        use = stale_use(self._policy, entry, query.wishes, query.now)
        if query.trace is not None:
            query.trace.used(entry.id, similarity, use)
        if use is StaleUse.NONE:
            return None
        if too_old(entry.created_at, query.wishes, query.now):
            query.reason = Reason.TOO_OLD
            if query.trace is not None:
                query.trace.judged(entry.id, similarity, OLDER)
            return None
        if shown is None:
            query.blame(Reason.OTHER_FORM)
            if query.trace is not None:
                query.trace.judged(entry.id, similarity, OTHER_FORM)
            return None
        hit = Hit(entry, shown, kind, source, similarity, stale=use is not StaleUse.FRESH)
        if use is not StaleUse.IF_ERROR:
            return hit
        query.reason = Reason.STALE
        query.stale = query.stale or hit
        return None

    async def shown(self, entry: Entry, subject: Subject) -> Entry | None:
        """The entry in the form asked for, None if it cannot be had; turning a long one is work for a thread."""
        if self._goes_as_it_is(entry, subject):
            return entry
        if len(entry.body) > EXAMINED_IN_PLACE:
            return await asyncio.to_thread(self._turn, entry, subject)
        return self._turn(entry, subject)

    def _goes_as_it_is(self, entry: Entry, subject: Subject) -> bool:
        wanted = subject.wanted
        single = wanted is None or (entry.form is Form.SINGLE and not wanted.stream)
        return single and not self._policy.fresh_ids

    def _turn(self, entry: Entry, subject: Subject) -> Entry | None:
        dialect = self._dialect
        shown = show(entry, subject.wanted, dialect)
        if shown is None or dialect is None or not self._policy.fresh_ids:
            return shown
        return renew(shown, dialect, self._tiers.new_id().replace("-", ""), time.time())

    def _remembered(self, query: Query) -> Entry | None:
        memory = self._tiers.memory
        return None if memory is None else memory.get_now(query.subject.exact, query.now - self._policy.stale)

    def _embed_ahead(self, query: Query) -> asyncio.Task[Vector] | None:
        compares = self._tiers.embedder is not None and not query.subject.exact_only
        if not compares or query.vector is not None or not self._tiers.embeds_ahead:
            return None
        return asyncio.create_task(self._tiers.embed(query.subject.text))


def _by_words_only(query: Query, reason: Reason, trouble: CacheTrouble | None = None) -> None:
    if query.reason is Reason.NO_CANDIDATE:
        query.reason = reason
    query.embed_later = False
    if query.trace is not None:
        query.trace.step(Stage.EMBED, "these words only: no others are compared" if trouble is None else str(trouble))
