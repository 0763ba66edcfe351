"""The PostgreSQL entries of one route, those put by hand among them: the table of its embedder's space, chosen once that space is known.

A local model knows its space when it is loaded, a remote one when it first answered. Until then PostgreSQL is passed
over for the route, as nothing there could be compared; the other tiers work.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.messages import Candidate, Entry, Source, Vector
from gateway.embedders.queue import BoundedEmbedder
from gateway.errors import EmbedError, StoreError
from gateway.stores.codec import Codec
from gateway.stores.pgvector import PgVectorStore
from gateway.stores.postgres import Database
from gateway.stores.schema import Space
from gateway.stores.shelf_rows import ShelfRows

# Routes that match exact words only share one table without vectors.
EXACT = Space("exact", None)


class RouteEntries:
    """An EntryStore and a ShelfStore. `embedder` is None for routes that match exact words only."""

    source = Source.POSTGRES

    def __init__(self, database: Database, embedder: BoundedEmbedder | None, codec: Codec, namespace: str) -> None:
        self._database = database
        self._embedder = embedder
        self._codec = codec
        self._namespace = namespace
        self._space: Space | None = EXACT if embedder is None else None
        self._store: PgVectorStore | None = self._in(EXACT) if embedder is None else None

    @property
    def space(self) -> str | None:
        """Its name, by which purges by similarity know whether their vectors can be compared with those here."""
        return None if self._space is None else self._space.identity

    def known_space(self) -> Space:
        """Raises StoreError while it is not known."""
        return self._space or self._choose_space()

    async def get(self, exact: bytes, now: float) -> Entry | None:
        return await (self._store or self._choose()).get(exact, now)

    async def put(self, entry: Entry) -> None:
        await (self._store or self._choose()).put(entry)

    async def nearest(
        self, partition: bytes, vector: Vector, k: int, load_at: float, now: float, *, questions: bool = False
    ) -> list[Candidate]:
        store = self._store or self._choose()
        return await store.nearest(partition, vector, k, load_at, now, questions=questions)

    async def same_words(self, words: bytes, labels: Sequence[bytes], k: int, now: float) -> list[Entry]:
        return await self._shelf().same_words(words, labels, k, now)

    async def nearest_labelled(
        self, partition: bytes, vector: Vector, labels: Sequence[bytes], k: int, load_at: float, now: float
    ) -> list[Candidate]:
        return await self._shelf().nearest(partition, vector, labels, k, load_at, now)

    async def fetch(self, entry_id: str, now: float) -> Entry | None:
        return await (self._store or self._choose()).fetch(entry_id, now)

    async def vector(self, entry_id: str) -> Vector | None:
        return await (self._store or self._choose()).vector(entry_id)

    async def keep(self, entry: Entry, question: str, vector: Vector | None) -> None:
        await (self._store or self._choose()).keep(entry, question, vector)

    def used(self, entry_id: str, at: float) -> None:
        if self._store is not None:
            self._store.used(entry_id, at)

    async def prepare(self) -> None:
        """Choose and make the table now, so that the first answer need not wait for it. Raises StoreError."""
        if self._store is None:
            self._choose()  # now, so that uses are counted from the first hit of any tier
        await self._database.table(self._space or self._choose_space())

    async def ping(self) -> None:
        await self._database.ping()

    async def close(self) -> None:
        """The database is closed by whoever made it."""

    def _choose(self) -> PgVectorStore:
        self._store = self._in(self._space or self._choose_space())
        return self._store

    def _choose_space(self) -> Space:
        assert self._embedder is not None
        try:
            identity, dimensions = self._embedder.identity, self._embedder.dimensions
        except EmbedError as error:
            raise StoreError(f"postgres: which table is not known yet: {error}") from error
        if dimensions is None:
            raise StoreError("postgres: which table is not known yet: the embedder has not answered so far")
        self._space = Space(identity, dimensions)
        return self._space

    def _shelf(self) -> ShelfRows:
        return ShelfRows(self._database, self.known_space(), self._codec)

    def _in(self, space: Space) -> PgVectorStore:
        return PgVectorStore(self._database, space, self._codec, namespace=self._namespace)
