"""The canonical form and kind of a word as it is written: case, contractions, spelling, number words, plural undone.

Pure. Tables and the phrases of `pairs_reading` are in the same forms.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

from gateway.core.lexicon import (
    CONTENT,
    ENDINGS,
    EXPANSIONS,
    FILLER,
    KINDS,
    LIGHT,
    NUMBER,
    NUMBERS,
    SCALES,
    SYMBOL,
    UNITS,
    WHEN,
)
from gateway.core.lexicon_same import SAME

END = "\n"
"""Stands for the end of a sentence that another one follows."""
_ENDING = frozenset(".!?:;")
_ORDINALS = {"1st": "first", "2nd": "second", "3rd": "third"}


@lru_cache(maxsize=16384)
def canonical(token: str) -> tuple[tuple[str, str], ...]:
    first = token[0]
    if first in _ENDING:
        return ((END, FILLER),)
    if first.isdecimal():
        if token[-1].isalpha():
            return canonical(_ORDINALS[token]) if token in _ORDINALS else ((token[:-2], NUMBER),)
        hour, _, minutes = token.partition(":")
        if len(hour) == len(minutes) == 2 and 12 < int(hour) < 24:
            return (_figure(f"{int(hour) - 12}:{minutes}"), NUMBER), ("pm", WHEN)
        return ((_figure(token), NUMBER),)
    said = EXPANSIONS.get(token)
    if said is None and "'" in token:
        head, _, ending = token.rpartition("'")
        if ending in ENDINGS:
            said = (head[:-1] if ending == "t" and head.endswith("n") else head, *ENDINGS[ending])
        else:
            said = tuple(token.split("'"))
    if said is not None:
        return tuple(pair for word in said if word for pair in canonical(word))
    if "." in token:
        token = token.replace(".", "")
    if token in NUMBERS:
        return ((str(NUMBERS[token]), NUMBER),)
    if token in SCALES:
        return ((str(SCALES[token]), NUMBER),)
    kind = KINDS.get(token)
    if kind is not None:
        return ((SAME.get(token, token), kind),)
    same = SAME.get(token)
    if same is not None:
        return ((same, KINDS.get(same, CONTENT)),)
    if not first.isalpha():
        return ((token, SYMBOL),)
    stem = _singular(token)
    return ((SAME.get(stem, stem), CONTENT),)


def _figure(token: str) -> str:
    """One form of a number: no thousands separators, no empty fraction, no `:00`."""
    whole, comma, rest = token.rpartition(",")
    if comma and (len(rest) != 3 or "." in whole) and "," not in whole and "." not in rest:
        token = f"{whole.replace('.', '')}.{rest}"  # 1.000,50
    elif comma and all(len(part) == 3 for part in token.partition(".")[0].split(",")[1:]):
        token = token.replace(",", "")
    if ":" in token:
        token = token.removesuffix(":00").lstrip("0") or "0"
    elif token.count(".") == 1 and len(token) - token.index(".") != 4:
        token = token.rstrip("0").rstrip(".")
    return token


def count_on(words: list[str], kinds: list[str], word: str, kind: str, token: str) -> None:
    """Join "twenty" "five", "2" "thousand", and write out a unit behind a number; else just add the word."""
    before = words[-1]
    if kind is not NUMBER:
        word, kind = UNITS[word]
        token = "thousand" if kind is NUMBER else token
    if token in SCALES and before.replace(".", "", 1).isdecimal() and len(before) < 5:
        words[-1] = _figure(f"{float(before) * int(word):.2f}")
    elif token.isalpha() and len(word) == 1 and len(before) == 2 and before[1] == "0" and before != "10":
        words[-1] = str(int(before) + int(word))
    else:
        words.append(word)
        kinds.append(kind)


def _singular(word: str) -> str:
    if len(word) < 4 or word[-1] != "s" or word[-2] in "su":
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes", "zzes")):
        return word[:-2]
    return word if word.endswith("is") else word[:-1]


def tell_am_apart(words: list[str], kinds: list[str]) -> None:
    """ "I am" has nothing to do with 9 a.m."""
    for at, (before, word) in enumerate(pairwise(words), 1):
        if word == "am" and (before == "i" or words[at + 1 : at + 2] == ["i"]):
            words[at], kinds[at] = "is", LIGHT
    if words[:2] == ["am", "i"]:
        words[0], kinds[0] = "is", LIGHT


def canonical_words(said: str) -> list[str]:
    """A phrase of the tables in canonical words."""
    rows = [row for token in said.split() for row in canonical(token)]
    words, kinds = [word for word, _ in rows], [kind for _, kind in rows]
    tell_am_apart(words, kinds)
    return words
