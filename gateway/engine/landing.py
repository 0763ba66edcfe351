"""Answers whose last byte is on its way to the client while they are being stored.

Who asks again at once must find them, as if storing took no time. So a look-up that found nothing in memory waits for the
landings of its partition, PATIENCE at most, before it asks further: misses pay this, and only where one is under way.
"""

from __future__ import annotations

import asyncio

PATIENCE = 0.25


class Landings:
    """Those of one route, by partition."""

    def __init__(self) -> None:
        self._under_way: dict[bytes, set[asyncio.Future[None]]] = {}

    async def settled(self, partition: bytes) -> bool:
        """Wait for what is under way; False if nothing was."""
        under_way = self._under_way.get(partition)
        if under_way is None:
            return False
        await asyncio.wait(under_way, timeout=PATIENCE)
        return True

    def add(self, partition: bytes, landing: asyncio.Future[None]) -> None:
        self._under_way.setdefault(partition, set()).add(landing)

    def remove(self, partition: bytes, landing: asyncio.Future[None]) -> None:
        under_way = self._under_way[partition]
        under_way.discard(landing)
        if not under_way:
            del self._under_way[partition]


class Landing:
    """One answer's: `begin` before its last byte is sent, `end` when it is stored or given up."""

    def __init__(self, landings: Landings, partition: bytes) -> None:
        self._landings = landings
        self._partition = partition
        self._done: asyncio.Future[None] | None = None

    def begin(self) -> None:
        self._done = asyncio.get_running_loop().create_future()
        self._landings.add(self._partition, self._done)

    def end(self) -> None:
        if self._done is not None:
            self._landings.remove(self._partition, self._done)
            self._done.set_result(None)
            self._done = None
