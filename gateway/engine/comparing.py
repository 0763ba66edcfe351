"""Comparing a stored answer with the upstream's new one: what the documents say, then the embedder or a judge on prose.

It comes after the client's last byte, and never in the way of look-ups: few comparisons are made at once, more wait, and
beyond a bound there is none. A part that is down or late leaves the answer unsure.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence

from gateway.core.answers import read_meaning
from gateway.core.comparison import LLM, PROSE, Compared, InWords, Passage, Questions, compare
from gateway.core.dialects.base import Dialect
from gateway.core.events import Stage
from gateway.core.jsonpath import JsonPath
from gateway.core.judgement import Finding
from gateway.core.messages import Entry, Near
from gateway.core.ports import Verifier
from gateway.core.prose import apartness, nearness, pieces, weigh
from gateway.engine.guard import Guard
from gateway.engine.keep import EXAMINED_IN_PLACE
from gateway.engine.tiers import WORKING_FOR, Tiers
from gateway.errors import CacheTrouble

COMPARED_AT_ONCE = 2
MOST_WAITING = 32
"""Comparisons of one route, in one worker."""
JUDGED_RIGHT = 0.5
"""A judge's score from which it says that both answers will do."""
MEASURED_IN_PLACE = 1_000
"""Characters of two texts that take about a millisecond; longer ones are work for a thread."""
LONGEST_JUDGED = 4_000
"""Characters of an answer that a judge is shown."""

_ORDER = (Finding.WRONG, Finding.UNSURE, Finding.RIGHT)


class Comparing:
    """One route's. `judge`, where there is one, is asked about prose in place of the embedder; its instructions say that it
    is shown a question with an answer, and another answer. `answer` is where answers say what counts, where that is known."""

    def __init__(
        self,
        dialect: Dialect | None,
        tiers: Tiers,
        judge: tuple[Verifier, Guard] | None = None,
        answer: JsonPath | None = None,
    ) -> None:
        self._dialect = dialect
        self._answer = answer
        self._tiers = tiers
        self._judge = judge
        self._places = asyncio.Semaphore(COMPARED_AT_ONCE)
        self._waiting = 0

    async def compare(self, now: str, before: str | None, stored: Entry, fresh: Entry) -> Compared | None:
        """Is the stored answer as good for the question asked `now` as the fresh one? `before`: in whose words the stored one
        was asked for. None where too many comparisons wait already."""
        if self._waiting >= MOST_WAITING:
            return None
        self._waiting += 1
        try:
            async with self._places:
                return await self._compare(Questions(now, before), stored, fresh)
        finally:
            self._waiting -= 1

    async def _compare(self, questions: Questions, stored: Entry, fresh: Entry) -> Compared:
        if len(stored.body) + len(fresh.body) > EXAMINED_IN_PLACE:
            found = await asyncio.to_thread(self._read_and_compare, questions, stored, fresh)
        else:
            found = self._read_and_compare(questions, stored, fresh)
        if isinstance(found, Compared):
            return found
        findings = [await self._weigh(questions, passage) for passage in found.passages]
        return Compared(min(findings, key=_ORDER.index), LLM if self._judge is not None else PROSE)

    def _read_and_compare(self, questions: Questions, stored: Entry, fresh: Entry) -> Compared | InWords:
        one, other = (read_meaning(self._dialect, entry.form, entry.body, self._answer) for entry in (stored, fresh))
        if one is None or other is None:
            return Compared(Finding.UNSURE, PROSE)
        return compare(one, other, questions)

    async def _weigh(self, questions: Questions, passage: Passage) -> Finding:
        try:
            if self._judge is not None:
                return await self._ask(self._judge, questions, passage)
            return await self._measure(questions, passage)
        except CacheTrouble:
            return Finding.UNSURE  # told by the guard

    async def _measure(self, questions: Questions, passage: Passage) -> Finding:
        """Raises CacheTrouble."""
        if questions.before is None or self._tiers.embedder is None:
            return Finding.UNSURE
        stored, fresh, asked = [
            [_numbers(await self._tiers.embed(text)) for text in texts]
            for texts in (pieces(passage.stored), pieces(passage.fresh), (questions.before, questions.now))
        ]
        texts = questions.now, questions.before, passage.stored, passage.fresh
        figures = nearness(stored, fresh), apartness(stored, fresh, *asked)
        if len(passage.stored) + len(passage.fresh) > MEASURED_IN_PLACE:
            return await asyncio.to_thread(weigh, *texts, *figures)
        return weigh(*texts, *figures)

    async def _ask(self, judge: tuple[Verifier, Guard], questions: Questions, passage: Passage) -> Finding:
        """Raises CacheTrouble."""
        verifier, guard = judge
        shown = f"{questions.now}\n\nANSWER: {passage.fresh[:LONGEST_JUDGED]}"
        other = Near(passage.stored[:LONGEST_JUDGED], 1.0)
        WORKING_FOR.set(self._tiers.route)
        (said,) = await guard.call(Stage.VERIFY, verifier.judge, shown, [other])
        if said >= JUDGED_RIGHT:
            return Finding.RIGHT
        # A judge that says nothing clear counts as a no: what looks the same to the embedder is left in doubt then.
        measured = await self._measure(questions, passage)
        return Finding.UNSURE if measured is Finding.RIGHT else Finding.WRONG


def _numbers(vector: bytes) -> Sequence[float]:
    return struct.unpack(f"<{len(vector) // 4}f", vector)
