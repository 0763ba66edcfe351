"""Judgements in PostgreSQL: they outlive restarts, reach other processes, and go with what is purged."""

from __future__ import annotations

import asyncio
import tempfile
import time

import asyncpg
import pytest
from judging import ASKED, Process, judgement, processes, wordless
from purging import until
from rows import key

from gateway.core.events import Outcome, Served, Trouble
from gateway.core.judgement import FEEDBACK, Finding, Origin, Tally, TallyKey
from gateway.core.messages import Cost, HitKind
from gateway.core.purges import Purge
from gateway.errors import StoreError
from gateway.stores.embedded import EmbeddedPostgres


def test_what_was_judged_outlives_the_process_words_and_all(database_url: str) -> None:
    async def scenario() -> None:
        first = judgement(1, Finding.WRONG, similarity=None, score=0.25, served=False)
        second = judgement(2, origin=Origin.SHADOW, kind=HitKind.SEMANTIC, how="prose", route="faq", question=None)
        async with processes(database_url) as (here,):
            here.known.note(first)
            here.known.note(second)
            await here.turn()
        async with processes(database_url) as (later,):
            await later.keeping.hear()
            assert await later.logged() == [first, second]
            assert later.known.window("chat") == [wordless(first)]
            assert later.known.window("faq") == [wordless(second)]
            assert later.known.is_wrong("chat", first.other, first.exact)
            assert not later.known.waiting
            assert not later.events

    asyncio.run(scenario())


def test_other_processes_hear_of_it_and_nothing_counts_twice(database_url: str) -> None:
    async def scenario() -> None:
        async with processes(database_url, 2) as (here, there):
            await there.turn()
            noted = judgement(1, Finding.WRONG)
            here.known.note(noted)
            await here.turn()
            await here.turn()
            assert len(here.known.window("chat")) == 1
            await there.turn()
            assert there.known.is_wrong("chat", noted.exact, noted.other)
            assert len(there.known.window("chat")) == 1
            seen = there.known.version("chat")
            await there.turn()
            assert there.known.version("chat") == seen

    asyncio.run(scenario())


def test_processes_that_write_at_once_miss_nothing_of_each_other(database_url: str) -> None:
    async def scenario() -> None:
        async with processes(database_url, 4) as made:

            async def work(mine: int) -> None:
                for turn in range(15):
                    for number in range(3):
                        made[mine].known.note(judgement((mine, turn, number)))
                    await made[mine].turn()

            await asyncio.gather(*(work(mine) for mine in range(4)))
            for each in made:
                await each.turn()
                assert len(each.known.window("chat")) == 4 * 15 * 3

    asyncio.run(scenario())


def test_the_background_task_does_all_that_by_itself(database_url: str) -> None:
    async def scenario() -> None:
        async with processes(database_url, 2) as (here, there):
            await here.keeping.begin()
            await there.keeping.begin()
            here.known.note(judgement(1))
            await until(lambda: there.known.window("chat"))
            here.known.note(judgement(2))
            await here.keeping.end()  # writes what is left
            await until(lambda: len(there.known.window("chat")) == 2)
            await there.keeping.end()

    asyncio.run(scenario())


def test_what_is_told_twice_is_written_once(database_url: str) -> None:
    async def scenario() -> None:
        async with processes(database_url, 2) as (here, there):
            for each in (here, there):
                each.known.note(judgement(1), once=b"o" * 16)
                await each.keeping.write()
            assert len(await here.logged()) == 1
            found = await here.store.find(b"o" * 16)
            assert found is not None
            assert found.judgement.entry == "entry-1"
            assert await here.store.find(b"x" * 16) is None

    asyncio.run(scenario())


def test_words_are_sealed_unless_the_route_stores_readable(database_url: str) -> None:
    async def stored() -> list[bytes]:
        connection = await asyncpg.connect(database_url)
        rows = await connection.fetch("SELECT question, asked_before FROM semgate.judgements ORDER BY number")
        await connection.close()
        return [row["question"] + row["asked_before"] for row in rows]

    async def scenario() -> None:
        async with processes(database_url) as (sealing,), processes(database_url, readable=True) as (plain,):
            for each in (sealing, plain):
                each.known.note(judgement(1))
                await each.keeping.write()
            sealed, readable = await stored()
            assert b"able it" not in sealed
            assert ASKED.encode() in readable
            assert [each.question for each in await sealing.logged()] == [ASKED, ASKED]
        async with processes(database_url, seal=b"another key of 32 bytes, as said") as (other,):
            assert [each.question for each in await other.logged()] == [None, ASKED]

    asyncio.run(scenario())


