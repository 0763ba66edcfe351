"""Slips of the pen put right by what the other question says, and short forms written out, before both are read again.

Pure. A word is changed only if it is no word, or a short form, and the other side has the word that it may stand for where
this one does not. So "trhee" is a number again, and "lookin for" the phrase that it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.core.folding import fold
from gateway.core.lexicon import CONTENT, EXPANSIONS, KINDS, NUMBERS, SCALES
from gateway.core.lexicon_european import CLOSED
from gateway.core.lexicon_same import SAME, SHORT
from gateway.core.pairs_forms import one_slip

if TYPE_CHECKING:
    from collections.abc import Container

    from gateway.core.pairs import Difference
    from gateway.core.pairs_reading import Reading

_MARKS = '.,;:!?"()[]{}<>¿¡…“”„«»*/-'
_CAPITALISED = re.compile(r"(?<=[\w,;] )[^\W\d_a-zà-öø-ÿ]\w*")
_LETTERS = re.compile(r"[^\W_]+")
MOST, MOST_LEFT = 60, 24
"""Words of a text in which slips are looked for, and words left over of a side: where more is left, a slip is not what differs."""
_BESIDE = {
    "q": "wa",
    "w": "qeas",
    "e": "wrsd",
    "r": "etdf",
    "t": "ryfg",
    "y": "tugh",
    "u": "yihj",
    "i": "uojk",
    "o": "ipkl",
    "p": "ol",
    "a": "qwsz",
    "s": "awedxz",
    "d": "serfcx",
    "f": "drtgvc",
    "g": "ftyhbv",
    "h": "gyujnb",
    "j": "huikmn",
    "k": "jiolm",
    "l": "kop",
    "z": "asxy",
    "x": "zsdc",
    "c": "xdfv",
    "v": "cfgb",
    "b": "vghn",
    "n": "bhjm",
    "m": "njk",
}
"""Letters whose keys lie side by side."""


_SHORT = frozenset(SAME.get(word, word) for word in SHORT)
_LISTED = frozenset((*KINDS, *SAME, *EXPANSIONS, *NUMBERS, *SCALES, *CLOSED))


def worth_mending(a: Reading, b: Reading, found: Difference, known: Container[str]) -> bool:
    """Whether something that is left over may be a slip or a short form, or a slip may hide a negation."""
    if found.numbers or found.contradicting:
        return False  # a slip put right would not change that
    if found.misspelt:
        return bool(found.left or found.right or found.negation)
    fewer, more = sorted((len(found.left), len(found.right)))
    if more > MOST_LEFT or (fewer + more > 9 and fewer > 3):
        return False
    return _odd_ones(a, found.left, known) or _odd_ones(b, found.right, known)


def _odd_ones(reading: Reading, left: list[int], known: Container[str]) -> bool:
    words, kinds = reading.words, reading.kinds
    return any(
        (kinds[at] is CONTENT and words[at] not in known and words[at].isalpha()) or words[at] in _SHORT for at in left
    )


def mended(question: str, other: str, known: Container[str]) -> tuple[str | None, str | None, int] | None:
    """Each text with its slips put right (None: it has none), and how many slips there were; None if there is nothing."""
    texts = [fold(question.lower()), fold(other.lower())]
    words = [text.replace("'", " ").split() for text in texts]
    if max(len(words[0]), len(words[1])) > MOST:
        return None
    only = _beyond(words)
    if not only[0] or not only[1]:
        return None
    # Of a text with umlauts every word may be one that the other side writes without them.
    every = not (question.isascii() and other.isascii())
    slips = 0
    better: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for side, beyond in ((0, 1), (1, 0)):
        for word in [word for word in sorted(only[side]) if every or word in SHORT or not _is_word(word, known)]:
            meant = _short_for(word, only[beyond]) if word in SHORT else ""
            if not meant and word.isalpha():
                meant = _joined(word, only[beyond], words[beyond]) or next(
                    (form for form in _near(word, only[beyond]) if _slip(word, form, known, question, other)), ""
                )
                slips += bool(meant)
            if meant:
                better[side][word] = meant
                only[side].discard(word)
                only[beyond].difference_update(meant.split())
    if not any(better):
        return None
    return _with(texts[0], better[0]), _with(texts[1], better[1]), slips


def _with(text: str, better: dict[str, str]) -> str | None:
    """The text with these words in the place of others; None if there are none."""
    return _LETTERS.sub(lambda found: better.get(found[0], found[0]), text) if better else None


def _beyond(words: list[list[str]]) -> tuple[set[str], set[str]]:
    """The words that only the first, and only the second side has, without the marks around them."""
    one = {word.strip(_MARKS) for word in set(words[0]).difference(words[1])}
    two = {word.strip(_MARKS) for word in set(words[1]).difference(words[0])}
    both = one & two
    both.add("")
    return one - both, two - both


def _capitalised(text: str) -> set[str]:
    """Words that are written like names, beside those that begin a sentence."""
    return {fold(word.lower()) for word in _CAPITALISED.findall(text)}


def _is_word(word: str, known: Container[str]) -> bool:
    return word in _LISTED or word in known or (word[-1] == "s" and word[:-1] in known)


def _short_for(word: str, among: set[str]) -> str:
    return next((full for full in SHORT.get(word, ()) if full in among), "")


def _joined(word: str, among: set[str], others: list[str]) -> str:
    """The two words of the other side that this one is without the space between them."""
    for form in sorted(among):
        if word.startswith(form) and word[len(form) :] in others:
            return f"{form} {word[len(form) :]}"
        if word.endswith(form) and word[: -len(form)] in others:
            return f"{word[: -len(form)]} {form}"
    return ""


def _near(word: str, among: set[str]) -> list[str]:
    """The forms that begin or end like a word and are about as long."""
    size, first, last = len(word), word[0], word[-1]
    forms = [form for form in among if (form[0] == first or form[-1] == last) and -3 < len(form) - size < 3]
    return sorted([form for form in forms if form.isalpha()])


def _slip(word: str, form: str, known: Container[str], question: str, other: str) -> bool:
    """Whether a word that is none may be a slip for a near one of the other side. Of two that nobody knows only where the hand slips."""
    if _without_umlaut(word) == _without_umlaut(form):
        return True
    if _is_word(word, known) or not one_slip(word, form):
        return False
    if _is_word(form, known) or len(word) != len(form) or sorted(word) == sorted(form):
        return True
    letter, instead = next(pair for pair in zip(word, form, strict=True) if pair[0] != pair[1])
    if len(word) < 6 or word[0] != form[0] or instead not in _BESIDE.get(letter, ""):
        return False
    # Names are written large; where nothing is, a long word is hardly one of two names that differ so little.
    small = question.islower() or other.islower()
    named = not {word, form}.isdisjoint(_capitalised(question) | _capitalised(other))
    return len(word) > 6 if small else not named


def _without_umlaut(word: str) -> str:
    return word.replace("ae", "a").replace("oe", "o").replace("ue", "u")
