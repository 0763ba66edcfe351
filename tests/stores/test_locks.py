"""What all locks must do, whichever store they live in: one holder at a time, never longer than was said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

import pytest
from rows import SEAL, entry, key
from servers import RedisServer, redis_cluster, redis_server

from gateway.core.ports import Locks
from gateway.errors import StoreError
from gateway.stores.codec import Codec
from gateway.stores.postgres import Database
from gateway.stores.postgres_locks import ACQUIRE, PostgresLocks
from gateway.stores.redis import RedisStore
from gateway.stores.redis_locks import RedisLocks

LONG = 3600.0
KEY = key("lock")

# Each opening is another process's: connections of its own to the same server.
Opened: TypeAlias = Callable[[], AbstractAsyncContextManager[Locks]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisServer]:
    with redis_cluster() as server:
        yield server


@asynccontextmanager
async def redis_locks(url: str) -> AsyncIterator[Locks]:
    store = RedisStore(url, Codec(SEAL), timeout=30.0)
    yield RedisLocks(store.client)
    await store.close()


@asynccontextmanager
async def postgres_locks(url: str) -> AsyncIterator[Locks]:
    database = Database(url, acquire_timeout=30.0)
    yield PostgresLocks(database)
    await database.close()


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


async def acquired(locks: Locks, lock: bytes = KEY, seconds: float = LONG) -> bytes:
    token = await locks.acquire(lock, seconds)
    assert token is not None
    return token


async def until_free(locks: Locks, lock: bytes = KEY) -> None:
    async with asyncio.timeout(60):
        while await locks.taken(lock):
            await asyncio.sleep(0.005)


def test_one_has_it_and_another_gets_it_when_it_was_given_back(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened() as mine, opened() as theirs:
            assert not await theirs.taken(KEY)
            token = await acquired(mine)
            assert await theirs.acquire(KEY, LONG) is None
            assert await mine.acquire(KEY, LONG) is None
            assert await mine.taken(KEY)
            assert await theirs.taken(KEY)
            await mine.release(KEY, token)
            assert not await mine.taken(KEY)
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
            assert await mine.taken(key("other"))
            assert not await mine.taken(KEY)

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
            assert await mine.taken(KEY)
            await theirs.release(KEY, again)
            assert not await mine.taken(KEY)

    asyncio.run(scenario())


def test_a_lock_that_ended_is_free_for_its_last_holder_too(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened() as mine:
            first = await acquired(mine, seconds=0.0)
            await until_free(mine)
            assert await acquired(mine) != first
            await mine.release(KEY, first)
            assert await mine.taken(KEY)

    asyncio.run(scenario())


@pytest.mark.parametrize("token", [b"", b"x", bytes(16), b"\xff" * 200])
def test_nobody_else_can_give_it_back(opened: Opened, token: bytes) -> None:
    async def scenario() -> None:
        async with opened() as mine, opened() as theirs:
            await theirs.release(KEY, token)
            await acquired(mine)
            await theirs.release(KEY, token)
            assert await mine.taken(KEY)
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
            assert await theirs.taken(KEY)

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
            assert not await one.taken(KEY)

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
            assert not await mine.taken(KEY)

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
            calls: list[Callable[[], object]] = [
                lambda: locks.acquire(KEY, 1.0),
                lambda: locks.release(KEY, b"token"),
                lambda: locks.taken(KEY),
            ]
            for call in calls:
                with pytest.raises(StoreError, match=kind) as caught:
                    await call()
                assert "s3cret" not in str(caught.value)

    asyncio.run(scenario())


def test_a_redis_that_was_restarted_has_forgotten_its_locks_and_nobody_notices_more() -> None:
    async def scenario(server: RedisServer) -> None:
        async with redis_locks(server.url) as mine:
            token = await acquired(mine)
            await asyncio.to_thread(server.stop)
            with pytest.raises(StoreError, match="redis"):
                await mine.taken(KEY)
            await asyncio.to_thread(server.start)
            assert not await mine.taken(KEY)
            second = await acquired(mine)
            # Restarted between two calls: the pooled connection is dead, and the command is sent again.
            await mine.release(KEY, token)
            assert await mine.taken(KEY)
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            await mine.release(KEY, second)
            assert not await mine.taken(KEY)

    with redis_server() as server:
        asyncio.run(scenario(server))


@asynccontextmanager
async def door_that_loses_the_first_answer_to(command: bytes, port: int) -> AsyncIterator[int]:
    """A port before this one. The first such command is carried out, and then the connection breaks."""
    lost = False

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal lost
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", port)
        while sent := await reader.read(1 << 16):
            behind_writer.write(sent)
            answer = await behind_reader.read(1 << 16)
            if command in sent and not lost:
                lost = True
                break
            writer.write(answer)
        behind_writer.close()
        writer.close()

    async with await asyncio.start_server(passed_on, "127.0.0.1", 0) as server:
        yield int(server.sockets[0].getsockname()[1])
    assert lost


def test_whoever_did_not_hear_that_it_got_the_lock_has_it_all_the_same(redis: RedisServer) -> None:
    redis.command("FLUSHALL")

    async def scenario() -> None:
        async with (
            door_that_loses_the_first_answer_to(b"\r\nSET\r\n", redis.port) as port,
            redis_locks(f"redis://127.0.0.1:{port}/0") as mine,
            redis_locks(redis.url) as theirs,
        ):
            token = await acquired(mine)
            assert await theirs.acquire(KEY, LONG) is None
            await mine.release(KEY, token)
            await acquired(theirs)

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


def test_entries_and_locks_under_one_key_do_not_meet(redis: RedisServer) -> None:
    async def scenario() -> None:
        store = RedisStore(redis.url, Codec(SEAL), timeout=30.0)
        locks = RedisLocks(store.client)
        kept = entry("a")
        await store.put(kept)
        assert not await locks.taken(kept.exact)
        token = await acquired(locks, kept.exact)
        assert await store.get(kept.exact, 0.0) == kept
        await locks.release(kept.exact, token)
        assert await store.get(kept.exact, 0.0) == kept
        await store.close()

    asyncio.run(scenario())
