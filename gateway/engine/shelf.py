"""The Shelf: one route's cache, used by hand. `put` an answer, `find` some, `remove` and `purge` them.

Questions are found by the same search, thresholds and second opinions as those of requests, what is denied or purged is
so here, and what is stored are entries like any other. Who puts an answer says what it is: no rule about upstreams'
answers looks at it, but it has to be of the size that the route keeps.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence

import msgspec

from gateway.core.events import Kept, NotKept, Outcome, Served, Stage
from gateway.core.freshness import NO_WISHES
from gateway.core.keys import Keyer
from gateway.core.messages import Entry, Hit, Reason, Refuse, Subject, Vector
from gateway.core.policy import CachePolicy
from gateway.core.ports import ShelfRemoval, ShelfStore
from gateway.core.purges import Purge, Similar
from gateway.core.shelving import Place, is_text, labels, place, unfit
from gateway.core.tags import all_tags
from gateway.engine.denials import Denials
from gateway.engine.search import Query
from gateway.engine.shelf_search import ShelfSearch
from gateway.engine.shelved import TEXT, Looked, looked
from gateway.engine.tiers import Tiers
from gateway.errors import CacheTrouble, StoreError, TextUnfit

PUT_AT_ONCE = 8
"""Answers of one shelf being embedded and stored at once; further ones wait."""
FIND_AT_ONCE = 32
"""Searches of one shelf at once: a program that asks a thousand things at a time is to find them, not to be late with all."""
MOST_WAITING = 10_000


class Shelf:
    """Of one route. `rows` and `removal` are PostgreSQL's, like `tiers.postgres`."""

    def __init__(
        self, route: str, policy: CachePolicy, keyer: Keyer, tiers: Tiers, rows: ShelfStore, removal: ShelfRemoval
    ) -> None:
        self.route = route
        self._policy = policy
        self._keyer = keyer
        self._tiers = msgspec.structs.replace(tiers, memory=None, redis=None)
        self._rows = rows
        self._removal = removal
        self._denials = Denials(policy, self._tiers)
        self._putting, self._finding = _Line(PUT_AT_ONCE), _Line(FIND_AT_ONCE)

    def scope(self, name: str) -> bytes:
        """The digest of a scope by its name, as `scope: client` has it for the client of that name."""
        return self._keyer.scope(b"client", name.encode())

    async def put(
        self,
        question: str,
        answer: bytes,
        at: Place,
        *,
        content_type: str = TEXT,
        ttl: float | None = None,
        tags: Sequence[str] = (),
        attributes: Mapping[str, str] | None = None,
    ) -> str | Reason:
        """Store the answer for `ttl` seconds (None: the route's), in place of one with the same question and
        attributes there. Its id, or why it is not kept. Never raises CacheTrouble."""
        asked_at = time.time()
        attributes, tags = attributes or {}, tuple(dict.fromkeys(tags))
        seconds = self._policy.ttl if ttl is None else ttl
        reason = self._unfit(question, answer, seconds, tags, attributes)
        if reason is None:
            placed = place(self._keyer, question, at, attributes, tags)
            subject = placed.subject
            entry = Entry(
                id=self._tiers.new_id(),
                route=self.route,
                scope=at.scope,
                partition=subject.partition,
                exact=placed.exact,
                status=200,
                headers=((b"content-type", content_type.encode("latin-1")),),
                body=answer,
                asked_at=asked_at,
                created_at=asked_at,
                expires_at=asked_at + seconds,
                tags=tags,
                mark=placed.mark,
            )
            reason = await self._put(entry, subject)
        if reason is not None:
            self._tiers.emit(NotKept(self.route, reason))
            return reason
        self._tiers.emit(Kept(self.route, len(answer)))
        return entry.id

    def _unfit(
        self, question: str, answer: bytes, ttl: float, tags: tuple[str, ...], attributes: Mapping[str, str]
    ) -> Reason | None:
        reason = self._unread(question)
        if reason is not None:
            return reason
        if len(answer) > self._policy.keep.max_body:
            return Reason.TOO_LARGE
        if not 0 < ttl < math.inf:
            return Reason.CACHE_CONTROL
        return Reason.TAGS if all_tags(tags, ()) is None or unfit(attributes) else None

    def _unread(self, question: str) -> Reason | None:
        """Why this is no question."""
        if len(question) > self._policy.keep.max_body:
            return Reason.TOO_LARGE
        return None if is_text(question) else Reason.NO_TEXT

    async def _put(self, entry: Entry, subject: Subject) -> Reason | None:
        if self._putting.full:
            return Reason.STORE_BUSY
        async with self._putting:
            return await self._store(entry, subject)

    async def _store(self, entry: Entry, subject: Subject) -> Reason | None:
        """The row, in one write. Unlike an upstream's answer, which many will ask for again, it is not stored without its
        vector: whoever put it is told, and may put it again."""
        tiers, vector = self._tiers, None
        if tiers.embedder is not None:
            try:
                vector = await tiers.embed(subject.text)
            except TextUnfit:
                pass  # found by its very words only
            except CacheTrouble:
                return Reason.EMBEDDER_TROUBLE
        if self._denials.any:
            ruling = await self._denials.examine(subject.text, None, vector)
            if ruling.denied is not None or ruling.trouble is not None:
                return ruling.trouble or Reason.DENIED
        if self._is_void(entry, vector):
            return Reason.PURGED
        try:
            await tiers.storing.call(Stage.STORE, tiers.postgres[0].keep, entry, subject.text, vector)
        except CacheTrouble:
            return Reason.STORE_TROUBLE
        return Reason.PURGED if self._is_void(entry, vector) else None

    def _is_void(self, entry: Entry, vector: Vector | None) -> bool:
        return self._tiers.purges.covers(entry, vector, self._tiers.postgres[0].space)

    async def find(
        self,
        question: str,
        at: Place,
        *,
        attributes: Mapping[str, str] | None = None,
        threshold: float | None = None,
        opinion: bool = True,
        exact: bool = True,
        semantic: bool = True,
        limit: int = 1,
        client: str | None = None,
    ) -> Looked:
        """Up to `limit` (1 or more) entries with at least these attributes: those with the same words (`exact`), then the nearest
        (`semantic`). `threshold`: the similarity asked for in place of the route's, higher or lower; without
        `opinion` that alone decides, where the route would ask for a second one. `client`: who asks, for the figures.
        Never raises CacheTrouble."""
        started, attributes, hits = time.perf_counter(), attributes or {}, list[Hit]()
        unread = self._unread(question)
        now = time.time()
        if unread is not None or unfit(attributes):
            found = Looked((), unread or Reason.NO_CANDIDATE)  # nothing is stored with such attributes
        elif self._finding.full:
            found = Looked((), Reason.STORE_BUSY)
        else:
            async with self._finding:
                now = time.time()  # it may have waited
                placed = place(self._keyer, question, at, attributes)
                query = Query(placed.subject, NO_WISHES, now)
                denied = await self._denied(query)
                if denied is None:
                    if not semantic:
                        query.subject = msgspec.structs.replace(query.subject, exact_only=True)
                    known = self._policy, self._tiers, self._rows, placed.mark.labels
                    search = ShelfSearch(*known, threshold=threshold, opinion=opinion, limit=limit)
                    hits = await search.find_several(query, same_words=exact)
                found = denied or looked(hits, query)
        self._tell(found, hits, at.scope, now, time.perf_counter() - started, client)
        return found

    async def _denied(self, query: Query) -> Looked | None:
        """What a route denies is compared first, as for requests, and whether or not other words are asked for."""
        verdict = await self._denials.verdict(query) if self._denials.any else None
        if verdict is None:
            return None
        return Looked((), verdict.reason, denial=verdict.denial if isinstance(verdict, Refuse) else None)

    def _tell(
        self, found: Looked, hits: list[Hit], scope: bytes, now: float, seconds: float, client: str | None
    ) -> None:
        best = hits[0] if hits else None
        for hit in hits:
            self._tiers.postgres[0].used(hit.entry.id, now)
        self._tiers.emit(
            Served(
                self.route,
                Outcome.MISS if best is None else Outcome.HIT,
                seconds,
                200,
                source=None if best is None else best.source,
                reason=found.reason,
                similarity=found.similarity if best is None else best.similarity,
                age=None if best is None else max(0.0, now - best.entry.created_at),
                entry=None if best is None else best.entry.id,
                scope=scope,
                kind=None if best is None else best.kind,
                client=client,
            )
        )

    async def remove(self, entry_id: str, at: Place | None = None) -> bool:
        """One entry by its id, if it is there (None: wherever in the route). False: there is none. Raises StoreError."""
        if "\0" in entry_id or not is_text(entry_id):
            return False  # PostgreSQL takes no such text
        if at is None:
            return await self._removal.remove(self.route, entry_id, None, ())
        return await self._removal.remove(self.route, entry_id, at.scope, labels(self._keyer, at, {}))

    async def remove_where(self, at: Place, attributes: Mapping[str, str]) -> int:
        """What has at least these attributes (none: everything there). Here and below, contexts make no difference. How
        many went. Raises StoreError."""
        if unfit(attributes):
            return 0  # nothing is stored with such
        listed = labels(self._keyer, at, attributes)
        if not listed:
            # No purge: those are put together where there are many, so one caller's would reach into another's scope.
            return await self._removal.remove_scope(self.route, at.scope)
        return await self._removal.remove_labelled(self.route, at.scope, listed)

    async def flush(self, at: Place) -> int:
        """Everything there. How many went. Raises StoreError."""
        return await self.remove_where(at, {})

    async def purge(
        self,
        *,
        scope: bytes | None = None,
        tags: Sequence[str] = (),
        older_than: float = 0.0,
        similar_to: tuple[str, float] | None = None,
    ) -> int:
        """As an operator purges: what is in this scope, has any of these tags, was put so many seconds ago or earlier, and
        is like a text at this similarity or above; in so far as each is given. How many went. Raises CacheTrouble."""
        return await self._removal.purge(
            Purge(
                before=time.time() - older_than,
                route=self.route,
                scopes=frozenset() if scope is None else frozenset([scope]),
                tags=frozenset(tags),
                similar=None if similar_to is None else await self._similar(*similar_to),
            )
        )

    async def _similar(self, text: str, at_least: float) -> Similar:
        vector, space = await self._tiers.embed(text), self._tiers.postgres[0].space
        if space is None:
            raise StoreError("postgres: which table is not known yet: the embedder has not answered so far")
        return Similar(space, vector, at_least)


class _Line:
    """Where work waits for its turn: `at_once` is done at once, and `full` says that too much waits already."""

    def __init__(self, at_once: int) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._waiting = 0

    @property
    def full(self) -> bool:
        return self._waiting >= MOST_WAITING

    async def __aenter__(self) -> None:
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1

    async def __aexit__(self, *_error: object) -> None:
        self._turns.release()
