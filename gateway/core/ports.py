"""What the engine asks of the outside: stores, embedders, the event sink. Protocols only; adapters live on floor 3.

Every method may raise the `CacheTrouble` named in its docstring and nothing else; the engine turns it into a miss.
Time budgets and breakers are the engine's: an adapter just does its one thing and may be cancelled at any await.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gateway.core.events import Event
    from gateway.core.messages import Candidate, Entry, Source, Vector


class ExactStore(Protocol):
    """Entries by exact key (`Entry.exact`): memory and Redis."""

    @property
    def source(self) -> Source: ...

    async def get(self, exact: bytes, now: float) -> Entry | None:
        """The entry under this key if it has not expired at `now` (Unix seconds). Raises StoreError."""

    async def put(self, entry: Entry) -> None:
        """Store until `entry.expires_at`, replacing what has the same key. Raises StoreError."""

    async def ping(self) -> None:
        """Raises StoreError when the store cannot be used now."""

    async def close(self) -> None: ...


class EntryStore(ExactStore, Protocol):
    """PostgreSQL: entries by exact key and by nearness within one partition, for one embedding space."""

    async def nearest(self, partition: bytes, vector: Vector, k: int, load_at: float, now: float) -> list[Candidate]:
        """Up to k unexpired entries of the partition, nearest first. The first carries its entry if at `load_at`
        similarity or above. Raises StoreError."""

    async def fetch(self, entry_id: str, now: float) -> Entry | None:
        """One unexpired entry by id. Raises StoreError."""

    async def keep(self, entry: Entry, question: str, vector: Vector | None) -> None:
        """Store the row in one write; a vector of None makes it findable by its exact key only. Raises StoreError."""

    def used(self, entry_id: str, at: float) -> None:
        """Count a hit of any tier; written in batches later, never in the caller's way."""


class Embedder(Protocol):
    """Text to unit vector. The vector of a text is a function of the text alone, never of load or batch."""

    async def embed(self, text: str) -> Vector:
        """Raises TextUnfit where the text is longer than the model's window (it is never truncated) or has words that the
        model does not know, else EmbedError."""

    async def ping(self) -> None:
        """Raises EmbedError when the embedder cannot be used now."""

    async def close(self) -> None: ...


class Emit(Protocol):
    def __call__(self, event: Event) -> None: ...
