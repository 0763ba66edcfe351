"""Denied questions of one route: is this one of them? Asked before any tier is, so that no exact hit slips by.

By its words first, then by similarity and, where the route has a verifier, by its opinion: what comes of it is remembered
for these very words, so that a question pays for it once. What cannot be compared now (the embedder or the verifier is
down, or a denied question has no vector yet) is not answered from the cache either: a denied question might be behind it.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeAlias

from gateway.core.denial import DeniedQuestion, Then, normalised
from gateway.core.events import Denied, Stage, Timed
from gateway.core.messages import Bypass, Candidate, Denial, Miss, Reason, Refuse, Subject, Vector
from gateway.core.policy import CachePolicy, accepted
from gateway.engine.deny_lists import DenyLists
from gateway.engine.explain import Trace
from gateway.engine.opinions import Opinions
from gateway.engine.search import Query
from gateway.engine.tiers import Tiers
from gateway.errors import CacheTrouble, TextUnfit, VerifierError

REMEMBERED = 20_000
"""Questions of a route whose outcome is remembered."""
MOST_JUDGED = 5
"""Denied questions near a question that count, the nearest: a second opinion may be asked about each."""
ANSWER = "this question is not answered here"


class Ruling(NamedTuple):
    """`denied` is the one that the question is (None: it is none), `similarity` None where it has the same words; `trouble`
    why that cannot be told now."""

    denied: DeniedQuestion | None = None
    similarity: float | None = None
    trouble: Reason | None = None


FREE = Ruling()


Scores: TypeAlias = Callable[[str, Sequence[Candidate]], Awaitable[list[float | None]]]


class Rulings:
    """How it is found out whether a text is one of the denied ones. `scores` gives second opinions on denied questions (None:
    none is asked), `batch` of them at once; None: all."""

    def __init__(self, policy: CachePolicy, lists: DenyLists, scores: Scores, batch: int | None) -> None:
        self._policy = policy
        self._lists = lists
        self._scores = scores
        self._batch = batch

    def by_words(self, words: str) -> Ruling:
        """By its words alone (`normalised`)."""
        found = [each for listed in self._lists.lists for each in listed.same_words(words)]
        meant = [each for each in found if not self._lists.spares(each.id, words)]
        return Ruling(min(meant, key=_strictness)) if meant else FREE

    async def by_similarity(self, text: str, words: str, vector: Vector) -> Ruling:
        near = list[tuple[DeniedQuestion, float]]()
        for listed in self._lists.lists:
            found = await listed.near(vector)
            if found is None:
                return Ruling(trouble=Reason.EMBEDDER_TROUBLE)
            near += [each for each in found if not self._lists.spares(each[0].id, words)]
        near = sorted(near, key=lambda each: -each[1])[:MOST_JUDGED]
        try:
            return await self._first_meant(text, sorted(near, key=lambda each: _strictness(each[0])))
        except VerifierError:
            return Ruling(trouble=Reason.VERIFIER_TROUBLE)

    async def _first_meant(self, text: str, near: Sequence[tuple[DeniedQuestion, float]]) -> Ruling:
        """The first that a second opinion agrees to, or that needs none. Raises VerifierError."""
        batch = max(1, len(near) if self._batch is None else self._batch)
        for start in range(0, len(near), batch):
            some = near[start : start + batch]
            doubtful = [
                Candidate(each.id, similarity, None, b"", each.text) for each, similarity in some if each.verify
            ]
            scores = zip(doubtful, await self._scores(text, doubtful), strict=True)
            refused = {each.id for each, score in scores if not accepted(self._policy, score)}
            for each, similarity in some:
                if each.id not in refused:
                    return Ruling(each, similarity)
        return FREE


class Denials:
    """One route's. Where nothing is denied (`any` is False) nobody asks further, and nothing is paid."""

    def __init__(self, policy: CachePolicy, tiers: Tiers) -> None:
        self._tiers = tiers
        self._lists = tiers.denied
        self._rulings: Rulings | None = None
        if tiers.denied is not None:
            batch = None if tiers.verifier is None else tiers.verifier[0].batch
            self._rulings = Rulings(policy, tiers.denied, Opinions(policy, tiers).scores, batch)
        self._known: OrderedDict[bytes, Ruling] = OrderedDict()
        self._version = -1

    @property
    def any(self) -> bool:
        return self._lists is not None and bool(self._lists.lists)

    async def verdict(self, query: Query) -> Bypass | Refuse | Miss | None:
        """What becomes of a question that is denied, or may be; None: it is not. Leaves its vector in the query."""
        ruling = await self._rule(query)
        only_if_cached = query.wishes.only_if_cached
        if ruling.trouble is not None:
            return Refuse(ruling.trouble) if only_if_cached else Miss(ruling.trouble, None, None)
        denied = ruling.denied
        if denied is None:
            return None
        if query.trace is None:
            self._tiers.emit(Denied(self._tiers.route, denied.then))
            if self._lists is not None:
                self._lists.used(denied.id)
        return denial_of(denied) or (Refuse(Reason.DENIED) if only_if_cached else Bypass(Reason.DENIED))

    async def examine(self, text: str, trace: Trace | None, vector: Vector | None) -> Ruling:
        """Is this text one of them? By its words only where it has no vector."""
        assert self._rulings is not None
        words = normalised(text)
        return await self._examine(text, words, self._rulings.by_words(words), trace, vector)

    async def _examine(
        self, text: str, words: str, ruling: Ruling, trace: Trace | None, vector: Vector | None
    ) -> Ruling:
        """`ruling` is what its words alone come to."""
        started = time.perf_counter()
        try:
            if ruling is FREE and vector is not None:
                assert self._rulings is not None
                ruling = await self._rulings.by_similarity(text, words, vector)
        finally:
            self._tiers.emit(Timed(Stage.DENY, time.perf_counter() - started))
        if trace is not None:
            trace.step(Stage.DENY, _in_words(ruling))
        return ruling

    async def _rule(self, query: Query) -> Ruling:
        assert self._lists is not None
        assert self._rulings is not None
        version = self._lists.version
        if version != self._version:
            self._known.clear()
            self._version = version
        subject = query.subject
        known = self._known.get(subject.exact)
        if known is not None:
            self._known.move_to_end(subject.exact)
            if query.trace is not None:
                query.trace.step(Stage.DENY, _in_words(known))
            return known
        words = normalised(subject.text)
        ruling = self._rulings.by_words(words)
        if ruling is FREE and self._compares(subject):
            try:
                query.vector = await self._tiers.embed(subject.text)
            except TextUnfit:
                pass  # then its very words are all that counts, for a hit as well
            except CacheTrouble as trouble:
                return _untold(query.trace, Reason.EMBEDDER_TROUBLE, str(trouble))
            if version != self._lists.version:  # something was denied, or is no more, while it was embedded
                ruling = self._rulings.by_words(words)
        ruling = await self._examine(subject.text, words, ruling, query.trace, query.vector)
        if ruling.trouble is None and version == self._lists.version:
            self._remember(subject.exact, ruling)
        return ruling

    def _compares(self, subject: Subject) -> bool:
        assert self._lists is not None
        embeds = self._tiers.embedder is not None and not subject.exact_only
        return embeds and any(each.compares for each in self._lists.lists)

    def _remember(self, exact: bytes, ruling: Ruling) -> None:
        self._known[exact] = ruling
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def denial_of(denied: DeniedQuestion) -> Refuse | None:
    """What a refused question is answered with; None where it is forwarded."""
    if denied.then is Then.FORWARD:
        return None
    return Refuse(Reason.DENIED, Denial(denied.name, denied.answer or ANSWER))


def _strictness(denied: DeniedQuestion) -> int:
    """Who refuses comes before who forwards."""
    return 0 if denied.then is Then.REFUSE else 1


def _untold(trace: Trace | None, reason: Reason, why: str) -> Ruling:
    if trace is not None:
        trace.step(Stage.DENY, f"whether it is denied cannot be told now: {why}")
    return Ruling(trouble=reason)


def _in_words(ruling: Ruling) -> str:
    match ruling:
        case Ruling(denied=DeniedQuestion(name=name, then=then), similarity=None):
            return f'denied by "{name}" (the same words): {then}'
        case Ruling(denied=DeniedQuestion(name=name, then=then), similarity=similarity):
            return f'denied by "{name}" (text similarity {similarity:.4f}): {then}'
        case Ruling(trouble=Reason.VERIFIER_TROUBLE):
            return "whether it is denied cannot be told now: the verifier has no opinion"
        case Ruling(trouble=Reason()):
            return "whether it is denied cannot be told now: not all denied questions have a vector yet"
        case _:
            return "it is none of the denied questions"
