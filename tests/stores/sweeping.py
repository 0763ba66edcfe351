"""A database with two spaces and its upkeep, for the tests of what is removed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
from rows import SEAL

from gateway.core.messages import Entry
from gateway.stores.codec import Codec
from gateway.stores.pgvector import PgVectorStore
from gateway.stores.postgres import Database
from gateway.stores.schema import Space
from gateway.stores.sweeper import RouteLimits
from gateway.stores.upkeep import Upkeep

SPACES = [Space("model", 8), Space("exact", None)]


class World:
    """A database with two spaces and its upkeep; limits may be changed at any time."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.database = Database(url, acquire_timeout=30.0)
        self.stores = [PgVectorStore(self.database, space, Codec(SEAL)) for space in SPACES]
        self.limits: dict[str, RouteLimits] = {}
        self.troubles: list[str] = []
        self.upkeep = self.upkeep_of(self.database)

    def upkeep_of(
        self, database: Database, namespace: str = "default", clock: Callable[[], float] = time.time
    ) -> Upkeep:
        return Upkeep(
            database,
            namespace=namespace,
            limits=lambda: self.limits,
            promote_at=3000,
            on_trouble=lambda trouble: self.troubles.append(str(trouble)),
            clock=clock,
            flush_every=0.05,
            sweep_every=0.05,
        )

    async def there(self, entries: list[Entry]) -> list[Entry]:
        """Those of these that any of the stores still has."""
        found = []
        for each in entries:
            if any([await store.get(each.exact, 0.0) for store in self.stores]):
                found.append(each)
        return found

    async def rows(self) -> tuple[int, int]:
        """(rows in all entries tables, rows in the usage table), expired ones included."""
        connection = await asyncpg.connect(self.url)
        spaces = [row["id"] for row in await connection.fetch("SELECT id FROM semgate.spaces")]
        counts = [await connection.fetchval(f"SELECT count(*) FROM semgate.entries_{number}") for number in spaces]
        used = await connection.fetchval("SELECT count(*) FROM semgate.usage")
        await connection.close()
        return sum(counts), used


@asynccontextmanager
async def world(url: str) -> AsyncIterator[World]:
    made = World(url)
    yield made
    await made.database.close()
