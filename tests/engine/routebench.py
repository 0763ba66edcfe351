"""One route's cache over tiny real adapters, with its parts in reach of a test."""

from __future__ import annotations

import asyncio
import json
import math
import struct
import time
from collections.abc import Callable, Sequence
from hashlib import sha256

from gateway.core.body import Document
from gateway.core.events import Event, NotKept
from gateway.core.extract import compile_extractors
from gateway.core.freshness import NO_WISHES, AllowedWishes, Wishes
from gateway.core.keys import Keyer
from gateway.core.messages import (
    Candidate,
    Entry,
    Follow,
    Headers,
    Miss,
    Near,
    Reason,
    Request,
    Source,
    Vector,
    Verdict,
)
from gateway.core.policy import CachePolicy, KeepRule, SecondOpinion, compile_terminal
from gateway.core.recording import Recording
from gateway.core.subject import PUBLIC, Rule
from gateway.encodings import decode
from gateway.engine.cache import RouteCache
from gateway.engine.coalesce import Coalescing, Flights
from gateway.engine.deny_lists import DenyLists
from gateway.engine.evidence import Evidence
from gateway.engine.guard import Guard
from gateway.engine.landing import Landings
from gateway.engine.purges import Purges
from gateway.engine.tiers import Places, Tiers
from gateway.engine.trial import Trial
from gateway.errors import EmbedError, StoreError, VerifierError
from gateway.stores.memory import MemoryStore

JSON: Headers = ((b"content-type", b"application/json"), (b"x-request-id", b"1"))
SSE: Headers = ((b"content-type", b"text/event-stream"), (b"x-request-id", b"1"))


class Rows(MemoryStore):
    """An EntryStore in memory: nearness by scanning. Fails or waits as told."""

    source = Source.POSTGRES
    space = "words"

    def __init__(self) -> None:
        super().__init__(1 << 30)
        self.vectors: dict[str, tuple[Entry, Vector]] = {}
        self.asked: dict[str, str] = {}
        self.uses: list[str] = []
        self.down = False
        self.hold: asyncio.Event | None = None

    async def get(self, exact: bytes, now: float) -> Entry | None:
        self._check()
        return self.get_now(exact, now)

    async def keep(self, entry: Entry, question: str, vector: Vector | None) -> None:
        if self.hold is not None:
            await self.hold.wait()
        self._check()
        self.put_now(entry)
        if vector is not None:
            self.vectors[entry.id] = entry, vector
            self.asked[entry.id] = question

    async def nearest(
        self, partition: bytes, vector: Vector, k: int, load_at: float, now: float, *, questions: bool = False
    ) -> list[Candidate]:
        self._check()
        found = [
            Candidate(entry.id, cosine(vector, other), entry, entry.exact, self.asked[entry.id] if questions else None)
            for entry, other in self.vectors.values()
            if entry.partition == partition
        ]
        return sorted(found, key=lambda candidate: -candidate.similarity)[:k]

    async def fetch(self, entry_id: str, now: float) -> Entry | None:
        return self.vectors[entry_id][0]

    async def vector(self, entry_id: str) -> Vector | None:
        self._check()
        return self.vectors[entry_id][1] if entry_id in self.vectors else None

    def used(self, entry_id: str, at: float) -> None:
        self.uses.append(entry_id)

    def _check(self) -> None:
        if self.down:
            raise StoreError("down")


class Shared(MemoryStore):
    """The exact tier that processes share."""

    source = Source.REDIS

    def __init__(self) -> None:
        super().__init__(1 << 30)


class Words:
    """An embedder by words: texts that share words are near."""

    def __init__(self) -> None:
        self.down = False
        self.texts: list[str] = []

    async def embed(self, text: str) -> Vector:
        self.texts.append(text)
        if self.down:
            raise EmbedError("down")
        sums = [0.0] * 64
        for word in text.lower().split():
            sums[sha256(word.encode()).digest()[0] % 64] += 1.0
        length = math.sqrt(sum(each * each for each in sums))
        return struct.pack("<64f", *(each / length for each in sums))

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


def cosine(one: Vector, other: Vector) -> float:
    pairs = zip(struct.unpack("<64f", one), struct.unpack("<64f", other), strict=True)
    return sum(first * second for first, second in pairs)


