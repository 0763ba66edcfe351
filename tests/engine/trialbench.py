"""A bench whose route tries something out, with what it noted, evicted and told in reach of a test."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from routebench import JSON, Bench

from gateway.core.events import Event, Uncompared, Unjudged
from gateway.core.freshness import NO_WISHES, Wishes
from gateway.core.judgement import Judgement
from gateway.core.messages import Entry, Hit, Miss, Reason
from gateway.core.recording import Recording
from gateway.engine.comparing import Comparing
from gateway.engine.guard import Guard
from gateway.engine.tiers import Tiers
from gateway.engine.trial import Trial

Test = Callable[..., Coroutine[Any, Any, None]]


def awaited(test: Test) -> Callable[..., None]:
    """A test in a loop of its own."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


ONE = "what time does the blue shop open on mondays"
OTHER = "what time does the red shop open on mondays"


class Book:
    """Evidence that only remembers."""

    def __init__(self) -> None:
        self.judgements: list[Judgement] = []

    def note(self, judgement: Judgement) -> bool:
        self.judgements.append(judgement)
        return True


class Strict:
    """A proof that allows and audits as told."""

    def __init__(self, *, allowed: bool = False, audited: bool = False) -> None:
        self.allowed = allowed
        self.audited = audited
        self.asked: list[bool] = []

    def allows(self, hit: Hit, *, counts: bool = True) -> bool:
        self.asked.append(counts)
        return self.allowed

    def audits(self, hit: Hit) -> bool:
        return self.audited

    def explain(self) -> str:
        return "not yet"


class Scene:
    """A bench whose route tries something out."""

    def __init__(
        self,
        *,
        shadow: bool = False,
        audit: float = 0.0,
        proof: Strict | None = None,
        followers: int = 0,
        stale: float = 0.0,
        ttl: float = 100.0,
    ) -> None:
        self.book = Book()
        self.evicted: list[str] = []
        self.draws = [0.5]
        self.now = 0.0
        self.emitted: list[Event] = []

        async def evict(entry: Entry) -> None:
            self.evicted.append(entry.id)

        def make(tiers: Tiers) -> Trial:
            self.tiers = tiers
            return Trial(
                "route",
                Comparing(None, tiers),
                self.book,
                evict,
                self.emitted.append,
                draw=lambda: self.draws[-1],
                shadow=shadow,
                audit=audit,
                proof=proof,
                setting=lambda: b"setting",
                clock=lambda: self.now,
            )

        self.bench = Bench(trial=make, followers=followers, stale=stale, ttl=ttl)
        assert self.bench.trial is not None
        self.trial = self.bench.trial

    async def kept(self, question: str, answer: bytes = b'{"a": "nine"}') -> None:
        assert await self.bench.answer(await self.bench.ask(question), answer)

    async def answered(self, miss: Miss, answer: bytes = b'{"a": "nine"}', status: int = 200) -> None:
        """The client has this answer, and what is done then is done."""
        assert miss.recording is not None
        miss.recording.start(status, JSON)
        miss.recording.feed(answer)
        if miss.reason is not Reason.SHADOW or miss.would_be is None:
            await self.bench.cache.keep(miss.recording)
        await self.bench.cache.learning.learn(miss)

    async def entry(self, body: bytes) -> Entry:
        """What an answer becomes."""
        recording = await self.bench.miss(f"question {len(body)}")
        recording.start(200, JSON)
        recording.feed(body)
        await self.bench.cache.keep(recording)
        assert recording.entry is not None
        return recording.entry

    def uncompared(self) -> list[Uncompared]:
        return [event.reason for event in self.emitted if isinstance(event, Unjudged)]


def guard(part: str) -> Guard:
    return Guard(part, 1.0, lambda _event: None, time.monotonic)


async def would_be(scene: Scene, question: str = OTHER, wishes: Wishes = NO_WISHES) -> Miss:
    verdict = await scene.bench.ask(question, wishes)
    assert isinstance(verdict, Miss)
    assert verdict.would_be is not None
    return verdict


# Shadow mode


async def hit(scene: Scene, question: str = OTHER) -> Hit:
    verdict = await scene.bench.ask(question)
    assert isinstance(verdict, Hit)
    return verdict


def says(body: bytes, status: int = 200):
    async def ask(recording: Recording) -> None:
        recording.start(status, JSON)
        recording.feed(body)

    return ask
