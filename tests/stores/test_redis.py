"""Redis and its relatives: every kind of URL, restarts, and what is in the store."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from rows import SEAL, entry
from servers import RedisServer, redis_cluster, redis_server, tls_in_front_of

from gateway.errors import ConfigError, StoreError
from gateway.stores.codec import Codec
from gateway.stores.redis import PREFIX, RedisStore

CODEC = Codec(SEAL)


def put_and_get(url: str) -> None:
    async def scenario() -> None:
        store = RedisStore(url, CODEC, timeout=30.0)
        kept = entry("a", body=b"x" * 100_000)
        try:
            await store.ping()
            await store.put(kept)
            assert await store.get(kept.exact, time.time()) == kept
            others = [entry(number) for number in range(20)]
            for each in others:
                await store.put(each)
            await store.remove([kept.exact, *(each.exact for each in others[1:]), b"never there"])
            found = [await store.get(each.exact, time.time()) for each in (kept, *others)]
            assert found == [None, others[0], *[None] * 19]
        finally:
            await store.close()

    asyncio.run(scenario())


def test_it_is_reached_by_tcp_and_by_unix_socket(redis: RedisServer) -> None:
    put_and_get(redis.url)
    redis.command("FLUSHALL")
    put_and_get(redis.unix_url)


def test_it_is_reached_by_tls_and_only_with_a_certificate_it_trusts(redis: RedisServer, tmp_path: Path) -> None:
    with tls_in_front_of(redis.port, tmp_path) as (port, certificate):
        put_and_get(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate}")
        with pytest.raises(StoreError, match=r"(?i)certificate"):
            put_and_get(f"rediss://127.0.0.1:{port}/0")


def test_it_is_reached_in_a_cluster() -> None:
    with redis_cluster() as server:
        put_and_get(server.url.replace("redis://", "redis+cluster://").removesuffix("/0"))


def test_user_and_password_are_used_and_not_shown() -> None:
    with redis_server("--requirepass", "s3cret") as server:
        put_and_get(server.url.replace("redis://", "redis://default:s3cret@"))
        with pytest.raises(StoreError) as caught:
            put_and_get(server.url.replace("redis://", "redis://default:wr0ng@"))
        assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1", "127.0.0.1:6379", "redis://127.0.0.1:notaport", "redis+cluster:/x"]
)
def test_a_url_of_another_kind_is_a_mistake_in_the_configuration(url: str) -> None:
    with pytest.raises(ConfigError, match=r"stores\.redis\.url"):
        RedisStore(url, CODEC)


def test_an_entry_is_one_key_that_redis_itself_lets_expire(redis: RedisServer) -> None:
    redis.command("FLUSHALL")

    async def scenario() -> None:
        store = RedisStore(redis.url, CODEC, timeout=30.0)
        kept = entry("a", ttl=100, body=b"a very secret answer")
        await store.put(kept)
        name = PREFIX + kept.exact.hex()
        assert redis.command("KEYS", "*") == b"*1\r\n$%d\r\n%b\r\n" % (len(name), name.encode())
        assert 0 < int(redis.command("PTTL", name).strip(b":\r\n")) <= 100_000
        assert b"secret" not in redis.command("GET", name)
        await store.close()

    asyncio.run(scenario())


def test_a_value_that_does_not_open_is_absent(redis: RedisServer) -> None:
    async def scenario() -> None:
        store = RedisStore(redis.url, CODEC, timeout=30.0)
        kept, other = entry("a"), entry("b")
        await store.put(kept)
        moved = redis.command("COPY", PREFIX + kept.exact.hex(), PREFIX + other.exact.hex(), "REPLACE")
        assert moved == b":1\r\n"
        assert await store.get(other.exact, time.time()) is None
        redis.command("SET", PREFIX + kept.exact.hex(), "nonsense")
        assert await store.get(kept.exact, time.time()) is None
        await store.close()

    asyncio.run(scenario())


def test_it_comes_back_by_itself_after_a_restart() -> None:
    async def scenario(server: RedisServer) -> None:
        store = RedisStore(server.url, CODEC, timeout=30.0)
        kept = entry("a")
        await store.put(kept)
        await asyncio.to_thread(server.stop)
        with pytest.raises(StoreError, match="redis"):
            await store.get(kept.exact, time.time())
        await asyncio.to_thread(server.start)
        await store.put(kept)
        assert await store.get(kept.exact, time.time()) == kept
        # Restarted between two calls: the pooled connection is dead, and nobody notices.
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        assert await store.get(kept.exact, time.time()) is None
        await store.close()

    with redis_server() as server:
        asyncio.run(scenario(server))


def test_the_number_of_connections_is_bounded(redis: RedisServer) -> None:
    def clients() -> int:
        return redis.command("CLIENT", "LIST").count(b" addr=")

    async def scenario() -> None:
        store = RedisStore(redis.url, CODEC, timeout=30.0, connections=3)
        before = clients()
        kept = entry("a", body=b"x" * 50_000)
        await store.put(kept)
        await asyncio.gather(*[store.get(kept.exact, time.time()) for _ in range(100)])
        assert clients() - before <= 3
        await store.close()

    asyncio.run(scenario())
