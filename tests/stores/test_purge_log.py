"""Purges on a real PostgreSQL: what goes, who hears of it and how soon, and what happens when it is cut off."""

from __future__ import annotations

import asyncio
import tempfile
import time

import asyncpg
import msgspec
import pytest
from purging import Process, listening, processes, until
from rows import entry, key, vector

from gateway.core.messages import Entry
from gateway.core.purges import MOST_PURGES, Purge, Similar
from gateway.errors import StoreError
from gateway.stores import covered
from gateway.stores.codec import Codec
from gateway.stores.embedded import EmbeddedPostgres
from gateway.stores.sweeper import sweep

SOON = 30.0  # that it takes less than a second is measured elsewhere: here are busy machines


def tagged(name: object, *tags: str, **more: object) -> Entry:
    return msgspec.structs.replace(entry(name, **more), tags=tags)  # type: ignore[arg-type]


async def stored(process: Process) -> set[str]:
    return {each.id async for whole in process.catalog.export(None) for each in [whole.listed]}


async def kept(process: Process, *entries: Entry) -> None:
    for each in entries:
        await process.near.keep(each, "q", vector(0.0))


def test_what_is_covered_goes_and_the_rest_stays(database_url: str) -> None:
    async def scenario() -> None:
        async with processes(database_url, 1) as (here,):
            chat, other = entry(1), entry(2, route="other")
            red, blue, late = tagged(3, "red", "both"), tagged(4, "blue"), entry(5)
            late = msgspec.structs.replace(late, asked_at=time.time() + 1000)
            elsewhere = msgspec.structs.replace(entry(6), scope=key("another scope"))
            everything = [chat, other, red, blue, late, elsewhere]
            orders = [
                (Purge(time.time(), "other"), {other}),
                (Purge(time.time(), tags=frozenset(["both", "none"])), {red}),
                (Purge(time.time(), "other", tags=frozenset(["blue"])), set()),
                (Purge(time.time(), scopes=frozenset([key("another scope")])), {elsewhere}),
                (Purge(time.time(), exact=frozenset([chat.exact, late.exact])), {chat}),
                (Purge(time.time()), set(everything) - {late}),
            ]
            for order, gone in orders:
                await kept(here, *everything)
                here.removed.clear()
                assert await here.catalog.count(order) == len(gone)
                purged = await here.log.purge(order)
                assert (purged.removed, purged.complete) == (len(gone), True)
                assert await stored(here) == {each.id for each in everything} - {each.id for each in gone}
                assert sorted(here.removed) == sorted(each.exact for each in gone)
                rows = await here.database.fetch("SELECT count(*) AS usage FROM semgate.usage")
                assert rows[0]["usage"] == len(everything) - len(gone)

    asyncio.run(scenario())


def test_by_similarity_the_rows_near_a_text_go(database_url: str) -> None:
    async def scenario() -> None:
        async with processes(database_url, 1) as (here,):
            near, far, unlike, exact = entry("near"), entry("far"), entry("unlike"), entry("exact")
            await here.near.keep(near, "q", vector(0.1))
            await here.near.keep(far, "q", vector(1.0))
            await here.near.keep(unlike, "q", None)
            await here.exact.keep(exact, "q", None)
            order = Purge(time.time(), "chat", similar=Similar("test-model", vector(0.0), 0.9))
            assert await here.catalog.count(order) == 1
            assert (await here.log.purge(order)).removed == 1
            assert await stored(here) == {far.id, unlike.id, exact.id}
            assert await here.near.vector(near.id) is None
            assert await here.near.vector(unlike.id) == b""
            found = await here.near.vector(far.id)
            assert found is not None
            assert not here.purges.covers(far, found, here.near.space)

    asyncio.run(scenario())


def test_more_rows_than_one_batch_go(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covered, "BATCH", 7)
    monkeypatch.setattr(covered, "READ_AT_ONCE", 20)

    async def scenario() -> None:
        async with processes(database_url, 1) as (here,):
            await kept(here, *[entry(number) for number in range(50)])
            assert (await here.log.purge(Purge(time.time(), "chat"))).removed == 50
            assert await stored(here) == set()
            assert len(set(here.removed)) == 50

    asyncio.run(scenario())


