"""Short locks in Redis, Valkey or a cluster of them: a key with a random token that Redis itself lets expire.

Commands: SET with NX and PX, GET, and EVAL (of GET and DEL) to give a lock back only if it is still one's own. One
server grants them: after a failover two may hold the same lock for its few seconds, which costs one more upstream call.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from gateway.stores.redis import PREFIX, TROUBLE, store_error

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from gateway.stores.redis import Client

TOKEN_BYTES = 16

RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class RedisLocks:
    """A Locks. Cheap to make: the connections are those of the store whose `client` it is given."""

    def __init__(self, client: Client, *, prefix: str = PREFIX) -> None:
        self._client = client
        self._prefix = f"{prefix}lock:"

    async def acquire(self, key: bytes, seconds: float) -> bytes | None:
        token = os.urandom(TOKEN_BYTES)
        name = self._prefix + key.hex()
        try:
            if await self._client.set(name, token, nx=True, px=max(1, int(seconds * 1000))):
                return token
            # A command whose connection died is sent again: it may have been heard the first time.
            return token if await self._client.get(name) == token else None
        except TROUBLE as error:
            raise store_error(error) from error

    async def release(self, key: bytes, token: bytes) -> None:
        try:
            await cast("Awaitable[object]", self._client.eval(RELEASE, 1, self._prefix + key.hex(), token))
        except TROUBLE as error:
            raise store_error(error) from error
