"""Answers made of kept ones: is there material for one, and who writes it?

A draft that comes to nothing, whatever the reason, costs its client time and is a plain miss otherwise. Few are under way at
once; one more is a miss at once. What may be material is decided in `core.synthesis`, what becomes of an answer is
`answering`'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from gateway.core.dialects.base import Dialect
from gateway.core.events import Stage, Synthesized
from gateway.core.messages import Entry, Hit, HitKind, Source, Subject
from gateway.core.ports import Writer, Writing
from gateway.core.recording import Recording
from gateway.core.synthesis import (
    Draft,
    Material,
    SynthesisPolicy,
    Written,
    choose,
    judged_under,
    least_similarity,
    may_be_material,
    read_answer,
    shown_to_model,
)
from gateway.core.synthesis_forms import Told
from gateway.engine.answering import SINGLE, Answering, Scribe
from gateway.engine.guard import Guard
from gateway.engine.search import Query
from gateway.engine.tiers import Tiers
from gateway.errors import CacheTrouble, SynthesisError

MATERIAL = "material for a synthesis"


class Synthesis:
    """One route's. `model` is the cheap model's name; `guard` bounds the time to its first words, `seconds` that to its last;
    `at_once` drafts in this worker."""

    def __init__(
        self,
        policy: SynthesisPolicy,
        dialect: Dialect | None,
        tiers: Tiers,
        writer: Writer,
        guard: Guard,
        *,
        model: str,
        seconds: float,
        at_once: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._policy = policy
        self._scribe = Scribe(dialect, policy.answer, model, guard, seconds, tiers.emit)
        self._tiers = tiers
        self._writer = writer
        self._places = at_once
        self._clock = clock

    async def draft(self, query: Query, hit: Hit | None) -> Draft | None:
        """What an answer to this question could be made of; None where there is nothing, or no such answer would do. `hit` is
        what would be served otherwise: only to other words, and only where the route says so, is one made all the same."""
        if hit is not None and not (self._policy.always and hit.similarity is not None and not hit.stale):
            return None
        if query.wishes.only_if_cached or not query.near or not self._may_be_written(query.subject):
            return None
        material = await self._material(query)
        if not material:
            return None
        if query.trace is not None:
            of = "1 kept answer" if len(material) == 1 else f"{len(material)} kept answers"
            query.trace.step(Stage.SYNTHESIS, f"{self._scribe.model} would be asked for an answer made of {of}")
            for each in material:
                if hit is None or each.entry.id != hit.entry.id:
                    query.trace.judged(each.entry.id, each.similarity, MATERIAL)
        return Draft(query.subject, material)

    async def begin(self, draft: Draft, *, compared: bool = False) -> Answering | None:
        """An answer that may be sent; None where there is none. Never raises CacheTrouble. `compared`: it is for no client,
        but to be compared with the upstream's."""
        if self._places <= 0:
            self._told(Written.BUSY, None)
            return None
        try:
            message = shown_to_model(draft)
        except UnicodeEncodeError:
            return None
        text_only = draft.subject.text_only
        writing = self._writer.order(message, None if text_only is None else text_only.most_tokens)
        if writing is None:
            self._told(Written.BUDGET, None)
            return None
        self._places -= 1

        def ended(result: Written, writing: Writing) -> None:
            self._places += 1
            self._told(Written.COMPARED if compared and result is Written.SERVED else result, writing)

        token = self._tiers.new_id().replace("-", "")
        answering = Answering(self._scribe, draft, writing, Told(self._scribe.model, token, self._clock()), ended)
        opened = False
        try:
            opened = await answering.open() and await self._still_stands(answering)
        finally:
            if not opened:
                answering.close()
        if not opened:
            return None
        if draft.recording is not None:
            draft.recording.provenance = draft.provenance
        return answering

    async def rehearse(self, draft: Draft) -> Hit | None:
        """An answer to compare with the upstream's; nobody gets it, and it is not stored."""
        subject = draft.subject
        if subject.wanted is not None:
            subject = msgspec.structs.replace(subject, wanted=SINGLE)
        answering = await self.begin(Draft(subject, draft.material), compared=True)
        if answering is None:
            return None
        try:
            body = b"".join([piece async for piece in answering.pieces()])
        except SynthesisError:  # told already
            return None
        finally:
            answering.close()
        now = self._clock()
        entry = Entry(
            id=self._tiers.new_id(),
            route=self._tiers.route,
            scope=subject.scope,
            partition=subject.partition,
            exact=subject.exact,
            status=200,
            headers=answering.headers,
            body=body,
            asked_at=now,
            created_at=now,
            expires_at=now,
            synthesized=True,
        )
        return as_hit(draft, entry)

    async def _still_stands(self, answering: Answering) -> bool:
        """Was nothing of its material purged while the model was busy?"""
        for each in answering.draft.material:
            if await self._tiers.voids(each.entry):
                answering.forbid()
                return False
        return True

    def _may_be_written(self, subject: Subject) -> bool:
        if subject.text_only is None:
            return False
        if self._scribe.dialect is None and subject.wanted is not None and subject.wanted.stream:
            return False  # nothing says how its streams are made
        evidence, exact = self._tiers.evidence, subject.exact
        return evidence is None or not evidence.is_wrong(self._tiers.route, exact, judged_under(exact))

    async def _material(self, query: Query) -> tuple[Material, ...]:
        subject, tiers, least = query.subject, self._tiers, least_similarity(self._policy, query.wishes)
        evidence, (store, guard) = tiers.evidence, tiers.postgres
        found: list[Material] = []
        for near in query.near:
            if near.similarity < least or near.question is None or len(found) == self._policy.most:
                continue
            if evidence is not None and evidence.is_wrong(tiers.route, subject.exact, near.exact):
                continue  # for this very question
            try:
                entry = near.entry or await guard.call(Stage.NEAREST, store.fetch, near.id, query.now)
            except CacheTrouble:  # told by the guard
                break
            if entry is None or not may_be_material(entry, subject, query.wishes, query.now):
                continue
            answer = read_answer(entry, self._scribe.dialect, self._policy.answer)
            if answer is not None and answer.strip() and not await tiers.voids(entry):
                found.append(Material(entry, near.question, answer, near.similarity))
        return choose(self._policy, found)

    def _told(self, result: Written, writing: Writing | None) -> None:
        if writing is None:
            self._tiers.emit(Synthesized(self._tiers.route, result))
        else:
            self._tiers.emit(Synthesized(self._tiers.route, result, writing.cost, writing.dollars))


def as_hit(draft: Draft, entry: Entry, audit: Recording | None = None) -> Hit:
    """The answer as what is compared with the upstream's: as if it were the nearest one's, which is the mistake to look for."""
    similarity, question = draft.nearest.similarity, draft.nearest.question
    return Hit(entry, entry, HitKind.SYNTHESIS, Source.MEMORY, similarity, question=question, audit=audit)
