"""Connections taken out of asyncpg's pool and kept at hand between uses.

The pool makes connections, looks at broken ones and closes them. But taking one out and giving it back costs 75 us each
time (measured: tasks and shields; a `select 1` is 18 us), so one that was used without trouble stays out for the next.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from asyncpg.pool import PoolConnectionProxy

    Proxy: TypeAlias = PoolConnectionProxy[asyncpg.Record]


class Leases:
    """At most `size` at once; a further taker waits `patience` seconds, then gets a TimeoutError."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], size: int, patience: float) -> None:
        self._pool = pool
        self._patience = patience
        self._free = asyncio.Semaphore(size)
        self._idle: list[Proxy] = []
        self._closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Proxy]:
        """One connection for the block. Raises what asyncpg raises, and TimeoutError."""
        if self._free.locked():
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        else:
            await self._free.acquire()
        try:
            connection = await self._take()
            try:
                yield connection
            except BaseException:
                await self._pool.release(connection)  # the pool finds out whether it is still good
                raise
            if self._closed or _is_gone(connection):
                await self._pool.release(connection)
            else:
                self._idle.append(connection)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Give everything back and close the pool, which waits for what is in use."""
        self._closed = True
        while self._idle:
            await self._pool.release(self._idle.pop())
        await self._pool.close()

    def terminate(self) -> None:
        """Close all connections at once, whatever they are doing."""
        self._closed = True
        self._idle.clear()
        self._pool.terminate()

    async def _take(self) -> Proxy:
        while self._idle:
            connection = self._idle.pop()
            if not _is_gone(connection):
                return connection
            await self._pool.release(connection)
        return await self._pool.acquire(timeout=self._patience)


def _is_gone(connection: Proxy) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # it broke while idle, and the pool took it back by itself
        return True
