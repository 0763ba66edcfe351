"""A log of questions, played through a route's decision: what its cache would have served, and how much of it wrongly.

The cache begins empty; a question that is not answered from it is kept. Each text is embedded once, and neighbours are
found once, so that the same log can be played again at many thresholds; opinions that were asked for are remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from gateway.core.messages import Near
from gateway.core.policy import CachePolicy, accepted
from gateway.errors import InvalidOrder
from gateway.runtime.offline import DECIMALS, Floats, OfflineRoute, least_similarity

MOST_QUESTIONS = 100_000
MOST_NEIGHBOURS = 40_000_000
"""Pairs of similar questions that are remembered: 480 MB."""
_PRODUCTS_AT_ONCE = 16_000_000


class Question(msgspec.Struct, frozen=True, gc=False):
    """One request of the log. Questions of one cluster have the same answer; only those of one scope share answers."""

    text: str
    cluster: str
    scope: str = ""


class Played(msgspec.Struct, frozen=True):
    """What became of a log. `hits` are `right` (the entry was asked for by a question of the same cluster) or `wrong`; the
    rest are `misses`, of which `missed` are those where an entry of the same cluster was there. `same_words` of the hits
    are repeats, which no threshold decides; `denied` of the misses are questions that the cache has no part in. `pairs` counts the others with each pair of texts once, and `wrong_pairs` the
    wrong ones of these: what was met before proves nothing new.
    """

    requests: int
    hits: int
    right: int
    wrong: int
    misses: int
    missed: int
    same_words: int
    pairs: int
    wrong_pairs: int
    denied: int = 0


class _Neighbours(NamedTuple):
    """Of each text the others of its scope that are similar, the nearest first: those of text `n` stand from `ends[n]` to
    `ends[n + 1]`."""

    ends: NDArray[np.int64]
    texts: NDArray[np.int32]
    similarities: NDArray[np.float64]


class Log:
    """A log made ready to be played: as the numbers of its texts, with their neighbours."""

    def __init__(
        self,
        route: OfflineRoute,
        questions: Sequence[Question],
        vectors: Sequence[Floats | None],
        least: float,
        denied: Set[str] = frozenset(),
    ) -> None:
        """`vectors` of the texts that `texts_of` lists; `least`: the lowest similarity that any play will look at; `denied`
        texts are neither looked up nor kept. Raises InvalidOrder where too many questions are that similar."""
        self._route = route
        self._texts = texts_of(questions)
        numbers = {key: number for number, key in enumerate(self._texts)}
        clusters: dict[str, int] = {}
        self._requests = [
            (numbers[each.scope, each.text], clusters.setdefault(each.cluster, len(clusters))) for each in questions
        ]
        self._scopes = [scope for scope, _ in self._texts]
        self._denied = frozenset(number for number, (_, text) in enumerate(self._texts) if text in denied)
        self._neighbours = _find_neighbours(self._scopes, vectors, least)
        self._scores: dict[tuple[int, int], float] = {}

    async def play(self, policy: CachePolicy) -> Played:
        """Raises VerifierError."""
        kept: dict[int, int] = {}  # text -> cluster
        answered: set[tuple[str, int]] = set()  # scope and cluster
        same_words = right = missed = 0
        hits = 0
        pairs: dict[tuple[int, int], bool] = {}
        denied = 0
        for text, cluster in self._requests:
            if text in self._denied:
                denied += 1
                continue
            entry = text if text in kept else await self._served(policy, text, kept)
            if entry is None:
                missed += (self._scopes[text], cluster) in answered
                kept[text] = cluster
                answered.add((self._scopes[text], cluster))
                continue
            is_right = kept[entry] == cluster
            hits += 1
            right += is_right
            if entry == text:
                same_words += 1
            else:
                pairs[text, entry] = is_right and pairs.get((text, entry), True)
        requests = len(self._requests)
        return Played(
            requests=requests,
            hits=hits,
            right=right,
            wrong=hits - right,
            misses=requests - hits,
            missed=missed,
            same_words=same_words,
            pairs=len(pairs),
            wrong_pairs=sum(not is_right for is_right in pairs.values()),
            denied=denied,
        )

    async def _served(self, policy: CachePolicy, text: int, kept: dict[int, int]) -> int | None:
        """The nearest kept text that is accepted."""
        near = self._nearest(policy, text, kept)
        if policy.opinion is None:
            return near[0][0] if near else None
        assert self._route.verifier is not None
        batch = max(1, self._route.verifier.batch)
        for start in range(0, len(near), batch):
            some = near[start : start + batch]
            await self._judge(text, some)
            for other, _ in some:
                if accepted(policy, self._scores[text, other]):
                    return other
        return None

    async def _judge(self, text: int, near: Sequence[tuple[int, float]]) -> None:
        unknown = [(other, similarity) for other, similarity in near if (text, other) not in self._scores]
        if not unknown:
            return
        others = [Near(self._texts[other][1], similarity) for other, similarity in unknown]
        scores = await self._route.scores(self._texts[text][1], others)
        for (other, _), score in zip(unknown, scores, strict=True):
            self._scores[text, other] = score

    def _nearest(self, policy: CachePolicy, text: int, kept: dict[int, int]) -> list[tuple[int, float]]:
        """Up to `top_k` kept texts that are near enough, as a store finds them."""
        ends, texts, similarities = self._neighbours
        least = least_similarity(policy)
        near: list[tuple[int, float]] = []
        for place in range(ends[text], ends[text + 1]):
            similarity = float(similarities[place])
            if similarity < least or len(near) == policy.top_k:
                break
            other = int(texts[place])
            if other in kept:
                near.append((other, similarity))
        return near


def texts_of(questions: Sequence[Question]) -> list[tuple[str, str]]:
    """The distinct texts, each with its scope, in the order in which they were first asked."""
    return list(dict.fromkeys((each.scope, each.text) for each in questions))


async def make_log(
    route: OfflineRoute, questions: Sequence[Question], least: float, moved: Callable[[int], None]
) -> Log:
    """Embed and compare. Raises EmbedError, and InvalidOrder where there is too much of it."""
    if len(questions) > MOST_QUESTIONS:
        raise InvalidOrder(f"more than {MOST_QUESTIONS:,} questions: take a part of them")
    words = list(dict.fromkeys(each.text for each in questions))
    vectors = dict(zip(words, await route.vectors(words, moved), strict=True))
    denied = await route.denied(vectors)
    return Log(route, questions, [vectors[text] for _, text in texts_of(questions)], least, denied)


def _find_neighbours(scopes: Sequence[str], vectors: Sequence[Floats | None], least: float) -> _Neighbours:
    members: dict[str, list[int]] = {}
    for number, (scope, vector) in enumerate(zip(scopes, vectors, strict=True)):
        if vector is not None:
            members.setdefault(scope, []).append(number)
    firsts: list[NDArray[np.int32]] = []
    others: list[NDArray[np.int32]] = []
    found: list[NDArray[np.float64]] = []
    total = 0
    for numbers in members.values():
        names = np.array(numbers, dtype=np.int32)
        matrix = np.stack([vector for number in numbers if (vector := vectors[number]) is not None])
        for rows, columns, similarities in _similar(matrix, least):
            total += len(rows)
            if total > MOST_NEIGHBOURS:
                raise InvalidOrder(
                    f"more than {MOST_NEIGHBOURS:,} pairs of questions have a similarity of {least:g} or above: take a "
                    "part of the log"
                )
            firsts.append(names[rows])
            others.append(names[columns])
            found.append(similarities)
    first = np.concatenate(firsts) if firsts else np.empty(0, np.int32)
    other = np.concatenate(others) if others else np.empty(0, np.int32)
    similarity = np.concatenate(found) if found else np.empty(0, np.float64)
    order = np.lexsort((other, -similarity, first))
    ends = np.zeros(len(scopes) + 1, np.int64)
    np.cumsum(np.bincount(first, minlength=len(scopes)), out=ends[1:])
    return _Neighbours(ends, other[order], similarity[order])


def _similar(
    matrix: Floats, least: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]:
    """Row, column and similarity of what is similar, some rows at a time."""
    step = max(1, _PRODUCTS_AT_ONCE // len(matrix))
    for start in range(0, len(matrix), step):
        products = matrix[start : start + step] @ matrix.T
        # A hair below, as rounding may lift what is just under the threshold.
        rows, columns = np.nonzero(products >= least - 10.0**-DECIMALS)
        different = rows + start != columns
        rows, columns = rows[different], columns[different]
        similarities = np.round(np.clip(products[rows, columns].astype(np.float64), 0.0, 1.0), DECIMALS)
        yield rows + start, columns, similarities