def test_other_namespaces_hear_nothing_and_lose_nothing(database_url: str) -> None:
    async def scenario() -> None:
        async with processes(database_url, 1) as (here,), processes(database_url, 1, namespace="other") as (there,):
            await kept(there, entry(1))
            assert (await here.log.purge(Purge(time.time()))).removed == 0
            await there.log.load()
            assert there.purges.newest == 0.0
            assert await stored(there) == {entry(1).id}

    asyncio.run(scenario())


def test_every_process_hears_at_once_and_drops_what_it_remembers(database_url: str) -> None:
    async def scenario() -> None:
        connection = await asyncpg.connect(database_url)
        async with processes(database_url, 3, poll=3600.0) as (here, *others):
            await listening(connection, 3)
            gone, stays = entry(1), entry(2, route="other")
            for each in (here, *others):
                each.memory.put_now(gone)
                each.memory.put_now(stays)
            await here.log.purge(Purge(time.time(), "chat"))
            assert len(here.memory) == 1
            for each in others:
                await until(lambda each=each: len(each.memory) == 1, SOON)  # type: ignore[misc]
                assert each.purges.covers(gone)
                assert not each.purges.covers(stays)
        await connection.close()

    asyncio.run(scenario())


def test_lost_notifications_are_made_up_for(database_url: str) -> None:
    """The listening backend is killed again and again, so that purges fall into the gaps."""

    async def scenario() -> None:
        connection = await asyncpg.connect(database_url)
        gone = [tagged(number, str(number)) for number in range(5)]
        async with processes(database_url, 2, poll=0.2) as (here, there):
            for number in range(5):
                for pid in await listening(connection, 2):
                    await connection.execute("SELECT pg_terminate_backend($1)", pid)
                await here.log.purge(Purge(time.time(), tags=frozenset([str(number)])))
            for process in (here, there):
                await until(lambda process=process: all(map(process.purges.covers, gone)), SOON)  # type: ignore[misc]
        await connection.close()

    asyncio.run(scenario())


def test_a_purge_of_which_no_word_came_is_found_by_looking(database_url: str) -> None:
    """As behind a connection pooler that passes on statements but no notifications."""

    async def scenario() -> None:
        async with processes(database_url, 1) as (here,):
            there = Process(database_url, poll=0.05)
            await there.log.load()
            connection = await asyncpg.connect(database_url)
            try:
                there.follow()
                await listening(connection, 2)
                # As if the notification had never come: the row is there, and nobody was told.
                await connection.execute(
                    "INSERT INTO semgate.purges (namespace, before, made_at, until) VALUES ('default', 9e9, 0, 9e12)"
                )
                await until(lambda: there.purges.covers(entry(1)), SOON)
                assert not there.troubles
            finally:
                await there.close()
                await connection.close()
            await until(lambda: here.purges.covers(entry(1)), SOON)

    asyncio.run(scenario())


def test_a_process_that_starts_later_knows_every_purge_before_its_first_look(database_url: str) -> None:
    async def scenario() -> None:
        async with processes(database_url, 1) as (here,):
            await here.log.purge(Purge(time.time(), "chat"))
            await here.log.purge(Purge(time.time(), similar=Similar("m", vector(0.0), 0.5), route="other"))
            written = Purge(time.time(), "r", frozenset([key("s")]), frozenset("t"), frozenset([key("e")]))
            await here.log.purge(written)
        later = Process(database_url)
        await later.log.load()
        assert later.purges.covers(entry(1))
        assert later.purges.covers(entry(1, route="other"), vector(0.1), "m")
        assert not later.purges.covers(entry(1, route="other"), vector(1.5), "m")
        whole = msgspec.structs.replace(tagged(1, "t", route="r"), scope=key("s"), exact=key("e"))
        assert later.purges.covers(whole)
        assert not later.purges.covers(msgspec.structs.replace(whole, exact=key("x")))
        await later.close()

    asyncio.run(scenario())


