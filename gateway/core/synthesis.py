"""Synthesis: a cheap model writes the answer to a question from kept answers to questions near it. What may be its material.

Pure. Material is of the question's own partition (and so of its scope), as fresh as any hit, and never itself written so.
What the model is shown is data, in JSON, however it is worded.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from gateway.core.answers import read_meaning
from gateway.core.freshness import Wishes
from gateway.core.jsonpath import JsonPath
from gateway.core.messages import Cost, Entry, Form, Subject
from gateway.core.quoting import quoted_as
from gateway.core.tags import MOST_TAGS

if TYPE_CHECKING:
    from gateway.core.dialects.base import Dialect
    from gateway.core.recording import Recording

_decode = msgspec.json.Decoder().decode


class Written(StrEnum):
    """What became of a synthesis; the values of the metric label `result`."""

    SERVED = "served"
    NOT_ENOUGH = "not-enough"
    BUSY = "busy"
    BUDGET = "budget"
    TROUBLE = "trouble"
    BROKEN = "broken"
    PURGED = "purged"
    COMPARED = "compared"


class SynthesisPolicy(msgspec.Struct, frozen=True):
    """One route's. `least` is the similarity from which a kept answer is material, `most` how many are, `longest` the bytes of
    them all as they are quoted. `always`: also in place of a hit on other words. `answer` is where the text stands in an answer
    of a route without a dialect."""

    least: float
    most: int
    longest: int
    always: bool = False
    keep: bool = False
    answer: JsonPath | None = None


class Material(msgspec.Struct, frozen=True, gc=False):
    """A kept answer, the words of its question, and what it says as a text."""

    entry: Entry
    question: str
    answer: str
    similarity: float


class Provenance(msgspec.Struct, frozen=True, gc=False):
    """What a synthesized answer has of its material: it is as old as the oldest, lives no longer than the first to expire, and
    whatever tag purges one of them purges it. It saves what the nearest had cost. Times are Unix seconds."""

    asked_at: float
    created_at: float
    expires_at: float
    tags: tuple[str, ...]
    cost: Cost


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A question and its material, nearest first and never none. `recording` watches the answer, where anybody may want it
    afterwards."""

    subject: Subject
    material: tuple[Material, ...]
    recording: Recording | None = None

    @property
    def nearest(self) -> Material:
        return self.material[0]

    @property
    def provenance(self) -> Provenance:
        entries = [each.entry for each in self.material]
        return Provenance(
            asked_at=min(entry.asked_at for entry in entries),
            created_at=min(entry.created_at for entry in entries),
            expires_at=min(entry.expires_at for entry in entries),
            tags=tuple(dict.fromkeys(tag for entry in entries for tag in entry.tags)),
            cost=self.nearest.entry.cost,
        )


class _Kept(msgspec.Struct):
    question: str
    answer: str


class _Shown(msgspec.Struct):
    kept: list[_Kept]
    question: str


def least_similarity(policy: SynthesisPolicy, wishes: Wishes) -> float:
    """A client that asks for nearer questions gets no answer made of farther ones."""
    return policy.least if wishes.threshold is None else max(policy.least, wishes.threshold)


def may_be_material(entry: Entry, subject: Subject, wishes: Wishes, now: float) -> bool:
    """Is this an answer that could be served now, were its question near enough?"""
    whose = entry.partition == subject.partition and entry.scope == subject.scope
    fresh = now < entry.expires_at and (wishes.max_age is None or now - entry.created_at <= wishes.max_age)
    return whose and fresh and not entry.synthesized and entry.status // 100 == 2 and len(entry.tags) <= MOST_TAGS


def read_answer(entry: Entry, dialect: Dialect | None, answer: JsonPath | None) -> str | None:
    """What the entry says, where it is a text and nothing else: no call of a tool, no refusal."""
    if dialect is None:
        return None if answer is None or entry.form is not Form.SINGLE else _text_at(answer, entry.body)
    meaning = read_meaning(dialect, entry.form, entry.body)
    match meaning:
        case [list(texts), *others] if texts and not any(others):
            said = [text for text in texts if isinstance(text, str)]
            return "\n".join(said) if len(said) == len(texts) else None
        case _:
            return None


def _text_at(path: JsonPath, body: bytes) -> str | None:
    try:
        values = path.values([_decode(body)])
    except (ValueError, RecursionError):  # msgspec's own are ValueErrors, and so is broken UTF-8
        return None
    match values:
        case [str(text)] if text.strip():
            return text
        case _:
            return None


def choose(policy: SynthesisPolicy, found: Iterable[Material]) -> tuple[Material, ...]:
    """The nearest, as many as may be shown. One that would be too much is left out, as half an answer may say something else."""
    chosen: list[Material] = []
    size = 0
    for each in found:
        length = len(each.question.encode("utf-8", "replace")) + len(each.answer.encode("utf-8", "replace"))
        if size + length <= policy.longest and len(chosen) < policy.most:
            chosen.append(each)
            size += length
    return tuple(chosen)


def shown_to_model(draft: Draft) -> str:
    """The user message: one line of JSON between two marks. Raises UnicodeEncodeError for text that is not Unicode."""
    kept = [_Kept(each.question, each.answer) for each in draft.material]
    return quoted_as("data", _Shown(kept, draft.subject.text))


def judged_under(exact: bytes) -> bytes:
    """The key that stands for the synthesized answer where it is judged: that to the same words is a pair of its own."""
    return blake2b(exact, digest_size=32, person=b"semgate.written").digest()
