"""What is removed, in which order, and that it is gone."""

from __future__ import annotations

import asyncio
import time

import asyncpg
import pytest
from rows import SEAL, entry, key, vector
from sweeping import SPACES, world

from gateway.errors import StoreError
from gateway.stores.codec import Codec
from gateway.stores.pgvector import PgVectorStore
from gateway.stores.postgres import Database
from gateway.stores.postgres_locks import PostgresLocks
from gateway.stores.schema import CHORES, LOCK_CLASS
from gateway.stores.sweeper import RouteLimits

ROOMY = RouteLimits(1_000_000, 1 << 40)


def test_expired_rows_are_gone_from_the_disk_and_the_others_stay(database_url: str) -> None:
    async def scenario() -> None:
        async with world(database_url) as it:
            fresh = [entry(("fresh", number), ttl=1000) for number in range(5)]
            for number, each in enumerate(fresh):
                await it.stores[number % 2].keep(each, "q", vector(0.0) if number % 2 == 0 else None)
            await asyncio.gather(
                *[
                    it.stores[number % 2].keep(entry(number, ttl=-1, route=f"route{number % 7}"), "q", None)
                    for number in range(2500)
                ]
            )
            assert await it.rows() == (2505, 2505)
            swept = await it.upkeep.sweep()
            assert (swept.expired, swept.evicted, swept.ours) == (2500, 0, True)
            assert await it.rows() == (5, 5)
            assert await it.there(fresh) == fresh

    asyncio.run(scenario())


def test_a_row_that_was_renewed_is_not_removed(database_url: str) -> None:
    async def scenario() -> None:
        async with world(database_url) as it:
            await it.stores[0].put(entry("a", ttl=-1))
            renewed = entry("a", ttl=1000, body=b"new")
            await it.stores[0].put(renewed)
            assert (await it.upkeep.sweep()).expired == 0
            assert await it.there([renewed]) == [renewed]

    asyncio.run(scenario())


