"""Processes that purge: each a database connection pool, its log and what it has heard, on one PostgreSQL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import asyncpg
from rows import SEAL, SPACE

from gateway.core.purges import Purge
from gateway.engine.purges import Purges
from gateway.errors import StoreError
from gateway.stores.catalog import Catalog
from gateway.stores.codec import Codec
from gateway.stores.memory import MemoryStore
from gateway.stores.pgvector import PgVectorStore
from gateway.stores.postgres import Database
from gateway.stores.purge_log import PurgeLog
from gateway.stores.schema import Space

EXACT = Space("exact", None)


class Process:
    """What one process has. `clock` may be set ahead."""

    def __init__(self, url: str, *, namespace: str = "default", poll: float = 0.2, settle: float = 60.0) -> None:
        self.ahead = 0.0
        self.database = Database(url, acquire_timeout=30.0, connect_timeout=30.0)
        self.near = PgVectorStore(self.database, SPACE, Codec(SEAL), namespace=namespace)
        self.exact = PgVectorStore(self.database, EXACT, Codec(SEAL), namespace=namespace)
        self.memory = MemoryStore(1 << 24)
        self.purges = Purges()
        self.removed: list[bytes] = []
        self.troubles: list[str] = []
        self.catalog = Catalog(self.database, Codec(SEAL, readable=True), namespace=namespace, clock=self.clock)
        self.log = PurgeLog(
            self.database,
            namespace=namespace,
            heard=self._heard,
            on_removed=self._removed,
            clock=self.clock,
            poll_seconds=poll,
            settle_seconds=settle,
        )
        self._task: asyncio.Task[None] | None = None

    def clock(self) -> float:
        return time.time() + self.ahead

    def follow(self) -> None:
        self._task = asyncio.create_task(self.log.follow(self._trouble))

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.database.close()

    async def _heard(self, purges: Sequence[Purge], whole: bool) -> None:
        if whole:
            self.purges.replace(purges)
        else:
            self.purges.add(purges)
            await self.memory.forget(self.purges.covers)

    async def _removed(self, keys: Sequence[bytes]) -> None:
        self.removed += keys

    def _trouble(self, trouble: StoreError) -> None:
        self.troubles.append(str(trouble))


@asynccontextmanager
async def processes(url: str, count: int = 2, **options: float | str) -> AsyncIterator[list[Process]]:
    """So many, hearing each other."""
    made = [Process(url, **options) for _ in range(count)]  # type: ignore[arg-type]
    try:
        for each in made:
            await each.log.load()
            each.follow()
        yield made
    finally:
        for each in made:
            await each.close()


async def listening(connection: asyncpg.Connection[asyncpg.Record], count: int) -> list[int]:
    """Process ids of the backends that hear of purges, once there are so many."""
    async with asyncio.timeout(60):
        while True:
            rows = await connection.fetch(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'semgate purges' "
                "AND datname = current_database() AND query LIKE 'LISTEN%'"
            )
            if len(rows) >= count:
                return [row["pid"] for row in rows]
            await asyncio.sleep(0.02)


async def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)
