"""Two questions and their similarity as a row of numbers: what the `pairwise` verifier's trees look at.

What is left over and what contradicts comes from `core/pairs`; here it is weighed by a table of common words, whose vectors
also tell whether what is left over on one side is said in other words on the other.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np

from gateway.core.lexicon import CONTENT
from gateway.core.pairs import WORDS, compare
from gateway.core.pairs_aligning import align, named_on_both_sides
from gateway.core.pairs_reading import Reading, in_one_language, read
from gateway.core.pairs_spelling import mended, worth_mending
from gateway.verifiers.pairwise_rules import contradicts, has_little_in_common, only_case_tells_apart, too_far

if TYPE_CHECKING:
    from gateway.core.pairs import Difference
    from gateway.verifiers.pairwise_words import WordTable

FEATURES = (
    "similarity",
    "covered_least",  # share of the weight with an equal partner, of the side that has less of it
    "covered_most",
    "left_most",  # weight without an equal partner, of the side that has more of it
    "left_least",
    "unsaid_most",  # the same after soft alignment by word vectors
    "unsaid_least",
    "unsaid_heaviest",  # the heaviest single word that nothing on the other side says
    "unsaid_share",
    "residue_likeness",  # cosine of what is left over on both sides, as a whole
    "unknown_left",  # left-over words outside the table: names, codes
    "unknown_least",
    "content_left",
    "content_least",
    "inflected",
    "reworded",
    "misspelt",
    "contradicting",
    "numbers",
    "extra_numbers",
    "negation",
    "asking",
    "extra_asking",
    "placing",
    "person",
    "other_person",
    "modal",
    "bound",
    "symbol",
    "when",
    "light",
    "swapped",
    "exchanged",
    "roles",
    "inverted",
    "joining",  # "and" on one side, "or" on the other
    "voice",
    "asides",  # sides with sentences that have nothing in common with the other side
    "telling",  # words in these that an answer may hang on
    "crossed",
    "subject",
    "terse",  # words of closed classes passed over because the other side has none: "reset password"
    "passed",  # words that only tell how it is asked: "my", "now", "any"
    "told",  # "why" or "how to" on one side, where the other just states or wants it
)
RISING = frozenset({"similarity", "covered_least", "covered_most"})
FALLING = (
    frozenset(FEATURES)
    - RISING
    - {
        "residue_likeness",
        "content_least",
        "left_least",
        "inflected",
        "reworded",
        "misspelt",
        "light",
        "inverted",
        "voice",
        "asides",
        "terse",
    }
)
"""What can only speak against a pair. The rest says how much is compared, or only how it is written."""

LONG, CONTEXT = 2000, 200
"""Characters: of longer texts only the part that differs is read, with so much before and behind it."""

REPEATED = 0.3
"""What is left of the weight of a word that the other side says too, only less often."""


LISTED = 0.7
"""What a member of a list at least weighs that one side alone has, however common the word."""


class PairFeatures:
    """Two questions and their similarity -> the row of FEATURES."""

    def __init__(self, table: WordTable) -> None:
        self.table = table

    def row(self, question: str, other: str, similarity: float) -> list[float] | None:
        """None when there is nothing to compare, or too much to compare it in full."""
        return self._row(question, other, similarity, settling=False)

    def unless_settled(self, question: str, other: str, similarity: float) -> list[float] | None:
        """As `row`, and None where rules refuse the pair, found before all of it is weighed."""
        return self._row(question, other, similarity, settling=True)

    def _row(self, question: str, other: str, similarity: float, *, settling: bool) -> list[float] | None:
        if other < question:
            question, other = other, question
        if max(len(question), len(other)) > LONG:
            question, other = _differing(question, other)
            if max(len(question), len(other)) > LONG:
                return None
        a, b = read(question), read(other)
        if a.language != b.language:
            a, b = in_one_language(a, b)
        if not a.words or not b.words:
            return None
        if len(a.words) > WORDS or len(b.words) > WORDS:
            a, b = _middle(a, b)
            if len(a.words) > WORDS or len(b.words) > WORDS:
                return None
        alignment = align(a, b)
        if settling and has_little_in_common(named_on_both_sides(a, b, alignment), similarity):
            return None
        places = self.table.places
        found = compare(a, b, places, alignment)
        if worth_mending(a, b, found, places) and (better := mended(question, other, places)):
            first, second, slips = better
            a, b = in_one_language(a if first is None else read(first), b if second is None else read(second))
            found = compare(a, b, places)
            found.misspelt += slips
        if settling and (contradicts(found) or only_case_tells_apart(question, other)):
            return None
        return self._weighed(a, b, found, similarity, settling)

    def _weighed(
        self, a: Reading, b: Reading, found: Difference, similarity: float, settling: bool
    ) -> list[float] | None:
        weigh = self.table.weigh
        words_a = [a.words[at] for at in found.left]
        words_b = [b.words[at] for at in found.right]
        left_a, left_b = _without_repeats(words_a, weigh(words_a), b), _without_repeats(words_b, weigh(words_b), a)
        if found.members:
            left_a, left_b = _with_members(words_a, left_a, found), _with_members(words_b, left_b, found)
        sum_a, sum_b = sum(left_a), sum(left_b)
        unsaid_a, unsaid_b, likeness = left_a, left_b, 1.0
        if left_a and left_b:
            unsaid_a, unsaid_b, likeness = self._soften(words_a, words_b, left_a, left_b)
        elif left_a or left_b:
            likeness = 0.0
        soft_a, soft_b = sum(unsaid_a), sum(unsaid_b)
        if settling and too_far(found, similarity, max(soft_a, soft_b)):
            return None
        total_a, total_b = sum(weigh(a.words)), sum(weigh(b.words))
        content_a = [a.words[at] for at in found.left if a.kinds[at] is CONTENT]
        content_b = [b.words[at] for at in found.right if b.kinds[at] is CONTENT]
        places = self.table.places
        unknown_a = sum(word not in places for word in content_a)
        unknown_b = sum(word not in places for word in content_b)
        share_a = 1 - sum_a / total_a if total_a else 1.0
        share_b = 1 - sum_b / total_b if total_b else 1.0
        return [
            similarity,
            min(share_a, share_b),
            max(share_a, share_b),
            max(sum_a, sum_b),
            min(sum_a, sum_b),
            max(soft_a, soft_b),
            min(soft_a, soft_b),
            max(max(unsaid_a, default=0.0), max(unsaid_b, default=0.0)),
            (soft_a + soft_b) / (total_a + total_b + 0.01),
            likeness,
            max(unknown_a, unknown_b),
            min(unknown_a, unknown_b),
            max(len(content_a), len(content_b)),
            min(len(content_a), len(content_b)),
            found.inflected,
            found.reworded,
            found.misspelt,
            found.contradicting,
            found.numbers,
            found.extra_numbers,
            found.negation,
            found.asking,
            found.extra_asking,
            found.placing,
            found.person,
            found.other_person,
            found.modal,
            found.bound,
            found.symbol,
            found.when,
            found.light,
            found.order.swapped,
            found.order.exchanged,
            found.order.roles,
            found.order.inverted,
            found.joining,
            found.voice,
            found.asides,
            found.telling,
            found.order.crossed,
            found.order.subject,
            found.terse,
            found.passed,
            found.told,
        ]

    def _soften(
        self, words_a: list[str], words_b: list[str], left_a: list[float], left_b: list[float]
    ) -> tuple[list[float], list[float], float]:
        """Take from each left-over word the part that the other side's left-over words say too."""
        places = self.table.places
        known_a = [n for n, word in enumerate(words_a) if word in places]
        known_b = [n for n, word in enumerate(words_b) if word in places]
        if not known_a or not known_b:
            return left_a, left_b, 0.0
        # On so few numbers these forms cost half of `[]`, `@` and `max`.
        vectors_a = self.table.vectors.take([places[words_a[n]] for n in known_a], 0)
        vectors_b = self.table.vectors.take([places[words_b[n]] for n in known_b], 0)
        alike = vectors_a.dot(vectors_b.T)
        unsaid_a, unsaid_b = left_a[:], left_b[:]
        for n, best in zip(known_a, np.maximum.reduce(alike, 1).tolist(), strict=True):
            if best > 0:
                unsaid_a[n] *= 1 - best
        for n, best in zip(known_b, np.maximum.reduce(alike, 0).tolist(), strict=True):
            if best > 0:
                unsaid_b[n] *= 1 - best
        whole_a = np.array([left_a[n] for n in known_a], np.float32).dot(vectors_a)
        whole_b = np.array([left_b[n] for n in known_b], np.float32).dot(vectors_b)
        size = float(np.sqrt(whole_a.dot(whole_a) * whole_b.dot(whole_b)))
        return unsaid_a, unsaid_b, float(whole_a.dot(whole_b)) / size if size > 1e-9 else 0.0