class Doubter:
    """A verifier that accepts what it is told to; fails or waits as told."""

    def __init__(self, scores: dict[str, float], *, batch: int = 1) -> None:
        self.batch = batch
        self.scores = scores
        self.asked: list[list[str]] = []
        self.down = False
        self.hold: asyncio.Event | None = None

    async def judge(self, question: str, others: Sequence[Near]) -> list[float]:
        self.asked.append([other.text for other in others])
        if self.hold is not None:
            await self.hold.wait()
        if self.down:
            raise VerifierError("down")
        return [self.scores.get(other.text, 0.0) for other in others]

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


class Bench:
    """One route's cache with its parts in reach."""

    def __init__(
        self,
        *,
        memory: bool = True,
        places: int = 10,
        embeds_ahead: bool = False,
        followers: int = 0,
        ttl: float = 100.0,
        stale: float = 0.0,
        redis: bool = False,
        verifier: Doubter | None = None,
        denied: DenyLists | None = None,
        evidence: Evidence | None = None,
        trial: Callable[[Tiers], Trial] | None = None,
    ) -> None:
        self.events: list[Event] = []
        self.rows, self.words = Rows(), Words()
        self.memory = MemoryStore(1 << 20) if memory else None
        self.redis, self.purges = Shared(), Purges()
        rule = Rule(
            scope=PUBLIC,
            query=compile_extractors("$.q"),
            model=(),
            role=(),
            stream=compile_extractors("$.stream"),
            stream_default=False,
            bypass=(),
            exact_if=(),
            ignore=(),
            headers=(),
            exact_only=False,
            reads_body=True,
            tags=compile_extractors("$.tags"),
        )
        terminal = (compile_terminal("[DONE]"),)
        keep = KeepRule(frozenset({2}), 10_000, (), (), frozenset(), frozenset(), terminal=terminal)
        allowed = AllowedWishes(frozenset(), None, None)
        opinion = None if verifier is None else SecondOpinion(0.5, 0.8)
        policy = CachePolicy(0.7, 5, ttl, keep, allowed, stale_while_revalidate=stale, opinion=opinion)
        ids = iter(range(1000))
        tiers = Tiers(
            memory=self.memory,
            redis=(self.redis, self._guard("redis")) if redis else None,
            postgres=(self.rows, self._guard("postgres")),
            storing=self._guard("postgres"),
            embedder=(self.words, self._guard("embedder")),
            embeds_ahead=embeds_ahead,
            places=Places(places),
            decode=decode,
            emit=self.events.append,
            new_id=lambda: f"id-{next(ids)}",
            purges=self.purges,
            denied=denied,
            evidence=evidence,
            verifier=None if verifier is None else (verifier, self._guard("verifier", 0.2)),
        )
        coalescing = Coalescing(followers, 1000.0, 10.0, 10_000)
        self.trial = None if trial is None else trial(tiers)
        self.cache = RouteCache(
            "route",
            rule,
            policy,
            Keyer(b"k" * 32, b"route"),
            tiers,
            Flights(coalescing, time.monotonic),
            Landings(),
            trial=self.trial,
        )

    def _guard(self, part: str, timeout: float = 5.0) -> Guard:
        return Guard(part, timeout, self.events.append, time.monotonic)

    async def ask(self, question: str, wishes: Wishes = NO_WISHES, **more: object) -> Verdict:
        body = json.dumps({"q": question, **more}).encode()
        request = Request("POST", b"/", b"", [], body, {}, b"/", None, time.time())
        return await self.cache.look_up(request, Document(body), wishes)

    async def miss(self, question: str, **more: object) -> Recording:
        """Ask what must be forwarded."""
        verdict = await self.ask(question, **more)
        assert isinstance(verdict, Miss)
        assert verdict.recording is not None
        return verdict.recording

    async def follow(self, question: str, wishes: Wishes = NO_WISHES, **more: object) -> Follow:
        """Ask what is being asked already."""
        verdict = await self.ask(question, wishes, **more)
        assert isinstance(verdict, Follow)
        return verdict

    async def answer(self, miss: Verdict, body: bytes = b'{"a": 1}', headers: Headers = JSON) -> bool:
        assert isinstance(miss, Miss)
        assert miss.recording is not None
        miss.recording.start(200, headers)
        miss.recording.feed(body)
        return await self.cache.keep(miss.recording)

    def not_kept(self) -> list[Reason]:
        return [event.reason for event in self.events if isinstance(event, NotKept)]
