"""Which words two readings have in common, each with its partner, and which are left over. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gateway.core.lexicon import CONTENT, LIGHT, NUMBER

if TYPE_CHECKING:
    from gateway.core.pairs_reading import Reading

TWINS = 12
"""Left-over words of a side, up to which it is asked whether another one of equal words is the better partner."""
_NAMING = frozenset((CONTENT, NUMBER))


class Alignment(msgspec.Struct, gc=False):
    """For each word of the first reading the place of its partner in the second, or -1; places without partner in both."""

    partners: list[int]
    left: list[int]
    right: list[int]


def align(a: Reading, b: Reading) -> Alignment:
    """By equal words only."""
    words_a, words_b = a.words, b.words
    last: dict[str, int] = {}
    earlier: list[int] = []
    for at, word in enumerate(words_b):
        earlier.append(last.get(word, -1))
        last[word] = at
    partners = [-1] * len(words_a)
    left: list[int] = []
    # From the end, because of two equal words the first one is what a speaker takes back.
    for at in range(len(words_a) - 1, -1, -1):
        word = words_a[at]
        other = last.get(word, -1)
        if other < 0:
            left.append(at)
        else:
            partners[at] = other
            last[word] = earlier[other]
    left.reverse()
    taken = set(partners)
    right = [at for at in range(len(words_b)) if at not in taken]
    if 0 < len(left) <= TWINS and not a.breaks:
        again = {words_a[at] for at in left if a.kinds[at] is not LIGHT and words_a[at] in last}
        if again:
            _prefer_neighbours(words_a, words_b, left, partners, again)
    if 0 < len(right) <= TWINS and not b.breaks:
        again = {words_b[at] for at in right if b.kinds[at] is not LIGHT}.intersection(words_a)
        if again:
            behind = turned(partners, len(words_b))
            _prefer_neighbours(words_b, words_a, right, behind, again)
            partners = turned(behind, len(words_a))
    return Alignment(partners, left, right)


def named_on_both_sides(a: Reading, b: Reading, alignment: Alignment) -> int:
    """How many things and numbers each side at least names that the other does not, in these words."""
    kinds_a, kinds_b = a.kinds, b.kinds
    return min(
        len([at for at in alignment.left if kinds_a[at] in _NAMING]),
        len([at for at in alignment.right if kinds_b[at] in _NAMING]),
    )


def turned(partners: list[int], size: int) -> list[int]:
    """The same partners, seen from the other side."""
    turned = [-1] * size
    for at, other in enumerate(partners):
        if other >= 0:
            turned[other] = at
    return turned


def _prefer_neighbours(
    words: list[str], others: list[str], left: list[int], partners: list[int], again: set[str]
) -> None:
    """Of a word said more often on this side the one has the partner that stands beside the same words."""

    def fits(at: int, other: int) -> int:
        before = words[at - 1] == others[other - 1] if at and other else at == other
        behind = words[at + 1 : at + 2] == others[other + 1 : other + 2]
        return before + behind

    twins = [(twin, words[twin], other) for twin, other in enumerate(partners) if other >= 0 and words[twin] in again]
    moved = False
    for n, at in enumerate(left):
        if words[at] in again:
            for twin, word, other in twins:
                if word == words[at] and partners[twin] == other and fits(at, other) > fits(twin, other):
                    partners[at], partners[twin], left[n] = other, -1, twin
                    moved = True
                    break
    if moved:
        left.sort()
