"""Rows put by hand: found by labels in a scanned partition and in one with a graph, by the right indexes, and removed."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest
from rows import SEAL, SPACE, entry, key, opened, random_vector

from gateway.core.messages import Entry, Shelfmark
from gateway.core.purges import cosine
from gateway.stores import shelf_rows
from gateway.stores.codec import Codec
from gateway.stores.covered import BATCH
from gateway.stores.graph import graph_name
from gateway.stores.pgvector import PgVectorStore
from gateway.stores.postgres import Database
from gateway.stores.promotion import Promotion
from gateway.stores.purge_log import PurgeLog
from gateway.stores.shelf_removal import ShelfRemoval
from gateway.stores.shelf_rows import ShelfRows

EVERY, TENTH, RARE = key("label", "every"), key("label", "tenth"), key("label", "rare")
ROWS = 3000
PARTITION = key("partition")


def marked(number: int, labels: Sequence[bytes], *, words: object = None) -> Entry:
    kept = entry(number, body=b"%d" % number)
    return msgspec.structs.replace(
        kept, mark=Shelfmark(key("words", words or number), (("n", str(number)),), tuple(labels))
    )


def labels_of(number: int) -> list[bytes]:
    """All have the first, one in ten the second, one in a thousand the third."""
    return [EVERY] + [TENTH] * (number % 10 == 0) + [RARE] * (number % 1000 == 1)


async def fill(store: PgVectorStore) -> dict[int, bytes]:
    chance = random.Random(7)
    vectors = {number: random_vector(chance) for number in range(ROWS)}
    keeping = (store.keep(marked(number, labels_of(number)), "q", made) for number, made in vectors.items())
    await asyncio.gather(*keeping)
    return vectors


def nearest_of(vectors: dict[int, bytes], asked: bytes, labels: Sequence[bytes], k: int) -> list[float]:
    """The similarities of the k nearest that have the labels."""
    having = [made for number, made in vectors.items() if set(labels) <= set(labels_of(number))]
    return sorted((cosine(asked, made) for made in having), reverse=True)[:k]


@pytest.fixture(autouse=True)
def fewer_rows_are_many(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """So that few have to be made."""
    monkeypatch.setattr(shelf_rows, "MOST_EXACT", 500)
    shelf_rows.nearest_in_graph.cache_clear()
    yield
    shelf_rows.nearest_in_graph.cache_clear()


@asynccontextmanager
async def filled(url: str) -> AsyncIterator[tuple[Database, PgVectorStore, ShelfRows, dict[int, bytes]]]:
    async with opened(url) as (database, store):
        yield database, store, ShelfRows(database, SPACE, Codec(SEAL)), await fill(store)


FILTERS = [[EVERY], [TENTH], [RARE], [EVERY, RARE], [key("label", "none")]]


def test_the_nearest_with_all_labels_are_found_whether_or_not_there_is_a_graph(database_url: str) -> None:
    async def scenario() -> None:
        async with filled(database_url) as (database, _store, shelf, vectors):
            chance = random.Random(8)
            for promoted in (False, True):
                if promoted:
                    assert await Promotion(database, ROWS).of_grown() == ROWS
                right = asked = 0
                for labels in FILTERS:
                    for _ in range(10):
                        vector = random_vector(chance)
                        wanted = nearest_of(vectors, vector, labels, 5)
                        found = await shelf.nearest(PARTITION, vector, labels, 5, 0.0, time.time())
                        assert len(found) == len(wanted)
                        assert all(candidate.question == "q" for candidate in found)
                        similar = [pytest.approx(max(0.0, each), abs=0.002) for each in wanted]
                        right += sum(a.similarity == b for a, b in zip(found, similar, strict=True))
                        asked += len(wanted)
                        if found:
                            assert found[0].entry is not None
                            assert found[0].entry.mark is not None
                assert right >= 0.97 * asked if promoted else right == asked
            late = marked(ROWS, [RARE])  # after the graph was built: outside it
            await _store.keep(late, "late", vectors[0])
            found = await shelf.nearest(PARTITION, vectors[0], [RARE], 1, 0.0, time.time())
            assert (found[0].id, found[0].question) == (late.id, "late")
            assert await shelf.nearest(key("other"), vectors[0], [EVERY], 5, 0.0, time.time()) == []

    asyncio.run(scenario())


def test_plans_use_the_index_that_each_part_is_for_whatever_the_statistics_say(database_url: str) -> None:
    async def scenario() -> None:
        async with filled(database_url) as (database, _store, _shelf, vectors):
            await Promotion(database, ROWS).of_grown()
            await look_at_plans(database, vectors[0])
            table = await database.table(SPACE)
            await database.fetch(f"ANALYZE {table.entries}")
            await look_at_plans(database, vectors[0])

    asyncio.run(scenario())


async def look_at_plans(database: Database, asked: bytes) -> None:
    table, words = await database.table(SPACE), f"'\\x{key('words', 1).hex()}'"

    async def plan(statement: str, types: str, values: str) -> str:
        async with database.transaction() as connection:
            await connection.execute(f"PREPARE asked ({types}) AS {statement}")
            lines = await connection.fetch(f"EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) EXECUTE asked ({values})")
            await connection.execute("DEALLOCATE asked")
        text = "\n".join(row[0][:400] for row in lines)
        assert f"Seq Scan on {table.name}" not in text
        return text

    same = await plan(shelf_rows.same_words(table), "bytea, float8, int", f"{words}, 0, 1")
    assert f"Index Scan using {table.name}_words" in same
    assert "Sort" not in same
    two = f"ARRAY[{words}, '\\x{RARE.hex()}']::bytea[]"
    labelled = await plan(shelf_rows.same_words_labelled(table), "bytea[], float8, int", f"{two}, 0, 1")
    assert f"Bitmap Index Scan on {table.name}_labels" in labelled
    types = f"bytea, {table.vector_schema}.halfvec, int, float8, float8, boolean, bytea[]"
    vector = list(memoryview(asked).cast("f"))
    for label, many in ((EVERY, True), (RARE, False)):
        values = f"'\\x{PARTITION.hex()}', '{vector}', 5, 0, 0.9, true, ARRAY['\\x{label.hex()}']::bytea[]"
        near = await plan(shelf_rows.nearest_in_graph(table, PARTITION), types, values)
        in_graph = next(line for line in near.splitlines() if graph_name(table, PARTITION) in line)
        counting, *comparing = [line for line in near.splitlines() if f"{table.name}_labels" in line]
        assert "never executed" not in counting
        assert ["never executed" in line for line in (in_graph, *comparing)] == [not many, many], near
    small = await plan(shelf_rows.nearest(table), types, values)
    assert f"{table.name}_partition" in small
    assert f"{table.name}_labels" not in small


def test_of_the_same_words_those_with_the_fewest_labels_come_first_then_the_newest(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store):
            shelf = ShelfRows(database, SPACE, Codec(SEAL))
            for number, labels in enumerate(([EVERY, RARE], [EVERY], [], [TENTH])):
                await store.keep(marked(number, labels, words="same"), "q", None)
            await store.keep(entry("a request's"), "q", None)
            now = time.time()

            async def found(labels: list[bytes], k: int = 9, now: float = now) -> list[bytes]:
                return [each.body for each in await shelf.same_words(key("words", "same"), labels, k, now)]

            assert await found([]) == [b"2", b"3", b"1", b"0"]
            assert await found([], 2) == [b"2", b"3"]
            assert await found([EVERY]) == [b"1", b"0"]
            assert await found([RARE, EVERY]) == [b"0"]
            assert await found([key("none")]) == []
            assert await found([], now=now + 4000) == await found([EVERY], now=now + 4000) == []

    asyncio.run(scenario())


def test_removing_takes_all_that_match_in_every_table_and_nothing_else(database_url: str) -> None:
    async def scenario() -> None:
        gone: list[bytes] = []

        async def heard(_purges: object, whole: bool) -> None: ...

        async def on_removed(keys: Sequence[bytes], /) -> None:
            gone.extend(keys)

        async with opened(database_url) as (database, store):
            log = PurgeLog(database, namespace="default", heard=heard)
            removal = ShelfRemoval(database, log, namespace="default", on_removed=on_removed)
            scope, many = entry(0).scope, BATCH + 10
            await asyncio.gather(*[store.keep(marked(n, [EVERY, TENTH][: 1 + n % 2]), "q", None) for n in range(many)])
            in_another = PgVectorStore(database, msgspec.structs.replace(SPACE, identity="another"), Codec(SEAL))
            await in_another.keep(marked(many, [TENTH]), "q", None)
            await store.keep(entry("a request's"), "q", None)
            foreign = PgVectorStore(database, SPACE, Codec(SEAL), namespace="foreign")
            await foreign.keep(marked(many + 1, [TENTH]), "q", None)
            await store.keep(msgspec.structs.replace(marked(many + 2, [TENTH]), route="other"), "q", None)

            assert await removal.remove_labelled("chat", key("another scope"), [TENTH]) == 0
            assert await removal.remove_labelled("chat", scope, [TENTH]) == many // 2 + 1
            assert await removal.remove_labelled("chat", scope, [TENTH]) == 0
            for number in (0, many + 1, many + 2):
                assert await store.get(entry(number).exact, time.time()) is not None
            assert await store.get(entry("a request's").exact, time.time()) is not None

            one = entry(0)
            assert await removal.remove("chat", one.id, key("another scope"), []) is False
            assert await removal.remove("chat", one.id, scope, [TENTH]) is False
            assert await removal.remove("other", one.id, scope, []) is False
            assert await removal.remove("chat", entry("a request's").id, None, []) is False
            assert await removal.remove("chat", one.id, scope, [EVERY]) is True
            assert await removal.remove("chat", entry(2).id, None, []) is True
            assert len(gone) == many // 2 + 3
            counted = await database.fetch("SELECT count(*) AS n FROM semgate.usage")
            assert counted[0]["n"] == many // 2 - 2 + 3

            assert await removal.remove_scope("chat", key("another scope")) == 0
            assert await removal.remove_scope("chat", scope) == many // 2 - 2
            for number in (many + 1, many + 2):
                assert await store.get(entry(number).exact, time.time()) is not None
            assert await store.get(entry("a request's").exact, time.time()) is not None

    asyncio.run(scenario())
