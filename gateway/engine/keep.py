"""Keeping one route's answers: is it whole, may it be kept, into which tiers. Every decision is made in `core`.

Nobody waits for this but followers of the same question, who are told as soon as the answer is known to be good.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec

from gateway.core.events import Kept, NotKept, Stage
from gateway.core.messages import Cost, Entry, Reason, Vector
from gateway.core.policy import CachePolicy, examine_body, read_cost, stale_time, time_to_live
from gateway.core.recording import Answer, Recording
from gateway.core.status import replayable
from gateway.core.tags import all_tags
from gateway.errors import CacheTrouble, DecodedTooLarge, Undecodable

if TYPE_CHECKING:
    from gateway.core.synthesis import Provenance
    from gateway.engine.tiers import Tiers

# Bodies beyond this are decoded and examined in a thread: nobody else's events shall wait for them.
EXAMINED_IN_PLACE = 1 << 16


class Examined(msgspec.Struct, frozen=True):
    """A good answer: its decoded body and what it cost."""

    body: bytes
    cost: Cost


class Keeper:
    """Stores the answers of one route."""

    def __init__(self, route: str, policy: CachePolicy, tiers: Tiers) -> None:
        self._route = route
        self._policy = policy
        self._tiers = tiers

    async def keep(self, recording: Recording) -> bool:
        """Store the recorded answer if it may be kept and is whole. True if it can be found from now on."""
        if recording.provenance is not None and not self._policy.keeps_synthesized:
            return await self._share(recording)
        answer = recording.finish()
        reason = recording.reason or Reason.INCOMPLETE if answer is None else await self._keep(recording, answer)
        if reason is None:
            return True
        recording.abandon(reason)
        self._tiers.emit(NotKept(self._route, reason))
        return False

    async def _keep(self, recording: Recording, answer: Answer) -> Reason | None:
        places = self._tiers.places
        if places.free <= 0:
            return Reason.STORE_BUSY
        places.free -= 1
        try:
            entry = await self.make_entry(recording, answer)
            reason = entry if isinstance(entry, Reason) else await self._put(entry, recording)
        finally:
            places.free += 1
        if reason is None:
            self._tiers.emit(Kept(self._route, len(answer.body)))
        return reason

    def keeps(self, entry: Entry) -> bool:
        """Is it one that this route stores?"""
        return self._policy.keeps_synthesized or not entry.synthesized

    async def _share(self, recording: Recording) -> bool:
        """It is for those who follow it, and for nobody afterwards."""
        entry = await self.read(recording)
        if entry is not None and not self._is_void(entry, None):
            recording.keep(entry)
        return False

    async def read(self, recording: Recording) -> Entry | None:
        """What the recorded answer would become; None where it is not to be kept. Nothing is stored."""
        answer = recording.finish()
        entry = None if answer is None else await self.make_entry(recording, answer)
        return None if isinstance(entry, Reason) else entry

    async def put(self, entry: Entry, recording: Recording) -> None:
        """Store after all what was only read."""
        reason = await self._put(entry, recording)
        self._tiers.emit(Kept(self._route, len(entry.body)) if reason is None else NotKept(self._route, reason))

    async def _put(self, entry: Entry, recording: Recording) -> Reason | None:
        if self._is_void(entry, recording.vector):
            return Reason.PURGED
        recording.keep(entry)
        return await self._put_everywhere(entry, recording)

    async def make_entry(self, recording: Recording, answer: Answer) -> Entry | Reason:
        """What a whole answer becomes, or why it must not be kept."""
        if len(answer.body) > EXAMINED_IN_PLACE:
            examined = await asyncio.to_thread(self._examine, recording, answer)
        else:
            examined = self._examine(recording, answer)
        return examined if isinstance(examined, Reason) else self._entry(recording, answer, examined)

    def _examine(self, recording: Recording, answer: Answer) -> Examined | Reason:
        """Decode it, and see whether it is whole and good."""
        encodings = [value for name, value in answer.headers if name == b"content-encoding"]
        body, rule = answer.body, self._policy.keep
        try:
            if encodings:
                body = self._tiers.decode(b", ".join(encodings), body, rule.max_body)
        except DecodedTooLarge:
            return Reason.TOO_LARGE
        except Undecodable:
            return Reason.ENCODING
        try:
            holders = examine_body(rule, answer.form, body)
        except RecursionError:  # of a path into a stream's event that nests without end
            return Reason.AMBIGUOUS_JSON
        if isinstance(holders, Reason):
            return holders
        return Examined(body, read_cost(self._policy, recording.subject.model, holders))

    def _is_void(self, entry: Entry, vector: Vector | None) -> bool:
        """Did a purge come while this answer was on its way?"""
        return self._tiers.purges.covers(entry, vector, self._tiers.postgres[0].space)

    def _entry(self, recording: Recording, answer: Answer, examined: Examined) -> Entry | Reason:
        """What it becomes; or why not: the upstream leaves it no time to live, or its tags cannot be stored."""
        now = time.time()
        ttl = time_to_live(self._policy, recording.wishes, answer.headers)
        if ttl <= 0:
            return Reason.CACHE_CONTROL
        tags = all_tags(recording.subject.tags, answer.headers)
        if tags is None:
            return Reason.TAGS
        subject = recording.subject
        entry = Entry(
            id=self._tiers.new_id(),
            route=self._route,
            scope=subject.scope,
            partition=subject.partition,
            exact=subject.exact,
            status=answer.status,
            headers=replayable(answer.headers),
            body=examined.body,
            asked_at=recording.asked_at,
            created_at=now,
            expires_at=now + ttl,
            cost=examined.cost,
            form=answer.form,
            stale=stale_time(self._policy, answer.headers),
            pace=answer.pace,
            usage_asked=subject.wanted is not None and subject.wanted.usage,
            compressed=any(name == b"content-encoding" and value != b"identity" for name, value in answer.headers),
            tags=tags,
        )
        return entry if recording.provenance is None else _synthesized(entry, recording.provenance)

    async def _put_everywhere(self, entry: Entry, recording: Recording) -> Reason | None:
        """Memory at once, so that who asks the same right away finds it; then the row and Redis, which take their time. A
        purge that comes meanwhile takes it out of memory; a row that was faster than the purge could see is passed over by
        look-ups and removed later (see stores/purge_log)."""
        tiers = self._tiers
        if tiers.memory is not None:
            tiers.memory.put_now(entry)
        vector = recording.vector
        if entry.synthesized:
            vector = None  # found by its exact words only, and so never by those who look for material
        elif recording.embed_later and tiers.embedder is not None:
            try:
                vector = await tiers.embed(recording.subject.text)
            except CacheTrouble:
                vector = None  # found by its exact words only
            if self._is_void(entry, vector):
                return Reason.PURGED
        store, _ = tiers.postgres
        try:
            await tiers.storing.call(Stage.STORE, store.keep, entry, recording.subject.text, vector)
            in_postgres = True
        except CacheTrouble:
            in_postgres = False
        if self._is_void(entry, vector):
            return Reason.PURGED
        in_redis = await tiers.put_redis(entry)
        return None if tiers.memory is not None or in_postgres or in_redis else Reason.STORE_TROUBLE


def _synthesized(entry: Entry, made_of: Provenance) -> Entry | Reason:
    """What was made of kept answers lives and dies with them."""
    tags = all_tags((*entry.tags, *made_of.tags), ())
    if tags is None:
        return Reason.TAGS
    return msgspec.structs.replace(
        entry,
        asked_at=min(entry.asked_at, made_of.asked_at),
        created_at=made_of.created_at,
        expires_at=min(entry.expires_at, made_of.expires_at),
        stale=0.0,
        tags=tags,
        cost=made_of.cost,
        synthesized=True,
    )
