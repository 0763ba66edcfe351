"""Denied questions that operators added: they outlive restarts, reach every process, and are sealed."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from purging import until
from rows import SEAL

from gateway.core.denial import DeniedQuestion, Spared, Then, normalised
from gateway.errors import StoreError
from gateway.runtime import denying as module
from gateway.runtime.denying import Denying, RouteDenials
from gateway.stores import denials as store
from gateway.stores.codec import Codec
from gateway.stores.denials import DenialLog, Use
from gateway.stores.embedded import EmbeddedPostgres
from gateway.stores.postgres import Database

# A look is due twice a second; busy machines are slower.
SOON = 30.0


def denied(text: str, route: str | None = None, **more: object) -> DeniedQuestion:
    return DeniedQuestion(f"api-{text}", text, normalised(text), "name", 0.85, route=route, **more)  # type: ignore[arg-type]


@asynccontextmanager
async def opened(url: str, namespace: str = "default", key: bytes = SEAL) -> AsyncIterator[DenialLog]:
    database = Database(url, acquire_timeout=30.0, connect_timeout=30.0)
    yield DenialLog(database, Codec(key), namespace=namespace)
    await database.close()


@asynccontextmanager
async def process(url: str) -> AsyncIterator[Denying]:
    async with opened(url) as log:
        denying = Denying(log)
        await denying.begin()
        yield denying
        await denying.end()


def texts(route: RouteDenials) -> list[str]:
    return [each.text for listed in route.lists for each in listed.denied]


def test_what_is_written_is_read_whole_and_only_in_its_namespace(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as log, opened(database_url, "other") as other:
            refused = denied("How?", "chat", then=Then.REFUSE, answer="No “way”.", verify=False)
            assert await log.add(refused)
            assert await log.add(denied("Why?"))
            assert await log.spare(Spared("spared-1", refused.id, "How not?"))
            known = await log.load()
            assert [each.denied for each in known.added] == [refused, denied("Why?")]
            assert known.spared == (Spared("spared-1", refused.id, "How not?"),)
            assert all(abs(each.made_at - time.time()) < 600 for each in known.added)
            assert (await other.load()).added == ()
            assert not await other.remove(refused.id)

    asyncio.run(scenario())


def test_added_again_it_takes_the_place_of_what_was_there(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as log:
            await log.add(denied("How?"))
            await log.add(denied("How?", then=Then.REFUSE))
            (added,) = (await log.load()).added
            assert added.denied.then is Then.REFUSE

    asyncio.run(scenario())


def test_with_a_denied_question_goes_what_was_reported_of_it(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as log:
            for text in ("How?", "Why?"):
                await log.add(denied(text))
                await log.spare(Spared(f"spared-{text}", f"api-{text}", f"{text} not"))
                await log.count({f"api-{text}": Use(2, 9e9)})
            assert await log.remove("api-How?")
            assert not await log.remove("api-How?")
            known = await log.load()
            assert [each.denied.text for each in known.added] == ["Why?"]
            assert [each.id for each in known.spared] == ["spared-Why?"]
            assert await log.uses() == {"api-Why?": 2}
            assert await log.remove("spared-Why?")
            assert (await log.load()).spared == ()

    asyncio.run(scenario())


def test_every_change_raises_the_version_and_nothing_else_does(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as log:
            seen = [await log.version()]
            await log.add(denied("How?"))
            seen.append(await log.version())
            await log.spare(Spared("spared", "api-How?", "How not?"))
            seen.append(await log.version())
            await log.count({"api-How?": Use(1, 9e9)})
            await log.remove("nothing")
            assert await log.version() == seen[-1]
            await log.remove("api-How?")
            seen.append(await log.version())
            assert sorted(set(seen)) == seen

    asyncio.run(scenario())


def test_nobody_reads_them_in_the_database_or_moves_them(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as log, opened(database_url, key=b"x" * 32) as stranger:
            await log.add(denied("an unusual question"))
            await log.add(denied("another"))
            connection = await asyncpg.connect(database_url)
            rows = await connection.fetch("SELECT content FROM semgate.denials")
            assert all(b"unusual" not in row["content"] for row in rows)
            foreign = await stranger.load()
            assert (foreign.added, len(foreign.closed)) == ((), 2)
            await connection.execute(
                "UPDATE semgate.denials SET content = (SELECT content FROM semgate.denials WHERE id = 'api-another')"
            )
            known = await log.load()
            assert [each.denied.text for each in known.added] == ["another"]
            assert known.closed == ("api-an unusual question",)
            await connection.close()

    asyncio.run(scenario())


def test_there_is_a_bound_and_what_is_there_can_still_be_changed(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_ADDED", 2)

    async def scenario() -> None:
        async with opened(database_url) as log:
            assert await log.add(denied("one"))
            assert await log.spare(Spared("spared", "api-one", "two"))
            assert not await log.add(denied("three"))
            assert not await log.spare(Spared("more", "api-one", "four"))
            assert await log.add(denied("one", then=Then.REFUSE))

    asyncio.run(scenario())


def test_counts_of_several_processes_add_up_and_old_ones_are_forgotten(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as here, opened(database_url) as there:
            now = time.time()
            await asyncio.gather(
                *(log.count({"a": Use(1, now), "b": Use(2, now)}) for log in (here, there) for _ in range(10))
            )
            assert await here.uses() == {"a": 20, "b": 40}
            await here.count({"old": Use(1, now - 2 * store.FORGOTTEN_AFTER)})
            assert await here.uses() == {"a": 20, "b": 40}

    asyncio.run(scenario())


def test_every_process_hears_of_it_and_of_its_end(database_url: str) -> None:
    async def scenario() -> None:
        async with process(database_url) as here, process(database_url) as there:
            chat, faq = (RouteDenials(name, ((),), there, None) for name in ("chat", "faq"))
            await here.log.add(denied("on all"))
            await here.log.add(denied("on chat", "chat"))
            await until(lambda: texts(chat) == ["on all", "on chat"], SOON)
            assert texts(faq) == ["on all"]
            version = chat.version
            await here.log.spare(Spared("spared", "api-on all", "Quite  another?"))
            await until(lambda: chat.spares("api-on all", "quite another"), SOON)
            assert chat.version > version
            for each in ("api-on all", "api-on chat"):
                await here.log.remove(each)
            await until(lambda: chat.lists == () == faq.lists, SOON)

    asyncio.run(scenario())


def test_who_starts_later_knows_all_before_its_first_look(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as log:
            await log.add(denied("How?"))
        async with process(database_url) as later:
            assert texts(RouteDenials("chat", ((denied("fixed"),),), later, None)) == ["fixed", "How?"]

    asyncio.run(scenario())


def test_counts_are_written_now_and_then_and_at_the_end(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COUNT_SECONDS", 0.05)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.05)

    async def scenario() -> None:
        async with opened(database_url) as log:
            async with process(database_url) as denying:
                denying.used("a")
                async with asyncio.timeout(SOON):
                    while await log.uses() != {"a": 1}:
                        await asyncio.sleep(0.02)
                monkeypatch.setattr(module, "COUNT_SECONDS", 3600.0)
                denying.used("a")
            assert await log.uses() == {"a": 2}

    asyncio.run(scenario())


def test_while_postgres_is_down_what_is_known_holds_and_counts_wait() -> None:
    async def scenario(server: EmbeddedPostgres) -> None:
        url = await asyncio.to_thread(server.start)
        async with process(url) as here, opened(url) as other:
            await other.add(denied("How?"))
            route = RouteDenials("chat", ((),), here, None)
            await until(lambda: texts(route) == ["How?"], SOON)
            await asyncio.to_thread(server.stop)
            here.used("api-How?")
            with pytest.raises(StoreError):
                await here.write_uses()
            with pytest.raises(StoreError):
                await here.log.add(denied("Why?"))
            assert texts(route) == ["How?"]
            await asyncio.to_thread(server.start)
            await other.add(denied("Why?"))
            await until(lambda: texts(route) == ["How?", "Why?"], SOON)
            await here.write_uses()
            assert await other.uses() == {"api-How?": 1}

    with tempfile.TemporaryDirectory(prefix="sg-pg-", dir="/tmp") as folder:
        server = EmbeddedPostgres(folder)
        asyncio.run(scenario(server))
        server.stop()


def test_who_starts_while_postgres_is_down_hears_once_it_is_up() -> None:
    async def scenario(server: EmbeddedPostgres) -> None:
        url = await asyncio.to_thread(server.start)
        async with opened(url) as log:
            await log.add(denied("How?"))
        await asyncio.to_thread(server.stop)
        async with process(url) as here:
            route = RouteDenials("chat", ((),), here, None)
            assert route.lists == ()
            await asyncio.to_thread(server.start)
            await until(lambda: texts(route) == ["How?"], SOON)

    with tempfile.TemporaryDirectory(prefix="sg-pg-", dir="/tmp") as folder:
        server = EmbeddedPostgres(folder)
        asyncio.run(scenario(server))
        server.stop()
