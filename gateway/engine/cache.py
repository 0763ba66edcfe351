"""One route's cache: `look_up` a request, `keep` an answer. The whole story; every decision is made in `core`.

Nothing here forwards, and no trouble here is the client's: a part that is down or late means that a tier is passed over,
at worst a miss. Memory is asked without awaiting, as nearly every exact hit ends there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from gateway.core.body import Document
from gateway.core.events import Kept, NotKept, Stage
from gateway.core.freshness import Wishes
from gateway.core.keys import Keyer
from gateway.core.messages import (
    Bypass,
    Entry,
    Hit,
    HitKind,
    Miss,
    Reason,
    Refuse,
    Request,
    Source,
    Subject,
    Vector,
    Verdict,
)
from gateway.core.policy import CachePolicy, choose, examine_body, read_cost, threshold, time_to_live, too_old
from gateway.core.ports import Embedder, Emit, EntryStore, ExactStore
from gateway.core.recording import Answer, Recording
from gateway.core.status import replayable
from gateway.core.subject import Rule, read_subject
from gateway.engine.guard import Guard
from gateway.engine.landing import Landing, Landings
from gateway.errors import CacheTrouble, DecodedTooLarge, TextUnfit, Undecodable


class MemoryTier(Protocol):
    """The in-process exact tier, asked without awaiting."""

    def get_now(self, exact: bytes, now: float) -> Entry | None: ...

    def put_now(self, entry: Entry) -> None: ...


class Decode(Protocol):
    def __call__(self, encoding: bytes, body: bytes, limit: int, /) -> bytes:
        """Body without its content-encoding, at most `limit` bytes. Raises Undecodable."""


class Places:
    """A bounded number of answers being stored at once, for all routes of a worker."""

    def __init__(self, places: int) -> None:
        self.free = places


class Tiers(msgspec.Struct, frozen=True):
    """What a route's cache stands on. `redis` and `embedder` may be absent; each outside part has its guard.

    `storing` guards rows on their way into PostgreSQL: no client waits for them, so they have more time than look-ups, and
    their being slow says nothing of those. With `embeds_ahead` a text is embedded while PostgreSQL is asked for its exact
    words: for local models, where an embedding in vain costs a moment of one thread and no money.
    """

    memory: MemoryTier | None
    redis: tuple[ExactStore, Guard] | None
    postgres: tuple[EntryStore, Guard]
    storing: Guard
    embedder: tuple[Embedder, Guard] | None
    embeds_ahead: bool
    places: Places
    decode: Decode
    emit: Emit
    new_id: Callable[[], str]


class RouteCache:
    """The cache as one route sees it: its rule reads requests, its policy decides, its tiers remember."""

    def __init__(self, route: str, rule: Rule, policy: CachePolicy, keyer: Keyer, tiers: Tiers) -> None:
        self.route = route
        self.policy = policy
        self._rule = rule
        self._keyer = keyer
        self._tiers = tiers
        self._landings = Landings()

    async def look_up(self, request: Request, document: Document, wishes: Wishes) -> Verdict:
        """Decide how this request is answered. Consumes the document. Never raises CacheTrouble."""
        verdict = await self._look_up(request, document, wishes)
        if wishes.only_if_cached and not isinstance(verdict, Hit):
            return Refuse(verdict.reason)
        return verdict

    async def _look_up(self, request: Request, document: Document, wishes: Wishes) -> Verdict:
        subject = read_subject(self._rule, self._keyer, request, document)
        if isinstance(subject, Reason):
            return Bypass(subject)
        if wishes.no_store:
            return Miss(Reason.REQUESTED, None, None)
        if wishes.no_cache:
            return self._miss(Reason.REQUESTED, subject, wishes, request.asked_at)
        found = await self._look_up_memory(subject, wishes, request.asked_at)
        if isinstance(found, Hit):
            return found
        ahead = self._embed_ahead(subject)
        try:
            found = await self._look_up_exact(subject, wishes, request.asked_at, found)
            if isinstance(found, Hit):
                return found
            if found is Reason.TOO_OLD:
                return self._miss(found, subject, wishes, request.asked_at)
            return await self._look_up_nearest(subject, wishes, request.asked_at, found, ahead)
        finally:
            if ahead is not None and not ahead.cancel() and not ahead.cancelled():
                ahead.exception()  # seen: asyncio complains of failures that nobody looked at

    async def _look_up_memory(self, subject: Subject, wishes: Wishes, now: float) -> Hit | Reason:
        entry = self._remembered(subject, now)
        if entry is None and await self._landings.settled(subject.partition):
            entry = self._remembered(subject, now)
        if entry is None:
            return Reason.NO_CANDIDATE
        if too_old(entry.created_at, wishes, now):
            return Reason.TOO_OLD
        return Hit(entry, HitKind.EXACT, Source.MEMORY, None)

    async def _look_up_exact(self, subject: Subject, wishes: Wishes, now: float, so_far: Reason) -> Hit | Reason:
        """The first outside tier that holds these very words, else why none was served."""
        reason = so_far
        for part, stage in ((self._tiers.redis, Stage.REDIS), (self._tiers.postgres, Stage.POSTGRES_EXACT)):
            if part is None:
                continue
            store, guard = part
            try:
                entry = await guard.call(stage, store.get, subject.exact, now)
            except CacheTrouble:
                if reason is not Reason.TOO_OLD:
                    reason = Reason.STORE_TROUBLE
                continue
            if entry is not None:
                if not too_old(entry.created_at, wishes, now):
                    return Hit(entry, HitKind.EXACT, store.source, None)
                reason = Reason.TOO_OLD
        return reason

    def _remembered(self, subject: Subject, now: float) -> Entry | None:
        memory = self._tiers.memory
        return None if memory is None else memory.get_now(subject.exact, now)

    def _embed_ahead(self, subject: Subject) -> asyncio.Task[Vector] | None:
        embedder = self._tiers.embedder
        if embedder is None or subject.exact_only or not self._tiers.embeds_ahead:
            return None
        return asyncio.create_task(self._embed(subject.text, embedder))

    async def _look_up_nearest(
        self, subject: Subject, wishes: Wishes, now: float, so_far: Reason, ahead: asyncio.Task[Vector] | None
    ) -> Hit | Miss:
        """The nearest question asked before, if it is near enough."""
        embedder = self._tiers.embedder
        if subject.exact_only or embedder is None:
            because: Reason = so_far if so_far is not Reason.NO_CANDIDATE else Reason.EXACT_ONLY
            return self._miss(because, subject, wishes, now, embed=False)
        try:
            vector = await (ahead or self._embed(subject.text, embedder))
        except TextUnfit:
            return self._miss(Reason.EXACT_ONLY, subject, wishes, now, embed=False)
        except CacheTrouble:
            return self._miss(Reason.EMBEDDER_TROUBLE, subject, wishes, now, embed=False)
        at = threshold(self.policy, wishes)
        store, guard = self._tiers.postgres
        try:
            candidates = await guard.call(
                Stage.NEAREST, store.nearest, subject.partition, vector, self.policy.top_k, at, now
            )
            best = choose(candidates, at)
            if best is None:
                reason = Reason.BELOW_THRESHOLD if candidates else so_far
                similarity = candidates[0].similarity if candidates else None
                return self._miss(reason, subject, wishes, now, vector, similarity)
            entry = best.entry or await guard.call(Stage.NEAREST, store.fetch, best.id, now)
        except CacheTrouble:
            return self._miss(Reason.STORE_TROUBLE, subject, wishes, now, vector)
        # Stores look within the partition; were one ever to err, the answer would still not be somebody else's.
        if entry is None or entry.partition != subject.partition:
            return self._miss(Reason.NO_CANDIDATE, subject, wishes, now, vector, best.similarity)
        if too_old(entry.created_at, wishes, now):
            return self._miss(Reason.TOO_OLD, subject, wishes, now, vector, best.similarity)
        return Hit(entry, HitKind.SEMANTIC, store.source, best.similarity)

    def _miss(
        self,
        reason: Reason,
        subject: Subject,
        wishes: Wishes,
        now: float,
        vector: Vector | None = None,
        similarity: float | None = None,
        *,
        embed: bool = True,
    ) -> Miss:
        embed_later = embed and vector is None and not subject.exact_only
        recording = Recording(subject, self.policy.keep, wishes, now, vector, embed_later)
        return Miss(reason, recording, similarity)

    async def _embed(self, text: str, embedder: tuple[Embedder, Guard]) -> Vector:
        port, guard = embedder
        return await guard.call(Stage.EMBED, port.embed, text)

    def landing(self, recording: Recording) -> Landing:
        """To be begun before the recorded answer's last byte is sent, and ended after `keep`."""
        return Landing(self._landings, recording.subject.partition)

    async def served(self, hit: Hit, now: float) -> None:
        """After the answer went out: count the use, and put the entry where the next asker finds it sooner."""
        store, _ = self._tiers.postgres
        store.used(hit.entry.id, now)
        if hit.kind is not HitKind.EXACT or hit.source is Source.MEMORY:
            return
        if self._tiers.memory is not None:
            self._tiers.memory.put_now(hit.entry)
        if hit.source is Source.POSTGRES:
            await self._put_redis(hit.entry)

    async def keep(self, recording: Recording) -> bool:
        """Store the recorded answer if it may be kept and is whole. True if it can be found from now on."""
        answer = recording.finish()
        if answer is None:
            return self._not_kept(recording.reason or Reason.INCOMPLETE)
        places = self._tiers.places
        if places.free <= 0:
            return self._not_kept(Reason.STORE_BUSY)
        places.free -= 1
        try:
            reason = await self._store(recording, answer)
        finally:
            places.free += 1
        if reason is not None:
            return self._not_kept(reason)
        self._tiers.emit(Kept(self.route, len(answer.body)))
        return True

    def _not_kept(self, reason: Reason) -> bool:
        self._tiers.emit(NotKept(self.route, reason))
        return False

    async def _store(self, recording: Recording, answer: Answer) -> Reason | None:
        try:
            body = self._decoded(answer)
        except DecodedTooLarge:
            return Reason.TOO_LARGE
        except Undecodable:
            return Reason.ENCODING
        holder = examine_body(self.policy.keep, body)
        if isinstance(holder, Reason):
            return holder
        now = time.time()
        ttl = time_to_live(self.policy, recording.wishes, answer.headers)
        if ttl <= 0:
            return Reason.CACHE_CONTROL
        subject = recording.subject
        entry = Entry(
            id=self._tiers.new_id(),
            route=self.route,
            scope=subject.scope,
            partition=subject.partition,
            exact=subject.exact,
            status=answer.status,
            headers=replayable(answer.headers),
            body=body,
            asked_at=recording.asked_at,
            created_at=now,
            expires_at=now + ttl,
            cost=read_cost(self.policy, subject.model, holder),
        )
        return await self._put_everywhere(entry, recording)

    def _decoded(self, answer: Answer) -> bytes:
        encodings = [value for name, value in answer.headers if name == b"content-encoding"]
        if not encodings:
            return answer.body
        return self._tiers.decode(b", ".join(encodings), answer.body, self.policy.keep.max_body)

    async def _put_everywhere(self, entry: Entry, recording: Recording) -> Reason | None:
        """Memory at once, so that who asks the same right away finds it; then the row and Redis, which take their time."""
        if self._tiers.memory is not None:
            self._tiers.memory.put_now(entry)
        vector = recording.vector
        if recording.embed_later and self._tiers.embedder is not None:
            try:
                vector = await self._embed(recording.subject.text, self._tiers.embedder)
            except CacheTrouble:
                vector = None  # found by its exact words only
        store, _ = self._tiers.postgres
        try:
            await self._tiers.storing.call(Stage.STORE, store.keep, entry, recording.subject.text, vector)
            in_postgres = True
        except CacheTrouble:
            in_postgres = False
        in_redis = await self._put_redis(entry)
        return None if self._tiers.memory is not None or in_postgres or in_redis else Reason.STORE_TROUBLE

    async def _put_redis(self, entry: Entry) -> bool:
        """True if Redis has it now."""
        if self._tiers.redis is None:
            return False
        store, guard = self._tiers.redis
        try:
            await guard.call(Stage.STORE, store.put, entry)
        except CacheTrouble:
            return False
        return True
