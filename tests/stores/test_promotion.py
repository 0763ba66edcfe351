"""Partitions that outgrew exact scans: nothing is lost on the way into the graph, inside it, or out of it."""

from __future__ import annotations

import asyncio
import random
import time

import asyncpg
from rows import SIZE, SPACE, entry, key, opened, random_vector

from gateway.core.messages import Candidate
from gateway.stores.graph import graph_name
from gateway.stores.pgvector import PgVectorStore, nearest_in_graph
from gateway.stores.postgres import Database
from gateway.stores.promotion import Promotion, mark_batch
from gateway.stores.schema import LOCK_CLASS, PROMOTE, Space

AT = 300


async def fill(store: PgVectorStore, partition: str, numbers: range, seed: int = 1) -> dict[str, bytes]:
    """Keep random rows; their vectors by id."""
    chance = random.Random(f"{partition} {seed} {numbers}")
    made = {number: random_vector(chance) for number in numbers}
    await asyncio.gather(
        *[
            store.keep(entry(number, partition=partition, body=b"%d" % number), "q", vector)
            for number, vector in made.items()
        ]
    )
    return {entry(number, partition=partition).id: vector for number, vector in made.items()}


async def inside(database: Database, partition: str) -> int:
    table = await database.table(SPACE)
    rows = await database.fetch(
        f"SELECT count(*) FILTER (WHERE promoted) AS n FROM {table.entries} WHERE partition = $1", key(partition)
    )
    return int(rows[0]["n"])


async def switched(database: Database) -> int:
    return int((await database.fetch("SELECT count(*) AS n FROM semgate.promoted"))[0]["n"])


async def finds_all(store: PgVectorStore, partition: str, vectors: dict[str, bytes]) -> float:
    """Share of the rows that are the nearest to their own vector."""
    right = 0
    for entry_id, vector in vectors.items():
        found: list[Candidate] = await store.nearest(key(partition), vector, 3, 0.99, time.time())
        right += found[0].id == entry_id and found[0].entry is not None
    return right / len(vectors)


def test_a_small_partition_stays_outside_the_graph(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store):
            await fill(store, "small", range(AT - 1))
            assert await Promotion(database, AT).of_grown() == 0
            assert (await inside(database, "small"), await switched(database)) == (0, 0)

    asyncio.run(scenario())


def test_a_large_partition_moves_and_every_row_is_still_found(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store):
            rows = await fill(store, "large", range(AT))
            bystanders = await fill(store, "small", range(40))
            assert await Promotion(database, AT).of_grown() == AT
            assert (await inside(database, "large"), await switched(database)) == (AT, 1)
            assert await inside(database, "small") == 0
            assert await finds_all(store, "large", rows) >= 0.99
            assert await finds_all(store, "small", bystanders) == 1.0
            assert f"Index Scan using {graph_name(await database.table(SPACE), key('large'))}" in await plan(database)

    asyncio.run(scenario())


async def plan(database: Database) -> str:
    """How PostgreSQL would look into the graph of the partition `large`, without knowing what is asked."""
    table = await database.table(SPACE)
    async with database.transaction() as connection:
        types = f"bytea, {table.vector_schema}.halfvec, int, float8, float8, boolean"
        await connection.execute(f"PREPARE asked ({types}) AS {nearest_in_graph(table, key('large'))}")
        values = f"'\\x{key('large').hex()}', '{[1.0] * SIZE}', 5, {time.time()}, 0.9, true"
        lines = await connection.fetch(f"EXPLAIN (ANALYZE, COSTS OFF) EXECUTE asked ({values})")
        await connection.execute("DEALLOCATE asked")
    text = "\n".join(row[0] for row in lines)
    assert "Seq Scan on entries" not in text
    return text


def test_new_rows_of_a_promoted_partition_are_found_before_and_after_they_follow(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store):
            promotion = Promotion(database, AT)
            first = await fill(store, "large", range(AT))
            await promotion.of_grown()
            later = await fill(store, "large", range(AT, AT + 20))
            assert await promotion.of_grown() == 0
            assert await inside(database, "large") == AT
            assert await finds_all(store, "large", later) == 1.0
            assert await finds_all(store, "large", first) >= 0.99
            both = await store.nearest(key("large"), next(iter(later.values())), 50, 0.9, time.time())
            assert len(both) == len({candidate.id for candidate in both}) == 50
            assert [candidate.similarity for candidate in both] == sorted(
                [candidate.similarity for candidate in both], reverse=True
            )
            await fill(store, "large", range(AT + 20, AT + 40))
            assert await promotion.of_grown() == 40 or await promotion.of_space(SPACE) == 40
            assert await inside(database, "large") == AT + 40
            assert await finds_all(store, "large", later) >= 0.99

    asyncio.run(scenario())


def test_halfway_through_a_move_all_rows_are_found(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store):
            rows = await fill(store, "large", range(AT))
            table = await database.table(SPACE)
            async with database.transaction() as connection:
                await mark_batch(connection, table, key("large"), into=True)
            assert 0 < await inside(database, "large") < AT
            assert await finds_all(store, "large", rows) == 1.0

    asyncio.run(scenario())


def test_expired_and_replaced_rows_are_not_found_in_the_graph(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store):
            rows = await fill(store, "large", range(AT))
            await Promotion(database, AT).of_grown()
            (probe, vector) = next(iter(rows.items()))
            chance = random.Random(9)
            moved = entry(0, partition="large", body=b"moved")
            assert moved.id == probe
            await store.keep(moved, "q", random_vector(chance))
            assert probe not in [each.id for each in await store.nearest(moved.partition, vector, 3, 0.99, time.time())]
            assert await store.nearest(key("large"), vector, 5, 0.5, time.time() + 4000) == []

    asyncio.run(scenario())


