"""One route's cache: `look_up` a request, `follow` one like it, `keep` an answer. Every decision is made in `core`.

Nothing here forwards, and no trouble here is the client's: a part that is down or late means that a tier is passed over,
at worst a miss.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from gateway.core.body import Document
from gateway.core.freshness import Wishes
from gateway.core.keys import Keyer
from gateway.core.messages import Bypass, Follow, Hit, HitKind, Miss, Reason, Refuse, Request, Source, Verdict
from gateway.core.policy import CachePolicy
from gateway.core.recording import Recording
from gateway.core.subject import Rule, read_subject
from gateway.engine.coalesce import Coalescing, Flight, Flights, Head, Seat, Shared
from gateway.engine.elsewhere import Elsewhere
from gateway.engine.keep import Keeper
from gateway.engine.landing import Landing, Landings
from gateway.engine.search import Query, Search
from gateway.engine.tiers import Tiers


class RouteCache:
    """The cache as one route sees it: its rule reads requests, its policy decides, its tiers remember."""

    def __init__(
        self,
        route: str,
        rule: Rule,
        policy: CachePolicy,
        keyer: Keyer,
        tiers: Tiers,
        coalescing: Coalescing,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self.route = route
        self.policy = policy
        self._rule = rule
        self._keyer = keyer
        self._tiers = tiers
        self._landings = Landings()
        self._search = Search(policy, rule.dialect, tiers, self._landings)
        self._keeper = Keeper(route, policy, tiers)
        self._flights = Flights(coalescing, time.monotonic)
        self._elsewhere = elsewhere

    async def look_up(self, request: Request, document: Document, wishes: Wishes) -> Verdict:
        """Decide how this request is answered. Consumes the document. Never raises CacheTrouble."""
        subject = read_subject(self._rule, self._keyer, request, document)
        if isinstance(subject, Reason):
            return Refuse(subject) if wishes.only_if_cached else Bypass(subject)
        if wishes.no_store:
            return Refuse(Reason.REQUESTED) if wishes.only_if_cached else Miss(Reason.REQUESTED, None, None)
        query = Query(subject, wishes, request.asked_at)
        if wishes.no_cache:
            query.reason = Reason.REQUESTED
            return Refuse(query.reason) if wishes.only_if_cached else self._alone(query)
        return await self._look_up(query)

    async def _look_up(self, query: Query) -> Hit | Miss | Follow | Refuse:
        found = await self._find(query)
        if found is None and query.reason is Reason.OTHER_FORM:
            # An answer in the other form has the place of these words and cannot be turned into this one.
            query = Query(self._keyer.apart(query.subject), query.wishes, query.now)
            found = await self._find(query)
        match found:
            case Hit(stale=True) if not query.wishes.only_if_cached:
                flight = self._flights.renew(query.subject.exact, query.subject.wanted)
                refresh = None if flight is None else self._recording(query, flight)
                return msgspec.structs.replace(found, refresh=refresh)
            case Hit() | Follow():
                return found
        if query.wishes.only_if_cached:
            return Refuse(query.reason)
        if query.wishes.ttl == 0:
            return self._alone(query)  # its answer is not to be kept, so nobody could share it
        flight = self._flights.lead(query.subject.exact, query.subject.wanted)
        if flight is None:
            return self._follow(query, renewals=True) or self._alone(query)
        return await self._lead(query, flight)

    async def _find(self, query: Query) -> Hit | Follow | None:
        """What can be served, or followed. None: nothing; the query says why."""
        hit = await self._search.find_in_memory(query)
        if hit is not None or query.reason is Reason.OTHER_FORM:
            return hit
        return self._follow(query) or await self._search.find(query)

    async def _lead(self, query: Query, flight: Flight) -> Hit | Miss:
        """Forward, for all who ask the same; unless another process does so already and has an answer soon."""
        recording = self._recording(query, flight)
        if self._elsewhere is not None:
            hit = None
            try:
                hit = await self._elsewhere.lead_or_wait(recording, lambda: self._search.find_landed(query))
            except BaseException:
                recording.abandon(Reason.INCOMPLETE)
                raise
            if hit is not None:
                recording.keep(hit.entry)
                await self._elsewhere.release(recording)
                return hit
        return Miss(query.reason, recording, query.similarity, query.stale)

    def _follow(self, query: Query, *, renewals: bool = False) -> Follow | None:
        """A renewal is followed only where nothing was found to serve meanwhile."""
        seat = None if query.wishes.only_if_cached else self._flights.join(query.subject.exact, renewals=renewals)
        return None if seat is None else Follow(seat, self._alone(query))

    def _alone(self, query: Query) -> Miss:
        """Forward for this request only."""
        return Miss(query.reason, self._recording(query, None), query.similarity, query.stale)

    def _recording(self, query: Query, flight: Flight | None) -> Recording:
        embed_later = query.embed_later and query.vector is None and not query.subject.exact_only
        rule = self.policy.keep
        return Recording(query.subject, rule, query.wishes, query.now, query.vector, embed_later, audience=flight)

    async def follow(self, follow: Follow, accepts: Callable[[Head], bool]) -> Head | Shared | Verdict:
        """Wait for what is followed: the head of a stream to go along with (its bytes are the seat's `pieces`), what the
        answer became, or what to do as it cannot be shared. `accepts`: can this client read it as it is?"""
        seat, recording = follow.seat, follow.otherwise.recording
        assert isinstance(seat, Seat)
        assert recording is not None
        subject = recording.subject
        head = await seat.head()
        streams = subject.wanted is None or subject.wanted.stream
        if head is not None and streams and subject.wanted == seat.wanted and accepts(head):
            return head
        entry = await seat.entry()
        seat.leave()
        shown = None if entry is None else await self._search.shown(entry, subject)
        if entry is not None and shown is not None:
            return Shared(Hit(entry, shown, HitKind.EXACT, Source.MEMORY, None))
        # Not shared, or not in this form: what the look-up left out, when there was something to follow, is done now.
        return await self._look_up(Query(subject, recording.wishes, recording.asked_at))

    def landing(self, recording: Recording) -> Landing:
        """To be begun before the recorded answer's last byte is sent, and ended after `keep`."""
        return Landing(self._landings, recording.subject.partition)

    async def served(self, hit: Hit, now: float) -> None:
        """After the answer went out: count the use, and put the entry where the next asker finds it sooner."""
        store, _ = self._tiers.postgres
        store.used(hit.entry.id, now)
        if hit.stale or hit.kind is not HitKind.EXACT or hit.source is Source.MEMORY:
            return  # a stale one would take the place of its successor
        if self._tiers.memory is not None:
            self._tiers.memory.put_now(hit.entry)
        if hit.source is Source.POSTGRES:
            await self._tiers.put_redis(hit.entry)

    async def keep(self, recording: Recording) -> bool:
        """Store the recorded answer if it may be kept and is whole. True if it can be found from now on."""
        try:
            return await self._keeper.keep(recording)
        finally:
            await self.let_go(recording)

    async def let_go(self, recording: Recording) -> None:
        """Nothing more will come of it, however it ended: nobody waits for it any longer."""
        recording.abandon(Reason.INCOMPLETE)
        if self._elsewhere is not None:
            await self._elsewhere.release(recording)
