"""Is a stored answer as good as the upstream's new one? What two answers say, compared; nothing is awaited here.

The same is right. Values, labels and other short answers are right or wrong by what they come to, however they are written.
Prose is weighed in `prose`, with what the embedder says of it; where that says little, the answer is unsure. How often
this errs is measured by quality/answers (docs/shadow.md has the figures).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from gateway.core.answers import read_text
from gateway.core.beside import is_about_the_exchange, said_in
from gateway.core.judgement import Finding
from gateway.core.lexicon import LIGHT, NEGATOR, NUMBER
from gateway.core.pairs_reading import Reading
from gateway.core.prose import YES, polarity, read_prose

EXACT, STRUCTURED, PROSE, LLM = "exact", "structured", "prose", "llm"
"""How two answers were compared; `llm`: by a judge, in place of `prose`."""

LABEL_WORDS = 3
"""An answer of so few words of weight, besides those of the question, is a value: it is the same or another."""
MOST_PASSAGES = 4
"""Pairs of texts in one pair of answers that are weighed; with more there is no judgement."""
MOST_DIFFERENCES = 100
"""Values that differ, after which no more are looked at."""


class Stated(NamedTuple):
    """How often a way of comparing was found to err, as counts: (so many, of so many)."""

    right_found_wrong: tuple[int, int]
    right_found_unsure: tuple[int, int]
    wrong_found_right: tuple[int, int]
    wrong_found_unsure: tuple[int, int]


STATED_ERROR: Mapping[str, Stated] = MappingProxyType(
    {
        STRUCTURED: Stated((0, 32), (3, 32), (0, 28), (4, 28)),
        PROSE: Stated((0, 98), (28, 98), (9, 196), (61, 196)),
    }
)
"""By `how`, on answers written for it, with the shipped embedder; the wrong ones are answers to a question that is one word or
so away. `python -m quality.answers.measure` measures it anew. What is `exact` does not err; a judge's errors are its own."""


class Compared(msgspec.Struct, frozen=True):
    """`how` as in `Judgement`."""

    finding: Finding
    how: str


class Passage(NamedTuple):
    """Two texts in the same place of two answers: the stored and the new one."""

    stored: str
    fresh: str


class InWords(msgspec.Struct, frozen=True):
    """The answers agree but for these texts."""

    passages: tuple[Passage, ...]


class Questions(msgspec.Struct, frozen=True):
    """What was asked now, and what the stored answer was an answer to (None: not known)."""

    now: str
    before: str | None = None


def compare(stored: object, fresh: object, questions: Questions) -> Compared | InWords:
    """Two meanings (`answers.read_meaning`), as far as they can be judged without the embedder."""
    if stored == fresh:  # as JSON values: the order of members is nobody's
        return Compared(Finding.RIGHT, EXACT)
    found = _Differences(questions)
    found.walk(stored, fresh)
    if found.passages:
        # A value that differs beside texts that do may be one of them (a list of sources), or the answer: nobody knows.
        told = not found.differ and not found.doubt and len(found.passages) <= MOST_PASSAGES
        return InWords(tuple(found.passages)) if told else Compared(Finding.UNSURE, PROSE)
    finding = Finding.WRONG if found.differ else Finding.UNSURE if found.doubt else Finding.RIGHT
    return Compared(finding, STRUCTURED)


class _Beside(NamedTuple):
    """Where a value stands: beside an answer in words, and is that the same in both documents?"""

    words: bool = False
    same: bool = False


_ALONE = _Beside()


