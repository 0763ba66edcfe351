"""Locks in Redis where Redis has trouble, and beside the entries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from holding import KEY, LONG, acquired, redis_locks, taken
from rows import SEAL, entry
from servers import RedisServer, redis_server

from gateway.errors import StoreError
from gateway.stores.codec import Codec
from gateway.stores.redis import RedisStore
from gateway.stores.redis_locks import RedisLocks


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


def test_a_redis_that_was_restarted_has_forgotten_its_locks_and_nobody_notices_more() -> None:
    async def scenario(server: RedisServer) -> None:
        async with redis_locks(server.url) as mine:
            token = await acquired(mine)
            await asyncio.to_thread(server.stop)
            with pytest.raises(StoreError, match="redis"):
                await taken(mine, KEY)
            await asyncio.to_thread(server.start)
            assert not await taken(mine, KEY)
            second = await acquired(mine)
            # Restarted between two calls: the pooled connection is dead, and the command is sent again.
            await mine.release(KEY, token)
            assert await taken(mine, KEY)
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            await mine.release(KEY, second)
            assert not await taken(mine, KEY)

    with redis_server() as server:
        asyncio.run(scenario(server))


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


def test_entries_and_locks_under_one_key_do_not_meet(redis: RedisServer) -> None:
    async def scenario() -> None:
        store = RedisStore(redis.url, Codec(SEAL), timeout=30.0)
        locks = RedisLocks(store.client)
        kept = entry("a")
        await store.put(kept)
        assert not await taken(locks, kept.exact)
        token = await acquired(locks, kept.exact)
        assert await store.get(kept.exact, 0.0) == kept
        await locks.release(kept.exact, token)
        assert await store.get(kept.exact, 0.0) == kept
        await store.close()

    asyncio.run(scenario())
