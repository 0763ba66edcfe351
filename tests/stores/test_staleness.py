"""How long each store keeps an entry that has expired: for its stale time, and no longer."""

from __future__ import annotations

import asyncio
import time

from rows import SEAL, entry, key, opened, vector
from servers import RedisServer
from sweeping import world

from gateway.stores.codec import Codec
from gateway.stores.memory import MemoryStore
from gateway.stores.redis import PREFIX, RedisStore

NOW = time.time()
CODEC = Codec(SEAL)


def test_an_entry_is_kept_for_those_who_may_use_it_stale_until_nobody_may() -> None:
    kept = entry("a", ttl=-10, stale=60)
    store = MemoryStore(10_000)
    store.put_now(kept)
    assert store.get_now(kept.exact, NOW - 60) == kept
    assert store.get_now(kept.exact, kept.expires_at) is None
    assert (len(store), store.bytes) == (0, 0)


def test_redis_keeps_an_entry_for_its_stale_time_too_and_then_lets_it_go(redis: RedisServer) -> None:
    redis.command("FLUSHALL")

    async def scenario() -> None:
        store = RedisStore(redis.url, CODEC, timeout=30.0)
        kept, short = entry("a", ttl=-60, stale=160), entry("b", ttl=-60, stale=60.05)
        for each in (kept, short):
            await store.put(each)
        assert 0 < int(redis.command("PTTL", PREFIX + kept.exact.hex()).strip(b":\r\n")) <= 100_000
        assert await store.get(kept.exact, time.time() - 160) == kept
        while await store.get(short.exact, 0.0) is not None:
            await asyncio.sleep(0.01)
        assert time.time() >= short.expires_at + short.stale - 0.01
        await store.close()

    asyncio.run(scenario())


def test_within_its_stale_time_a_row_is_near_when_asked_with_an_earlier_now(database_url: str) -> None:
    async def scenario() -> None:
        async with opened(database_url) as (_database, store):
            kept = entry("a", ttl=-60, stale=3600)
            await store.keep(kept, "q", vector(0.0))
            earlier = time.time() - kept.stale
            assert [each.entry for each in await store.nearest(key("partition"), vector(0.0), 5, 0.9, earlier)] == [
                kept
            ]
            assert await store.fetch(kept.id, earlier) == kept
            assert await store.nearest(key("partition"), vector(0.0), 5, 0.9, time.time()) == []

    asyncio.run(scenario())


def test_a_row_goes_only_after_its_stale_time_and_then_from_the_disk(database_url: str) -> None:
    async def scenario() -> None:
        async with world(database_url) as it:
            now = time.time()
            kept = [entry(number, ttl=-100, stale=50.0 * number) for number in range(6)]
            for number, each in enumerate(kept):
                await it.stores[number % 2].keep(each, "q", None)
            for at in range(-1, 8):
                upkeep = it.upkeep_of(it.database, clock=lambda at=at: now - 100 + 50 * at + 25)  # type: ignore[misc]
                await upkeep.sweep()
                left = kept[max(0, at + 1) :]
                assert await it.there(kept) == left
                assert await it.rows() == (len(left), len(left))

    asyncio.run(scenario())
