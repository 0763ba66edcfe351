"""What all counters must do, whichever store they live in: never more than a limit in a minute, whoever asks."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest
from counting import postgres_counters, redis_counters
from servers import RedisServer, redis_cluster

from gateway.core.ports import Counters
from gateway.core.quota import SLOTS, Limits, Usage, reset, total, wait
from gateway.errors import StoreError
from gateway.stores.postgres import Database

PROGRAM = Path(__file__).with_name("counting.py")

# A minute of 0.9 seconds.
SHORT = 0.03


class Place(NamedTuple):
    """Where the counters of one test live."""

    kind: str
    url: str

    def open(self, namespace: str = "test", seconds: float = 2.0) -> AbstractAsyncContextManager[Counters]:
        """Each opening is another process's: connections of its own to the same server."""
        opening = postgres_counters if self.kind == "postgres" else redis_counters
        return opening(self.url, namespace, seconds)


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisServer]:
    with redis_cluster() as server:
        yield server


@pytest.fixture(params=["redis", "redis-cluster", "postgres"])
def place(request: pytest.FixtureRequest) -> Place:
    kind: str = request.param
    if kind == "postgres":
        return Place(kind, request.getfixturevalue("database_url"))
    server: RedisServer = request.getfixturevalue("redis" if kind == "redis" else "cluster")
    server.command("FLUSHALL")
    if kind == "redis":
        return Place(kind, server.url)
    return Place(kind, server.url.replace("redis://", "redis+cluster://").removesuffix("/0"))


async def admitted(counters: Counters, limits: Limits, times: int, client: str = "web") -> int:
    return sum([(await counters.admit(client, limits)).admitted for _ in range(times)])


def test_a_client_gets_its_requests_and_no_more(place: Place) -> None:
    async def scenario() -> None:
        async with place.open() as one, place.open() as two:
            first = await one.admit("web", Limits(requests=3))
            assert first.admitted
            assert (total(first.requests), first.tokens) == (1, ())
            assert await admitted(two, Limits(requests=3), 5) == 2
            last = await one.admit("web", Limits(requests=3))
            assert not last.admitted
            assert total(last.requests) == 3
            # 60 to 62 seconds after they were asked, and some of that is over.
            assert 50 < wait(last.requests, 3, last) <= reset(last.requests, last) <= 62
            assert last.now > 1_700_000_000

    asyncio.run(scenario())


def test_a_refused_request_is_not_counted_and_a_higher_limit_holds_at_once(place: Place) -> None:
    async def scenario() -> None:
        async with place.open() as counters:
            assert await admitted(counters, Limits(requests=2), 10) == 2
            assert await admitted(counters, Limits(requests=5), 10) == 3

    asyncio.run(scenario())


def test_tokens_are_counted_when_they_are_known(place: Place) -> None:
    async def scenario() -> None:
        async with place.open() as counters, place.open() as elsewhere:
            limits = Limits(tokens=100)
            assert (await counters.admit("web", limits)).admitted
            await counters.add("web", 60)
            usage = await elsewhere.admit("web", limits)
            assert usage.admitted
            assert total(usage.tokens) == 60
            await elsewhere.add("web", 60)
            usage = await counters.admit("web", limits)
            assert not usage.admitted
            assert (total(usage.tokens), usage.requests) == (120, ())
            await counters.add("web", 3_000_000_000)
            assert total((await counters.admit("web", limits)).tokens) == 3_000_000_120

    asyncio.run(scenario())


def test_a_request_that_tokens_forbid_is_not_counted(place: Place) -> None:
    async def scenario() -> None:
        async with place.open() as counters:
            limits = Limits(requests=10, tokens=5)
            await counters.add("web", 5)
            for _ in range(3):
                usage = await counters.admit("web", limits)
                assert (usage.admitted, total(usage.requests)) == (False, 0)
            assert await admitted(counters, Limits(requests=10), 20) == 10

    asyncio.run(scenario())


def test_a_clock_that_was_wrong_shuts_nobody_out_once_it_is_right(database_url: str) -> None:
    async def scenario() -> None:
        async with postgres_counters(database_url) as counters:
            limits = Limits(requests=3)
            assert await admitted(counters, limits, 5) == 3
            connection = await asyncpg.connect(database_url)
            await connection.execute("UPDATE semgate.minutes SET slot = slot + 10")
            assert await admitted(counters, limits, 5) == 0
            await connection.execute("UPDATE semgate.minutes SET slot = slot + 100000")
            await connection.close()
            assert await admitted(counters, limits, 5) == 3

    asyncio.run(scenario())


def test_where_nothing_is_allowed_nothing_is_admitted(place: Place) -> None:
    """As for tokens that are used up by what is not booked yet."""

    async def scenario() -> None:
        async with place.open() as counters:
            assert await admitted(counters, Limits(requests=5, tokens=0), 3) == 0
            assert await admitted(counters, Limits(tokens=0), 3) == 0

    asyncio.run(scenario())


def test_clients_and_namespaces_are_apart(place: Place) -> None:
    async def scenario() -> None:
        async with place.open() as mine, place.open("other") as theirs:
            limits = Limits(requests=1)
            assert await admitted(mine, limits, 2) == 1
            assert await admitted(mine, limits, 2, "mobile") == 1
            assert await admitted(theirs, limits, 2) == 1
            await theirs.add("web", 10)
            assert (await mine.admit("web", Limits(tokens=1))).admitted

    asyncio.run(scenario())


