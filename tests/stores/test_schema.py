"""Migrations: run once, by whoever is first, and clear words where PostgreSQL cannot be used."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import asyncpg
import msgspec
import pytest
from rows import SEAL, SPACE, entry, key, opened, vector, with_everything

from gateway.core.messages import Entry
from gateway.errors import ConfigError, StoreError
from gateway.stores import schema
from gateway.stores.codec import Codec
from gateway.stores.pgvector import PgVectorStore
from gateway.stores.postgres import Database
from gateway.stores.postgres_locks import PostgresLocks
from gateway.stores.schema import Space
from gateway.stores.sweeper import sweep

OLD_FILES = ("001_init", "entries/001_entries", "vectors/001_vectors")

STARTS = """
import asyncio, sys, time
from gateway.stores.codec import Codec
from gateway.stores.pgvector import PgVectorStore
from gateway.stores.postgres import Database
from gateway.stores.schema import Space

async def main():
    database = Database(sys.argv[1], connect_timeout=30.0, acquire_timeout=30.0)
    stores = [PgVectorStore(database, Space(name, size), Codec(b"k" * 32)) for name, size in
              [("a", 8), ("b", 8), ("exact", None)]]
    sys.stdin.readline()
    await asyncio.gather(*[store.get(b"x" * 32, 0.0) for store in stores])
    await database.close()

