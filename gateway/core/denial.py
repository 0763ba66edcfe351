"""Denied questions: what the cache has no answer to, by an operator's word; and when two texts have the same words.

Only values and the comparison of words live here. Who is near enough, and what a second opinion says of it, is the
engine's to find out.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

import msgspec

SAME_WORDS_ONLY = 1.0
"""As `at_least`: nothing is compared by similarity."""
LONGEST_QUESTION = 10_000
"""Characters of a denied question, and of the answer that refuses it."""

# NFKC makes one character of four at most: a longer text has not the words of any denied question.
_LONGEST_READ = 4 * LONGEST_QUESTION
# A longer word keeps its form. To put accents in order takes time that grows with the square of how many are in a row:
# half a million of them, which fit into a request, would keep everybody waiting for minutes.
_LONGEST_WORD = 300

# What is seen nowhere and changes no word: soft hyphens, joiners, marks of direction, byte order marks.
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_AROUND = " .,;:!?…·\"'`´“”„‘’‚«»()[]{}<>¿¡。、！？；：「」『』"


class Then(StrEnum):
    """What becomes of a denied question; the values of the metric label `then`."""

    FORWARD = "forward"
    REFUSE = "refuse"


class DeniedQuestion(msgspec.Struct, frozen=True, gc=False):
    """`words` are its text's (`normalised`). `at_least`: cosine similarity from which other words mean it too. `name` is what it is called towards clients and
    operators, `answer` what a refused client is told. `verify`: where the route asks second opinions, one must agree that
    other words mean it. `route` None: on all routes."""

    id: str
    text: str
    words: str
    name: str
    at_least: float
    then: Then = Then.FORWARD
    answer: str = ""
    verify: bool = True
    route: str | None = None

    @property
    def by_words_only(self) -> bool:
        return self.at_least >= SAME_WORDS_ONLY


class Spared(msgspec.Struct, frozen=True, gc=False):
    """A question that is not meant by a denied one, though it is near: reported as a false positive."""

    id: str
    denied: str
    text: str


def normalised(text: str) -> str:
    """The words of a text: equal for texts that differ in case, white space, form of characters (Unicode's NFKC), and marks
    around them only."""
    given = _UNSEEN.sub("", text).split()
    if sum(map(len, given)) > _LONGEST_READ:
        return " ".join(given)
    plain = [unicodedata.normalize("NFKC", word) if len(word) <= _LONGEST_WORD else word for word in given]
    words = " ".join(" ".join(plain).casefold().split())
    return words.strip(_AROUND) or words
