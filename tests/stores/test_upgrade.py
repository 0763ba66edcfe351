"""A rolling upgrade: processes of the version before go on while new ones have brought the schema up to date.

The old version's statements stand here word for word as it sent them (its schema: 001_init, 002_locks, and the first files
of entries/ and vectors/).
"""

from __future__ import annotations

import asyncio
import time

import asyncpg
import msgspec
from purging import Process
from rows import entry, vector, with_everything

from gateway.core.messages import Entry
from gateway.core.purges import Purge
from gateway.stores import schema
from gateway.stores.postgres_connection import decode_vector, encode_vector
from gateway.stores.sweeper import sweep

OLD_FILES = {
    "001_init": ".",
    "002_locks": ".",
    "entries/001_entries": "entries",
    "vectors/001_vectors": "vectors",
}
OLD_KEEP = """
    WITH kept AS (
        INSERT INTO semgate.entries_1 (exact, id, namespace, route, scope, partition, question, head, body,
            asked_at, created_at, expires_at, form, embedding)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $14, $16)
        ON CONFLICT (exact) DO UPDATE SET (id, namespace, route, scope, partition, question, head, body,
            asked_at, created_at, expires_at, form, embedding, promoted)
        = ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $14, $16, false)
    )
    INSERT INTO semgate.usage AS used (space, exact, namespace, route, bytes, last_used, expires_at)
    VALUES (1, $1, $3, $4, $13, $11, $15)
    ON CONFLICT (space, exact) DO UPDATE SET (namespace, route, bytes, last_used, expires_at)
    = ($3, $4, $13, greatest(used.last_used, $11), $15)
    """
OLD_ROW = "exact, id, route, scope, partition, head, body, asked_at, created_at, expires_at"
OLD_GET = f"SELECT {OLD_ROW} FROM semgate.entries_1 WHERE exact = $1 AND expires_at > $2"
OLD_NEAREST = f"""
    WITH near AS (
        SELECT {OLD_ROW}, embedding OPERATOR("public".<=>) $2 AS distance FROM semgate.entries_1
        WHERE partition = $1 AND embedding IS NOT NULL AND expires_at > $4
        ORDER BY embedding OPERATOR("public".<=>) $2 LIMIT $3
    ), ranked AS (
        SELECT *, row_number() OVER (ORDER BY distance) AS nth, greatest(0, least(1, 1 - distance)) AS similarity
        FROM near ORDER BY distance LIMIT $3
    )
    SELECT id, similarity, exact, route, scope, partition, asked_at, created_at, expires_at,
        CASE WHEN nth = 1 AND similarity >= $5 THEN head END AS head,
        CASE WHEN nth = 1 AND similarity >= $5 THEN body END AS body
    FROM ranked ORDER BY nth
    """
OLD_SWEEP = (
    "SELECT space, exact FROM semgate.usage WHERE expires_at <= $1 ORDER BY expires_at LIMIT 1000",
    "DELETE FROM semgate.entries_1 WHERE exact = ANY($1) AND created_at <= $2",
)
OLD_LOCK = """
    INSERT INTO semgate.locks AS held (key, token, until)
    VALUES ($1, $2, extract(epoch FROM clock_timestamp())::float8 + $3)
    ON CONFLICT (key) DO UPDATE SET (token, until) = ($2, extract(epoch FROM clock_timestamp())::float8 + $3)
    WHERE held.until <= extract(epoch FROM clock_timestamp())::float8 OR held.token = $2
    RETURNING token
    """


async def old_process(url: str) -> asyncpg.Connection[asyncpg.Record]:
    """A connection of the version before, in whose schema it is the first; its statements are prepared."""
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE EXTENSION vector; CREATE SCHEMA semgate")
    await connection.execute("CREATE TABLE semgate.migrations (name text PRIMARY KEY)")
    words = {"entries": "semgate.entries_1", "name": "entries_1", "vector": "public", "dimensions": 8}
    for name, folder in OLD_FILES.items():
        text = (schema.sql_folder() / f"{name}.sql").read_text()
        if folder == ".":
            await connection.execute(text)
            await connection.execute("INSERT INTO semgate.migrations VALUES ($1)", name)
            continue
        if folder == "entries":
            await connection.execute("INSERT INTO semgate.spaces (identity, dimensions) VALUES ('test-model', 8)")
        await connection.execute(text.format(**words))
        await connection.execute("INSERT INTO semgate.space_migrations VALUES (1, $1)", name)
    await connection.set_type_codec(
        "halfvec", schema="public", encoder=encode_vector, decoder=decode_vector, format="binary"
    )
    return connection


