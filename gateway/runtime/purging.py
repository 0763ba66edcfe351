"""Purges in one process: what the log of purges says goes to those who look up and keep, and out of memory, Redis
and what was judged.

It begins with what is known in PostgreSQL and then follows it; both go on over reloads, and while PostgreSQL is down.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial

from gateway.core.events import Purged, Stage, Trouble
from gateway.core.messages import Entry
from gateway.core.ports import Emit
from gateway.core.purges import Purge
from gateway.engine.guard import Guard
from gateway.engine.purges import Purges
from gateway.errors import CacheTrouble, StoreError
from gateway.runtime.background import BackgroundTask
from gateway.runtime.evidence import EvidenceKeeping
from gateway.stores.memory import MemoryStore
from gateway.stores.postgres import Database
from gateway.stores.purge_log import PurgeLog
from gateway.stores.redis import RedisStore
from gateway.stores.shelf_removal import ShelfRemoval

# How long the start waits to hear what was purged before; without an answer it is heard as soon as there is one.
LOADING_SECONDS = 5.0


class Purging:
    """`log` is for whoever purges, `purges` for look-ups, `shelves` for programs that remove what they put by hand."""

    def __init__(
        self,
        database: Database,
        namespace: str,
        memory: MemoryStore | None,
        redis: tuple[RedisStore, Guard] | None,
        purges: Purges,
        evidence: EvidenceKeeping,
        emit: Emit,
    ) -> None:
        self.purges = purges
        self._evidence = evidence
        self.log = PurgeLog(database, namespace=namespace, heard=self._hear, on_removed=self._let_go)
        self.shelves = ShelfRemoval(database, self.log, namespace=namespace, on_removed=self._let_go)
        self._memory = memory
        self._redis = redis
        self._emit = emit
        self._following = BackgroundTask(partial(self.log.follow, self._tell), "semgate purges")

    async def begin(self) -> None:
        try:
            async with asyncio.timeout(LOADING_SECONDS):
                await self.log.load()
        except (StoreError, TimeoutError):
            pass  # PostgreSQL's trouble is told by who pings it; following it loads as well
        await self._following.begin()

    async def end(self) -> None:
        await self._following.end()

    async def evict(self, entry: Entry) -> None:
        """Void one entry, in every tier, worker and replica. While PostgreSQL is down, in this process and in Redis."""
        purge = Purge(time.time(), entry.route, exact=frozenset([entry.exact]))
        try:
            await self.log.purge(purge)
        except StoreError as trouble:
            self._tell(trouble)
            await self._hear([purge], whole=False)
            await self._let_go([entry.exact])

    async def _hear(self, purges: Sequence[Purge], whole: bool) -> None:
        if whole:
            self.purges.replace(purges)
        else:
            self.purges.add(purges)
        if self._memory is not None and not whole:
            await self._memory.forget(self.purges.covers)
        self._evidence.purged()

    async def _let_go(self, keys: Sequence[bytes]) -> None:
        """Redis holds what is void until it expires otherwise: look-ups would pass over it, and this frees the place."""
        self._emit(Purged(len(keys)))
        await self._evidence.forget_words(keys)
        if self._redis is None:
            return
        store, guard = self._redis
        try:
            await guard.call(Stage.STORE, store.remove, keys)
        except CacheTrouble:
            return  # told by the guard

    def _tell(self, trouble: StoreError) -> None:
        self._emit(Trouble("postgres", str(trouble)))
