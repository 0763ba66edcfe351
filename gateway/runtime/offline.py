"""A route's decision without the gateway around it: no stores, no upstream, no clock. For questions out of a file.

The route is filled in, its embedder and its verifier are opened, and what is near enough and accepted is decided by the
very functions that the gateway decides by. Vectors are compared exactly, in single precision.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from gateway.config.model import File
from gateway.config.preset import FilledRoute
from gateway.core.freshness import NO_WISHES
from gateway.core.messages import Near
from gateway.core.policy import CachePolicy, accepted, threshold
from gateway.core.ports import Embedder, Verifier
from gateway.engine.opinions import SAME_WORDS
from gateway.errors import CacheTrouble, TextUnfit
from gateway.runtime.models import make_embedder, prices_of
from gateway.runtime.offline_denials import OfflineDenials, lists_of
from gateway.runtime.rules import policy_of
from gateway.runtime.verifying import Around, Opened, make_verifier

S = TypeVar("S")
T = TypeVar("T")

Floats = NDArray[np.float32]
# Of remote models; a local one takes one at a time anyway.
AT_ONCE = 8
# Pauses before further tries, in seconds: a remote model may be busy, or have used up its budget of a minute.
PAUSES = (0.5, 2.0, 5.0, 15.0, 30.0, 30.0)
DECIMALS = 6
"""Of similarities, here: their last digits differ with the order in which a processor adds."""


class OfflineRoute(msgspec.Struct, frozen=True):
    """An opened route. `verifier` is None where it asks for no second opinion, `denials` where nothing is denied; `tell` hears
    why there is a pause."""

    policy: CachePolicy
    embedder: Embedder
    verifier: Verifier | None
    tell: Callable[[str], None]
    denials: OfflineDenials | None = None

    async def vectors(self, texts: Sequence[str], moved: Callable[[int], None]) -> list[Floats | None]:
        """A unit vector for each; None for a text that is looked up by its exact words only. `moved` is told how many are
        done. Raises EmbedError after several tries."""

        async def vector(text: str) -> Floats | None:
            try:
                return np.frombuffer(await self._patiently(lambda: self.embedder.embed(text)), dtype="<f4")
            except TextUnfit:
                return None

        return await _some_at_once(texts, vector, moved)

    async def scores(self, question: str, others: Sequence[Near]) -> list[float]:
        """The second opinion on each. Raises VerifierError after several tries."""
        assert self.verifier is not None
        verifier = self.verifier
        return await self._patiently(lambda: verifier.judge(question, others))

    async def judge(self, pairs: Sequence[tuple[str, str]], moved: Callable[[int], None]) -> list[Judged]:
        """What becomes of the second text of each pair, where only the first was asked before. Every pair is judged by the
        verifier, also where the texts are too far apart for the route to ask. Raises CacheTrouble."""
        texts = list(dict.fromkeys(text for pair in pairs for text in pair))
        vectors = dict(zip(texts, await self.vectors(texts, moved), strict=True))
        denied = await self.denied(vectors)

        async def judged(pair: tuple[str, str]) -> Judged:
            asked, question = pair
            free = denied.isdisjoint(pair)  # an answer to a denied question is never kept
            if asked == question:
                score = None if self.verifier is None else SAME_WORDS
                return Judged(1.0, score, same=True, served=free, denied=not free)
            similarity = _similarity(vectors[asked], vectors[question])
            if similarity is None:
                return Judged(None, None, same=False, served=False, denied=not free)
            score = None
            if self.verifier is not None:
                (score,) = await self.scores(question, [Near(asked, similarity)])
            served = free and serves(self.policy, similarity, score)
            return Judged(similarity, score, same=False, served=served, denied=not free)

        return await _some_at_once(pairs, judged, moved)

    async def denied(self, vectors: Mapping[str, Floats | None]) -> frozenset[str]:
        """Those of these texts that are denied. Raises VerifierError."""
        if self.denials is None:
            return frozenset()
        found = set[str]()
        for text, vector in vectors.items():
            if await self.denials.denies(text, None if vector is None else vector.astype("<f4").tobytes()):
                found.add(text)
        return frozenset(found)

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        for pause in PAUSES:
            try:
                return await work()
            except TextUnfit:
                raise
            except CacheTrouble as trouble:
                self.tell(f"{trouble}; again in {pause:g} s")
                await asyncio.sleep(pause)
        return await work()


class Judged(msgspec.Struct, frozen=True, gc=False):
    """One pair. `similarity` is None where a text has no vector, `score` also where there is no verifier; `same`: the very
    same words, which are served whatever the thresholds; `denied`: one of its texts is, and so it is never served."""

    similarity: float | None
    score: float | None
    same: bool
    served: bool
    denied: bool = False


def serves(policy: CachePolicy, similarity: float, score: float | None) -> bool:
    """Is a candidate served, by the route's rules?"""
    return similarity >= threshold(policy, NO_WISHES) and accepted(policy, score)


def least_similarity(policy: CachePolicy) -> float:
    """From which similarity on a candidate is looked at."""
    return threshold(policy, NO_WISHES)


@contextlib.asynccontextmanager
async def open_route(settings: File, route: FilledRoute, tell: Callable[[str], None]) -> AsyncIterator[OfflineRoute]:
    """Open what the route decides by; closed at the end. Raises CacheTrouble where a model cannot be had, ConfigError
    where its settings are wrong."""
    async with contextlib.AsyncExitStack() as stack:
        embedder = make_embedder(settings.embedders[route.embedder])
        stack.push_async_callback(embedder.close)
        await embedder.open()
        verifier: Opened | None = None
        if route.verify is not None:
            verifier = make_verifier(settings.verifiers.get(route.verify.by), Around(prices_of(settings)))
            stack.push_async_callback(verifier.close)
            await verifier.open()
        opened = OfflineRoute(policy_of(route), embedder, verifier, tell)
        lists = await lists_of(settings, route.name, embedder, tell)
        if lists:
            score = None if verifier is None else opened.scores
            opened = msgspec.structs.replace(opened, denials=OfflineDenials(opened.policy, lists, score))
        yield opened


def _similarity(one: Floats | None, other: Floats | None) -> float | None:
    return None if one is None or other is None else cosine(float(one @ other))


def cosine(product: float) -> float:
    """A product of unit vectors as a similarity: 0 to 1."""
    return round(min(max(product, 0.0), 1.0), DECIMALS)


async def _some_at_once(items: Sequence[S], work: Callable[[S], Awaitable[T]], moved: Callable[[int], None]) -> list[T]:
    done: list[T] = []
    for start in range(0, len(items), AT_ONCE):
        some = items[start : start + AT_ONCE]
        done += await asyncio.gather(*map(work, some))
        moved(len(some))
    return done