def test_of_a_hundred_at_once_exactly_the_limit_gets_through(place: Place) -> None:
    async def scenario() -> None:
        async with place.open() as one, place.open() as two:
            seen = await asyncio.gather(
                *[(one, two)[number % 2].admit("web", Limits(requests=37)) for number in range(100)]
            )
            assert sum(usage.admitted for usage in seen) == 37

    asyncio.run(scenario())


def test_tokens_of_many_answers_at_once_all_count(place: Place) -> None:
    async def scenario() -> None:
        async with place.open() as one, place.open() as two:
            await asyncio.gather(*[(one, two)[number % 2].add("web", number) for number in range(100)])
            assert total((await one.admit("web", Limits(tokens=1))).tokens) == 4950

    asyncio.run(scenario())


def test_two_processes_share_one_limit(place: Place) -> None:
    command = [sys.executable, PROGRAM, place.kind, place.url, "shared", "150", "100"]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    results = [process.communicate(timeout=120)[0] for process in processes]
    assert sum(int(result) for result in results) == 150


def test_in_no_minute_is_more_admitted_than_the_limit_and_it_goes_on(place: Place) -> None:
    async def scenario() -> None:
        limits, loop = Limits(requests=7), asyncio.get_running_loop()
        times: list[float] = []
        async with place.open(seconds=SHORT) as one, place.open(seconds=SHORT) as two:
            began = loop.time()
            while loop.time() - began < 4 * SLOTS * SHORT:
                usages = await asyncio.gather(one.admit("web", limits), two.admit("web", limits))
                times += [usage.now for usage in usages if usage.admitted]
                await asyncio.sleep(SHORT / 3)
        for first in times:
            assert sum(first <= other < first + SLOTS * SHORT for other in times) <= 7
        assert len(times) >= 3 * 7

    asyncio.run(scenario())


def test_whoever_waits_as_long_as_is_said_gets_through(place: Place) -> None:
    async def scenario() -> None:
        limits = Limits(requests=2, tokens=50)
        async with place.open(seconds=SHORT) as counters:

            async def refused() -> Usage:
                usage = await counters.admit("web", limits)
                assert not usage.admitted
                return usage

            assert await admitted(counters, limits, 2) == 2
            usage = await refused()
            left = wait(usage.requests, 2, usage)
            assert 0 < left <= (SLOTS + 1) * SHORT
            await asyncio.sleep(left + 0.01)
            assert (await counters.admit("web", limits)).admitted
            await counters.add("web", 60)
            usage = await refused()
            await asyncio.sleep(wait(usage.tokens, 50, usage) + 0.01)
            usage = await counters.admit("web", limits)
            assert (usage.admitted, usage.tokens) == (True, ())

    asyncio.run(scenario())


def test_what_is_over_for_long_is_forgotten(place: Place) -> None:
    async def scenario() -> None:
        async with place.open(seconds=0.01) as counters:
            await admitted(counters, Limits(requests=5), 5)
            await counters.add("web", 5)
            await asyncio.sleep((SLOTS + 3) * 0.01)
            usage = await counters.admit("web", Limits(requests=5, tokens=5))
            assert (usage.admitted, total(usage.requests), usage.tokens) == (True, 1, ())

    asyncio.run(scenario())


def test_redis_forgets_a_client_that_stays_away(redis: RedisServer) -> None:
    async def scenario() -> None:
        redis.command("FLUSHALL")
        async with redis_counters(redis.url) as counters:
            await counters.admit("web", Limits(requests=5))
            await counters.add("web", 5)
        left = int(redis.command("PTTL", "semgate:1:client:test:web").strip().removeprefix(b":"))
        assert 60_000 < left <= 64_000

    asyncio.run(scenario())


def test_a_clock_of_postgres_that_went_back_loses_nothing(database_url: str) -> None:
    async def scenario() -> None:
        database = Database(database_url, acquire_timeout=30.0)
        async with postgres_counters(database_url) as counters:
            assert await admitted(counters, Limits(requests=3), 2) == 2
            await counters.add("web", 5)
            await database.fetch("UPDATE semgate.minutes SET slot = slot + 5")
            usage = await counters.admit("web", Limits(requests=3, tokens=9))
            assert (usage.admitted, total(usage.requests), total(usage.tokens)) == (True, 3, 5)
            assert not (await counters.admit("web", Limits(requests=3))).admitted
        await database.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_counters_whose_store_is_down_say_so_without_its_password(kind: str) -> None:
    async def scenario() -> None:
        opening = (
            redis_counters("redis://user:s3cret%21@127.0.0.1:1/0")
            if kind == "redis"
            else postgres_counters("postgresql://user:s3cret%21@127.0.0.1:1/db")
        )
        async with opening as counters:
            calls: list[Callable[[], Awaitable[object]]] = [
                lambda: counters.admit("web", Limits(requests=1)),
                lambda: counters.add("web", 1),
            ]
            for call in calls:
                with pytest.raises(StoreError, match=kind) as caught:
                    await call()
                assert "s3cret" not in str(caught.value)

    asyncio.run(scenario())
