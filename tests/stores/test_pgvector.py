"""Entries in PostgreSQL: nearness, isolation, expiry, sealing, and plans that are right before any ANALYZE."""

from __future__ import annotations

import asyncio
import math
import random
import time
from array import array

import asyncpg
import msgspec
import pytest
from rows import SEAL, SIZE, SPACE, entry, key, opened, random_vector, vector

from gateway.core.messages import Entry, Form
from gateway.errors import StoreError
from gateway.stores.codec import Codec
from gateway.stores.pgvector import PgVectorStore, statements_for
from gateway.stores.postgres import Database
from gateway.stores.postgres_connection import decode_vector, encode_vector
from gateway.stores.schema import Space


def test_vectors_keep_their_values_to_half_precision() -> None:
    chance = random.Random(1)
    for _ in range(100):
        before = random_vector(chance)
        after = array("f", decode_vector(encode_vector(before)))
        assert max(abs(a - b) for a, b in zip(array("f", before), after, strict=True)) < 0.0005


def test_the_nearest_come_first_and_only_the_first_brings_its_answer(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (_database, store):
            kept = [entry(number, body=b"%d" % number) for number in range(6)]
            for number, each in enumerate(kept):
                await store.keep(each, "a question", vector(0.2 * number))
            found = await store.nearest(key("partition"), vector(0.05), 3, 0.9, time.time())
            assert [candidate.id for candidate in found] == [kept[0].id, kept[1].id, kept[2].id]
            assert [candidate.entry for candidate in found] == [kept[0], None, None]
            for candidate, angle in zip(found, (0.05, 0.15, 0.35), strict=True):
                assert candidate.similarity == pytest.approx(math.cos(angle), abs=0.001)

    asyncio.run(scenario())


def test_an_answer_below_load_at_is_not_loaded(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (_database, store):
            await store.keep(entry("a"), "q", vector(0.0))
            similarity = (await store.nearest(key("partition"), vector(0.3), 1, 0.0, time.time()))[0].similarity
            exactly = await store.nearest(key("partition"), vector(0.3), 1, similarity, time.time())
            assert exactly[0].entry == entry_like(exactly[0].entry)
            above = await store.nearest(key("partition"), vector(0.3), 1, math.nextafter(similarity, 1), time.time())
            assert above[0].entry is None
            assert await store.fetch(above[0].id, time.time()) == exactly[0].entry

    asyncio.run(scenario())


def entry_like(found: Entry | None) -> Entry:
    assert found is not None
    return found


def test_similarity_stays_within_0_and_1(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (_database, store):
            chance = random.Random(2)
            for number in range(50):
                made = random_vector(chance)
                opposite = array("f", [-value for value in array("f", made)]).tobytes()
                await store.keep(entry("same", partition=number), "q", made)
                (same,) = await store.nearest(key(number), made, 5, 0.9, time.time())
                assert 0.9999 < same.similarity <= 1.0
                (far,) = await store.nearest(key(number), opposite, 5, 0.9, time.time())
                assert far.similarity == 0.0

    asyncio.run(scenario())


def test_no_other_partition_is_ever_seen(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (_database, store):
            chance = random.Random(3)
            made = [random_vector(chance) for _ in range(20)]
            for partition in range(10):
                for number in range(20):
                    await store.keep(entry((partition, number), partition=partition), "q", made[number])
            for partition in range(10):
                ids = {entry((partition, number), partition=partition).id for number in range(20)}
                found = await store.nearest(key(partition), made[0], 100, 0.9, time.time())
                assert {candidate.id for candidate in found} == ids
            assert await store.nearest(key("none"), made[0], 100, 0.0, time.time()) == []

    asyncio.run(scenario())


def test_expired_rows_are_never_returned(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (_database, store):
            old, new = entry("old", ttl=60), entry("new", ttl=120)
            await store.keep(old, "q", vector(0.0))
            await store.keep(new, "q", vector(0.2))
            at = old.expires_at
            assert await store.get(old.exact, at) is None
            assert await store.fetch(old.id, at) is None
            assert [each.id for each in await store.nearest(key("partition"), vector(0.0), 5, 0.5, at)] == [new.id]
            before = await store.nearest(key("partition"), vector(0.0), 5, 0.5, at - 1)
            assert [each.id for each in before] == [old.id, new.id]

    asyncio.run(scenario())


def test_a_text_that_was_not_embedded_is_found_by_its_words_only(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (_database, store):
            kept = entry("a")
            await store.keep(kept, "a very long question", None)
            assert await store.get(kept.exact, time.time()) == kept
            assert await store.nearest(kept.partition, vector(0.0), 5, 0.0, time.time()) == []

    asyncio.run(scenario())


def test_the_form_can_be_asked_for_and_the_sealed_one_counts(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store):
            entries = (await database.table(SPACE)).entries
            for form in (Form.SSE, Form.NDJSON, Form.SINGLE):
                kept = msgspec.structs.replace(entry("a"), form=form)
                await store.keep(kept, "q", vector(0.0))
                assert [row["form"] for row in await database.fetch(f"SELECT form FROM {entries}")] == [form.value]
            await database.fetch(f"UPDATE {entries} SET form = 'sse'")
            assert await store.get(kept.exact, time.time()) == kept

    asyncio.run(scenario())


def test_a_replaced_row_has_the_new_vector_and_id(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (_database, store):
            first = entry("a", body=b"old")
            second = msgspec.structs.replace(entry("a", body=b"new"), id="second")
            await store.keep(first, "q", vector(0.0))
            await store.keep(second, "q", vector(1.0))
            (found,) = await store.nearest(first.partition, vector(1.0), 5, 0.99, time.time())
            assert (found.id, found.entry) == ("second", second)
            assert await store.fetch(first.id, time.time()) is None

    asyncio.run(scenario())


def test_spaces_do_not_see_each_other(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store):
            others = [
                PgVectorStore(database, space, Codec(SEAL))
                for space in (Space("other-model", SIZE), Space("test-model", 16), Space("exact", None))
            ]
            kept = entry("a")
            await store.keep(kept, "q", vector(0.0))
            for other in others:
                assert await other.get(kept.exact, time.time()) is None
            assert await others[0].nearest(kept.partition, vector(0.0), 5, 0.0, time.time()) == []

    asyncio.run(scenario())


def test_the_database_holds_no_readable_question_answer_or_header(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store):
            kept = entry("a", body=b"the answer is a secret")
            await store.keep(kept, "the question is a secret", vector(0.0))
            connection = await asyncpg.connect(database_url)
            table = await database.table(SPACE)
            everything = ""
            for name in (table.entries, "semgate.usage", "semgate.spaces", "semgate.promoted"):
                for row in await connection.fetch(f"SELECT row_to_json(t)::text AS row FROM {name} t"):
                    everything += row["row"]
            assert kept.exact.hex() in everything
            for word in (b"secret", b"content-type", b"application/json"):
                assert word.decode() not in everything
                assert word.hex() not in everything
            await connection.close()

    asyncio.run(scenario())


def test_an_answer_moved_to_another_row_does_not_open(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store):
            mine, theirs = entry("mine", partition="mine"), entry("theirs", partition="theirs", body=b"secret")
            await store.keep(mine, "q", vector(0.0))
            await store.keep(theirs, "q", vector(0.0))
            table = await database.table(SPACE)
            await database.fetch(
                f"UPDATE {table.entries} a SET head = b.head, body = b.body FROM {table.entries} b "
                "WHERE a.exact = $1 AND b.exact = $2",
                mine.exact,
                theirs.exact,
            )
            assert await store.get(mine.exact, time.time()) is None
            (found,) = await store.nearest(mine.partition, vector(0.0), 5, 0.5, time.time())
            assert found.entry is None
            assert await store.get(theirs.exact, time.time()) == theirs

    asyncio.run(scenario())


@pytest.mark.parametrize("rows", [0, 50, 5_000])
@pytest.mark.parametrize("analysed", [False, True])
def test_the_plan_uses_the_right_index_whatever_the_statistics_say(
    database_url: str, rows: int, analysed: bool
) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store):
            chance = random.Random(4)
            await store.get(key("a"), 0.0)
            await asyncio.gather(
                *[
                    store.keep(entry(number, partition=number % 5, body=b"x"), "q", random_vector(chance))
                    for number in range(rows)
                ]
            )
            table = await database.table(SPACE)
            async with database.transaction() as connection:
                if analysed:
                    await connection.execute(f"ANALYZE {table.entries}")
                types = f"bytea, {table.vector_schema}.halfvec, int, float8, float8, boolean"
                await connection.execute(f"PREPARE asked ({types}) AS {statements_for(table).nearest}")
                values = (
                    f"'\\x{key(1).hex()}', '{list(array('f', random_vector(chance)))}', 5, {time.time()}, 0.9, true"
                )
                lines = await connection.fetch(
                    f"EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF, SUMMARY OFF) EXECUTE asked ({values})"
                )
                await connection.execute("DEALLOCATE asked")
                plan = "\n".join(row[0][:200] for row in lines)
            assert "Filter: " in plan
            assert "$4" in plan, "the plan is not a generic one"
            assert f"Seq Scan on {table.name}" not in plan
            exact = next(line for line in plan.splitlines() if f"{table.name}_partition" in line)
            assert f"rows={rows / 5:.2f}" in exact, plan

    asyncio.run(scenario())


def test_a_pool_of_two_serves_a_hundred_at_once(database_url: str) -> None:
    async def scenario() -> None:
        database = Database(database_url, pool=2, acquire_timeout=30.0)
        store = PgVectorStore(database, SPACE, Codec(SEAL))
        await asyncio.gather(*[store.keep(entry(number), "q", vector(0.01 * number)) for number in range(100)])
        used = await database.fetch(
            "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'semgate' AND datname = current_database()"
        )
        assert used[0]["n"] <= 2
        await database.close()

    asyncio.run(scenario())


def test_when_all_connections_are_busy_it_says_so_in_time(database_url: str) -> None:
    async def scenario() -> None:
        database = Database(database_url, pool=1, acquire_timeout=0.2)
        await database.ping()
        busy = asyncio.create_task(database.fetch("SELECT pg_sleep(5)"))
        await asyncio.sleep(0.1)
        with pytest.raises(StoreError, match=r"stores\.postgres\.pool"):
            await database.ping()
        busy.cancel()
        await asyncio.wait([busy])
        await database.close()

    asyncio.run(scenario())


def test_a_statement_cannot_run_for_ever(database_url: str) -> None:
    async def scenario() -> None:
        database = Database(database_url, statement_timeout=0.2)
        with pytest.raises(StoreError, match="statement timeout"):
            await database.fetch("SELECT pg_sleep(60)")
        await database.close()

    asyncio.run(scenario())


def test_a_closed_database_is_trouble_and_opens_nothing(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (database, store):
            await store.ping()
        with pytest.raises(StoreError, match="closed"):
            await store.get(key("a"), 0.0)
        await database.close()

    asyncio.run(scenario())


def test_questions_come_along_where_they_are_asked_for_and_near_enough(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (_database, store):
            kept = [entry(number) for number in range(3)]
            for number, each in enumerate(kept):
                await store.keep(each, f"question {number}", vector(0.3 * number))
            partition, now = key("partition"), time.time()
            without = await store.nearest(partition, vector(0.0), 3, 0.9, now)
            assert [each.question for each in without] == [None, None, None]
            found = await store.nearest(partition, vector(0.0), 3, 0.9, now, questions=True)
            assert [each.question for each in found] == ["question 0", "question 1", None]
            assert [each.exact for each in found] == [each.exact for each in kept]

    asyncio.run(scenario())
