"""Opening locks in Redis and in PostgreSQL, and taking one, for the tests of locks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rows import SEAL, key

from gateway.core.ports import Locks
from gateway.stores.codec import Codec
from gateway.stores.postgres import Database
from gateway.stores.postgres_locks import PostgresLocks
from gateway.stores.redis import RedisStore
from gateway.stores.redis_locks import RedisLocks

LONG = 3600.0
KEY = key("lock")


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


async def acquired(locks: Locks, lock: bytes = KEY, seconds: float = LONG) -> bytes:
    token = await locks.acquire(lock, seconds)
    assert token is not None
    return token


async def taken(locks: Locks, lock: bytes) -> bool:
    """Does anybody have it? Who can take it gives it back at once."""
    token = await locks.acquire(lock, LONG)
    if token is not None:
        await locks.release(lock, token)
    return token is None


async def until_free(locks: Locks, lock: bytes = KEY) -> None:
    async with asyncio.timeout(60):
        while await taken(locks, lock):
            await asyncio.sleep(0.005)
