"""A Shelf over a real PostgreSQL and an embedder by words, with its parts in reach of a test."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from routebench import Doubter, Words

from gateway.core.denial import DeniedQuestion, Then, normalised
from gateway.core.events import Event, NotKept, Served
from gateway.core.freshness import AllowedWishes
from gateway.core.keys import Keyer
from gateway.core.messages import Candidate, Entry, Reason, Vector
from gateway.core.policy import CachePolicy, KeepRule, SecondOpinion
from gateway.core.purges import Purge
from gateway.core.shelving import Place
from gateway.encodings import decode
from gateway.engine.deny_lists import DenyList, DenyLists
from gateway.engine.guard import Guard
from gateway.engine.purges import Purges
from gateway.engine.shelf import Shelf
from gateway.engine.shelved import Looked
from gateway.engine.tiers import Places, Tiers
from gateway.stores.codec import Codec
from gateway.stores.pgvector import PgVectorStore
from gateway.stores.postgres import Database
from gateway.stores.purge_log import PurgeLog
from gateway.stores.schema import Space
from gateway.stores.shelf_removal import ShelfRemoval
from gateway.stores.shelf_rows import ShelfRows

SPACE = Space("words", 64)
KEY = b"k" * 32
HERE = Place(b"s" * 32)
LIMIT = 1000
ASKED = "how do I cancel my contract"
NEAR = "how do I cancel my contract please"
FAR = "what is the weather in Lisbon"

_numbers = itertools.count()


class Entries(PgVectorStore):
    """The rows of one route: as the runtime puts them together."""

    def __init__(self, database: Database, namespace: str) -> None:
        codec = Codec(KEY)
        super().__init__(database, SPACE, codec, namespace=namespace)
        self._shelf = ShelfRows(database, SPACE, codec)

    async def same_words(self, words: bytes, labels: Sequence[bytes], k: int, now: float) -> list[Entry]:
        return await self._shelf.same_words(words, labels, k, now)

    async def nearest_labelled(
        self, partition: bytes, vector: Vector, labels: Sequence[bytes], k: int, load_at: float, now: float
    ) -> list[Candidate]:
        return await self._shelf.nearest(partition, vector, labels, k, load_at, now)


class Denying:
    """Denies a question's words from when it is told to."""

    def __init__(self) -> None:
        self.version = 0
        self.lists: tuple[DenyList, ...] = ()

    def deny(self, text: str, answer: str) -> None:
        denied = DeniedQuestion(text, text, normalised(text), "cancelling", 1.0, Then.REFUSE, answer)
        self.lists = (DenyList([denied], None),)
        self.version += 1

    def spares(self, denied_id: str, words: str) -> bool:
        return False

    def used(self, denied_id: str) -> None: ...


class ShelfBench:
    """`other` are shelves of further routes or processes on the same rows."""

    def __init__(
        self, url: str, namespace: str, *, verifier: Doubter | None = None, denied: DenyLists | None = None
    ) -> None:
        self.events: list[Event] = []
        self.namespace = namespace
        self.database = Database(url, acquire_timeout=30.0)
        self.purges, self.words = Purges(), Words()
        self.entries = Entries(self.database, namespace)
        self.gone: list[bytes] = []
        self.log = PurgeLog(self.database, namespace=namespace, heard=self._hear)
        self._verifier, self._denied = verifier, denied
        self.shelf = self.of("kv")

    def of(self, route: str) -> Shelf:
        keep = KeepRule(frozenset({2}), LIMIT, (), (), frozenset(), frozenset())
        opinion = None if self._verifier is None else SecondOpinion(0.5, 0.8)
        policy = CachePolicy(0.7, 5, 100.0, keep, AllowedWishes(frozenset(), None, None), opinion=opinion)
        ids = (f"{self.namespace}-{next(_numbers):06}" for _ in itertools.count())
        tiers = Tiers(
            memory=None,
            redis=None,
            postgres=(self.entries, self._guard("postgres")),
            storing=self._guard("postgres"),
            embedder=(self.words, self._guard("embedder")),
            embeds_ahead=True,
            places=Places(10),
            decode=decode,
            emit=self.events.append,
            new_id=lambda: next(ids),
            route=route,
            purges=self.purges,
            verifier=None if self._verifier is None else (self._verifier, self._guard("verifier")),
            denied=self._denied,
        )
        removal = ShelfRemoval(self.database, self.log, namespace=self.namespace, on_removed=self._removed)
        return Shelf(route, policy, Keyer(KEY, self.namespace.encode(), route.encode()), tiers, self.entries, removal)

    async def put(self, question: str, answer: str = "an answer", **more: object) -> str:
        put = await self.shelf.put(question, answer.encode(), HERE, **more)  # type: ignore[arg-type]
        assert not isinstance(put, Reason), put
        return put

    async def find(self, question: str, **more: object) -> list[str]:
        """The answers found."""
        looked = await self.look(question, **more)
        return [each.answer.decode() for each in looked.found]

    async def look(self, question: str, **more: object) -> Looked:
        return await self.shelf.find(question, HERE, **more)  # type: ignore[arg-type]

    def served(self) -> list[Served]:
        return [event for event in self.events if isinstance(event, Served)]

    def not_kept(self) -> list[Reason]:
        return [event.reason for event in self.events if isinstance(event, NotKept)]

    async def _hear(self, purges: Sequence[Purge], whole: bool) -> None:
        self.purges.add(purges)

    async def _removed(self, keys: Sequence[bytes], /) -> None:
        self.gone += keys

    def _guard(self, part: str) -> Guard:
        return Guard(part, 5.0, self.events.append, time.monotonic)


@asynccontextmanager
async def opened(
    url: str, *, verifier: Doubter | None = None, denied: DenyLists | None = None
) -> AsyncIterator[ShelfBench]:
    """One that shares no row with any other."""
    bench = ShelfBench(url, f"bench{next(_numbers)}", verifier=verifier, denied=denied)
    try:
        yield bench
    finally:
        await bench.database.close()


def run(url: str, scenario: Callable[[ShelfBench], Awaitable[None]], **more: object) -> None:
    async def all_of_it() -> None:
        async with opened(url, **more) as bench:  # type: ignore[arg-type]
            await scenario(bench)

    asyncio.run(all_of_it())
