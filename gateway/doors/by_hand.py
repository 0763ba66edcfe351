"""The cache by hand: `SemanticCache` for asyncio, `SyncSemanticCache` for everybody else; the same settings, the same entries.

Both work through the engine's thread, so one object serves any number of event loops and threads, and the children of a
fork. Trouble of the cache is not its user's: a search finds nothing then and nothing is kept, and the log says why. Only
what must not fail silently raises: to delete and to purge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from gateway.doors import hand_work
from gateway.doors.hand_work import Context, Found, Seconds, Work
from gateway.doors.settings import Config
from gateway.doors.shelves import Hand
from gateway.engine.shelved import Looked
from gateway.errors import StoreError
from gateway.fronts.conversation import EngineClosed

__all__ = ["Found", "SemanticCache", "SyncSemanticCache"]

T = TypeVar("T")

PUBLIC = "public"
ENDING = "the process is ending: its cache is closed"


class SemanticCache:
    """Answers by their questions, and by questions that mean the same.

    Args:
        config: a routes file's path, the same settings as a mapping, or None: the embedded PostgreSQL and the model that
            comes with semgate. Of routes, those of `kind: cache` are used here.
        route: which of them, where there are several.

    It opens with its first use. Raises ConfigError for settings that cannot be used.
    """

    def __init__(self, config: Config | str | Path | None = None, *, route: str | None = None) -> None:
        self._hand = Hand(config, route)

    async def set(
        self,
        question: str,
        answer: Any,
        *,
        scope: str = PUBLIC,
        context: Context = None,
        ttl: Seconds | None = None,
        tags: Sequence[str] = (),
        attributes: Mapping[str, str] | None = None,
    ) -> str | None:
        """Keep an answer, in place of one to the same words with the same context and attributes in this scope.

        Args:
            question: what it is found by.
            answer: text, bytes, or what JSON can say; it comes back as it was.
            scope: who shares it: a search finds what was kept in its own scope.
            context: whatever else must be equal, such as the model and the system prompt: text, bytes, or JSON.
            ttl: how long, in seconds or as `24h`; None: the route's.
            tags: words to purge it by.
            attributes: what searches may ask for, as exact pairs of texts.

        Returns its id; None where it is not kept (the log `semgate` says why).
        """
        return await self._try(hand_work.put(question, answer, scope, context, ttl, tags, attributes), None)

    async def search(
        self,
        question: str,
        *,
        scope: str = PUBLIC,
        context: Context = None,
        threshold: float | None = None,
        limit: int = 1,
        attributes: Mapping[str, str] | None = None,
    ) -> list[Found]:
        """The kept answers to this question, best first: to the same words, then to words that mean the same.

        Args:
            threshold: the similarity (0 to 1) from which other words are compared further, in place of the route's.
            limit: how many at most, up to 1000.
            attributes: only what has at least these.

        What the others are, `set` says. An empty list where there is none, or where the cache is in trouble.
        """
        work = hand_work.find(question, scope, context, threshold, limit, attributes)
        return hand_work.read(await self._try(work, Looked(())))

    async def delete(self, entry_id: str) -> bool:
        """Take one entry out. False: there is none with this id. Raises SemgateError where that cannot be done now."""
        return await self._do(hand_work.delete(entry_id))

    async def purge(
        self,
        *,
        scope: str | None = None,
        tags: Sequence[str] | None = None,
        older_than: Seconds | None = None,
        similar_to: str | tuple[str, float] | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> int:
        """Take out every entry that fits all that is given; nothing given: all of the cache.

        Args:
            scope: of this scope.
            tags: with any of these.
            older_than: kept so long ago or earlier, in seconds or as `24h`.
            similar_to: whose question is like this text, or like it at this similarity or above (0.9 where none is given).
            attributes: with all of these, in the scope (which must be given then, and nothing else).

        Returns how many went. Raises SemgateError where that cannot be done now.
        """
        return await self._do(hand_work.purge(scope, tags, older_than, similar_to, attributes))

    async def open(self) -> None:
        """Open now what the first use would: the database, the model. Raises ConfigError."""
        await self._do(hand_work.nothing)

    async def close(self) -> None:
        """Give back what no other object uses. The end of the process does it as well; a later use opens it again."""
        await asyncio.wrap_future(self._hand.close())

    async def __aenter__(self) -> SemanticCache:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.close()

    async def _do(self, work: Work[T]) -> T:
        try:
            return await asyncio.wrap_future(self._hand.work(work))
        except EngineClosed as error:
            raise StoreError(ENDING) from error

    async def _try(self, work: Work[T], otherwise: T) -> T:
        """While the process ends there is no cache any more."""
        try:
            return await asyncio.wrap_future(self._hand.work(work))
        except EngineClosed:
            return otherwise


class SyncSemanticCache:
    """`SemanticCache` for programs without an event loop: the same arguments, results and errors, and the same entries.

    Each call waits for its result.
    """

    def __init__(self, config: Config | str | Path | None = None, *, route: str | None = None) -> None:
        self._hand = Hand(config, route)

    def set(
        self,
        question: str,
        answer: Any,
        *,
        scope: str = PUBLIC,
        context: Context = None,
        ttl: Seconds | None = None,
        tags: Sequence[str] = (),
        attributes: Mapping[str, str] | None = None,
    ) -> str | None:
        """Keep an answer; its id, or None where it is not kept. As `SemanticCache.set`."""
        return self._try(hand_work.put(question, answer, scope, context, ttl, tags, attributes), None)

    def search(
        self,
        question: str,
        *,
        scope: str = PUBLIC,
        context: Context = None,
        threshold: float | None = None,
        limit: int = 1,
        attributes: Mapping[str, str] | None = None,
    ) -> list[Found]:
        """The kept answers to this question, best first. As `SemanticCache.search`."""
        work = hand_work.find(question, scope, context, threshold, limit, attributes)
        return hand_work.read(self._try(work, Looked(())))

    def delete(self, entry_id: str) -> bool:
        """Take one entry out. As `SemanticCache.delete`."""
        return self._do(hand_work.delete(entry_id))

    def purge(
        self,
        *,
        scope: str | None = None,
        tags: Sequence[str] | None = None,
        older_than: Seconds | None = None,
        similar_to: str | tuple[str, float] | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> int:
        """Take out every entry that fits; how many went. As `SemanticCache.purge`."""
        return self._do(hand_work.purge(scope, tags, older_than, similar_to, attributes))

    def open(self) -> None:
        """Open now what the first use would. Raises ConfigError."""
        self._do(hand_work.nothing)

    def close(self) -> None:
        """Give back what no other object uses. As `SemanticCache.close`."""
        self._hand.close().result()

    def __enter__(self) -> SyncSemanticCache:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _do(self, work: Work[T]) -> T:
        try:
            return self._hand.work(work).result()
        except EngineClosed as error:
            raise StoreError(ENDING) from error

    def _try(self, work: Work[T], otherwise: T) -> T:
        try:
            return self._hand.work(work).result()
        except EngineClosed:
            return otherwise
