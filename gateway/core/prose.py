"""Two texts that answer a question in prose: do they say the same?

Pure. A linear model over what their words differ in, how near the embedder says they are, and whether they differ in the
direction in which their questions do; that last one alone finds most wrong answers, as each text then fits its own
question better. The weights are fitted by quality/answers/measure.py, to answers that were written for it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import msgspec

from gateway.core.judgement import Finding
from gateway.core.lexicon import BOUND, CONTENT, NEGATOR, NUMBER, PLACING, WHEN
from gateway.core.lexicon_opposites import FAMILIES, OPPOSITES
from gateway.core.pairs_reading import Reading, read

LONGEST_TEXT = 2_000
"""Characters of a text that are compared; what comes later elaborates."""
LONGEST_PIECE = 600
"""Characters that are embedded at once, about 150 tokens: within the window of the shipped model."""
MOST_PIECES = 3

RIGHT_FROM = 0.8
WRONG_BELOW = 0.15
"""Of the score, which is fitted as a probability that the texts say the same. Between the two: unsure."""

YES = frozenset({"yes", "ja", "oui", "sí", "yeah", "yep", "true", "correct"})
_NO = frozenset({"no", "nein", "non", "nope", "false", "incorrect"})
# "No, ...", and not "No problem".
_FIRST_WORD = re.compile(r"\W*([^\W\d_]+)\s*(?:[^\w\s]|$)")
_MARKS = re.compile(r"(?m)^[^\S\n]*(?:\d{1,2}[.)]|[-*•#>]+)\s+|[*_`#|~]+")
"""Lists and emphasis (Markdown): how a text is laid out, and the numbers of its points."""
_SENTENCE_END = re.compile(r"(?<=[.!?:;])\s+|\n+")
_NAME = re.compile(
    r"(?<!\w)--?[a-z]\w+"  # --flag
    r"|(?<![.!?:;]\s)(?<!^)\b(?:[A-ZÀ-Ý][\w'’-]+|\w*\d\w*[A-Za-z]\w*|[A-Za-z]+\d+\w*|\w+[_/]\w+)"
)
_WEIGHED = frozenset({CONTENT, PLACING, BOUND, WHEN})


class Wording(msgspec.Struct, frozen=True, array_like=True):
    """What is weighed, 0 to 1 each (`apart` from -1)."""

    near: float
    """Cosine similarity of the pieces, each with its nearest in the other text, on average."""
    apart: float
    """Cosine similarity of the step from one question to the other and the step from one text to the other."""
    shared: float
    """Of the words of weight of the text that has fewer, in the other one."""
    numbers: float
    """Of the numbers of the text that has fewer, missing in the other one."""
    names: float
    """The same for names and identifiers."""
    opposed: float
    """Words whose opposite is in the other text only; two are as many as can be."""
    negated: float
    """Negations more in one text, for each sentence."""
    polarity: float
    """1: one begins with yes, and the other with no."""


WEIGHTS = Wording(4.38, -4.78, 1.83, -3.5, -2.57, -2.04, -0.92, -0.85)
BIAS = -1.78


def score(wording: Wording) -> float:
    """0 to 1: how sure it is that the texts say the same."""
    total = BIAS + math.fsum(
        weight * value
        for weight, value in zip(msgspec.structs.astuple(WEIGHTS), msgspec.structs.astuple(wording), strict=True)
    )
    return 1 / (1 + math.exp(-total))


def finding(scored: float) -> Finding:
    """What a score means."""
    return Finding.RIGHT if scored >= RIGHT_FROM else Finding.WRONG if scored < WRONG_BELOW else Finding.UNSURE


def weigh(now: str, before: str, stored: str, fresh: str, near: float, apart: float) -> Finding:
    """What two texts say of each other, as answers to the questions asked `now` and `before`. Where the questions hold
    opposites, and the texts do as well ("enable" and "disable", "on" and "off"), they are not found right, however alike
    they are otherwise."""
    found = finding(score(measure(stored, fresh, near, apart)))
    if found is Finding.RIGHT and _contrary(before, now) and _contrary(stored, fresh):
        return Finding.UNSURE
    return found


def read_prose(text: str) -> Reading:
    """Its words without layout."""
    return read(_MARKS.sub(" ", text[:LONGEST_TEXT]))


def polarity(text: str) -> bool | None:
    """Does it begin with yes, or with no?"""
    found = _FIRST_WORD.match(text[:LONGEST_TEXT])
    word = found[1].lower() if found else ""
    return True if word in YES else False if word in _NO else None


def pieces(text: str) -> list[str]:
    """The beginning of a text, whole sentences together, as it is embedded; at least one piece."""
    found: list[str] = []
    for sentence in _sentences(text[: LONGEST_PIECE * (MOST_PIECES + 1)]):
        if found and len(found[-1]) + len(sentence) < LONGEST_PIECE:
            found[-1] = f"{found[-1]} {sentence}"
        else:
            found.append(sentence[:LONGEST_PIECE])
    return found[:MOST_PIECES] or [text[:LONGEST_PIECE]]


def measure(stored: str, fresh: str, near: float, apart: float) -> Wording:
    """What is weighed of two texts."""
    one, other = read_prose(stored), read_prose(fresh)
    said = polarity(stored), polarity(fresh)
    sentences = max(1, len(_sentences(stored[:LONGEST_TEXT])), len(_sentences(fresh[:LONGEST_TEXT])))
    negations = abs(one.kinds.count(NEGATOR) - other.kinds.count(NEGATOR))
    return Wording(
        near=near,
        apart=apart,
        shared=1 - _missing(_weighty(one), _weighty(other)),
        numbers=_missing(_numbers(one), _numbers(other)),
        names=_missing(_names(stored), _names(fresh)),
        opposed=min(1.0, _opposed(set(one.words), set(other.words)) / 2),
        negated=min(1.0, negations / sentences),
        polarity=float(None not in said and said[0] is not said[1]),
    )


def nearness(stored: Sequence[Sequence[float]], fresh: Sequence[Sequence[float]]) -> float:
    """Of two texts by the unit vectors of their pieces."""
    rows = [[_dot(one, other) for other in fresh] for one in stored]
    best = [max(row) for row in rows], [max(column) for column in zip(*rows, strict=True)]
    return sum(sum(each) / len(each) for each in best) / 2


def apartness(
    stored: Sequence[Sequence[float]],
    fresh: Sequence[Sequence[float]],
    before: Sequence[float],
    now: Sequence[float],
) -> float:
    """Do the texts differ as their questions do? All are unit vectors; 0 where the questions or the texts are the same."""
    asked = [new - old for new, old in zip(now, before, strict=True)]
    said = [new - old for new, old in zip(_mean(fresh), _mean(stored), strict=True)]
    sizes = math.sqrt(_dot(asked, asked)) * math.sqrt(_dot(said, said))
    return _dot(asked, said) / sizes if sizes > 1e-9 else 0.0


def _mean(vectors: Sequence[Sequence[float]]) -> list[float]:
    total = [math.fsum(each) for each in zip(*vectors, strict=True)]
    size = math.sqrt(_dot(total, total))
    return [each / size for each in total] if size else total


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(map(float.__mul__, one, other))


def _sentences(text: str) -> list[str]:
    return [sentence.strip() for sentence in _SENTENCE_END.split(_MARKS.sub(" ", text)) if sentence.strip()]


def _weighty(reading: Reading) -> set[str]:
    said = zip(reading.words, reading.kinds, strict=True)
    return {_stem(word) for word, kind in said if kind in _WEIGHED and len(word) > 1}


def _stem(word: str) -> str:
    """Roughly: only ever compared with another's."""
    for ending in ("ing", "ed", "es", "e", "y"):
        if len(word) - len(ending) > 3 and word.endswith(ending):
            return word[: -len(ending)]
    return word


def _numbers(reading: Reading) -> set[str]:
    said = zip(reading.words, reading.kinds, strict=True)
    return {word for word, kind in said if kind is NUMBER and word != "1"}  # "one" is an article more often than not


def _names(text: str) -> set[str]:
    return {name.lower() for name in _NAME.findall(text[:LONGEST_TEXT])}


def _missing(one: set[str], other: set[str]) -> float:
    return 1 - len(one & other) / min(len(one), len(other)) if one and other else 0.0


def _contrary(one: str, other: str) -> bool:
    return _opposed(set(read_prose(one).words), set(read_prose(other).words)) > 0


def _opposed(one: set[str], other: set[str]) -> int:
    only = other - one
    families = frozenset().union(*(FAMILIES.get(word, ()) for word in only))
    return sum(
        not OPPOSITES.get(word, frozenset()).isdisjoint(only) or not families.isdisjoint(FAMILIES.get(word, ()))
        for word in one - other
    )
