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
from gateway.core.pairs_forms import DETAIL, align_forms, opposites
from gateway.core.pairs_order import Order, compare_order, converse

if TYPE_CHECKING:
    from collections.abc import Container

    from gateway.core.pairs_reading import Reading

WORDS = 96
"""Most words of a side that are compared."""
OPEN = frozenset(("what", "which"))
"""Question words that add nothing to the noun behind them: "which courses", "list the courses"."""
_WEIGHTY = frozenset((CONTENT, NUMBER, WHEN))
_QUIZ = frozenset(("who", "which", "what"))
_AND = frozenset(("and", "und", "et", "y", "e"))
_OR = frozenset(("or", "oder", "ou", "o"))
_PERSONS = {
    word: person
    for person, words in enumerate(
        (
            "i me my mine myself we us our ours ourselves mein meine meinen meinem meiner meines unser unsere unseren unserem "
            "unserer mon mes notre nos mis nuestro nuestra mio mia miei nostro nostra mijn onze meu minha nosso nossa",
            "you your yours yourself dein deine deinen deinem deiner deines euer eure tes votre vos tu tus tuo tua tuoi jouw teu",
            "he him his himself sein seine seinen seinem seiner seines ses su sus suo sua suoi seu zijn",
            "she her hers herself ihr ihre ihren ihrem ihrer ihres haar",
            "their theirs",
        ),
        1,
    )
    for word in words.split()
}


class Difference(msgspec.Struct, gc=False):
    """`left` and `right`: positions of words that the other side has no partner for. The rest are counts.

    Of words left over: `numbers` on both sides, `extra_numbers` on one; `asking` likewise; `contradicting` pairs of
    opposites.
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
    asides: int = 0
    telling: int = 0
    order: Order = msgspec.field(default_factory=Order)


def compare(a: Reading, b: Reading, known: Container[str]) -> Difference:
    """Align two readings. `known`: words that are words, so that none of them is taken for the misspelling of another."""
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
    found = Difference(left, [at for at in range(len(words_b)) if at not in taken])
    negators = a.kinds.count(NEGATOR) - b.kinds.count(NEGATOR)
    if found.left or found.right:
        if found.left and found.right and min(len(found.left), len(found.right)) <= DETAIL:
            guesses = align_forms(a, b, found.left, found.right, partners, known)
            found.inflected, found.reworded, found.misspelt = guesses.inflected, guesses.reworded, guesses.misspelt
        if a.parts or b.parts:
            negators -= _pass_over(a, found.left, found, b)
            negators += _pass_over(b, found.right, found, a)
        if a.breaks and found.left:
            negators -= _take_back(a, found.left, b)
        if b.breaks and found.right:
            negators += _take_back(b, found.right, a)
        if len(found.left) == len(found.right) == 1 and converse(a, b, found.left[0], found.right[0]):
            found.left, found.right = [], []
            found.reworded += 1
            return found
        _count(a, b, found)
    found.negation = abs(negators)
    found.order = compare_order(a, b, partners, found.placing)
    order = found.order
    few = max(len(found.left), len(found.right)) <= 3
    if order.exchanged and ("by" in a.words) != ("by" in b.words):
        found.voice = 1
        order.exchanged = False
    elif few and not found.contradicting and (order.crossed or (order.swapped and order.roles > 1)):
        order.exchanged = True
    elif order.subject and few and not _QUIZ.isdisjoint(a.words) and not _content_over(a, b, found):
        order.exchanged = "by" not in a.words and "by" not in b.words
    return found


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
        if missing.issuperset(weighty):
            asides.extend(range(start, end))
    if not asides or len(asides) == len(reading.words) or len(other.parts) >= len(reading.parts):
        return 0
    gone = set(asides)
    left[:] = [at for at in left if at not in gone]
    found.asides += 1
    found.telling += sum(reading.kinds[at] in _WEIGHTY and reading.words[at] not in CHATTER for at in asides)
    return sum(reading.kinds[at] is NEGATOR for at in asides)


def _take_back(reading: Reading, left: list[int], other: Reading) -> int:
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


def _joined_otherwise(over: set[str], others: set[str]) -> bool:
    return not (_OR.isdisjoint(over) or _AND.isdisjoint(others))


def _count(a: Reading, b: Reading, found: Difference) -> None:
    """Count what is left over by kind, and the words of one side that have an opposite on the other."""
    kinds_a = [a.kinds[at] for at in found.left]
    kinds_b = [b.kinds[at] for at in found.right]
    if NUMBER in kinds_a or NUMBER in kinds_b:
        numbers_a = [a.words[at] for at in found.left if a.kinds[at] is NUMBER]
        numbers_b = [b.words[at] for at in found.right if b.kinds[at] is NUMBER]
        found.numbers = min(len(numbers_a), len(numbers_b))
        # "One" on one side only is hardly ever a number: "which one".
        extra = max(len(numbers_a) - numbers_a.count("1"), len(numbers_b) - numbers_b.count("1")) - found.numbers
        found.extra_numbers = max(extra, 0)
    if ASKING in kinds_a or ASKING in kinds_b:
        asked_a, asked_b = _asked(a, found.left), _asked(b, found.right)
        if asked_a and asked_b and not OPEN.issuperset((*asked_a, *asked_b)):
            found.asking = min(len(asked_a), len(asked_b))
        found.extra_asking = sum(word not in OPEN for word in (*asked_a, *asked_b))
    if PERSON in kinds_a or PERSON in kinds_b:
        persons_a = {_PERSONS.get(a.words[at], 0) for at in found.left if a.kinds[at] is PERSON}
        persons_b = {_PERSONS.get(b.words[at], 0) for at in found.right if b.kinds[at] is PERSON}
        found.other_person = int(bool(persons_a and persons_b and persons_a.isdisjoint(persons_b)))
        found.person = max(kinds_a.count(PERSON), kinds_b.count(PERSON))
    if PLACING in kinds_a or PLACING in kinds_b:
        found.placing = max(
            sum(a.kinds[at] is PLACING and a.words[at] not in b.words for at in found.left),
            sum(b.kinds[at] is PLACING and b.words[at] not in a.words for at in found.right),
        )
    found.modal = max(kinds_a.count(MODAL), kinds_b.count(MODAL))
    found.bound = max(kinds_a.count(BOUND), kinds_b.count(BOUND))
    found.symbol = max(kinds_a.count(SYMBOL), kinds_b.count(SYMBOL))
    found.when = max(kinds_a.count(WHEN), kinds_b.count(WHEN))
    if found.left and found.right:
        over_a, over_b = {a.words[at] for at in found.left}, {b.words[at] for at in found.right}
        found.joining = int(_joined_otherwise(over_a, over_b) or _joined_otherwise(over_b, over_a))
    found.light = kinds_a.count(LIGHT) + kinds_b.count(LIGHT) + kinds_a.count(FILLER) + kinds_b.count(FILLER)
    if found.left and found.right and min(len(found.left), len(found.right)) <= DETAIL:
        others = [b.words[at] for at in found.right[: 2 * DETAIL]]
        found.contradicting = opposites([a.words[at] for at in found.left[: 2 * DETAIL]], others)
