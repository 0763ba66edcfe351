"""Left-over words that add nothing beside the words they stand with: what a name stands for, "all" of what is listed.

Pure. A class noun says nothing new only beside a name or a literal that both sides have, and only where the other side
calls it nothing else: "the file notes.txt" is "notes.txt", but "the book Dune" is not "the film Dune".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.core.lexicon import ASKING, BOUND, CONTENT, FILLER, LIGHT, MODAL, NEGATOR, NUMBER, PERSON, SYMBOL, WHEN
from gateway.core.lexicon_things import (
    ALL,
    BEFORE_NAMES,
    BEFORE_NUMBERS,
    BEHIND_LITERALS,
    FINDING,
    HAVING,
    LINKS,
    LISTING,
    LOOKING,
    UNDERSTOOD,
)
from gateway.core.pairs_aligning import turned
from gateway.core.pairs_tokens import words_in

if TYPE_CHECKING:
    from collections.abc import Container

    from gateway.core.pairs_reading import Reading

_QUOTED = re.compile(r"(?<!\w)[\"'`“‘«]([^\"'`“”‘’«»]{1,80})[\"'`”’»](?!\w)")
_SIGNED = re.compile(r"[\\$*_@~]|(?<!\S)[\"'`]?(?:\.?/|\.\w|--?[A-Za-z])|\w\.\w|\d[A-Za-z]|[A-Za-z]\d")
_QUOTE, _SIGN = re.compile("[\"'`”’»]"), re.compile(r"[\\$*_@~./\-\d]")
"""Without one of these nothing is quoted, and nothing signed."""
_CAPITALISED = re.compile(r"(?<=[\w,;] )(?!I\b)[A-Z][\w'-]*")
_BEFORE_COMMA = re.compile(r"(\w[\w-]*)['\"]?,")
_JOINING = frozenset(("and", "or", "&", "+"))
_NOUNS = BEFORE_NAMES | BEHIND_LITERALS | BEFORE_NUMBERS | frozenset().union(*UNDERSTOOD.values())
_NAMING = LINKS - {"of"}
_WHOLE = frozenset(("whole", "entire"))
_INSIDE = frozenset(("in", "within", "inside"))
_DEEP = frozenset(("under", "below", "beneath"))
_ALL_BELOW = frozenset(("tree", "hierarchy", "recursively"))
_RELATIVE = frozenset(("that", "which", "who"))
_WAS = frozenset(("was", "were"))
_FITTING = ALL | _RELATIVE | {"whose"}
_ACTORS = frozenset(("i", "you", "he", "she", "we"))
_IT = frozenset(("it", "them"))
_ALSO_BEFORE_ALL = frozenset(("for", "out", "up", "and"))
_PASSED = _NOUNS | _NAMING | ALL | _WHOLE | _WAS | _INSIDE | FINDING | _DEEP | _ALL_BELOW | {"atleast"}
_BETWEEN = frozenset((LIGHT, SYMBOL, FILLER))


def pass_over_things(
    a: Reading, b: Reading, left: list[int], right: list[int], partners: list[int], known: Container[str]
) -> None:
    """Take out of `left` and `right` what adds nothing beside what both sides say."""
    if left and right and left[0] == right[0] == 0 and _looked_for(a, b):
        del left[0], right[0]
    over = [at for at in left if a.words[at] in _PASSED]
    if over:
        gone = _Things(a, left, b, right, partners, known).passed_over(over)
        if gone:
            left[:] = [at for at in left if at not in gone]
    over = [at for at in right if b.words[at] in _PASSED]
    if over:
        gone = _Things(b, right, a, left, turned(partners, len(b.words)), known).passed_over(over)
        if gone:
            right[:] = [at for at in right if at not in gone]


def _looked_for(a: Reading, b: Reading) -> bool:
    """Whether both ask for all that fits: "find all users that ...", "list all users that ..."."""
    if a.words[0] not in LOOKING or b.words[0] not in LOOKING:
        return False
    return not (_FITTING.isdisjoint(a.words) and _FITTING.isdisjoint(b.words))


class _Things:
    """One side with what is left over of it, beside the other."""

    __slots__ = ("_a", "_b", "_kinds", "_known", "_left", "_partners", "_read", "_right", "_words")

    def __init__(
        self, a: Reading, left: list[int], b: Reading, right: list[int], partners: list[int], known: Container[str]
    ) -> None:
        self._a, self._left, self._b, self._right = a, left, b, right
        self._partners, self._known = partners, known
        self._words, self._kinds = a.words, a.kinds
        self._read: dict[str, frozenset[str]] = {}

    def passed_over(self, over: list[int]) -> set[int]:
        """The places of the left-over words that add nothing."""
        gone: set[int] = set()
        words, left = self._words, self._left
        for at in over:
            word = words[at]
            before = words[at - 1] if at else ""
            if word in ALL:
                if self._goes_without_saying(at):
                    gone.add(at)
            elif word == "atleast":
                gone |= self._at_least_one(at)
            elif word in _WHOLE:
                if not self._bounded():
                    gone.add(at)
            elif word in _INSIDE:
                if at + 1 in left and words[at + 1] in _IT and not HAVING.isdisjoint(words[:at]):
                    gone |= {at, at + 1}  # "lines with a tab in them"
            elif word in _ALL_BELOW:
                if (before == "dir" or word == "recursively") and not _DEEP.isdisjoint(self._b.words):
                    gone.add(at)  # "under this directory", "in this directory tree"
            elif word in _DEEP:
                if before == "and" and at - 1 in left and not _DEEP.isdisjoint(self._b.words):
                    gone |= {at, at - 1}  # "under this directory and below"
            elif word in _WAS:
                if before in _RELATIVE and self._only_relates(at):
                    gone |= {at, at - 1}.intersection(left)
            elif word in FINDING and not at:
                gone |= self._found_first()
            elif word in _NAMING and at - 1 in left:
                gone |= self._kind_named(at)
            if word in _NOUNS and not self._stands_for_a_verb(at):
                gone |= self._class_noun(at)
        return gone

    def _stands_for_a_verb(self, at: int) -> bool:
        """Whether it may be what is done, as in "to book", "can I film"; or what is asked for, as in "which book"."""
        if not at:
            return True
        kind, word = self._kinds[at - 1], self._words[at - 1]
        return kind is ASKING or kind is MODAL or word == "to" or word in _ACTORS

    def _class_noun(self, at: int) -> set[int]:
        """The places of a noun and of what links it to a name or a literal, if it only says what that is."""
        word, words, partners = self._words[at], self._words, self._partners
        behind = at + 1
        while behind < len(words) and (self._kinds[behind] is SYMBOL or words[behind] in LINKS):
            behind += 1
        if behind < len(words) and partners[behind] >= 0:
            if self._kinds[behind] is NUMBER:
                named = word in BEFORE_NUMBERS
            else:
                named = word in BEFORE_NAMES and self._kinds[behind] is CONTENT and self._is_name(behind)
            if named and not self._called_otherwise(partners[behind], _NOUNS):
                return {
                    at,
                    *(place for place in range(at + 1, behind) if words[place] in LINKS and partners[place] < 0),
                }
        before = at - 1
        while before > 0 and self._kinds[before] is SYMBOL:
            before -= 1
        if before >= 0 and partners[before] >= 0 and self._kinds[before] is CONTENT:
            named = word in UNDERSTOOD.get(words[before], ()) or (word in BEHIND_LITERALS and self._is_literal(before))
            if named and not self._called_otherwise(partners[before], _NOUNS):
                return {at}
        return set()

    def _kind_named(self, at: int) -> set[int]:
        """The places of "a student called", where both sides have the name that follows."""
        if at + 1 >= len(self._words) or self._partners[at + 1] < 0 or self._kinds[at - 1] is not CONTENT:
            return set()
        if (at > 1 and self._kinds[at - 2] is ASKING) or not self._is_name(at + 1):
            return set()
        return set() if self._called_otherwise(self._partners[at + 1]) else {at - 1, at}

    def _is_literal(self, at: int) -> bool:
        """Whether the word stands in quotes, or in something with signs: a path, an option, the name of a file."""
        if "literals" not in self._read:
            text = self._a.text
            found = _QUOTED.findall(text) if _QUOTE.search(text) else []
            if _SIGN.search(text) and _SIGNED.search(text):
                found += [token.strip("\"'`,;:!?()“”‘’") for token in text.split() if _SIGNED.search(token)]
            self._read["literals"] = words_in(" ".join(found)) if found else frozenset()
        return self._words[at] in self._read["literals"]

    def _is_name(self, at: int) -> bool:
        """Whether it is a literal, a word that nobody knows, or has a capital inside a sentence where most have none."""
        word = self._words[at]
        if self._kinds[at] is CONTENT and word not in self._known:
            return True
        if "names" not in self._read:
            found = _CAPITALISED.findall(self._a.text)
            few = 2 * len(found) <= self._a.text.count(" ") + 1
            self._read["names"] = words_in(" ".join(found)) if found and few else frozenset()
        return word in self._read["names"] or self._is_literal(at)

    def _called_otherwise(self, at: int, nouns: Container[str] | None = None) -> bool:
        """Whether a noun that the other side alone has stands beside the name there. `nouns`: which ones count."""
        words, kinds = self._b.words, self._b.kinds
        for step in (-1, 1):
            place = at + step
            while 0 <= place < len(words):
                if place in self._right and kinds[place] is CONTENT and (nouns is None or words[place] in nouns):
                    return True
                if kinds[place] not in _BETWEEN and words[place] not in LINKS:
                    break
                place += step
        return False

    def _goes_without_saying(self, at: int) -> bool:
        """Whether this "all" stands where a listing begins, and the other side does not ask for one or for some."""
        words, kinds = self._words, self._kinds
        listing = words[0] in LISTING or (words[0] in ("what", "which") and words[1] in ("is", "are"))
        if not listing or self._bounded() or not {"a", "an"}.isdisjoint(self._b.words[1:3]):
            return False
        if words[at - 1] == "of":
            return NEGATOR not in kinds[:at]
        return all(
            words[place] in LISTING
            or words[place] in _ALSO_BEFORE_ALL
            or kinds[place] is LIGHT
            or kinds[place] is PERSON
            for place in range(1, at)
        )

    def _bounded(self) -> bool:
        """Whether the other side alone says how many."""
        kinds = self._b.kinds
        return any(kinds[at] is BOUND or kinds[at] is NUMBER for at in self._right)

    def _only_relates(self, at: int) -> bool:
        """Whether this "were" stands in "letters that were posted", where the other side says "letters posted"."""
        if at + 1 >= len(self._words) or not self._words[at + 1].endswith("ed"):
            return False
        other = self._partners[at + 1]
        return other > 0 and self._b.kinds[other - 1] is CONTENT

    def _found_first(self) -> set[int]:
        """The places of "find ... and ... them", where the other side begins with what is to be done with them."""
        if 0 not in self._partners:
            return set()
        verb = self._partners.index(0)
        if verb < 2 or self._words[verb - 1] != "and":
            return set()
        behind = {verb + 1} if self._words[verb + 1 : verb + 2] and self._words[verb + 1] in _IT else set()
        return {0, *({verb - 1} | behind).intersection(self._left)}

    def _at_least_one(self, at: int) -> set[int]:
        """The places of "at least one": what there is, there is at least once. "At least once a week" says how often."""
        words, left = self._words, self._left
        one = next((place for place in (at + 1, at - 1) if place in left and words[place] == "1"), -1)
        if one < 0 or self._bounded():
            return set()
        places = {at, one}
        end = max(places) + 1
        if end < len(words) and words[end] == "time":
            places |= {end}.intersection(left)
            end += 1
        if end < len(words) and (words[end] in ("a", "an", "per", "every", "each") or self._kinds[end] is WHEN):
            return set()
        return places


def members(reading: Reading, left: list[int], other: Reading) -> set[str]:
    """Words that one side alone has in a list: "with milk, sugar and lemon" asks for more than "with milk and sugar"."""
    words, kinds = reading.words, reading.kinds
    found: set[str] = set()
    if not left or _JOINING.isdisjoint(words):
        return found
    commas: list[str] | None = None
    for at in left:
        word = words[at]
        if kinds[at] is not CONTENT or word in other.words:
            continue
        before = at - 1
        while before > 0 and words[before] not in _JOINING and (kinds[before] is LIGHT or before in left):
            before -= 1
        if (at and words[before] in _JOINING) or (at + 1 < len(words) and words[at + 1] in _JOINING):
            found.add(word)
            continue
        if commas is None:
            commas = _BEFORE_COMMA.findall(reading.text.lower()) if "," in reading.text else []
        stem = word[: max(3, len(word) - 1)]
        if commas and any(each.startswith(stem) for each in commas):
            found.add(word)
    return found