def _without_repeats(words: list[str], weights: list[float], other: Reading) -> list[float]:
    """A word that the other side says too, only not as often, is hardly left over: "the string X or the string Y"."""
    if not words:
        return weights
    said = set(other.words)
    return [REPEATED * weight if word in said else weight for word, weight in zip(words, weights, strict=True)]


def _with_members(words: list[str], weights: list[float], found: Difference) -> list[float]:
    return [
        max(LISTED, weight) if word in found.members else weight for word, weight in zip(words, weights, strict=True)
    ]


def _differing(one: str, other: str) -> tuple[str, str]:
    """Both without what they begin and end with alike, but for some context; cut between words."""
    size = min(len(one), len(other))
    head = bisect_left(range(1, size + 1), True, key=lambda length: one[:length] != other[:length])
    tail = bisect_left(range(1, size - head + 1), True, key=lambda length: one[-length:] != other[-length:])
    start = one.rfind(" ", 0, max(0, head - CONTEXT)) + 1
    end = one.find(" ", len(one) - max(0, tail - CONTEXT))
    beyond = len(one) - end if end >= 0 else 0
    return one[start : len(one) - beyond], other[start : len(other) - beyond]


def _middle(a: Reading, b: Reading) -> tuple[Reading, Reading]:
    """Both without the words that they begin and end with alike, but for a few as context."""
    words_a, words_b = a.words, b.words
    size = min(len(words_a), len(words_b))
    head = 0
    while head < size and words_a[head] == words_b[head]:
        head += 1
    tail = 0
    while tail < size - head and words_a[-1 - tail] == words_b[-1 - tail]:
        tail += 1
    head, tail = max(0, head - 20), max(0, tail - 20)

    def cut(reading: Reading) -> Reading:
        end = len(reading.words) - tail
        return Reading(reading.words[head:end], reading.kinds[head:end], [], (), reading.language, reading.text)

    return cut(a), cut(b)
