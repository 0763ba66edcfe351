"""In what two questions differ: aligned words, what is left over on each side, and what contradicts.

Pure and bounded: where much is left over on both sides, details are no longer looked for. The verifier weighs what is found
here; nothing is decided here.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from gateway.core.lexicon import (
    ASKING,
    BOUND,
    CONTENT,
    FILLER,
    LIGHT,
    MODAL,
    NEGATOR,
    NUMBER,
    PERSON,
    PLACING,
    SYMBOL,
    WHEN,
)
from gateway.core.lexicon_phrases import CHATTER
from gateway.core.pairs_aligning import Alignment, align, turned
from gateway.core.pairs_asking import pass_over
from gateway.core.pairs_forms import DETAIL, align_forms, opposites
from gateway.core.pairs_grammar import OPEN, PERSONS, is_terse, pass_over_grammar
from gateway.core.pairs_order import Order, compare_order, converse, crossed
from gateway.core.pairs_things import members, pass_over_things
from gateway.core.pairs_voice import same_actor

if TYPE_CHECKING:
    from collections.abc import Container

    from gateway.core.pairs_reading import Reading

WORDS = 96
"""Most words of a side that are compared."""
FEW = 14
"""Left-over words of both sides, up to which it is asked whether they add anything or say a converse."""
_WEIGHTY = frozenset((CONTENT, NUMBER, WHEN))
_COUNTED = frozenset((MODAL, BOUND, SYMBOL, WHEN))
_AND = frozenset(("and", "und", "et", "y", "e"))
_PRESENT = frozenset(("do", "does"))
_OR = frozenset(("or", "oder", "ou", "o"))


class Difference(msgspec.Struct, gc=False):
    """`left` and `right`: positions of words that the other side has no partner for. The rest are counts.

    Of words left over: `numbers` on both sides, `extra_numbers` on one; `asking` likewise; `contradicting` pairs of
    opposites. `members`: words that one side alone has in a list.
    """

    left: list[int]
    right: list[int]
    inflected: int = 0
    reworded: int = 0
    misspelt: int = 0
    contradicting: int = 0
    numbers: int = 0
    extra_numbers: int = 0
    negation: int = 0
    asking: int = 0
    extra_asking: int = 0
    placing: int = 0
    person: int = 0
    other_person: int = 0
    modal: int = 0
    bound: int = 0
    symbol: int = 0
    when: int = 0
    light: int = 0
    joining: int = 0
    voice: int = 0
    members: set[str] = msgspec.field(default_factory=set)
    asides: int = 0
    telling: int = 0
    terse: int = 0
    passed: int = 0
    told: int = 0
    order: Order = msgspec.field(default_factory=Order)


def compare(a: Reading, b: Reading, known: Container[str], alignment: Alignment | None = None) -> Difference:
    """Args:
    known: words that are words, so that none of them is taken for the misspelling of another.
    alignment: of the two readings, where there is one already; it is used up.
    """
    if alignment is None:
        alignment = align(a, b)
    partners = alignment.partners
    found = Difference(alignment.left, alignment.right)
    negators = a.kinds.count(NEGATOR) - b.kinds.count(NEGATOR)
    actor: bool | None = None
    if found.left or found.right:
        if found.left and found.right and min(len(found.left), len(found.right)) <= DETAIL:
            guesses = align_forms(a, b, found.left, found.right, partners, known)
            found.inflected, found.reworded, found.misspelt = guesses.inflected, guesses.reworded, guesses.misspelt
        if a.parts or b.parts:
            negators -= _pass_over(a, found.left, found, b)
            negators += _pass_over(b, found.right, found, a)
        if a.breaks and found.left:
            negators -= _take_back(a, found.left, b, partners)
        if b.breaks and found.right:
            negators += _take_back(b, found.right, a, turned(partners, len(b.words)))
        both = None
        if len(found.left) + len(found.right) <= FEW:
            pass_over_things(a, b, found.left, found.right, partners, known)
            found.passed, found.told = pass_over(a, b, found.left, found.right, found.inflected)
            both = converse(a, b, found.left, found.right, partners) if found.left and found.right else None
        if both:
            found.left.remove(both[0])
            found.right.remove(both[1])
            found.reworded += 1
        elif found.left and is_terse(b):
            found.terse = pass_over_grammar(a, found.left)
        elif found.right and is_terse(a):
            found.terse = pass_over_grammar(b, found.right)
        actor = _same_actor(a, b, found, partners)
        _count(a, b, found)
        if both:
            found.negation = abs(negators)
            found.order.exchanged = "than" not in a.words and crossed(a, b) > 0
            return found
    found.negation = abs(negators)
    found.order = compare_order(a, b, partners, found.placing)
    order = found.order
    if actor is not None:
        order.exchanged = not actor or order.crossed > 0
        order.subject = 0
        return found
    if "why" in a.words or "howto" in a.words:
        order.subject = 0  # "Why was it declined?", "it was declined, why?": nobody acts who did not
    few = max(len(found.left), len(found.right)) <= 3
    if order.exchanged and ("by" in a.words) != ("by" in b.words):
        found.voice = 1
        order.exchanged = False
    elif few and not found.contradicting and (order.crossed or (order.swapped and order.roles > 1)):
        order.exchanged = True
    elif order.subject and few and not found.asides and not found.terse and not _content_over(a, b, found):
        order.exchanged = "by" not in a.words and "by" not in b.words
    return found


def _same_actor(a: Reading, b: Reading, found: Difference, partners: list[int]) -> bool | None:
    passive = "by" in a.words
    if passive == ("by" in b.words):
        return None
    if passive:
        return same_actor(a, found.left, b, found.right, partners)
    return same_actor(b, found.right, a, found.left, turned(partners, len(b.words)))


def _content_over(a: Reading, b: Reading, found: Difference) -> bool:
    return any(a.kinds[at] is CONTENT for at in found.left) or any(b.kinds[at] is CONTENT for at in found.right)


def _pass_over(reading: Reading, left: list[int], found: Difference, other: Reading) -> int:
    """Sentences that have nothing in common with the other side do not count as left over, if that side has none such.

    What they tell is counted by itself: "I have looked everywhere and found nothing." tells nothing, "I am a student." may
    change the answer. Returns how many negators stood in them.
    """
    missing = set(left)
    asides: list[int] = []
    starts = (0, *reading.parts, len(reading.words))
    for start, end in pairwise(starts):
        weighty = [at for at in range(start, end) if reading.kinds[at] in _WEIGHTY]
        if missing.issuperset(weighty) and not _asks_more(reading, start, end, weighty):
            asides.extend(range(start, end))
    if not asides or len(asides) == len(reading.words) or len(other.parts) >= len(reading.parts):
        return 0
    gone = set(asides)
    left[:] = [at for at in left if at not in gone]
    found.asides += 1
    found.telling += sum(reading.kinds[at] in _WEIGHTY and reading.words[at] not in CHATTER for at in asides)
    return sum(reading.kinds[at] is NEGATOR for at in asides)


def _asks_more(reading: Reading, start: int, end: int, weighty: list[int]) -> bool:
    """Whether a sentence asks something that the rest does not: "How?", "What is not the reason?"."""
    asked = [reading.words[at] for at in range(start, end) if reading.kinds[at] is ASKING]
    return bool(asked) and (NEGATOR in reading.kinds[start:end] or not (weighty or OPEN.issuperset(asked)))


def _take_back(reading: Reading, left: list[int], other: Reading, partners: list[int]) -> int:
    """Words without partner that the speaker took back do not count. Returns how many negators were not meant as such.

    Plain words of repair ("no wait") take back what is new before them; a pause or a mere "no" only what is new and stands
    right before it, else "has no meals" would be "has meals". What follows must be what the other side says.
    """
    missing = set(left)
    excused: set[int] = set()
    pauses = sum(start == end for start, end, _ in other.breaks)
    for start, end, plain in reading.breaks:
        if end >= len(reading.words) or end in missing:
            continue
        if reading.kinds[end] is not LIGHT and any(
            reading.words[at] == reading.words[end] for at in missing if at < start
        ):
            before = next((at for at in range(start - 1, -1, -1) if at not in missing), -1)
            if before >= 0 and -1 < partners[end] < partners[before]:
                continue  # "from Bonn to Ulm before 9, I mean, to 10": the other side's "to" is the first one
        # What both sides say is no slip: "no" and "um" are plain words of other languages.
        if pauses if start == end else missing.isdisjoint(range(start, end)):
            continue
        gone = set()
        if plain:
            gone = {at for at in range(max(0, start - 10), start) if at in missing}
        else:
            at = start - 1
            while at in missing and at >= start - 6:
                gone.add(at)
                at -= 1
            if not gone and at > 0 and reading.kinds[at] is not LIGHT:
                # "before Rome, oops, Oslo" of "Rome before Oslo": of two equal words the other one has found its partner.
                gone = {other for other in missing if other < at and reading.words[other] == reading.words[at]}
            if start < end and all(reading.kinds[at] is PLACING or reading.kinds[at] is LIGHT for at in gone):
                continue  # "but no salt"
        if gone or (plain and missing.issuperset(range(start, end))):
            excused |= gone
            excused.update(at for at in range(start, end) if at in missing)
    left[:] = [at for at in left if at not in excused]
    return sum(reading.kinds[at] is NEGATOR for at in excused)


def _asked(reading: Reading, left: list[int]) -> list[str]:
    """Question words left over, without one that only belongs to a left-over noun: "which country" for "where"."""
    missing = set(left)
    return [
        reading.words[at]
        for at in left
        if reading.kinds[at] is ASKING
        and not (reading.words[at] in OPEN and at + 1 in missing and reading.kinds[at + 1] is CONTENT)
    ]


def _joined_otherwise(over: list[str], others: list[str]) -> bool:
    return not (_OR.isdisjoint(over) or _AND.isdisjoint(others))


def _count(a: Reading, b: Reading, found: Difference) -> None:
    """Count what is left over by kind, and the words of one side that have an opposite on the other."""
    left, right = found.left, found.right
    kinds_a, kinds_b = [a.kinds[at] for at in left], [b.kinds[at] for at in right]
    words_a, words_b = [a.words[at] for at in left], [b.words[at] for at in right]
    kinds = {*kinds_a, *kinds_b}
    if NUMBER in kinds:
        numbers_a = [word for word, kind in zip(words_a, kinds_a, strict=True) if kind is NUMBER]
        numbers_b = [word for word, kind in zip(words_b, kinds_b, strict=True) if kind is NUMBER]
        found.numbers = min(len(numbers_a), len(numbers_b))
        # "One" on one side only is hardly ever a number: "which one".
        extra = max(len(numbers_a) - numbers_a.count("1"), len(numbers_b) - numbers_b.count("1")) - found.numbers
        found.extra_numbers = max(extra, 0)
    if ASKING in kinds:
        asked_a, asked_b = _asked(a, left), _asked(b, right)
        if asked_a and asked_b and not OPEN.issuperset((*asked_a, *asked_b)):
            found.asking = min(len(asked_a), len(asked_b))
        found.extra_asking = len([word for word in (*asked_a, *asked_b) if word not in OPEN])
    if PERSON in kinds:
        persons_a = {PERSONS.get(word, 0) for word, kind in zip(words_a, kinds_a, strict=True) if kind is PERSON}
        persons_b = {PERSONS.get(word, 0) for word, kind in zip(words_b, kinds_b, strict=True) if kind is PERSON}
        found.other_person = int(bool(persons_a and persons_b and persons_a.isdisjoint(persons_b)))
        found.person = max(kinds_a.count(PERSON), kinds_b.count(PERSON))
    if PLACING in kinds:
        found.placing = max(
            len([at for at in left if a.kinds[at] is PLACING and a.words[at] not in b.words]),
            len([at for at in right if b.kinds[at] is PLACING and b.words[at] not in a.words]),
        )
    if not _COUNTED.isdisjoint(kinds):
        found.modal = max(kinds_a.count(MODAL), kinds_b.count(MODAL))
        found.bound = max(kinds_a.count(BOUND), kinds_b.count(BOUND))
        found.symbol = max(kinds_a.count(SYMBOL), kinds_b.count(SYMBOL))
        found.when = max(kinds_a.count(WHEN), kinds_b.count(WHEN))
    if LIGHT in kinds or FILLER in kinds:
        found.light = kinds_a.count(LIGHT) + kinds_b.count(LIGHT) + kinds_a.count(FILLER) + kinds_b.count(FILLER)
    if CONTENT in kinds and len(left) + len(right) <= FEW:
        found.members = members(a, left, b) | members(b, right, a)
    if left and right:
        found.joining = int(_joined_otherwise(words_a, words_b) or _joined_otherwise(words_b, words_a))
        # "When did it open?", "when does it open?": another tense weighs more than a verb that one side does not need.
        if found.modal and ("did" in words_a) != ("did" in words_b):
            found.modal += not _PRESENT.isdisjoint(words_b if "did" in words_a else words_a)
        if len(left) <= DETAIL or len(right) <= DETAIL:
            found.contradicting = opposites(words_a[: 2 * DETAIL], words_b[: 2 * DETAIL])
