"""What all locks must do, whichever store they live in: one holder at a time, never longer than was said."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import pytest
from holding import KEY, LONG, acquired, postgres_locks, redis_locks, taken, until_free
from rows import key
from servers import RedisServer, redis_cluster

from gateway.core.ports import Locks
from gateway.errors import StoreError
from gateway.stores.postgres import Database
from gateway.stores.postgres_locks import ACQUIRE

# Each opening is another process's: connections of its own to the same server.
Opened: TypeAlias = Callable[[], AbstractAsyncContextManager[Locks]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisServer]:
    with redis_cluster() as server:
        yield server


@pytest.fixture(params=["redis", "redis-cluster", "postgres"])
def opened(request: pytest.FixtureRequest) -> Opened:
    kind: str = request.param
    if kind == "postgres":
        url: str = request.getfixturevalue("database_url")
        return lambda: postgres_locks(url)
    server: RedisServer = request.getfixturevalue("redis" if kind == "redis" else "cluster")
    server.command("FLUSHALL")
    if kind == "redis":
        return lambda: redis_locks(server.url)
    return lambda: redis_locks(server.url.replace("redis://", "redis+cluster://").removesuffix("/0"))


def test_one_has_it_and_another_gets_it_when_it_was_given_back(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened() as mine, opened() as theirs:
            assert not await taken(theirs, KEY)
            token = await acquired(mine)
            assert await theirs.acquire(KEY, LONG) is None
            assert await mine.acquire(KEY, LONG) is None
            assert await taken(mine, KEY)
            assert await taken(theirs, KEY)
            await mine.release(KEY, token)
            assert not await taken(mine, KEY)
            second = await acquired(theirs)
            assert second != token
            assert await mine.acquire(KEY, LONG) is None

    asyncio.run(scenario())


def test_locks_of_other_keys_are_others(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened() as mine, opened() as theirs:
            token = await acquired(mine)
            await acquired(theirs, key("other"))
            await mine.release(key("other"), token)
            await mine.release(KEY, token)
            assert await taken(mine, key("other"))
            assert not await taken(mine, KEY)

    asyncio.run(scenario())


def test_a_lock_ends_by_itself_and_not_before(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened() as mine, opened() as theirs:
            loop = asyncio.get_running_loop()
            began = loop.time()
            token = await acquired(mine, seconds=0.3)
            await until_free(theirs)
            # Redis may drop a key some milliseconds early by our clock: it counts whole ones.
            assert loop.time() - began >= 0.29
            again = await acquired(theirs)
            # Too late: it is another's by now.
            await mine.release(KEY, token)
            assert await taken(mine, KEY)
            await theirs.release(KEY, again)
            assert not await taken(mine, KEY)

    asyncio.run(scenario())


def test_a_lock_that_ended_is_free_for_its_last_holder_too(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened() as mine:
            first = await acquired(mine, seconds=0.0)
            await until_free(mine)
            assert await acquired(mine) != first
            await mine.release(KEY, first)
            assert await taken(mine, KEY)

    asyncio.run(scenario())


@pytest.mark.parametrize("token", [b"", b"x", bytes(16), b"\xff" * 200])
def test_nobody_else_can_give_it_back(opened: Opened, token: bytes) -> None:
    async def scenario() -> None:
        async with opened() as mine, opened() as theirs:
            await theirs.release(KEY, token)
            await acquired(mine)
            await theirs.release(KEY, token)
            assert await taken(mine, KEY)
            assert await theirs.acquire(KEY, LONG) is None

    asyncio.run(scenario())


def test_giving_back_twice_takes_nothing_from_the_next(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened() as mine, opened() as theirs:
            token = await acquired(mine)
            await mine.release(KEY, token)
            await mine.release(KEY, token)
            await acquired(theirs)
            await mine.release(KEY, token)
            assert await taken(theirs, KEY)

    asyncio.run(scenario())


def test_of_fifty_at_once_exactly_one_gets_it(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened() as one, opened() as two:
            for turn in range(5):
                lock = key("turn", turn)
                got = await asyncio.gather(*[(one, two)[number % 2].acquire(lock, LONG) for number in range(50)])
                assert sum(token is not None for token in got) == 1
                await acquired(one, key("ended", turn), seconds=0.001)
                await until_free(one, key("ended", turn))
                # One that ended, and is still there as a row, is taken over by one only.
                got = await asyncio.gather(
                    *[(one, two)[number % 2].acquire(key("ended", turn), LONG) for number in range(50)]
                )
                assert sum(token is not None for token in got) == 1

    asyncio.run(scenario())


def test_never_two_at_once_have_it(opened: Opened) -> None:
    async def scenario() -> None:
        inside = most = turns = 0
        async with opened() as one, opened() as two:

            async def work(number: int) -> None:
                nonlocal inside, most, turns
                locks = (one, two)[number % 2]
                while (token := await locks.acquire(KEY, LONG)) is None:
                    await asyncio.sleep(0.002)
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1
                turns += 1
                await locks.release(KEY, token)

            await asyncio.gather(*[work(number) for number in range(30)])
            assert (most, turns) == (1, 30)
            assert not await taken(one, KEY)

    asyncio.run(scenario())


def test_a_cancelled_call_leaves_the_locks_usable(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened() as mine:
            for number, patience in enumerate((0.0, 0.0001, 0.001, 0.003)):
                try:
                    async with asyncio.timeout(patience):
                        await mine.acquire(key("cancelled", number), 0.001)
                except TimeoutError:
                    pass
            token = await acquired(mine)
            await mine.release(KEY, token)
            assert not await taken(mine, KEY)

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_locks_whose_store_is_down_say_so_without_its_password(kind: str) -> None:
    async def scenario() -> None:
        opening = (
            redis_locks("redis://user:s3cret%21@127.0.0.1:1/0")
            if kind == "redis"
            else postgres_locks("postgresql://user:s3cret%21@127.0.0.1:1/db")
        )
        async with opening as locks:
            calls: list[Callable[[], Awaitable[object]]] = [
                lambda: locks.acquire(KEY, 1.0),
                lambda: locks.release(KEY, b"token"),
                lambda: taken(locks, KEY),
            ]
            for call in calls:
                with pytest.raises(StoreError, match=kind) as caught:
                    await call()
                assert "s3cret" not in str(caught.value)

    asyncio.run(scenario())


def test_taking_a_lock_in_postgres_may_be_said_twice_with_one_token(database_url: str) -> None:
    """As the database does where the connection breaks before the answer."""

    async def scenario() -> None:
        database = Database(database_url, acquire_timeout=30.0)
        for _ in range(2):
            assert await database.fetch(ACQUIRE, KEY, b"token", LONG)
        assert not await database.fetch(ACQUIRE, KEY, b"another", LONG)
        await database.close()

    asyncio.run(scenario())