def test_a_partition_that_shrank_leaves_the_graph_and_its_rows_are_found(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store):
            promotion = Promotion(database, AT)
            large = await fill(store, "large", range(2 * AT))
            shrinking = await fill(store, "shrinking", range(AT))
            await promotion.of_grown()
            assert await switched(database) == 2
            left = dict(list(shrinking.items())[:5])
            table = await database.table(SPACE)
            await database.fetch(
                f"DELETE FROM {table.entries} WHERE partition = $1 AND NOT id = ANY($2)", key("shrinking"), list(left)
            )
            assert await finds_all(store, "shrinking", left) == 1.0
            assert await promotion.of_space(SPACE) == 5
            assert (await inside(database, "shrinking"), await switched(database)) == (0, 1)
            assert await finds_all(store, "shrinking", left) == 1.0
            assert await finds_all(store, "large", dict(list(large.items())[:50])) >= 0.98

    asyncio.run(scenario())


def test_a_partition_that_grew_unseen_is_found_by_the_survey(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store):
            await fill(store, "large", range(AT))
            database.notes.take_grown(0)
            promotion = Promotion(database, AT)
            assert await promotion.of_grown() == 0
            assert await promotion.of_space(SPACE) == AT
            assert await promotion.of_space(Space("exact", None)) == 0

    asyncio.run(scenario())


def test_rows_without_a_vector_are_never_moved(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store):
            for number in range(AT):
                await store.keep(entry(number, partition="words"), "q", None)
            promotion = Promotion(database, AT)
            assert await promotion.of_space(SPACE) == 0
            assert await promotion.of_partition(SPACE, key("words")) == 0

    asyncio.run(scenario())


def test_only_one_process_moves_rows(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store):
            rows = await fill(store, "large", range(AT))
            holder = await asyncpg.connect(database_url)
            await holder.execute(f"SELECT pg_advisory_lock({LOCK_CLASS}, {PROMOTE})")
            assert await Promotion(database, AT).of_grown() == 0
            assert await switched(database) == 0
            assert await finds_all(store, "large", dict(list(rows.items())[:20])) == 1.0
            await holder.close()
            assert await Promotion(database, AT).of_space(SPACE) == AT

    asyncio.run(scenario())


def test_graphs_are_rebuilt_when_their_settings_change(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store):
            rows = await fill(store, "large", range(AT))
            await Promotion(database, AT).of_grown()
            name = graph_name(await database.table(SPACE), key("large"))
            before = await database.fetch(f"SELECT 'semgate.{name}'::regclass::oid AS oid")
            await Promotion(database, AT).of_space(SPACE)
            assert await database.fetch(f"SELECT 'semgate.{name}'::regclass::oid AS oid") == before
            other = Database(database_url, m=8, ef_construction=32)
            await Promotion(other, AT).of_space(SPACE)
            options = await other.fetch(f"SELECT reloptions FROM pg_class WHERE oid = 'semgate.{name}'::regclass")
            assert set(options[0]["reloptions"]) == {"m=8", "ef_construction=32"}
            assert await finds_all(store, "large", rows) >= 0.99
            await other.close()

    asyncio.run(scenario())


def test_a_graph_whose_building_was_cut_off_is_built_anew(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store):
            rows = await fill(store, "large", range(AT))
            promotion = Promotion(database, AT)
            await promotion.of_grown()
            name = graph_name(await database.table(SPACE), key("large"))
            await database.fetch("DELETE FROM semgate.promoted")
            await database.fetch(
                f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'semgate.{name}'::regclass"
            )
            assert await promotion.of_partition(SPACE, key("large")) == 0
            assert await switched(database) == 1
            valid = await database.fetch(
                f"SELECT indisvalid FROM pg_index WHERE indexrelid = 'semgate.{name}'::regclass"
            )
            assert valid[0]["indisvalid"]
            assert await finds_all(store, "large", rows) >= 0.99

    asyncio.run(scenario())


def test_a_process_that_has_not_heard_yet_finds_everything_all_the_same(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store), opened(database_url) as (other, late):
            rows = await fill(store, "large", range(AT))
            some = dict(list(rows.items())[:50])
            await late.get(key("x"), 0.0)
            promotion = Promotion(database, AT)
            await promotion.of_grown()
            assert other.graphs[SPACE] == frozenset()
            assert await finds_all(late, "large", some) == 1.0
            assert await other.learn_graphs(SPACE) == {key("large")}
            assert await finds_all(late, "large", some) >= 0.98
            await database.fetch("DELETE FROM semgate.entries_1 WHERE NOT id = ANY($1)", list(some))
            await promotion.of_space(SPACE)
            assert other.graphs[SPACE] == {key("large")}
            assert await finds_all(late, "large", some) == 1.0

    asyncio.run(scenario())


def test_there_are_only_so_many_graphs(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store):
            all_rows = {name: await fill(store, name, range(20)) for name in ("a", "b", "c")}
            promotion = Promotion(database, 20, most_graphs=2)
            await promotion.of_grown()
            await promotion.of_space(SPACE)
            assert await switched(database) == 2
            for name, rows in all_rows.items():
                assert await finds_all(store, name, rows) == 1.0

    asyncio.run(scenario())
