"""Opening counters in Redis and in PostgreSQL for the tests of counters; run as a program: a process that asks often.

counting.py KIND URL CLIENT LIMIT TIMES    prints how many of its requests were admitted
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.core.ports import Counters
from gateway.core.quota import SLOT_SECONDS, Limits
from gateway.stores.codec import Codec
from gateway.stores.postgres import Database
from gateway.stores.postgres_counters import PostgresCounters, PostgresSpending
from gateway.stores.redis import RedisStore
from gateway.stores.redis_counters import RedisCounters


@asynccontextmanager
async def redis_counters(url: str, namespace: str = "test", seconds: float = SLOT_SECONDS) -> AsyncIterator[Counters]:
    store = RedisStore(url, Codec(b"k" * 32), timeout=30.0)
    yield RedisCounters(store.client, namespace, slot_seconds=seconds)
    await store.close()


@asynccontextmanager
async def postgres_counters(
    url: str, namespace: str = "test", seconds: float = SLOT_SECONDS
) -> AsyncIterator[Counters]:
    database = Database(url, acquire_timeout=30.0)
    yield PostgresCounters(database, namespace, slot_seconds=seconds)
    await database.close()


@asynccontextmanager
async def postgres_spending(url: str, namespace: str = "test") -> AsyncIterator[PostgresSpending]:
    database = Database(url, acquire_timeout=30.0)
    yield PostgresSpending(database, namespace)
    await database.close()


async def ask_often(kind: str, url: str, client: str, limit: int, times: int) -> int:
    opening = redis_counters(url) if kind.startswith("redis") else postgres_counters(url)
    async with opening as counters:
        seen = [await counters.admit(client, Limits(requests=limit)) for _ in range(times)]
    return sum(usage.admitted for usage in seen)


if __name__ == "__main__":
    print(asyncio.run(ask_often(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))))
