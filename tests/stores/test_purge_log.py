"""Purges as every process hears of them: how soon, what makes up for lost words, and how long each is held on to."""

from __future__ import annotations

import asyncio
import tempfile
import time

import asyncpg
import msgspec
import pytest
from purged import SOON, entry, kept, tagged
from purging import Process, listening, processes, until
from rows import key, vector

from gateway.core.purges import MOST_PURGES, Purge, Similar
from gateway.errors import StoreError
from gateway.stores.embedded import EmbeddedPostgres
from gateway.stores.sweeper import sweep


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