asyncio.run(main())
"""


def test_processes_that_start_at_once_make_everything_once(database_url: str) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", STARTS, database_url], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    outcomes = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in processes:
        _out, errors = process.communicate(timeout=120)
        outcomes.append((process.returncode, errors))
    assert outcomes == [(0, b"")] * 4

    async def look() -> None:
        connection = await asyncpg.connect(database_url)
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'semgate' AND tablename LIKE 'entries%'"
        )
        assert len(tables) == 3
        assert await connection.fetchval("SELECT count(*) FROM semgate.spaces") == 3
        await connection.close()

    asyncio.run(look())


def test_a_second_start_changes_nothing_and_finds_what_is_there(database_url: str) -> None:
    async def scenario() -> None:
        kept = entry("a")
        for _ in range(2):
            database = Database(database_url)
            store = PgVectorStore(database, Space("a", 8), Codec(SEAL))
            if await store.get(kept.exact, time.time()) is None:
                await store.keep(kept, "q", vector(0.0))
            assert await store.get(kept.exact, time.time()) == kept
            await database.close()

    asyncio.run(scenario())


def test_a_database_that_an_older_version_made_is_used_on(database_url: str) -> None:
    """Made by the first files alone, with a row as they were written then: without a form, a stale time, or locks."""

    async def make_old(kept: Entry) -> None:
        connection = await asyncpg.connect(database_url)
        files = {name: (schema.sql_folder() / f"{name}.sql").read_text() for name in OLD_FILES}
        await connection.execute("CREATE EXTENSION vector; CREATE SCHEMA semgate")
        await connection.execute("CREATE TABLE semgate.migrations (name text PRIMARY KEY)")
        await connection.execute(files["001_init"])
        await connection.execute("INSERT INTO semgate.migrations VALUES ('001_init')")
        await connection.execute("INSERT INTO semgate.spaces (identity, dimensions) VALUES ('a', 8)")
        for name in OLD_FILES[1:]:
            words = {"entries": "semgate.entries_1", "name": "entries_1", "vector": "public", "dimensions": 8}
            await connection.execute(files[name].format(**words))
            await connection.execute("INSERT INTO semgate.space_migrations VALUES (1, $1)", name)
        head = b"\x01" + msgspec.msgpack.encode((kept.status, kept.headers))
        await connection.execute(
            "INSERT INTO semgate.entries_1 (exact, id, namespace, route, scope, partition, question, head, body, "
            "asked_at, created_at, expires_at, embedding) VALUES ($1, $2, 'default', $3, $4, $5, '\\x0171', $6, $7, $8, "
            "$9, $10, '[1,0,0,0,0,0,0,0]')",
            *(kept.exact, kept.id, kept.route, kept.scope, kept.partition, head, b"\x01" + kept.body),
            *(kept.asked_at, kept.created_at, kept.expires_at),
        )
        await connection.execute(
            "INSERT INTO semgate.usage (space, exact, namespace, route, bytes, last_used, expires_at) "
            "VALUES (1, $1, 'default', 'chat', 1000, $2, $3)",
            *(kept.exact, kept.created_at, kept.expires_at),
        )
        await connection.close()

    async def scenario() -> None:
        kept, fresh = entry("a", ttl=60), with_everything(entry("b", ttl=60))
        await make_old(kept)
        for _ in range(2):
            database = Database(database_url)
            store = PgVectorStore(database, Space("a", 8), Codec(SEAL, readable=True))
            assert await store.get(kept.exact, time.time()) == kept
            (found, *_) = await store.nearest(kept.partition, vector(0.0), 1, 0.99, time.time())
            assert found.entry == kept
            await store.keep(fresh, "q", vector(0.5))
            assert await store.get(fresh.exact, time.time()) == fresh
            locks = PostgresLocks(database)
            token = await locks.acquire(key("lock"), 60.0)
            assert token is not None
            await locks.release(key("lock"), token)
            await database.close()
        database = Database(database_url)
        store = PgVectorStore(database, Space("a", 8), Codec(SEAL, readable=True))
        assert (await sweep(database, "default", {}, kept.expires_at + 1)).expired == 1
        assert await store.get(kept.exact, 0.0) is None
        assert await store.get(fresh.exact, 0.0) == fresh
        assert (await sweep(database, "default", {}, fresh.expires_at + fresh.stale)).expired == 1
        assert await store.get(fresh.exact, 0.0) is None
        await database.close()

    asyncio.run(scenario())


def test_a_look_up_that_ran_out_of_time_does_not_undo_the_first_start(database_url: str) -> None:
    async def scenario() -> None:
        database = Database(database_url)
        store = PgVectorStore(database, Space("a", 8), Codec(SEAL))
        for _ in range(200):
            try:
                async with asyncio.timeout(0.005):
                    await store.get(entry("a").exact, time.time())
            except TimeoutError:
                continue
            break
        else:
            raise AssertionError("never got ready in steps of 5 ms")
        await database.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("dimensions", [0, 4001, 100_000])
def test_vectors_that_cannot_be_indexed_are_a_mistake_in_the_configuration(database_url: str, dimensions: int) -> None:
    async def scenario() -> None:
        database = Database(database_url)
        with pytest.raises(ConfigError, match=f"{dimensions} dimensions"):
            await database.table(Space("a", dimensions))
        await database.close()

    asyncio.run(scenario())


def test_the_largest_vectors_are_kept_and_found(database_url: str) -> None:
    async def scenario() -> None:
        database = Database(database_url)
        store = PgVectorStore(database, Space("a", 4000), Codec(SEAL))
        kept = entry("a", body=b"x" * 5000)
        await store.keep(kept, "q" * 500, vector(0.1, size=4000))
        (found,) = await store.nearest(kept.partition, vector(0.1, size=4000), 5, 0.99, time.time())
        assert found.entry == kept
        await database.close()

    asyncio.run(scenario())


def test_without_the_right_to_create_it_says_what_to_do(database_url: str) -> None:
    async def scenario() -> None:
        connection = await asyncpg.connect(database_url)
        await connection.execute("DROP ROLE IF EXISTS poor; CREATE ROLE poor LOGIN; CREATE EXTENSION vector")
        database = Database(database_url.replace("postgres@", "poor@"))
        with pytest.raises(StoreError, match="let this role create the schema"):
            await database.ping()
        await connection.execute("CREATE SCHEMA semgate AUTHORIZATION poor")
        await database.ping()
        await database.table(Space("a", 8))
        await database.close()
        await connection.close()

    asyncio.run(scenario())


def test_without_pgvector_it_says_what_to_do(database_url: str) -> None:
    async def scenario() -> None:
        connection = await asyncpg.connect(database_url)
        await connection.execute("DROP ROLE IF EXISTS bare; CREATE ROLE bare LOGIN")
        await connection.execute("CREATE SCHEMA semgate AUTHORIZATION bare")
        database = Database(database_url.replace("postgres@", "bare@"))
        with pytest.raises(StoreError, match="CREATE EXTENSION vector"):
            await database.ping()
        await connection.execute("CREATE EXTENSION vector")
        await database.ping()
        await connection.execute("UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'")
        late = Database(database_url)
        with pytest.raises(StoreError, match=r"0\.7\.4 and must be 0\.8"):
            await late.ping()
        await late.close()
        await database.close()
        await connection.close()

    asyncio.run(scenario())


def test_pgvector_may_live_in_any_schema(database_url: str) -> None:
    async def scenario() -> None:
        connection = await asyncpg.connect(database_url)
        await connection.execute('CREATE SCHEMA "Extra Things"; CREATE EXTENSION vector SCHEMA "Extra Things"')
        await connection.close()
        database = Database(database_url)
        store = PgVectorStore(database, Space("a", 8), Codec(SEAL))
        kept = entry("a")
        await store.keep(kept, "q", vector(0.0))
        (found,) = await store.nearest(kept.partition, vector(0.0), 5, 0.5, time.time())
        assert found.entry == kept
        await database.close()

    asyncio.run(scenario())


def test_every_migration_has_a_number_of_its_own() -> None:
    for folder in (".", "entries", "vectors"):
        numbers = [path.name[:3] for path in (schema.sql_folder() / folder).glob("*.sql")]
        assert numbers
        assert sorted(set(numbers)) == sorted(numbers)


def test_statements_survive_a_table_that_changed_under_them(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store):
            kept = entry("a")
            await store.keep(kept, "q", vector(0.0))
            assert await store.get(kept.exact, time.time()) == kept
            table = await database.table(SPACE)
            connection = await asyncpg.connect(database_url)
            await connection.execute(f"ALTER TABLE {table.entries} ALTER COLUMN route TYPE varchar(200)")
            await connection.close()
            assert await store.get(kept.exact, time.time()) == kept
            assert (await store.nearest(kept.partition, vector(0.0), 5, 0.5, time.time()))[0].entry == kept

    asyncio.run(scenario())
