"""Partners for left-over words: the same word in another form, misspelt, abbreviated, or another word for it.

Pure. A partner found here is a guess, so each kind of guess is counted; opposites are never partners.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from gateway.core.lexicon import CONTENT, LIGHT
from gateway.core.lexicon_opposites import FAMILIES, OPPOSITES
from gateway.core.lexicon_same import ALIKE

if TYPE_CHECKING:
    from collections.abc import Container

    from gateway.core.pairs_reading import Reading

_PREFIXES = ("un", "dis", "in", "im", "ir", "non", "de", "mis", "il", "re", "pre")
DETAIL = 12
"""Left-over words of a side among which partners and opposites are looked for; where both have more, in none."""
LONGEST = 20
"""Letters of a word that another form of it is looked for."""
_NONE: frozenset[int] = frozenset()
_NO_WORDS: frozenset[str] = frozenset()


class Guesses(msgspec.Struct, gc=False):
    """How many partners were found in which way."""

    inflected: int = 0
    reworded: int = 0
    misspelt: int = 0


def align_forms(
    a: Reading, b: Reading, left: list[int], right: list[int], partners: list[int], known: Container[str]
) -> Guesses:
    """Take words that have a partner after all out of `left` and `right`, and enter it in `partners`."""
    found = Guesses()
    others = right[: 2 * DETAIL]
    words_b, kinds_b = b.words, b.kinds
    groups: dict[int, int] = {}
    roots: dict[str, int] = {}
    strange: list[int] = []
    for at in reversed(others):
        word = words_b[at]
        if kinds_b[at] is CONTENT:
            for group in _alike_in_any_form(word):
                groups[group] = at
            roots[_root(word)] = at
            if word not in known:
                strange.append(at)
        elif word in ALIKE:
            for group in ALIKE[word]:
                groups[group] = at
    strange.reverse()
    gone: set[int] = set()
    kept: list[int] = []
    for at in left:
        word = a.words[at]
        content = a.kinds[at] is CONTENT
        partner = -1
        alike = _alike_in_any_form(word) if content else ALIKE.get(word, _NONE)
        for group in alike:
            other = groups.get(group, -1)
            if other >= 0 and other not in gone and not opposites([word], [words_b[other]]):
                partner = other
                found.reworded += 1
                break
        if partner < 0 and content:
            other = roots.get(_root(word), -1)
            if other >= 0 and other not in gone:
                partner = other
                found.inflected += 1
        if partner < 0:
            unknown = content and word not in known
            among = others if unknown else strange
            if among:
                if gone:
                    among = [other for other in among if other not in gone]
                partner = _misspelling(word, unknown, b, among, known)
                found.misspelt += partner >= 0
        if partner < 0:
            kept.append(at)
        else:
            gone.add(partner)
            partners[at] = partner
    left[:] = kept
    right[:] = [at for at in right if at not in gone]
    if left and right:
        _align_initials(a, b, left, right)
        _align_initials(b, a, right, left)
        _align_joined(a.words, b.words, left, right)
        _align_joined(b.words, a.words, right, left)
    return found


@lru_cache(maxsize=4096)
def _alike_in_any_form(word: str) -> frozenset[int]:
    """Groups of words of which the word is one, in this form or in another."""
    found = ALIKE.get(word)
    if found is None and 3 < len(word) < LONGEST:
        return _ROOTS_ALIKE.get(_root(word), _NONE)
    return _NONE if found is None else found


def _misspelling(word: str, unknown: bool, b: Reading, among: list[int], known: Container[str]) -> int:
    """The place of a word that this one may be a slip of the pen for; -1 if there is none.

    Args:
    unknown: whether this one is no word.
    among: places of words, all of them no words where this one is one.
    """
    words, size, first, final = b.words, len(word), word[0], word[-1]
    for other in among:
        form = words[other]
        if (form[0] != first and form[-1] != final) or not -2 < len(form) - size < 2:
            continue
        if one_slip(word, form):
            # Of two words that nobody knows, names for the most part, one is the other only if all its letters are there.
            strange = b.kinds[other] is CONTENT and form not in known
            if unknown and strange and len(word) == len(form) and sorted(word) != sorted(form):
                continue
            return other
    return -1


def one_slip(one: str, other: str) -> bool:
    """Whether the two could be one word: a letter too many, too few, another, or two in the wrong order.

    From seven letters on two slips beside each other are forgiven; of three letters only their order.
    """
    size = min(len(one), len(other))
    if size < 3 or not one.isalpha() or not other.isalpha():
        return False
    head = 0
    while head < size and one[head] == other[head]:
        head += 1
    tail = 0
    while tail < size - head and one[-1 - tail] == other[-1 - tail]:
        tail += 1
    rest, instead = one[head : len(one) - tail], other[head : len(other) - tail]
    longer = max(len(rest), len(instead))
    if not head and len(one) != len(other):
        return False  # nobody drops the first letter, and some languages turn a verb round with one
    if len(rest) == len(instead) and longer <= (3 if size > 6 else 2) and sorted(rest) == sorted(instead):
        return True
    return size > 3 and longer <= (2 if size > 6 and head else 1)


@lru_cache(maxsize=4096)
def _root(word: str) -> str:
    """The word without its ending: a rough form, only ever compared with another's."""
    if len(word) > 5:
        if word.endswith("ing"):
            word = word[:-3]
        elif word.endswith("ed"):
            word = word[:-2]
        if word[-1] == word[-2]:
            return word[:-1]
    elif len(word) == 5 and word.endswith("ed"):
        word = word[:-2]
    if word[-1] == "y":
        return word[:-1] + "i"
    return word[:-1] if word[-1] == "e" and len(word) > 3 else word


