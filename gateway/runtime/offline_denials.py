"""What a routes file denies on one route, without the gateway around it: found out by the very rules that look-ups go by.

What operators deny in a running gateway is in its PostgreSQL, and not known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from gateway.core.denial import DeniedQuestion, normalised
from gateway.core.messages import Candidate, Near
from gateway.core.policy import CachePolicy
from gateway.embedders.comparing import Comparer, Comparison
from gateway.engine.denials import FREE, Rulings
from gateway.engine.deny_lists import MOST_NEAR, DenyList
from gateway.errors import CacheTrouble, EmbedError, VerifierError
from gateway.runtime.denying import denied_everywhere, denied_on_routes

if TYPE_CHECKING:
    from gateway.config.model import File
    from gateway.core.messages import Vector
    from gateway.embedders.queue import BoundedEmbedder

EMBEDDING_SECONDS = 600.0
"""For the denied questions of a file; a local model embeds 10,000 in some 30 s."""


class _Lists:
    """The lists of a file, which never change."""

    version = 0

    def __init__(self, lists: Sequence[DenyList]) -> None:
        self.lists = lists

    def spares(self, _denied_id: str, _words: str) -> bool:
        return False

    def used(self, _denied_id: str) -> None:
        return


class OfflineDenials:
    """Of one route. `score` gives the second opinion on questions, None where the route asks for none."""

    def __init__(
        self,
        policy: CachePolicy,
        lists: Sequence[DenyList],
        score: Callable[[str, Sequence[Near]], Awaitable[list[float]]] | None,
    ) -> None:
        async def scores(question: str, near: Sequence[Candidate]) -> list[float | None]:
            if score is None or not near:
                return [None] * len(near)
            return [*await score(question, [Near(each.question or "", each.similarity) for each in near])]

        self._compares = any(each.compares for each in lists)
        self._rulings = Rulings(policy, _Lists(lists), scores, None if score is None else 1)

    async def denies(self, text: str, vector: Vector | None) -> bool:
        """Is it one of them? By its words only where it has no vector. Raises VerifierError."""
        words = normalised(text)
        ruling = self._rulings.by_words(words)
        if ruling is FREE and vector is not None and self._compares:
            ruling = await self._rulings.by_similarity(text, words, vector)
        if ruling.trouble is not None:
            raise VerifierError("whether a question is denied cannot be told: the verifier has no opinion")
        return ruling.denied is not None


async def lists_of(
    settings: File, route: str, embedder: BoundedEmbedder, tell: Callable[[str], None]
) -> list[DenyList]:
    """Everything that the file denies there, with its vectors; empty ones are left out. Raises EmbedError where the model
    does not answer in time."""

    def on_trouble(trouble: CacheTrouble) -> None:
        tell(f"{trouble}; it is tried again")

    comparer = Comparer(embedder, on_trouble, side_by_side=1)
    comparisons: list[Comparison] = []

    def listed(group: tuple[DeniedQuestion, ...]) -> DenyList:
        texts = tuple((each.text, each.at_least) for each in group if not each.by_words_only)
        if not texts:
            return DenyList(group, None)
        comparisons.append(comparer.compare(texts, MOST_NEAR))
        return DenyList(group, comparisons[-1])

    groups = (denied_everywhere(settings, b""), denied_on_routes(settings, b"")[route])
    lists = [listed(group) for group in groups if group]
    for each in comparisons:
        each.begin()
    try:
        async with asyncio.timeout(EMBEDDING_SECONDS):
            await comparer.settled()
    except TimeoutError:
        raise EmbedError(f"the denied questions could not be embedded within {EMBEDDING_SECONDS:g} s") from None
    finally:
        await comparer.close()
    return lists
