"""Rules of the `pairwise` verifier that settle a pair before its trees are asked: what contradicts, or is too far apart.

They hold a small share of served contradictions, whatever the trees were trained on, and most pairs need no more.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.core.pairs import Difference

NEAR, SAID_OTHERWISE = 0.80, 0.2
"""Below this similarity only a rewrite is accepted: no word may be left over that the other side does not say.

Typing errors and courtesies cost a short question more similarity (0.65 is common) than a change of meaning does.
"""
MUCH, MUCH_FAR_APART = 4, 3
"""Things that each side names and the other does not, in the same words, from which on no wording is looked for; the second
below NEAR. Of 30,000 pairs that were tried otherwise, 1 of 1,900 and none of 4,300 was served."""
CERTAIN = 0.75
"""Below this not even a word that only often says the same is taken for another."""


_OPTION = re.compile(r"(?<![\w-])-([A-Za-z]+)\b")
_MILLI_OR_MEGA = re.compile(r"\d\s?([mM])(A|eV|g|Hz|J|m|N|Pa|s|V|W|Wh)\b")


def has_little_in_common(named: int, similarity: float) -> bool:
    """`named`: how many things each side names that the other does not."""
    return named >= MUCH or (named >= MUCH_FAR_APART and similarity < NEAR)


def contradicts(found: Difference) -> bool:
    """Another number, a negation, or two things that changed places."""
    return bool(found.numbers or found.negation or found.order.exchanged)


def too_far(found: Difference, similarity: float, unsaid: float) -> bool:
    """`unsaid`: weight of the words of one side that the other does not say."""
    return similarity < NEAR and (unsaid > SAID_OTHERWISE or (similarity < CERTAIN and found.reworded > 0))


def only_case_tells_apart(question: str, other: str) -> bool:
    """`git branch -d` and `-D`, 5 mW and 5 MW. Elsewhere large and small letters are how somebody types."""
    if "-" in question and "-" in other:
        one, two = set(_OPTION.findall(question)), set(_OPTION.findall(other))
        if one != two and {each.casefold() for each in one} == {each.casefold() for each in two}:
            return True
    if "M" not in question and "M" not in other:
        return False
    sizes, others = set(_MILLI_OR_MEGA.findall(question)), set(_MILLI_OR_MEGA.findall(other))
    return sizes != others and {unit for _, unit in sizes} == {unit for _, unit in others}