def test_a_purge_whose_rows_could_not_be_removed_is_in_effect_and_they_go_later(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with processes(database_url, 2, poll=0.05, settle=0.0) as (here, there):
            await kept(here, entry(1))
            with monkeypatch.context() as patched:

                async def fail(*_: object) -> None:
                    raise StoreError("postgres: gone")

                patched.setattr(covered, "keys_of", fail)
                purged = await here.log.purge(Purge(time.time(), "chat"))
                assert (purged.removed, purged.complete) == (0, False)
                assert here.purges.covers(entry(1))
            await until(lambda: there.purges.covers(entry(1)), SOON)
            connection = await asyncpg.connect(database_url)
            async with asyncio.timeout(60):
                while await connection.fetchval("SELECT count(*) FROM semgate.entries_1"):
                    await asyncio.sleep(0.02)
                while not await connection.fetchval("SELECT bool_and(settled) FROM semgate.purges"):
                    await asyncio.sleep(0.02)
            await connection.close()

    asyncio.run(scenario())


def test_what_a_process_stored_before_it_heard_goes_in_the_second_round(database_url: str) -> None:
    async def scenario() -> None:
        async with processes(database_url, 1, poll=0.05) as (here,):
            straggler = entry(1)
            await here.log.purge(Purge(time.time(), "chat"))
            await kept(here, straggler)
            assert here.purges.covers(straggler)
            await asyncio.sleep(0.3)
            assert await stored(here) == {straggler.id}  # others may not have heard yet
            here.ahead = 61.0
            connection = await asyncpg.connect(database_url)
            async with asyncio.timeout(60):
                while await connection.fetchval("SELECT count(*) FROM semgate.entries_1"):
                    await asyncio.sleep(0.02)
            await connection.close()
            assert here.removed == [straggler.exact]

    asyncio.run(scenario())


def test_without_postgres_nothing_is_purged_and_that_is_said(database_url: str) -> None:
    async def scenario() -> None:
        here = Process("postgresql:///?host=/nonexistent")
        with pytest.raises(StoreError):
            await here.log.purge(Purge(time.time()))
        assert here.purges.newest == 0.0
        await here.close()

    asyncio.run(scenario())


def test_one_entry_is_removed_wherever_it_is(database_url: str) -> None:
    async def scenario() -> None:
        connection = await asyncpg.connect(database_url)
        async with processes(database_url, 2, poll=3600.0) as (here, there):
            await listening(connection, 2)
            gone, stays = entry(1), entry(2)
            await kept(here, gone, stays)
            for each in (gone, stays):
                there.memory.put_now(each)
            assert await here.log.remove(gone.id)
            assert not await here.log.remove(gone.id)
            assert not await here.log.remove("no such id")
            assert await stored(here) == {stays.id}
            await until(lambda: len(there.memory) == 1, SOON)
        await connection.close()

    asyncio.run(scenario())


def test_an_answer_that_replaced_a_covered_one_meanwhile_stays(database_url: str) -> None:
    async def scenario() -> None:
        async with processes(database_url, 1) as (here,):
            old = entry(1)
            await kept(here, old)
            order = Purge(time.time(), "chat")
            ((space, table),) = await here.database.all_tables()
            rows = covered.covered(order, "default", space, table)
            assert rows is not None
            keys = await covered.keys_of(here.database, rows)
            renewed = msgspec.structs.replace(old, asked_at=time.time() + 1)
            await kept(here, renewed)
            assert await covered.remove(here.database, rows, keys, time.time()) == ([], 0)
            assert await stored(here) == {old.id}

    asyncio.run(scenario())


def test_purges_go_once_nothing_they_cover_can_exist(database_url: str) -> None:
    async def scenario() -> None:
        async with processes(database_url, 2, poll=0.05) as (here, there):
            month = 30 * 86400.0
            await kept(here, entry(1, ttl=month, stale=86400.0, route="long"))
            await here.log.purge(Purge(time.time(), "chat"))
            await sweep(here.database, "default", {}, time.time() + month)
            await here.log.load()
            assert here.purges.covers(entry(1))
            await sweep(here.database, "default", {}, time.time() + month + 2 * 86400.0 + 60)
            for process in (here, there):
                await until(lambda process=process: process.purges.newest == 0.0, SOON)  # type: ignore[misc]

    asyncio.run(scenario())


def test_too_many_purges_are_put_together_and_every_process_holds_on(database_url: str) -> None:
    async def scenario() -> None:
        async with processes(database_url, 2, poll=0.1) as (here, there):
            now = time.time()
            await here.database.fetch(
                "INSERT INTO semgate.purges (namespace, before, route, tags, made_at, until) "
                "SELECT 'default', $1 + n, 'chat', ARRAY['tag' || n], $1, $1 + 86400.0 FROM generate_series(1, $2) n",
                now,
                MOST_PURGES,
            )
            await here.log.purge(Purge(now + 2 * MOST_PURGES, tags=frozenset(["one more"])))
            rows = await here.database.fetch("SELECT count(*) AS n FROM semgate.purges")
            assert rows[0]["n"] <= MOST_PURGES // 2 + 10
            late = Process(database_url)
            await late.log.load()
            for process in (here, there, late):
                await until(lambda process=process: process.purges.covers(tagged(1, "one more")), SOON)  # type: ignore[misc]
                assert all(process.purges.covers(tagged(n, f"tag{n}")) for n in range(1, MOST_PURGES + 1, 97))
                assert not process.purges.covers(tagged(1, "another"))
            await late.close()

    asyncio.run(scenario())


def test_a_restart_of_postgres_loses_no_purge() -> None:
    async def scenario(server: EmbeddedPostgres) -> None:
        url = await asyncio.to_thread(server.start)
        async with processes(url, 2, poll=0.1) as (here, there):
            await kept(here, entry(1))
            await here.log.purge(Purge(time.time(), tags=frozenset(["first"])))
            await asyncio.to_thread(server.stop)
            with pytest.raises(StoreError):
                await here.log.purge(Purge(time.time(), "chat"))
            assert not here.purges.covers(entry(1))
            await until(lambda: there.troubles, SOON)
            await asyncio.to_thread(server.start)
            assert (await here.log.purge(Purge(time.time(), "chat"))).removed == 1
            await until(lambda: there.purges.covers(entry(1)), SOON)
            assert there.purges.covers(tagged(1, "first", route="x"))
            connection = await asyncpg.connect(url)
            await listening(connection, 2)  # both hear again
            await connection.close()

    with tempfile.TemporaryDirectory(prefix="sg-pg-", dir="/tmp") as folder:
        server = EmbeddedPostgres(folder)
        asyncio.run(scenario(server))
        server.stop()


def test_who_asks_to_follow_while_postgres_is_down_hears_once_it_is_up() -> None:
    async def scenario(server: EmbeddedPostgres) -> None:
        url = await asyncio.to_thread(server.start)
        await asyncio.to_thread(server.stop)
        here = Process(url, poll=0.1)
        here.follow()
        await until(lambda: here.troubles, SOON)
        await asyncio.to_thread(server.start)
        other = Process(url)
        await other.log.purge(Purge(time.time(), "chat"))
        await until(lambda: here.purges.covers(entry(1)), SOON)
        await here.close()
        await other.close()

    with tempfile.TemporaryDirectory(prefix="sg-pg-", dir="/tmp") as folder:
        server = EmbeddedPostgres(folder)
        asyncio.run(scenario(server))
        server.stop()


def test_sealed_rows_are_purged_without_their_key(database_url: str) -> None:
    async def scenario() -> None:
        async with processes(database_url, 1) as (here,):
            await kept(here, tagged(1, "t"))
            stranger = Process(database_url)
            stranger.catalog._codec = Codec(b"x" * 32, readable=True)
            page = await stranger.catalog.page(None, 10, None)
            assert [each.question for each in page.entries] == [None]
            assert (await stranger.log.purge(Purge(time.time(), tags=frozenset("t")))).removed == 1
            await stranger.close()

    asyncio.run(scenario())
