"""A question as `pairs` compares it: its words in one canonical form each, with their kinds.

Pure. What is undone here is how a thing is written (case, contractions, spelling, number words, plural, politeness around
the question); nothing that an answer could hang on is dropped.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

import msgspec

from gateway.core.lexicon import (
    CONTENT,
    ENDINGS,
    EXPANSIONS,
    FILLER,
    KINDS,
    NUMBER,
    NUMBERS,
    PAUSE,
    PLACING,
    SCALES,
    SYMBOL,
    WHEN,
)
from gateway.core.lexicon_phrases import HEADS, HESITATIONS, QUOTING, REPAIRS, SAID_AS_ONE, TAILS
from gateway.core.lexicon_same import SAME

_TOKEN = re.compile(
    r"[^\W\d_](?:\.[^\W\d_])+\b\.?"  # a.m., U.S
    r"|(?:(?<=[^\W_]{3})|(?<=\b(?:it|me|us|up|so|do|is|on|in)))[.!?:;]+(?=\s+\S)"  # the end of a sentence, one follows
    r"|[^\W\d_]+(?:'[^\W\d_]+)*"  # words, with their apostrophes
    r"|\d+(?:st|nd|rd|th)\b"
    r"|\d+(?:[.,:]\d+)*"
    r"|(?<=[\d\s])[-−](?=\s?\d)"  # minus; any other hyphen only joins
    r"|\*(?!\.)|[^\w\s*.,?!;:\"'()\[\]{}\-…“”„«»‘’¿¡–—]"
)
_KEPT = 40
"""Longest word that is looked up and remembered; a longer one (a key, a URL) stands for itself."""
_ROMANCE = frozenset(("de", "da", "di", "del", "dal", "desde", "dalla", "el", "los", "las", "il", "gli"))
"""Beside one of these, "a" is no article but "to"."""
_ORDINALS = {"1st": "first", "2nd": "second", "3rd": "third"}
_END, _ENDING = "\n", frozenset(".!?:;")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")  # scripts that put no space between words


class Reading(msgspec.Struct, frozen=True, gc=False):
    """`words[n]` is the canonical form of the n-th word and `kinds[n]` its class.

    `parts` are the places where a sentence begins, but for the first. `breaks` are places where the speaker may have taken back what stands before (start and end of the words that say so,
    and whether they say it plainly): "the 3rd, no wait, the 4th". What is left out as politeness stands nowhere.
    """

    words: list[str]
    kinds: list[str]
    breaks: list[tuple[int, int, bool]]
    parts: tuple[int, ...] = ()


def read(text: str) -> Reading:
    """The words of a question. Any text is readable; one without any word has none."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).replace("’", "'").replace("`", "'")
        if _WIDE.search(text):
            text = _WIDE.sub(r" \g<0> ", text)
    words: list[str] = []
    kinds: list[str] = []
    tokens = _TOKEN.findall(text.lower())
    for token in tokens:
        for word, kind in _canonical(token) if len(token) <= _KEPT else ((token, CONTENT),):
            if kind is NUMBER and kinds and kinds[-1] is NUMBER:
                _count_on(words, kinds, word, token)
            else:
                words.append(word)
                kinds.append(kind)
    pauses: list[int] = []
    if PAUSE in kinds:
        words, kinds, pauses = _without_pauses(words, kinds)
    if "a" in words and not _ROMANCE.isdisjoint(words):
        kinds = [PLACING if word == "a" else kind for word, kind in zip(words, kinds, strict=True)]
    if QUOTING.isdisjoint(words):
        words, kinds, pauses = _question(words, kinds, pauses)
    if not _PHRASES.keys().isdisjoint(pairwise(words)):
        _join_phrases(words, kinds, pauses)
    if _END not in words:
        return Reading(words, kinds, _breaks(words, pauses))
    words, kinds, pauses, parts = _without_ends(words, kinds, pauses)
    return Reading(words, kinds, _breaks(words, pauses), parts)


def _without_pauses(words: list[str], kinds: list[str]) -> tuple[list[str], list[str], list[int]]:
    """The words but for "um", and the places where it was said."""
    kept = [at for at, kind in enumerate(kinds) if kind is not PAUSE]
    pauses = [
        at - sum(other < at for other in range(at) if kinds[other] is PAUSE)
        for at, kind in enumerate(kinds)
        if kind is PAUSE
    ]
    return [words[at] for at in kept], [kinds[at] for at in kept], pauses


def _without_ends(
    words: list[str], kinds: list[str], pauses: list[int]
) -> tuple[list[str], list[str], list[int], tuple[int, ...]]:
    """The words but for the marks at the ends of sentences, and the places where these stood."""
    ends = [at for at, word in enumerate(words) if word is _END]
    kept = [at for at, word in enumerate(words) if word is not _END]
    parts = {end - n for n, end in enumerate(ends)} - {0, len(kept)}
    pauses = [pause - sum(end < pause for end in ends) for pause in pauses]
    return [words[at] for at in kept], [kinds[at] for at in kept], pauses, tuple(sorted(parts))


