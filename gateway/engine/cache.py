"""One route's cache: `look_up` a request, `follow` one like it, `keep` an answer. Every decision is made in `core`.

Nothing here forwards, and no trouble here is the client's: a part that is down or late means that a tier is passed over,
at worst a miss.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gateway.core.body import Document
from gateway.core.freshness import Wishes
from gateway.core.keys import Keyer
from gateway.core.messages import Bypass, Entry, Follow, Hit, HitKind, Miss, Reason, Refuse, Request, Source, Verdict
from gateway.core.policy import CachePolicy
from gateway.core.purges import Asked
from gateway.core.recording import Answer, Recording
from gateway.core.subject import Rule, read_subject
from gateway.core.synthesis import Draft
from gateway.engine.coalesce import Flight, Flights, Head, Shared
from gateway.engine.denials import Denials
from gateway.engine.drafts import Drafts, watched
from gateway.engine.elsewhere import Elsewhere
from gateway.engine.explain import Trace
from gateway.engine.keep import Keeper
from gateway.engine.landing import Landing, Landings
from gateway.engine.learning import Learning
from gateway.engine.search import Query, Search
from gateway.engine.sharing import Sharing
from gateway.engine.synthesis import Synthesis
from gateway.engine.tiers import Tiers
from gateway.engine.trial import Trial

# How an entry is found under the very words that it was kept under.
THESE_WORDS = (HitKind.EXACT, HitKind.SYNTHESIS)


class Warmed(msgspec.Struct, frozen=True):
    """An answer as an entry, and the text that it is found by; by its very words only where that is `exact_only`."""

    entry: Entry
    text: str
    exact_only: bool


class RouteCache:
    """The cache as one route sees it: its rule reads requests, its policy decides, its tiers remember; `flights` and
    `landings` are what is under way for it, and outlive a reload. `questions`: its hits tell in whose words their answers were
    asked for, whoever wants to know."""

    def __init__(
        self,
        route: str,
        rule: Rule,
        policy: CachePolicy,
        keyer: Keyer,
        tiers: Tiers,
        flights: Flights,
        landings: Landings,
        elsewhere: Elsewhere | None = None,
        trial: Trial | None = None,
        *,
        questions: bool = False,
        synthesis: Synthesis | None = None,
    ) -> None:
        self.route = route
        self.policy = policy
        self._rule = rule
        self._keyer = keyer
        self._tiers = tiers
        self._landings = landings
        self._trial = trial
        self.drafts = Drafts(synthesis, trial, policy)
        self.denials = Denials(policy, tiers)
        self._search = Search(policy, rule.dialect, tiers, landings, questions=questions or trial is not None)
        self._sharing = Sharing(tiers, self._search)
        self._keeper = Keeper(route, policy, tiers)
        self.learning = Learning(trial, self._keeper, self.served, synthesis)
        self._flights = flights
        self._elsewhere = elsewhere

    async def look_up(self, request: Request, document: Document, wishes: Wishes) -> Verdict:
        """Decide how this request is answered. Consumes the document. Never raises CacheTrouble."""
        asked = await self._ask(request, document, wishes)
        return await self._look_up(asked) if isinstance(asked, Query) else asked

    async def explain(
        self, request: Request, document: Document, wishes: Wishes, trace: Trace, scope: bytes | None = None
    ) -> Hit | Miss | Bypass | Refuse:
        """The same decision, and how it came about; nothing is led, followed, counted or stored. `scope`: in place of what
        the request says."""
        asked = await self._ask(request, document, wishes, trace, scope)
        if not isinstance(asked, Query):
            return asked
        query, found = await self._find_in_any_form(asked)
        assert not isinstance(found, Follow)
        await self.drafts.of(query, found)
        held = None if self._trial is None or found is None else self._trial.explain(found, trace)
        if found is not None and held is None:
            return found
        if held is not None and not wishes.only_if_cached:
            return Miss(held, None, query.similarity, would_be=found)
        query.reason = held or query.reason
        return (
            Refuse(query.reason) if wishes.only_if_cached else Miss(query.reason, None, query.similarity, query.stale)
        )

    async def warm(
        self, request: Request, document: Document, wishes: Wishes, answer: Answer, scope: bytes | None = None
    ) -> Warmed | Reason:
        """The entry that this answer to this request makes, by the same rules as any; not stored. `scope` as in `explain`."""
        subject = read_subject(self._rule, self._keyer, request, document, scope)
        if isinstance(subject, Reason):
            return subject
        recording = Recording(subject, self.policy.keep, wishes, request.asked_at, None, embed_later=True)
        recording.start(answer.status, answer.headers)
        recording.feed(answer.body)
        whole = recording.finish()
        if whole is None:
            return recording.reason or Reason.INCOMPLETE
        entry = await self._keeper.make_entry(recording, whole)
        return entry if isinstance(entry, Reason) else Warmed(entry, subject.text, subject.exact_only)

    async def _ask(
        self,
        request: Request,
        document: Document,
        wishes: Wishes,
        trace: Trace | None = None,
        scope: bytes | None = None,
    ) -> Query | Miss | Bypass | Refuse:
        """What is to be looked up; or the verdict, where nothing is."""
        subject = read_subject(self._rule, self._keyer, request, document, scope)
        if isinstance(subject, Reason):
            return Refuse(subject) if wishes.only_if_cached else Bypass(subject)
        if trace is not None:
            trace.asked(subject)
        query = Query(subject, wishes, request.asked_at, trace=trace)
        denied = await self.denials.verdict(query) if self.denials.any else None
        if denied is not None:  # whatever the client wishes
            return denied
        if wishes.no_store:
            return Refuse(Reason.REQUESTED) if wishes.only_if_cached else Miss(Reason.REQUESTED, None, None)
        if wishes.no_cache:
            query.reason = Reason.REQUESTED
            return Refuse(query.reason) if wishes.only_if_cached else self._alone(query)
        return query

    async def _find_in_any_form(self, query: Query) -> tuple[Query, Hit | Follow | None]:
        found = await self._find(query)
        if found is None and query.reason is Reason.OTHER_FORM:
            # An answer in the other form has the place of these words and cannot be turned into this one.
            query = Query(self._keyer.apart(query.subject), query.wishes, query.now, trace=query.trace)
            found = await self._find(query)
        return query, found

    async def _look_up(self, query: Query) -> Hit | Miss | Follow | Refuse:
        query, found = await self._find_in_any_form(query)
        draft = await self.drafts.of(query, found) if self.drafts.any else None
        trial, would_be = self._trial, None
        if trial is not None and trial.shadow:
            return self._in_shadow(query, found, draft)
        if trial is not None and isinstance(found, Hit):
            held = trial.holds(found)
            if held is not None:
                query.reason, would_be, found = held, found, None
            elif not query.wishes.only_if_cached and trial.audits(found):  # that says: ask nobody
                found = msgspec.structs.replace(found, audit=self._recording(query, None))
        if trial is not None and query.stale is not None and trial.holds(query.stale) is not None:
            query.stale = None
        if isinstance(found, Hit) and draft is not None:
            found = msgspec.structs.replace(found, draft=watched(draft, self._recording(query, None)))
        match found:
            case Hit(stale=True) if not query.wishes.only_if_cached:
                flight = self._flights.renew(self._asked(query), query.subject.wanted)
                refresh = None if flight is None else self._recording(query, flight)
                return msgspec.structs.replace(found, refresh=refresh)
            case Hit() | Follow():
                return found
        if query.wishes.only_if_cached:
            return Refuse(query.reason)
        if query.wishes.ttl == 0:
            return self._alone(query, would_be, draft)  # its answer is not to be kept, so nobody could share it
        flight = self._flights.lead(self._asked(query), query.subject.wanted)
        if flight is None:
            return self._follow(query, renewals=True) or self._alone(query, would_be, draft)
        return await self._lead(query, flight, would_be, draft)

    def _in_shadow(self, query: Query, found: Hit | Follow | None, draft: Draft | None) -> Miss | Refuse:
        """Forward for this request only, whatever was found: each client gets an upstream's answer of its own."""
        assert not isinstance(found, Follow)
        if query.wishes.only_if_cached:
            return Refuse(Reason.SHADOW)
        similarity = query.similarity if found is None else found.similarity
        return Miss(Reason.SHADOW, self._recording(query, None), similarity, would_be=found, draft=draft)

    async def _find(self, query: Query) -> Hit | Follow | None:
        """What can be served, or followed. None: nothing; the query says why."""
        hit = await self._search.find_in_memory(query)
        if hit is not None or query.reason is Reason.OTHER_FORM:
            return hit
        return self._follow(query) or await self._search.find(query)

    async def _lead(self, query: Query, flight: Flight, would_be: Hit | None, draft: Draft | None) -> Hit | Miss:
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
        return Miss(query.reason, recording, query.similarity, query.stale, would_be, watched(draft, recording))

    def _follow(self, query: Query, *, renewals: bool = False) -> Follow | None:
        """A renewal is followed only where nothing was found to serve meanwhile."""
        if query.trace is not None or (self._trial is not None and self._trial.shadow):
            return None  # an explanation goes along with nobody, and neither does who is to have an answer of its own
        if self._tiers.purges.newest:
            self._flights.drop(query.subject.exact, self._tiers.purges.covers)
        seat = None if query.wishes.only_if_cached else self._flights.join(query.subject.exact, renewals=renewals)
        return None if seat is None else Follow(seat, self._alone(query))

    def _asked(self, query: Query) -> Asked:
        subject = query.subject
        return Asked(self.route, subject.scope, subject.exact, subject.tags, query.now)

    def _alone(self, query: Query, would_be: Hit | None = None, draft: Draft | None = None) -> Miss:
        """Forward for this request only."""
        recording = self._recording(query, None)
        return Miss(query.reason, recording, query.similarity, query.stale, would_be, watched(draft, recording))

    def _recording(self, query: Query, flight: Flight | None) -> Recording:
        embed_later = query.embed_later and query.vector is None and not query.subject.exact_only
        rule = self.policy.keep
        return Recording(query.subject, rule, query.wishes, query.now, query.vector, embed_later, audience=flight)

    async def follow(self, follow: Follow, accepts: Callable[[Head], bool]) -> Head | Shared | Verdict:
        """Wait for what is followed: the head of a stream to go along with (its bytes are the seat's `pieces`), what the
        answer became, or what to do as it cannot be shared. `accepts`: can this client read it as it is?"""
        met = await self._sharing.meet(follow, accepts)
        if met is not None:
            return met
        recording = follow.otherwise.recording
        assert recording is not None
        # Not shared, or not in this form: what the look-up left out, when there was something to follow, is done now.
        return await self._look_up(Query(recording.subject, recording.wishes, recording.asked_at))

    def landing(self, recording: Recording) -> Landing:
        """To be begun before the recorded answer's last byte is sent, and ended after `keep`."""
        return Landing(self._landings, recording.subject.partition)

    async def served(self, hit: Hit, now: float) -> None:
        """After the answer went out: count the use, and put the entry where the next asker finds it sooner."""
        store, _ = self._tiers.postgres
        store.used(hit.entry.id, now)
        if hit.stale or hit.kind not in THESE_WORDS or hit.source is Source.MEMORY:
            return  # a stale one would take the place of its successor
        if self._tiers.purges.voids(hit.entry) is not False:
            return  # since it was found
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
