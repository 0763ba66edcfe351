"""In what two questions differ: aligned words, what is left over on each side, and what contradicts.

Pure and bounded: where much is left over on both sides, details are no longer looked for. The verifier weighs what is found
here; nothing is decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gateway.core.lexicon import (
    ASKING,
    BOUND,
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
from gateway.core.pairs_forms import DETAIL, align_forms, opposites
from gateway.core.pairs_order import Order, compare_order, converse

if TYPE_CHECKING:
    from collections.abc import Container

    from gateway.core.pairs_reading import Reading

WORDS = 96
"""Most words of a side that are compared."""
OPEN = frozenset(("what", "which"))
"""Question words that add nothing to the noun behind them: "which courses", "list the courses"."""
_PERSONS = {
    word: person
    for person, words in enumerate(
        (
            "i me my mine myself we us our ours ourselves mein meine meinen meinem meiner meines unser unsere unseren unserem "
            "unserer mon mes notre nos mis nuestro nuestra mio mia miei nostro nostra mijn onze meu minha nosso nossa",
            "you your yours yourself dein deine deinen deinem deiner deines euer eure tes votre vos tu tus tuo tua tuoi jouw teu",
            "he him his himself sein seine seinen seinem seiner seines ses su sus suo sua suoi seu zijn",
            "she her hers herself ihr ihre ihren ihrem ihrer ihres haar",
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
        if a.breaks and found.left:
            negators -= _take_back(a, found.left)
        if b.breaks and found.right:
            negators += _take_back(b, found.right)
        if len(found.left) == len(found.right) == 1 and converse(a, b, found.left[0], found.right[0]):
            found.left, found.right = [], []
            found.reworded += 1
            return found
        _count(a, b, found)
    found.negation = abs(negators)
    found.order = compare_order(a, b, partners, found.placing)
    return found


def _take_back(reading: Reading, left: list[int]) -> int:
    """Words without partner that the speaker took back do not count. Returns how many negators were not meant as such.

    Plain words of repair ("no wait") take back what is new before them; a pause or a mere "no" only what is new and stands
    right before it, else "has no meals" would be "has meals". What follows must be what the other side says.
    """
    missing = set(left)
    excused: set[int] = set()
    for start, end, plain in reading.breaks:
        if end >= len(reading.words) or end in missing:
            continue
        gone = set()
        if plain:
            gone = {at for at in range(max(0, start - 10), start) if at in missing}
        else:
            at = start - 1
            while at in missing and at >= start - 6:
                gone.add(at)
                at -= 1
        if gone or (plain and missing.issuperset(range(start, end))):
            excused |= gone
            excused.update(at for at in range(start, end) if at in missing)
    left[:] = [at for at in left if at not in excused]
    return sum(reading.kinds[at] is NEGATOR for at in excused)


def _count(a: Reading, b: Reading, found: Difference) -> None:
    """Count what is left over by kind, and the words of one side that have an opposite on the other."""
    kinds_a = [a.kinds[at] for at in found.left]
    kinds_b = [b.kinds[at] for at in found.right]
    numbers_a = [a.words[at] for at in found.left if a.kinds[at] is NUMBER]
    numbers_b = [b.words[at] for at in found.right if b.kinds[at] is NUMBER]
    found.numbers = min(len(numbers_a), len(numbers_b))
    # "One" on one side only is hardly ever a number: "which one".
    extra = max(sum(word != "1" for word in numbers_a), sum(word != "1" for word in numbers_b)) - found.numbers
    found.extra_numbers = max(extra, 0)
    asked_a = [a.words[at] for at in found.left if a.kinds[at] is ASKING]
    asked_b = [b.words[at] for at in found.right if b.kinds[at] is ASKING]
    if asked_a and asked_b and not OPEN.issuperset((*asked_a, *asked_b)):
        found.asking = min(len(asked_a), len(asked_b))
    found.extra_asking = sum(word not in OPEN for word in (*asked_a, *asked_b))
    persons_a = {_PERSONS.get(a.words[at], 0) for at in found.left if a.kinds[at] is PERSON}
    persons_b = {_PERSONS.get(b.words[at], 0) for at in found.right if b.kinds[at] is PERSON}
    found.other_person = int(bool(persons_a and persons_b and persons_a.isdisjoint(persons_b)))
    found.placing = max(kinds_a.count(PLACING), kinds_b.count(PLACING))
    found.person = max(kinds_a.count(PERSON), kinds_b.count(PERSON))
    found.modal = max(kinds_a.count(MODAL), kinds_b.count(MODAL))
    found.bound = max(kinds_a.count(BOUND), kinds_b.count(BOUND))
    found.symbol = max(kinds_a.count(SYMBOL), kinds_b.count(SYMBOL))
    found.when = max(kinds_a.count(WHEN), kinds_b.count(WHEN))
    found.light = kinds_a.count(LIGHT) + kinds_b.count(LIGHT) + kinds_a.count(FILLER) + kinds_b.count(FILLER)
    if found.left and found.right and min(len(found.left), len(found.right)) <= DETAIL:
        others = [b.words[at] for at in found.right[: 2 * DETAIL]]
        found.contradicting = opposites([a.words[at] for at in found.left[: 2 * DETAIL]], others)