@lru_cache(maxsize=16384)
def _canonical(token: str) -> tuple[tuple[str, str], ...]:
    first = token[0]
    if first in _ENDING:
        return ((_END, FILLER),)
    if first.isdigit():
        if token[-1].isalpha():
            return _canonical(_ORDINALS[token]) if token in _ORDINALS else ((token[:-2], NUMBER),)
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
        return tuple(pair for word in said if word for pair in _canonical(word))
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
    if "," in token and all(len(part) == 3 for part in token.partition(".")[0].split(",")[1:]):
        token = token.replace(",", "")
    if ":" in token:
        token = token.removesuffix(":00").lstrip("0") or "0"
    elif token.count(".") == 1 and len(token) - token.index(".") != 4:
        token = token.rstrip("0").rstrip(".")
    return token


def _count_on(words: list[str], kinds: list[str], word: str, token: str) -> None:
    """Join "twenty" "five", "2" "thousand"; else just add the number."""
    before = words[-1]
    if token in SCALES and before.isdecimal() and len(before) < 5:
        words[-1] = str(int(before) * int(word))
    elif token.isalpha() and len(word) == 1 and len(before) == 2 and before[1] == "0" and before != "10":
        words[-1] = str(int(before) + int(word))
    else:
        words.append(word)
        kinds.append(NUMBER)


def _singular(word: str) -> str:
    if len(word) < 4 or word[-1] != "s" or word[-2] in "su":
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes", "zzes")):
        return word[:-2]
    return word if word.endswith("is") else word[:-1]


def _table(phrases: tuple[str, ...], at: int) -> dict[str, list[list[str]]]:
    """Phrases in canonical words, by their first or last word, longest first."""
    table: dict[str, list[list[str]]] = {}
    for phrase in phrases:
        words = [word for token in phrase.split() for word, _ in _canonical(token)]
        table.setdefault(words[at], []).append(words)
    for same in table.values():
        same.sort(key=len, reverse=True)
    return table


_HEADS, _TAILS, _REPAIRS = _table(HEADS, 0), _table(TAILS, -1), _table(REPAIRS, 0)


def _question(words: list[str], kinds: list[str], pauses: list[int]) -> tuple[list[str], list[str], list[int]]:
    """The question itself, without what is said around it. All of it when nothing would be left."""
    start, end = 0, len(words)
    found = True
    while found and start < end:
        found = kinds[start] is FILLER
        if found:
            start += 1
            continue
        for phrase in _HEADS.get(words[start], ()):
            if words[start : start + len(phrase)] == phrase and start + len(phrase) < end:
                start += len(phrase)
                found = True
                break
    if start == end:
        return words, kinds, []
    found = True
    while found and start < end:
        found = False
        for phrase in _TAILS.get(words[end - 1], ()):
            if words[end - len(phrase) : end] == phrase and end - len(phrase) > start:
                end -= len(phrase)
                found = True
                break
        else:
            if kinds[end - 1] is FILLER:
                end -= 1
                found = True
    if FILLER in kinds[start:end]:
        kept = [at for at in range(start, end) if kinds[at] is not FILLER or words[at] is _END]
        pauses = [start + sum(at < pause for at in kept) for pause in pauses]
        return (
            [words[at] for at in kept],
            [kinds[at] for at in kept],
            [pause - start for pause in pauses if pause > start],
        )
    return words[start:end], kinds[start:end], [pause - start for pause in pauses if start < pause < end]


def _phrase_table() -> dict[tuple[str, str], list[tuple[list[str], list[str], list[str]]]]:
    """Phrases by their first two words, longest first, each with what it stands for; all in canonical words."""
    table: dict[tuple[str, str], list[tuple[list[str], list[str], list[str]]]] = {}
    for said, one in SAID_AS_ONE.items():
        words = [word for token in said.split() for word, _ in _canonical(token)]
        kinds = [NUMBER if word.isdecimal() else KINDS.get(word, CONTENT) for word in one]
        table.setdefault((words[0], words[1]), []).append((words, list(one), kinds))
    for same in table.values():
        same.sort(key=lambda row: len(row[0]), reverse=True)
    return table


_PHRASES = _phrase_table()


def _join_phrases(words: list[str], kinds: list[str], pauses: list[int]) -> None:
    """Put one word for what is said in several."""
    at = 0
    while at < len(words) - 1:
        for said, one, kind in _PHRASES.get((words[at], words[at + 1]), ()):
            size = len(said)
            if words[at : at + size] == said:
                words[at : at + size] = one
                kinds[at : at + size] = kind
                for n, pause in enumerate(pauses):
                    if pause > at:
                        pauses[n] = max(at, pause - size + len(one))
                at += len(one) - 1
                break
        at += 1


_BREAKING = HESITATIONS.union(_REPAIRS)


def _breaks(words: list[str], pauses: list[int]) -> list[tuple[int, int, bool]]:
    breaks = [(pause, pause, False) for pause in pauses if pause]
    if _BREAKING.isdisjoint(words):
        return breaks
    for at in range(1, len(words)):
        word = words[at]
        if word in HESITATIONS:
            breaks.append((at, at + 1, False))
        rows = _REPAIRS.get(word)
        if rows is not None:
            for said in rows:
                if words[at : at + len(said)] == said:
                    breaks.append((at, at + len(said), True))
                    break
    return breaks