_ROOTS_ALIKE = {_root(word): groups for word, groups in reversed(ALIKE.items())}


def _align_initials(short: Reading, long: Reading, left: list[int], right: list[int]) -> None:
    """ "CEO" and "chief executive officer": a left-over word that is the initials of left-over words in a row."""
    if len(right) < 3:
        return
    words = short.words
    brief = [at for at in left if 2 < len(words[at]) < 6]
    if not brief:
        return
    row = [place for place in right if long.kinds[place] is not LIGHT]
    initials = "".join([long.words[place][0] for place in row])
    for at in brief:
        letters = words[at]
        start = initials.find(letters)
        if start >= 0:
            left.remove(at)
            for place in row[start : start + len(letters)]:
                right.remove(place)
            return


def _align_joined(apart: list[str], joined: list[str], left: list[int], right: list[int]) -> None:
    """ "log in" and "login": two words side by side that the other side writes as one."""
    whole = {joined[at]: at for at in right}
    size = len(apart)
    pairs = [first for first in left if first + 1 < size and apart[first] + apart[first + 1] in whole]
    for first in pairs:
        at = whole[apart[first] + apart[first + 1]]
        if at in right and first in left:
            right.remove(at)
            left[:] = [place for place in left if place not in (first, first + 1)]


def opposites(words: list[str], others: list[str]) -> int:
    """How many of the words exclude one of the others."""
    among = set(others)
    families: set[int] = set()
    bare: set[str] = set()
    for other in others:
        if other in FAMILIES:
            families |= FAMILIES[other]
        if stems := _without_prefix(other):
            bare |= stems
    count = 0
    for word in words:
        count += (
            word in bare
            or (word in OPPOSITES and not among.isdisjoint(OPPOSITES[word]))
            or (word in FAMILIES and not families.isdisjoint(FAMILIES[word]))
            or not among.isdisjoint(_without_prefix(word))
        )
    return count


@lru_cache(maxsize=4096)
def _without_prefix(word: str) -> frozenset[str]:
    """ "enabled" of "disabled": what is left of a word of which a prefix may have turned the meaning."""
    if len(word) < 5 or not word.startswith(_PREFIXES):
        return _NO_WORDS
    return frozenset(
        word[len(prefix) :] for prefix in _PREFIXES if word.startswith(prefix) and len(word) - len(prefix) > 2
    )
