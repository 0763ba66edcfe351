"""Denied questions in one process: those of the routes file, and those that operators added, put together for each route.

What operators added is looked for in PostgreSQL twice a second, by one number that every change raises; it goes on over
reloads, and while PostgreSQL is down. How often each question was asked is written there in batches.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Mapping, Sequence
from hashlib import blake2b

from gateway.config.deny_files import questions_of
from gateway.config.model import File
from gateway.config.model_deny import DENIED_AT_LEAST, Deny
from gateway.core.denial import DeniedQuestion, Then, normalised
from gateway.core.keys import frame
from gateway.embedders.comparing import Comparer, Comparison
from gateway.engine.deny_lists import MOST_NEAR, DenyList
from gateway.errors import StoreError
from gateway.runtime.background import BackgroundTask
from gateway.stores.denials import DenialLog, Known, Use

LOOK_SECONDS = 0.5
LONGEST_PAUSE = 5.0
# How long the start waits to hear what was denied before; without an answer it is heard as soon as there is one.
LOADING_SECONDS = 5.0
COUNT_SECONDS = 2.0
# For writing the last counts when the gateway stops, or stands on another PostgreSQL.
LAST_SECONDS = 1.0

NOTHING = Known(-1, (), (), ())


class Denying:
    """`log` is for whoever changes what is denied; then comes `load`."""

    def __init__(self, log: DenialLog) -> None:
        self.log = log
        self.known = NOTHING
        self._spared: dict[str, frozenset[str]] = {}
        self._uses: dict[str, Use] = {}
        self._routes: weakref.WeakSet[RouteDenials] = weakref.WeakSet()
        self._loading = asyncio.Lock()
        self._following = BackgroundTask(self._follow, "semgate denied questions")

    async def begin(self) -> None:
        try:
            async with asyncio.timeout(LOADING_SECONDS):
                await self.load()
        except (StoreError, TimeoutError):
            pass  # PostgreSQL's trouble is told by who pings it; following it loads as well
        await self.settled()
        await self._following.begin()

    async def end(self) -> None:
        await self._following.end()
        try:
            async with asyncio.timeout(LAST_SECONDS):
                await self.write_uses()
        except (StoreError, TimeoutError):
            pass  # they are counts, and nobody is left who could try again

    async def load(self) -> None:
        """Put into effect what there is now. Raises StoreError."""
        async with self._loading:
            self.known = await self.log.load()
        spared: dict[str, set[str]] = {}
        for each in self.known.spared:
            spared.setdefault(each.denied, set()).add(normalised(each.text))
        self._spared = {denied: frozenset(words) for denied, words in spared.items()}
        for route in list(self._routes):
            route.renew()
            route.begin()

    async def settled(self) -> None:
        """What was put into effect has its vectors in this process; or a while has passed."""
        await asyncio.gather(*(route.open() for route in list(self._routes)))

    def heard_by(self, route: RouteDenials) -> None:
        """Tell it of every change, for as long as it is there."""
        self._routes.add(route)

    def spares(self, denied_id: str, words: str) -> bool:
        return words in self._spared.get(denied_id, ())

    def used(self, denied_id: str) -> None:
        self._add_use(denied_id, Use(1, time.time()))

    async def write_uses(self) -> None:
        """Raises StoreError; then they are written the next time."""
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            await self.log.count(uses)
        except BaseException:
            for denied_id, use in uses.items():
                self._add_use(denied_id, use)
            raise

    def _add_use(self, denied_id: str, use: Use) -> None:
        known = self._uses.get(denied_id, Use(0, 0.0))
        self._uses[denied_id] = Use(known.times + use.times, max(known.last, use.last))

    async def _follow(self) -> None:
        pause, counted = LOOK_SECONDS, time.monotonic()
        while True:
            await asyncio.sleep(pause)
            try:
                if await self.log.version() != self.known.version:
                    await self.load()
                if time.monotonic() - counted >= COUNT_SECONDS:
                    counted = time.monotonic()
                    await self.write_uses()
                pause = LOOK_SECONDS
            except StoreError:  # told by who pings PostgreSQL, and by who follows the purges in it
                pause = min(2 * pause, LONGEST_PAUSE)


class RouteDenials:
    """What is denied on one route: `fixed` are the lists of the routes file. A DenyLists; `comparer` None: by words only."""

    def __init__(
        self, route: str, fixed: Sequence[tuple[DeniedQuestion, ...]], denying: Denying, comparer: Comparer | None
    ) -> None:
        self.version = 0
        self.lists: tuple[DenyList, ...] = ()
        self._route = route
        self._denying = denying
        self._comparer = comparer
        self._comparisons: dict[DenyList, Comparison] = {}
        self._fixed = [self._list(group) for group in fixed if group]
        self.renew()
        denying.heard_by(self)

    def renew(self) -> None:
        """Something was added, or taken back."""
        added = [each.denied for each in self._denying.known.added]
        groups = [tuple(each for each in added if each.route == route) for route in (None, self._route)]
        self.lists = (*self._fixed, *(self._list(group) for group in groups if group))
        # What went is held until now: the new lists share its vectors.
        self._comparisons = {each: found for each, found in self._comparisons.items() if each in self.lists}
        self.version += 1

    def begin(self) -> None:
        """Have the vectors made that are missing."""
        for each in self._comparisons.values():
            each.begin()

    async def open(self) -> None:
        """Wait for them, but not for long."""
        for each in list(self._comparisons.values()):
            await each.open()

    def spares(self, denied_id: str, words: str) -> bool:
        return self._denying.spares(denied_id, words)

    def used(self, denied_id: str) -> None:
        self._denying.used(denied_id)

    def by_words_only(self) -> frozenset[str]:
        """Texts that no other words are taken for here: the route embeds nothing, or they do not fit the model."""
        if self._comparer is None:
            return frozenset(each.text for listed in self.lists for each in listed.denied)
        return frozenset(text for each in self._comparisons.values() for text in each.unfit())

    def _list(self, group: tuple[DeniedQuestion, ...]) -> DenyList:
        texts = tuple((each.text, each.at_least) for each in group if not each.by_words_only)
        if self._comparer is None or not texts:
            return DenyList(group, None)
        comparison = self._comparer.compare(texts, MOST_NEAR)
        listed = DenyList(group, comparison)
        self._comparisons[listed] = comparison
        return listed


def denied_everywhere(settings: File, key: bytes) -> tuple[DeniedQuestion, ...]:
    """What the file denies on all routes."""
    return _denied(settings.deny, None, key)


def denied_on_routes(settings: File, key: bytes) -> Mapping[str, tuple[DeniedQuestion, ...]]:
    """What it denies on one route, by name."""
    return {route.name: _denied(route.deny, route.name, key) for route in settings.routes}


def denied_id(kind: str, key: bytes, *parts: str) -> str:
    """Says nothing of what it was made of, and is always the same for it: asked to deny a question twice, that is one."""
    made_of = frame(kind.encode(), *(part.encode("utf-8", "surrogatepass") for part in parts))
    return f"{kind}-{blake2b(made_of, key=key, digest_size=12, person=b'semgate.deny').hexdigest()}"


def _denied(entries: tuple[Deny, ...], route: str | None, key: bytes) -> tuple[DeniedQuestion, ...]:
    """Of several with the same words the first counts."""
    found: dict[str, DeniedQuestion] = {}
    for index, entry in enumerate(entries):
        place = f"deny[{index}]" if route is None else f"{route}.deny[{index}]"
        for text in questions_of(entry):
            words = normalised(text)
            one = DeniedQuestion(
                id=denied_id("file", key, route or "", words),
                text=text,
                words=words,
                name=entry.name or place,
                at_least=DENIED_AT_LEAST if entry.at_least is None else entry.at_least,
                then=Then(entry.then),
                answer=entry.answer or "",
                verify=entry.verify,
                route=route,
            )
            found.setdefault(one.id, one)
    return tuple(found.values())