def test_namespaces_do_not_see_each_other(database_url: str) -> None:
    async def scenario() -> None:
        async with processes(database_url) as (here,), processes(database_url, namespace="other") as (there,):
            here.known.note(judgement(1, Finding.WRONG))
            await here.turn()
            await there.turn()
            assert not there.known.window("chat")
            assert not await there.logged()
            assert await there.store.reset("chat", time.time() + 60) == 0
            await there.purges.purge(Purge(time.time() + 60))
            await there.turn()
            assert len(await here.logged()) == 1

    asyncio.run(scenario())


def test_shadow_counts_of_all_processes_add_up(database_url: str) -> None:
    hour = time.time() // 3600 * 3600
    hit = Served("chat", Outcome.SHADOW_HIT, 0.1, 200, kind=HitKind.VERIFIED, cost=Cost("m", 10, 20), dollars=0.5)

    async def scenario() -> None:
        async with processes(database_url, 2) as made:
            for each in made:
                each.known.tally(hit, hour)
                each.known.tally(Served("chat", Outcome.SHADOW_MISS, 0.1, 200), hour - 3600)
                await each.turn()
            log = made[0].log
            shadow = {TallyKey("chat", 0, "verified"): Tally(2, 20, 40, 2, 1.0), TallyKey("chat", 0, ""): Tally(2)}
            assert await log.tallies("chat", 0.0) == shadow
            assert await log.tallies(None, hour + 100) == {TallyKey("chat", 0, "verified"): Tally(2, 20, 40, 2, 1.0)}
            assert not await log.tallies("faq", 0.0)

    asyncio.run(scenario())


def test_counts_for_reports_are_by_bands(database_url: str) -> None:
    async def scenario() -> None:
        async with processes(database_url) as (here,):
            here.known.note(judgement(1, Finding.WRONG, similarity=0.95, score=0.4))
            here.known.note(judgement(2, Finding.WRONG, similarity=0.99, score=0.4))
            here.known.note(judgement(3, similarity=0.80, score=None))
            await here.keeping.write()
            found = await here.log.counts("chat", 0.0, [0.9, 0.95], [0.5])
            assert sorted((each.finding, each.similarity, each.score, each.judgements) for each in found) == [
                ("right", 0, None, 1),
                ("wrong", 2, 0, 2),
            ]
            assert not await here.log.counts("faq", 0.0, [0.9], [0.5])
            assert not await here.log.counts(None, time.time() + 60, [0.9], [0.5])

    asyncio.run(scenario())


def test_words_of_a_newer_version_are_passed_over(database_url: str) -> None:
    async def scenario() -> None:
        async with processes(database_url, 2) as (here, there):
            here.known.note(judgement(1))
            await here.turn()
            await here.database.fetch("UPDATE semgate.judgements SET origin = 'oracle'")
            here.known.note(judgement(2))
            await here.turn()
            await there.turn()
            assert [each.entry for each in there.known.window("chat")] == ["entry-2"]

    asyncio.run(scenario())


def test_an_operators_word_on_a_pair_outlives_a_restart_too(database_url: str) -> None:
    async def scenario() -> None:
        async with processes(database_url) as (here,):
            here.known.note(judgement(1, Finding.WRONG))
            here.known.note(judgement(1, origin=Origin.FEEDBACK, how=FEEDBACK))
            here.known.note(judgement(2, Finding.WRONG))
            await here.turn()
        async with processes(database_url) as (later,):
            await later.keeping.hear()
            assert not later.known.is_wrong("chat", key("asked", 1), key("other", 1))
            assert later.known.is_wrong("chat", key("asked", 2), key("other", 2))

    asyncio.run(scenario())


def test_while_postgres_is_down_judgements_wait_and_are_written_later() -> None:
    async def scenario(server: EmbeddedPostgres) -> None:
        url = await asyncio.to_thread(server.start)
        await asyncio.to_thread(server.stop)
        here = Process(url)
        await here.keeping.begin()
        noted = judgement(1, Finding.WRONG)
        here.known.note(noted)
        assert here.known.is_wrong("chat", noted.exact, noted.other)
        await until(lambda: any(isinstance(event, Trouble) for event in here.events))
        with pytest.raises(StoreError):
            await here.logged()
        await asyncio.to_thread(server.start)
        await until(lambda: not here.known.waiting)
        await here.keeping.write()  # the turn that took them has ended, then
        assert await here.logged() == [noted]
        await here.keeping.end()
        await here.database.close()

    with tempfile.TemporaryDirectory(prefix="sg-pg-", dir="/tmp") as folder:
        server = EmbeddedPostgres(folder)
        asyncio.run(scenario(server))
        server.stop()
