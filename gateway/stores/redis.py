"""The shared exact tier: one key per entry in Redis, Valkey or a cluster of them. GET, SET with PX, and DEL to purge.

Any server of that protocol will do, standalone or cluster, over TCP, TLS or a unix socket. A value that does not open
(see codec) is absent. Connections are made on first use, bounded, and made anew after the server restarts.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeAlias, cast

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from gateway.core.messages import Source
from gateway.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.core.messages import Entry
    from gateway.stores.codec import Codec

Client: TypeAlias = "Redis | RedisCluster"

PREFIX = "semgate:1:"
SCHEMES = ("redis://", "rediss://", "unix://", "redis+cluster://", "rediss+cluster://")


class RedisStore:
    source = Source.REDIS

    def __init__(
        self, url: str, codec: Codec, *, timeout: float = 1.0, connections: int = 32, prefix: str = PREFIX
    ) -> None:
        """`timeout` (seconds) bounds connecting, one command, and the wait for a free connection of the pool.

        Raises ConfigError for a URL of another kind.
        """
        self._codec = codec
        self._prefix = prefix
        # For what else lives in this Redis (see redis_locks): the connections are shared, and closed by this store.
        self.client = _connect(url, timeout, connections)

    async def get(self, exact: bytes, now: float) -> Entry | None:
        try:
            blob = cast("bytes | None", await self.client.get(self._prefix + exact.hex()))
        except TROUBLE as error:
            raise store_error(error) from error
        if blob is None:
            return None
        entry = self._codec.decode(blob, exact)
        return entry if entry is not None and entry.expires_at > now else None

    async def put(self, entry: Entry) -> None:
        # Redis counts down by its own clock: what is left is measured here, at the last moment. 0 is not allowed.
        left_ms = max(1, int((entry.expires_at + entry.stale - time.time()) * 1000))
        try:
            await self.client.set(self._prefix + entry.exact.hex(), self._codec.encode(entry), px=left_ms)
        except TROUBLE as error:
            raise store_error(error) from error

    async def remove(self, keys: Sequence[bytes]) -> None:
        """Delete the entries under these exact keys, if they are there. Raises StoreError."""
        try:
            await self.client.delete(*[self._prefix + exact.hex() for exact in keys])
        except TROUBLE as error:
            raise store_error(error) from error

    async def ping(self) -> None:
        try:
            # A GET asks for no more rights than the look-up has, and finds its way in a cluster.
            await self.client.get(self._prefix + "ping")
        except TROUBLE as error:
            raise store_error(error) from error

    async def close(self) -> None:
        await self.client.aclose()


TROUBLE = (RedisError, RedisClusterException, OSError, TimeoutError, asyncio.IncompleteReadError)


def _connect(url: str, timeout: float, connections: int) -> Client:
    if not url.startswith(SCHEMES):
        raise ConfigError(f"stores.redis.url: must start with one of {', '.join(SCHEMES)}")
    # One more try at once: a connection that idled through a restart of the server fails only when it is used.
    retry = Retry(NoBackoff(), 1)
    try:
        if "+cluster://" in url:
            return RedisCluster.from_url(
                url.replace("+cluster://", "://", 1),
                protocol=2,
                retry=retry,
                max_connections=connections,
                socket_timeout=timeout,
                socket_connect_timeout=timeout,
            )
        pool = BlockingConnectionPool.from_url(
            url,
            protocol=2,
            retry=retry,
            max_connections=connections,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
        )
        return Redis.from_pool(pool)
    except ValueError as error:
        # The message of urllib may hold the URL, and so the password.
        raise ConfigError("stores.redis.url: not a valid URL") from error


def store_error(error: BaseException) -> StoreError:
    # The server's and the library's messages name address and reason, never the password.
    return StoreError(f"redis: {type(error).__name__}: {error}")
