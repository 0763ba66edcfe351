"""Bounds around any embedder: recent vectors, texts in flight, and one computation for the same text asked twice at once.

No model and no clock here. The time budget is the caller's, and reaches us as cancellation: a waiter that leaves takes
nobody with it, and when the last one leaves, its text is dropped (a local model that has begun finishes; nothing else does).
Recent vectors are kept under a digest of their text: 32 bytes whatever the text's length, and no question stays in memory.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from gateway.errors import EmbedError

if TYPE_CHECKING:
    from gateway.core.messages import Vector

ENTRY_BYTES = 256
"""What remembering one vector costs beside the vector itself: digest, object heads, dict slot."""


class Adapter(Protocol):
    """What this package's embedders are: the port `Embedder`, and what its owner must know of the vector space."""

    @property
    def identity(self) -> str:
        """Names the vector space: equal exactly where vectors may be compared. Local models know it once open;
        EmbedError before."""

    @property
    def dimensions(self) -> int | None:
        """None until the first answer, where nothing else tells."""

    async def open(self) -> None:
        """Load or connect now instead of at the first text. Raises EmbedError; may be tried again."""

    async def embed(self, text: str) -> Vector: ...

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


class _Flight:
    """One text being embedded, and those who wait for it."""

    __slots__ = ("task", "waiters")

    def __init__(self, task: asyncio.Task[Vector]) -> None:
        self.task = task
        self.waiters: set[asyncio.Future[Vector]] = set()


class BoundedEmbedder:
    """An `Embedder` around an adapter.

    Args:
        inner: the adapter; closed with this one.
        queue: distinct texts being embedded or waiting for it; one more is an EmbedError at once.
        cache: recent texts whose vectors are remembered; 0: none.
        cache_bytes: bound of their memory, whatever `cache` says.
    """

    def __init__(self, inner: Adapter, *, queue: int = 256, cache: int = 4096, cache_bytes: int = 64 << 20) -> None:
        self._inner = inner
        self._queue = queue
        self._cache = cache
        self._cache_bytes = cache_bytes
        self._recent: OrderedDict[bytes, Vector] = OrderedDict()
        self._recent_bytes = 0
        self._flights: dict[bytes, _Flight] = {}

    @property
    def identity(self) -> str:
        return self._inner.identity

    @property
    def dimensions(self) -> int | None:
        return self._inner.dimensions

    async def open(self) -> None:
        await self._inner.open()

    async def ping(self) -> None:
        await self._inner.ping()

    async def close(self) -> None:
        for flight in list(self._flights.values()):
            flight.task.cancel()
        await self._inner.close()

    async def embed(self, text: str) -> Vector:
        """Raises TextUnfit, or EmbedError; "queue full" and text that is not Unicode fail at once."""
        try:
            key = hashlib.blake2b(text.encode(), digest_size=32).digest()
        except UnicodeEncodeError:  # a lone surrogate: no tokenizer and no JSON encoder takes it
            raise EmbedError("the text is not valid Unicode") from None
        known = self._recent.get(key)
        if known is not None:
            self._recent.move_to_end(key)
            return known
        flight = self._flights.get(key) or self._start(key, text)
        waiter: asyncio.Future[Vector] = asyncio.get_running_loop().create_future()
        flight.waiters.add(waiter)
        try:
            return await waiter
        finally:
            flight.waiters.discard(waiter)
            if not flight.waiters and not flight.task.done():
                flight.task.cancel()
                self._forget(key, flight)  # who asks from now on starts anew

    def _start(self, key: bytes, text: str) -> _Flight:
        if len(self._flights) >= self._queue:
            raise EmbedError(f"queue full: {self._queue} texts are being embedded or waiting")
        flight = _Flight(asyncio.get_running_loop().create_task(self._inner.embed(text)))
        flight.task.add_done_callback(lambda task: self._land(key, flight, task))
        self._flights[key] = flight
        return flight

    def _land(self, key: bytes, flight: _Flight, task: asyncio.Task[Vector]) -> None:
        self._forget(key, flight)
        trouble = EmbedError("the embedder is closed") if task.cancelled() else task.exception()
        if trouble is None:
            self._remember(key, task.result())
        for waiter in flight.waiters:
            if waiter.done():
                continue
            if trouble is None:
                waiter.set_result(task.result())
            else:
                waiter.set_exception(trouble)

    def _forget(self, key: bytes, flight: _Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]

    def _remember(self, key: bytes, vector: Vector) -> None:
        if self._cache == 0 or len(vector) + ENTRY_BYTES > self._cache_bytes:
            return
        if key not in self._recent:
            self._recent_bytes += len(vector) + ENTRY_BYTES
        self._recent[key] = vector
        while len(self._recent) > self._cache or self._recent_bytes > self._cache_bytes:
            _, oldest = self._recent.popitem(last=False)
            self._recent_bytes -= len(oldest) + ENTRY_BYTES
