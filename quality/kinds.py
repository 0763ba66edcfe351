"""What kind of edit parts two questions, told from their words, for near-miss sets whose rows do not say.

Only the kinds that such sets are made of: it looks at the words that one side has and the other has not. Anything else
is "other".
"""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher

from quality.edits.values import NUMBER_WORDS, TENS
from quality.edits.words import exclusions, fillers, samenesses

ASKING = frozenset({"who", "whom", "whose", "what", "when", "where", "why", "which", "how"})
NEGATIONS = frozenset({"not", "no", "never", "without", "cannot", "n't", "nor", "neither", "none", "nobody", "nothing"})
NUMBERS = frozenset([*NUMBER_WORDS, *TENS.values()])
SURFACE = frozenset(
    {
        *("case", "punctuation", "whitespace", "spelling", "typo", "contraction", "diacritics"),
        *("abbreviation", "plural", "numberform", "politeness", "filler"),
    }
)
"""Rewrites that leave the wording: what is written otherwise, or stands around it. All others say it in other words."""
_WORD = re.compile(r"n't\b|[^\W_]+(?='t\b)|[^\W_]+|'\w+")


def kind_of(text_a: str, text_b: str, label: int) -> str:
    """A kind of quality/edits for a pair whose label is known."""
    return _rewrite(text_a, text_b) if label else _change(text_a, text_b)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.replace("n't", " n't").replace("’", "'"))


def _differing(words_a: list[str], words_b: list[str]) -> tuple[list[str], list[str]]:
    """Words of either side within the stretches that are not alike, in any case."""
    matcher = SequenceMatcher(
        None, [word.lower() for word in words_a], [word.lower() for word in words_b], autojunk=False
    )
    gone: list[str] = []
    come: list[str] = []
    for tag, a_from, a_to, b_from, b_to in matcher.get_opcodes():
        if tag != "equal":
            gone += words_a[a_from:a_to]
            come += words_b[b_from:b_to]
    return gone, come


def _change(text_a: str, text_b: str) -> str:
    words_a, words_b = _words(text_a), _words(text_b)
    if Counter(map(str.lower, words_a)) == Counter(map(str.lower, words_b)):
        return "direction"
    gone, come = _differing(words_a, words_b)
    changed = {word.lower() for word in (*gone, *come)}
    if any(word.isdigit() or any(sign.isdigit() for sign in word) for word in changed) or changed & NUMBERS:
        return "number"
    if changed & NEGATIONS:
        return "negation"
    if changed & ASKING:
        return "question"
    old, new = " ".join(gone).lower(), " ".join(come).lower()
    for exclusion in exclusions("en"):
        words = {word.lower() for word in exclusion.words}
        if old in words and new in words:
            return "antonym" if exclusion.kind == "preposition" else exclusion.kind
    if gone and come and any(word[:1].isupper() for word in (*gone, *come)):
        return "name"
    return "other"


def _rewrite(text_a: str, text_b: str) -> str:
    if text_a.casefold() == text_b.casefold():
        return "case"
    words_a, words_b = _words(text_a), _words(text_b)
    if [word.lower() for word in words_a] == [word.lower() for word in words_b]:
        return "punctuation"
    gone, come = _differing(words_a, words_b)
    changed = {word.lower() for word in (*gone, *come)}
    for kind in ("politeness", "filler"):
        if changed <= {
            word.lower() for filler in fillers("en") if filler.kind == kind for word in _words(filler.words)
        }:
            return kind
    for same in samenesses("en"):
        if _same_but_for(text_a, text_b, same.old, same.new):
            return "reworded" if same.kind == "phrase" else same.kind
    if len(gone) == len(come) and all(
        SequenceMatcher(None, old, new).ratio() > 0.7 for old, new in zip(gone, come, strict=True)
    ):
        return "typo"
    return "other"


def _same_but_for(text_a: str, text_b: str, old: str, new: str) -> bool:
    plain_a, plain_b = text_a.lower().replace("’", "'"), text_b.lower().replace("’", "'")
    return plain_a != plain_b and plain_a.replace(old, new) == plain_b.replace(old, new)
