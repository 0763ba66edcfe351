"""What the clients of the soak do: each kind of request that a gateway meets in a month, many times a minute.

A kind is a short story with its own checks; the actors tell the stories at random until they are stopped. Whatever is
not as it should be is counted as an error and its first words are kept.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import aiohttp
from soak_clients import TENANTS, Ask, Asker, Got, Wrong
from soak_upstream import CODINGS, ERROR, Fault
from traffic import CHAT, paraphrase

ACTORS = 24
PAUSE = 0.04
FIXED = 150
SYSTEMS = 50
SHOWN_ERRORS = 20
Story = Callable[[], Awaitable[None]]


class Traffic:
    """`questions` are so far apart that none answers another. `done` counts stories by kind, `ways` answers by X-Cache,
    `errors` what went wrong by kind; `first_errors` are the first ones in words."""

    def __init__(self, asker: Asker, questions: list[str], seed: int) -> None:
        self._asker = asker
        self._questions = questions
        self._chance = random.Random(seed)
        self._numbers = itertools.count()
        self._one_large = asyncio.Semaphore(1)
        self.done: Counter[str] = Counter()
        self.ways: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.first_errors: list[str] = []
        self._stories: dict[str, tuple[int, Story]] = {
            "hit": (30, self._known),
            "miss": (20, self._unknown),
            "semantic": (10, self._reworded),
            "followed": (5, self._followed),
            "broken": (4, self._broken),
            "leaving": (5, self._leaving),
            "leaving early": (3, self._leaving_early),
            "bypass": (5, self._bypassed),
            "error": (4, self._failing),
            "reset": (2, self._reset),
            "compressed": (8, self._compressed),
            "large": (1, self._large),
        }

    @property
    def kinds(self) -> list[str]:
        return list(self._stories)

    async def run(self, seconds: float) -> None:
        """Each actor tells stories for so long; those begun are told to their end."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as actors:
            for _ in range(ACTORS):
                actors.create_task(self._act(loop.time() + seconds))

    async def _act(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        kinds = self.kinds
        weights = [weight for weight, _story in self._stories.values()]
        while loop.time() < until:
            await asyncio.sleep(self._chance.expovariate(1 / PAUSE))
            (kind,) = self._chance.choices(kinds, weights)
            try:
                await self._stories[kind][1]()
            except (Wrong, aiohttp.ClientError, TimeoutError, OSError) as error:
                self._wrong(kind, error)
            self.done[kind] += 1

    def _wrong(self, kind: str, error: Exception) -> None:
        self.errors[kind] += 1
        if len(self.first_errors) < SHOWN_ERRORS:
            what = str(error) if isinstance(error, Wrong) else f"{type(error).__name__}: {error}"
            self.first_errors.append(f"{kind}: {what}")

    async def _right(self, ask: Ask, *allowed: str) -> Got:
        got = await self._asker.ask_rightly(ask, *allowed)
        way = "semantic" if "detail=semantic" in got.detail else "collapsed" if "collapsed" in got.detail else got.cache
        self.ways[way] += 1
        return got

    def _new(self, **more: object) -> Ask:
        """A question that nobody asked before, in one of many partitions."""
        number = next(self._numbers)
        asked: dict[str, object] = {
            "question": f"What is the answer to question {number}?",
            "seed": f"new-{number}",
            "tenant": self._chance.choice(TENANTS),
            "system": f"You are the assistant of shop {number % SYSTEMS}.",
            "stream": self._chance.random() < 0.5,
        }
        return Ask(**{**asked, **more})  # type: ignore[arg-type]

    async def _known(self) -> None:
        """Of the same few questions, by each tenant and in either form. The oldest may have been driven out."""
        number, tenant = self._chance.randrange(FIXED), self._chance.choice(TENANTS)
        stream = self._chance.random() < 0.5
        ask = Ask(question=f"Known question {number}?", seed=f"{tenant}-{number}", tenant=tenant, stream=stream)
        await self._right(ask, "HIT", "MISS")

    async def _unknown(self) -> None:
        await self._right(self._new(), "MISS")

    async def _reworded(self) -> None:
        number, tenant = self._chance.randrange(len(self._questions)), self._chance.choice(TENANTS)
        text = self._questions[number]
        words = self._chance.choice([text, *(paraphrase(text, nth) for nth in range(4))])
        await self._right(
            Ask(
                question=words,
                seed=f"near-{tenant}-{number}",
                tenant=tenant,
                path=f"/semantic{CHAT}",
                stream=self._chance.random() < 0.3,
            ),
            "HIT",
            "MISS",
        )

    async def _followed(self) -> None:
        """Several ask the same at once, some for the other form."""
        first = self._new(stream=True, gap_ms=self._chance.choice((2, 5)))
        more = [_changed(first, stream=self._chance.random() < 0.8) for _ in range(self._chance.randint(1, 6))]
        await _all(self._later(ask, nth * 0.004) for nth, ask in enumerate([first, *more]))

    async def _later(self, ask: Ask, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._right(ask, "MISS", "HIT")

    async def _broken(self) -> None:
        """The upstream breaks off midway: nobody takes it for a whole answer, and nothing of it is kept."""
        ask = self._new(path=f"/breaks{CHAT}", fault=Fault.BROKEN, gap_ms=2)
        await _all(self._see_it_break(ask) for _ in range(self._chance.randint(1, 3)))
        await self._right(_changed(ask, fault=""), "MISS")

    async def _see_it_break(self, ask: Ask) -> None:
        try:
            got = await self._asker.ask(ask)
        except aiohttp.ClientError:
            return
        if got.status != 502:
            raise Wrong(f"an answer that broke off looked whole: {got.status}, {got.cache}, {got.body[-60:]!r}")

    async def _leaving(self) -> None:
        """A client closes midway, perhaps while another follows; who asks again later gets a whole answer."""
        path = self._chance.choice((CHAT, f"/abort{CHAT}"))
        ask = self._new(path=path, gap_ms=self._chance.choice((2, 5)), stream=True)
        stories: list[Awaitable[None]] = [self._asker.leave_midway(ask, self._chance.randint(1, 1500))]
        if self._chance.random() < 0.5:
            stories.append(self._later(ask, 0.004))
        await _all(stories)
        await asyncio.sleep(self._chance.uniform(0, 0.3))
        await self._right(ask, "HIT", "MISS")

    async def _leaving_early(self) -> None:
        path = self._chance.choice((CHAT, f"/abort{CHAT}"))
        ask = self._new(path=path, gap_ms=2)
        await self._asker.leave_early(ask, self._chance.uniform(0.001, 0.03))
        await self._right(ask, "HIT", "MISS")

    async def _bypassed(self) -> None:
        where = {"tenant": ""} if self._chance.random() < 0.5 else {"path": f"/off{CHAT}"}
        await self._right(self._new(**where), "BYPASS")

    async def _failing(self) -> None:
        """The upstream's own error passes as it is, unless its breaker is open; afterwards no hit shows it."""
        ask = self._new(path=f"/flaky{CHAT}", fault=Fault.ERROR)
        got = await self._asker.ask(ask)
        if got.status == 500 and got.body != ERROR:
            raise Wrong(f"an error that is not the upstream's: {got.body[:200]!r}")
        if got.status != 500:
            _must_be_problem(got, 503)
        await self._works_again(_changed(ask, fault=""))

    async def _reset(self) -> None:
        ask = self._new(path=f"/flaky{CHAT}", fault=Fault.RESET)
        _must_be_problem(await self._asker.ask(ask), 502, 503)
        await self._works_again(_changed(ask, fault=""))

    async def _works_again(self, ask: Ask) -> None:
        got = await self._asker.ask(ask)
        if got.status == 503:
            _must_be_problem(got, 503)
        else:
            await self._right(ask, "HIT", "MISS")

    async def _compressed(self) -> None:
        """Compressed for one client, then for others that accept something else, or nothing."""
        coding = self._chance.choice(CODINGS)
        ask = self._new(coding=coding, accept=f"{coding}, identity;q=0.5")
        await self._right(ask, "MISS")
        for accept in self._chance.sample(("identity", "gzip", "br", "zstd", "gzip, br;q=0.9"), 2):
            # The upstream minds what is accepted, should it be asked again.
            again = coding if coding in accept else ""
            await self._right(_changed(ask, accept=accept, coding=again, stream=not ask.stream), "HIT", "MISS")

    async def _large(self) -> None:
        """More than is kept: passes, every time."""
        async with self._one_large:
            coding = self._chance.choice(("", "gzip"))
            ask = self._new(large=True, stream=False, coding=coding, accept=coding or "identity")
            await self._right(ask, "MISS")


def _changed(ask: Ask, **more: object) -> Ask:
    return Ask(**{**{name: getattr(ask, name) for name in ask.__struct_fields__}, **more})


async def _all(stories: object) -> None:
    """All to their end; then the first that went wrong."""
    ended = await asyncio.gather(*stories, return_exceptions=True)  # type: ignore[misc]
    for error in ended:
        if isinstance(error, BaseException):
            raise error


def _must_be_problem(got: Got, *statuses: int) -> None:
    """semgate's own error, which names the upstream."""
    problem = got.headers.get("content-type", "").startswith("application/problem+json")
    if got.status not in statuses or not problem or json.loads(got.body).get("upstream") != "flaky":
        raise Wrong(f"status {got.status} where {statuses} was expected: {got.body[:200]!r}")