def test_a_row_that_is_renewed_while_it_is_swept_stays(database_url: str) -> None:
    """The renewal has the row, the sweeper waits for it and must then look at the new times."""

    async def scenario() -> None:
        async with world(database_url) as it:
            old, gone = entry("a", ttl=-1), entry("b", ttl=-1)
            for each in (old, gone):
                await it.stores[0].put(each)
            renewing = await asyncpg.connect(database_url)
            transaction = renewing.transaction()
            await transaction.start()
            await renewing.execute("UPDATE semgate.usage SET expires_at = $1 WHERE exact = $2", 9e12, old.exact)
            sweeping = asyncio.create_task(it.upkeep.sweep())
            waiting = (
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            while not await renewing.fetchval(waiting):
                assert not sweeping.done()
                await asyncio.sleep(0.01)
            await transaction.commit()
            assert (await sweeping).expired == 1
            assert await it.there([old, gone]) == [old]
            await renewing.close()

    asyncio.run(scenario())


def test_locks_that_ended_are_removed_and_others_stay(database_url: str) -> None:
    async def scenario() -> None:
        async with world(database_url) as it:
            locks = PostgresLocks(it.database)
            for number in range(5):
                assert await locks.acquire(key("ended", number), 0.0)
            assert await locks.acquire(key("held"), 3600.0)
            await it.upkeep.sweep()
            rows = await it.database.fetch("SELECT key FROM semgate.locks")
            assert [row["key"] for row in rows] == [key("held")]

    asyncio.run(scenario())


def test_beyond_max_entries_the_longest_unused_go(database_url: str) -> None:
    async def scenario() -> None:
        async with world(database_url) as it:
            it.limits = {"chat": RouteLimits(6, 1 << 40), "other": ROOMY}
            kept = [entry(number, age=100 - number) for number in range(10)]
            others = [entry(("other", number), route="other", age=1000) for number in range(10)]
            for number, each in enumerate(kept + others):
                await it.stores[number % 2].put(each)
            swept = await it.upkeep.sweep()
            assert (swept.expired, swept.evicted) == (0, 4)
            assert await it.there(kept) == kept[4:]
            assert await it.there(others) == others
            assert (await it.upkeep.sweep()).evicted == 0
            assert await it.rows() == (16, 16)

    asyncio.run(scenario())


def test_a_hit_of_any_tier_keeps_an_entry_from_going(database_url: str) -> None:
    async def scenario() -> None:
        async with world(database_url) as it:
            it.limits = {"chat": RouteLimits(2, 1 << 40)}
            kept = [entry(number, age=100 - number) for number in range(5)]
            for each in kept:
                await it.stores[0].put(each)
            # Nothing was read from PostgreSQL: these are what memory and Redis report.
            it.stores[0].used(kept[0].id, time.time())
            it.stores[0].used(kept[2].id, time.time() - 1)
            it.stores[0].used(kept[2].id, time.time() - 50)
            it.stores[0].used("an entry that is gone", time.time())
            assert (await it.upkeep.sweep()).evicted == 3
            assert await it.there(kept) == [kept[0], kept[2]]

    asyncio.run(scenario())


def test_use_counts_add_up_over_flushes_and_survive_a_replacement(database_url: str) -> None:
    async def scenario() -> None:
        async with world(database_url) as it:
            kept = entry("a")
            await it.stores[0].put(kept)
            for at in (5.0, 7.0, 6.0):
                it.stores[0].used(kept.id, time.time() + at)
                await it.upkeep.flush()
            await it.stores[0].put(kept)
            rows = await it.database.fetch("SELECT hits, last_used FROM semgate.usage")
            assert rows[0]["hits"] == 3
            assert rows[0]["last_used"] == pytest.approx(time.time() + 7, abs=5)
            await it.upkeep.flush()

    asyncio.run(scenario())


def test_beyond_max_bytes_the_longest_unused_go(database_url: str) -> None:
    async def scenario() -> None:
        async with world(database_url) as it:
            kept = [entry(number, age=100 - number, body=b"x" * 10_000) for number in range(10)]
            for number, each in enumerate(kept):
                await it.stores[number % 2].put(each)
            it.limits = {"chat": RouteLimits(1_000_000, 5 * 12_000)}
            swept = await it.upkeep.sweep()
            left = await it.there(kept)
            assert left == kept[-len(left) :]
            assert 4 <= len(left) <= 5
            assert swept.evicted == 10 - len(left)
            total = await it.database.fetch("SELECT sum(bytes)::bigint AS bytes FROM semgate.usage")
            assert total[0]["bytes"] <= 5 * 12_000

    asyncio.run(scenario())


def test_the_same_route_name_in_another_namespace_has_limits_of_its_own(database_url: str) -> None:
    async def scenario() -> None:
        async with world(database_url) as it:
            other = PgVectorStore(it.database, SPACES[0], Codec(SEAL), namespace="other")
            mine = [entry(number) for number in range(3)]
            theirs = [entry(("theirs", number)) for number in range(3)]
            for one, two in zip(mine, theirs, strict=True):
                await it.stores[0].put(one)
                await other.put(two)
            it.limits = {"chat": RouteLimits(1, 1 << 40)}
            assert (await it.upkeep.sweep()).evicted == 2
            assert len(await it.there(mine)) == 1
            assert await it.there(theirs) == theirs

    asyncio.run(scenario())


def test_only_one_process_sweeps_at_a_time(database_url: str) -> None:
    async def scenario() -> None:
        async with world(database_url) as it:
            await it.stores[0].put(entry("a", ttl=-1))
            holder = await asyncpg.connect(database_url)
            await holder.execute(f"SELECT pg_advisory_lock({LOCK_CLASS}, {CHORES})")
            swept = await it.upkeep.sweep()
            assert (swept.expired, swept.ours) == (0, False)
            await holder.close()
            many = [it.upkeep_of(Database(database_url)) for _ in range(3)]
            assert sum([each.expired for each in await asyncio.gather(*[each.sweep() for each in many])]) == 1
            for each in many:
                await each._database.close()

    asyncio.run(scenario())


def test_keeping_sweeping_and_counting_at_once_end_without_trouble(database_url: str) -> None:
    async def scenario() -> None:
        async with world(database_url) as it:
            it.limits = {"chat": RouteLimits(20, 1 << 40)}
            running = asyncio.create_task(it.upkeep.run())
            other = Database(database_url, acquire_timeout=30.0)
            second = asyncio.create_task(it.upkeep_of(other).run())

            async def use(number: int) -> None:
                for turn in range(40):
                    each = entry((turn + number) % 50, ttl=0.05 if turn % 3 else 100)
                    await it.stores[0].keep(each, "q", vector(0.0))
                    it.stores[0].used(each.id, time.time())
                    await it.stores[0].get(each.exact, time.time())

            await asyncio.gather(*[use(number) for number in range(16)])
            for task in (running, second):
                task.cancel()
            await asyncio.wait([running, second])
            assert it.troubles == []
            await it.upkeep.sweep()
            entries, used = await it.rows()
            assert entries == used <= 20
            await other.close()

    asyncio.run(scenario())


def test_trouble_is_reported_and_the_counts_are_written_later(database_url: str) -> None:
    async def scenario() -> None:
        async with world(database_url) as it:
            kept = entry("a")
            await it.stores[0].put(kept)
            down = Database("postgresql://postgres@127.0.0.1:1/postgres")
            it.database.notes, notes = down.notes, it.database.notes
            upkeep = it.upkeep_of(down)
            down.notes.used(SPACES[0], kept.id, time.time())
            with pytest.raises(StoreError):
                await upkeep.flush()
            with pytest.raises(StoreError):
                await upkeep.sweep()
            running = asyncio.create_task(upkeep.run())
            while not it.troubles:
                await asyncio.sleep(0.01)
            running.cancel()
            await asyncio.wait([running])
            await it.upkeep.flush()
            assert (await it.database.fetch("SELECT hits FROM semgate.usage"))[0]["hits"] == 1
            assert notes.take_uses() == {}
            await down.close()

    asyncio.run(scenario())


def test_noting_uses_is_bounded() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/none")
    for number in range(150_000):
        database.notes.used(SPACES[0], str(number), 1.0)
        database.notes.grew(SPACES[0], key(number % 20_000))
    assert len(database.notes.take_uses()[SPACES[0]]) == 100_000
    assert len(database.notes.take_grown(1)) <= 10_000
    assert database.notes.take_grown(1) == []