async def old_keep(connection: asyncpg.Connection[asyncpg.Record], kept: Entry) -> None:
    head = (kept.status, kept.headers, kept.cost, kept.form, kept.stale, kept.pace, kept.compressed, kept.usage_asked)
    await connection.execute(
        OLD_KEEP,
        *(kept.exact, kept.id, "default", kept.route, kept.scope, kept.partition, b"\x01old question"),
        *(b"\x01" + msgspec.msgpack.encode(head), b"\x01" + kept.body),
        *(kept.asked_at, kept.created_at, kept.expires_at, kept.size(), kept.form.value),
        *(kept.expires_at + kept.stale, vector(0.0)),
    )


def test_old_and_new_processes_work_side_by_side_on_the_new_schema(database_url: str) -> None:
    async def scenario() -> None:
        old = await old_process(database_url)
        before, after, renewed = entry("before"), entry("after"), with_everything(entry("renewed"))
        await old_keep(old, before)

        here = Process(database_url)  # brings the schema up to date
        await here.log.load()
        store = here.near
        store._codec = here.catalog._codec  # the old rows here are readable ones
        assert await store.get(before.exact, time.time()) == before
        await store.keep(renewed, "new question", vector(0.0))

        await old_keep(old, after)
        await old_keep(old, renewed)
        found = await old.fetchrow(OLD_GET, renewed.exact, time.time())
        assert found is not None
        assert len(await old.fetch(OLD_NEAREST, before.partition, vector(0.0), 5, time.time(), 0.9)) == 3
        assert await old.fetchval(OLD_LOCK, b"lock", b"token", 5.0) == b"token"

        # An old process knows no tags and nothing newer: what it stores has none, whatever was there before.
        as_old = msgspec.structs.replace(renewed, tags=(), mark=None, synthesized=False)
        assert await store.get(renewed.exact, time.time()) == as_old
        page = await here.catalog.page(None, 10, None)
        assert {each.id for each in page.entries} == {before.id, after.id, renewed.id}
        assert {each.question for each in page.entries} == {"old question"}

        assert (await here.log.purge(Purge(time.time(), exact=frozenset([before.exact])))).removed == 1
        assert await old.fetchrow(OLD_GET, before.exact, time.time()) is None
        # What an old process stores though it was purged is void for the new ones.
        await old_keep(old, before)
        found_again = await store.get(before.exact, time.time())
        assert found_again is not None
        assert here.purges.covers(found_again)

        for each in await old.fetch(OLD_SWEEP[0], time.time() + 1e6):
            await old.execute(OLD_SWEEP[1], [each["exact"]], time.time() + 1e6)
        await sweep(here.database, "default", {}, time.time() + 1e6)
        assert await all_left(here) == 0
        await here.close()
        await old.close()

    asyncio.run(scenario())


async def all_left(process: Process) -> int:
    return len([each async for each in process.catalog.export(None)])


def test_an_old_process_that_starts_on_the_new_schema_finds_nothing_to_do(database_url: str) -> None:
    """It compares names: more than it knows have been run, and none of its own is missing."""

    async def scenario() -> None:
        old = await old_process(database_url)
        here = Process(database_url)
        await here.near.ping()
        await here.near.get(b"x" * 32, 0.0)
        common = {row["name"] for row in await old.fetch("SELECT name FROM semgate.migrations")}
        of_space = {row["name"] for row in await old.fetch("SELECT name FROM semgate.space_migrations WHERE space = 1")}
        assert common >= {"001_init", "002_locks"}
        assert {"003_purges", "005_evidence"} <= common
        assert of_space >= {"entries/001_entries", "vectors/001_vectors", "entries/002_purging"}
        await here.close()
        await old.close()

    asyncio.run(scenario())