class _Differences:
    def __init__(self, questions: Questions) -> None:
        self._differing = 0
        self._doubts = 0
        self.passages: list[Passage] = []
        self._questions = "\n".join(text for text in (questions.now, questions.before) if text is not None)
        self._words = frozenset(self._questions.lower().replace("?", " ").split())
        asked = [frozenset(read_prose(text).words) for text in (questions.now, questions.before) if text is not None]
        self._asked = frozenset().union(*asked)
        # To say these again says nothing; the others may be what the answer hangs on.
        self._given = asked[0] & asked[-1] if questions.before is not None else frozenset()

    def walk(self, stored: object, fresh: object, beside: _Beside = _ALONE) -> None:
        if self.settled:
            return
        match stored, fresh:
            case str(), str():
                self._texts(stored, fresh, beside)
            case dict(), dict():
                self._members(stored, fresh, beside)
            case list(), list() if len(stored) == len(fresh):
                for one, other in zip(stored, fresh, strict=True):
                    self.walk(one, other, beside)
            case _:
                self._note(Finding.RIGHT if _same_value(stored, fresh) else Finding.WRONG, beside)

    def _members(self, stored: dict[str, object], fresh: dict[str, object], beside: _Beside) -> None:
        said = said_in(stored), said_in(fresh)
        if None not in said:
            beside = _Beside(words=True, same=said[0] == said[1])
        for name in stored.keys() | fresh.keys():
            values = stored.get(name), fresh.get(name)
            if not (beside.words and is_about_the_exchange(name, values, self._questions, self._words)):
                self.walk(*values, beside)

    def _note(self, finding: Finding, beside: _Beside) -> None:
        """What differs beside the same words may be a counter that nobody knows for one, or what matters."""
        if finding is Finding.WRONG and not beside.same:
            self._differing += 1
        elif finding is not Finding.RIGHT:
            self._doubts += 1

    @property
    def settled(self) -> bool:
        """Would more change nothing, or have there been enough?"""
        mixed = bool(self.passages) and (self._differing > 0 or self.doubt)
        many = max(self._differing, self._doubts) >= MOST_DIFFERENCES
        return mixed or len(self.passages) > MOST_PASSAGES or many

    @property
    def differ(self) -> bool:
        return self._differing > 0

    @property
    def doubt(self) -> bool:
        return self._doubts > 0

    def _texts(self, stored: str, fresh: str, beside: _Beside) -> None:
        if stored.strip() == fresh.strip():
            return
        values = read_text(stored), read_text(fresh)
        if not any(isinstance(value, str) for value in values):
            self.walk(*values, beside)
            return
        found = _compare_short(stored, fresh, self._given, self._asked)
        if found is None:
            self.passages.append(Passage(stored, fresh))
        else:
            self._note(found, beside)


def _same_value(stored: object, fresh: object) -> bool:
    """Numbers also where one is written as text; nothing is the same as an empty something."""
    if isinstance(stored, bool) or isinstance(fresh, bool):
        return stored is fresh or {str(stored).lower(), str(fresh).lower()} in ({"true"}, {"false"})
    one, other = _number(stored), _number(fresh)
    if one is not None and other is not None:
        whole = one.is_integer() and other.is_integer()  # order numbers and the like: the last digit counts
        return one == other if whole else math.isclose(one, other, rel_tol=1e-6)
    return stored == fresh or (not stored and not fresh)


def _number(value: object) -> float | None:
    plain = value.strip().replace(",", "") if isinstance(value, str) else value
    if not isinstance(plain, str | int | float):
        return None
    try:
        number = float(plain)
    except (ValueError, OverflowError):  # no number; a whole one of hundreds of digits
        return None
    return number if number is not None and math.isfinite(number) else None


def _compare_short(stored: str, fresh: str, given: frozenset[str], asked: frozenset[str]) -> Finding | None:
    """Are two values or labels the same? None: at least one of them is prose."""
    one, other = read_prose(stored), read_prose(fresh)
    left, right = _weighty(one, given), _weighty(other, given)
    said = polarity(stored), polarity(fresh)
    labels = len(left) <= LABEL_WORDS and len(right) <= LABEL_WORDS
    if None not in said and (labels or not left or not right):
        return Finding.RIGHT if said[0] is said[1] else Finding.WRONG
    if not labels:
        return None
    if one.kinds.count(NEGATOR) != other.kinds.count(NEGATOR):
        return Finding.WRONG
    if not left or not right:
        left, right = _weighty(one, frozenset()), _weighty(other, frozenset())
    numbers = _numbers(one), _numbers(other)
    if left == right and len(numbers[0]) == len(numbers[1]) > 1 and numbers[0] != numbers[1]:
        return Finding.WRONG  # the same ones in another order
    if left == right or _same_value(stored, fresh):
        return Finding.RIGHT
    if not (left <= right or right <= left):
        return Finding.WRONG
    # "51", "The result is 51": one says more, if only what was asked for, or what its number is.
    same = (left ^ right) <= asked or (bool(numbers[0]) and numbers[0] == numbers[1])
    return Finding.RIGHT if same else Finding.UNSURE


def _numbers(reading: Reading) -> list[str]:
    return [word for word, kind in zip(reading.words, reading.kinds, strict=True) if kind is NUMBER]


def _weighty(reading: Reading, given: frozenset[str]) -> frozenset[str]:
    said = zip(reading.words, reading.kinds, strict=True)
    return frozenset(word for word, kind in said if kind is not LIGHT and word not in given and word not in YES)
