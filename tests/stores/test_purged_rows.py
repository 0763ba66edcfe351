"""Purges on a real PostgreSQL: which rows go and which stay, and what happens when their removal is cut off."""

from __future__ import annotations

import asyncio
import time

import asyncpg
import msgspec
import pytest
from purged import SOON, entry, kept, stored, tagged
from purging import Process, listening, processes, until
from rows import key, vector

from gateway.core.purges import Purge, Similar
from gateway.errors import StoreError
from gateway.stores import covered
from gateway.stores.codec import Codec


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
