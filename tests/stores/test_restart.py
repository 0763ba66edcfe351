"""PostgreSQL goes away and comes back under a running gateway."""

from __future__ import annotations

import asyncio
import tempfile
import time

import pytest
from rows import SEAL, SPACE, entry, vector

from gateway.errors import StoreError
from gateway.stores.codec import Codec
from gateway.stores.embedded import EmbeddedPostgres
from gateway.stores.pgvector import PgVectorStore
from gateway.stores.postgres import Database


def test_it_comes_back_by_itself_after_a_restart() -> None:
    async def scenario(server: EmbeddedPostgres) -> None:
        database = Database(await asyncio.to_thread(server.start), acquire_timeout=30.0)
        store = PgVectorStore(database, SPACE, Codec(SEAL))
        kept = entry("a")
        await store.keep(kept, "q", vector(0.0))
        await asyncio.gather(*[store.get(kept.exact, time.time()) for _ in range(8)])

        await asyncio.to_thread(server.stop)
        for call in (store.ping(), store.get(kept.exact, time.time()), store.keep(kept, "q", None)):
            with pytest.raises(StoreError, match="postgres"):
                await call
        await asyncio.to_thread(server.start)
        assert await store.get(kept.exact, time.time()) == kept

        # Restarted between two calls: every pooled connection is dead, and nobody notices.
        await asyncio.gather(*[store.get(kept.exact, time.time()) for _ in range(8)])
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        found = await asyncio.gather(*[store.get(kept.exact, time.time()) for _ in range(8)])
        assert found == [kept] * 8
        await database.close()

    with tempfile.TemporaryDirectory(prefix="sg-pg-", dir="/tmp") as folder:
        server = EmbeddedPostgres(folder)
        asyncio.run(scenario(server))
        server.stop()


def test_a_gateway_that_started_without_it_finds_it_later() -> None:
    async def scenario(server: EmbeddedPostgres) -> None:
        url = await asyncio.to_thread(server.start)
        await asyncio.to_thread(server.stop)
        database = Database(url)
        store = PgVectorStore(database, SPACE, Codec(SEAL))
        with pytest.raises(StoreError):
            await store.ping()
        await asyncio.to_thread(server.start)
        await store.ping()
        await store.keep(entry("a"), "q", vector(0.0))
        await database.close()

    with tempfile.TemporaryDirectory(prefix="sg-pg-", dir="/tmp") as folder:
        server = EmbeddedPostgres(folder)
        asyncio.run(scenario(server))
        server.stop()


def test_a_schema_that_was_dropped_is_made_anew() -> None:
    async def scenario(url: str) -> None:
        database = Database(url, acquire_timeout=30.0)
        store = PgVectorStore(database, SPACE, Codec(SEAL))
        await store.keep(entry("a"), "q", vector(0.0))
        await database.fetch("DROP SCHEMA semgate CASCADE")
        with pytest.raises(StoreError):
            await store.get(entry("a").exact, time.time())
        await store.keep(entry("a"), "q", vector(0.0))
        assert await store.get(entry("a").exact, time.time()) is not None
        await database.close()

    with tempfile.TemporaryDirectory(prefix="sg-pg-", dir="/tmp") as folder:
        server = EmbeddedPostgres(folder)
        asyncio.run(scenario(server.start()))
        server.stop()
