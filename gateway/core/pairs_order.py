"""Whether words that both questions have changed places, and whether that turns the meaning round.

Pure. "From X to Y" and "from Y to X" have the same words; so have "on Monday, can I ..." and "can I ... on Monday".
"""

from __future__ import annotations

import msgspec

from gateway.core.lexicon import ASKING, FILLER, LIGHT, MODAL, NEGATOR, NUMBER, PERSON, PLACING
from gateway.core.lexicon_same import ALIKE
from gateway.core.pairs_reading import Reading

_JOINING = frozenset(("and", "or", "/", "&", "+", ","))
_EVEN = _JOINING | {"is", "are", "was", "were", "be", "s", "the"}
"""Between these it does not matter which stands before and which behind: "A or B", "A is B"."""
_RELATIONS = frozenset(
    (
        *("from", "to", "into", "in", "on", "at", "by", "with", "for", "of", "before", "after"),
        *("until", "since", "under", "over", "than", "between", "versus"),
        *("de", "a", "da", "di", "à", "vers", "von", "nach", "van", "naar", "desde", "hasta", "para", "verso", "bis"),
    )
)
_CONVERSE = {
    word: other
    for pair in ("before after", "above below", "over under", "morethan lessthan", "precede follow")
    for word, other in (pair.split(), pair.split()[::-1])
}
_RELATING = frozenset((PLACING, NUMBER, MODAL, NEGATOR))
_NO_ROLE = frozenset((PLACING, ASKING, MODAL, PERSON, LIGHT, FILLER))
_POINTING = frozenset(("than", "to", "into", "from", "compared", "nach", "von", "hasta", "vers"))
_HELPING = frozenset(("do", "does", "did", "has", "have", "will", "would", "can", "could", "is", "are", "was", "were"))
_NONE: frozenset[int] = frozenset()


class Order(msgspec.Struct, gc=False):
    """Of aligned words: how many are `inverted`, have `swapped` neighbours, play other `roles` (stand behind another
    preposition); `crossed`: how many of the same prepositions stand before the other one of two words that both have;
    `subject`: a helping verb made who acts who is acted upon ("who taught X", "whom did X teach"); `exchanged`: all that differs is which stands before and which behind a middle."""

    inverted: int = 0
    swapped: int = 0
    roles: int = 0
    exchanged: bool = False
    crossed: int = 0
    subject: int = 0


def compare_order(a: Reading, b: Reading, partners: list[int], placing: int) -> Order:
    """Args:
    partners: for each word of `a` the place of its partner in `b`, or -1.
    placing: how many prepositions are left over.
    """
    order = Order()
    highest = -1
    moved = False
    for kind, other in zip(a.kinds, partners, strict=True):
        if other >= 0:
            if other > highest:
                highest = other
            else:
                moved = True
                order.inverted += kind is not LIGHT and kind is not FILLER
    if not moved and not placing:
        return order
    order.exchanged = moved and _exchanged(a, partners)
    if moved:
        order.crossed = _crossed(a, b)
        order.subject = int(_HELPING.isdisjoint(a.words) != _HELPING.isdisjoint(b.words))
    before_a, before_b = _before(a), _before(b)
    contexts: set[tuple[str, str]] = set()
    for at, other in enumerate(partners):
        if other < 0 or a.kinds[at] in _NO_ROLE:
            continue
        was, now = before_a[at], before_b[other]
        if was != now:
            order.swapped += (now, was) in contexts
            contexts.add((was, now))
            if was in _RELATIONS and now in _RELATIONS and ALIKE.get(was, _NONE).isdisjoint(ALIKE.get(now, _NONE)):
                order.roles += 1
    return order


def _crossed(a: Reading, b: Reading) -> int:
    """How many of "than", "to" and "from" stand before Y in one and before X in the other, where both have X and Y."""
    crossed = 0
    for relation in _POINTING.intersection(a.words).intersection(b.words):
        behind_a, behind_b = _behind(a, relation), _behind(b, relation)
        only_a, only_b = behind_a - behind_b, behind_b - behind_a
        crossed += not (only_a.isdisjoint(b.words) or only_b.isdisjoint(a.words))
    return crossed


def _behind(reading: Reading, relation: str) -> set[str]:
    """The words that stand next behind this one, light ones and question words passed over."""
    found = set()
    for at, word in enumerate(reading.words):
        if word == relation:
            for place in range(at + 1, min(at + 4, len(reading.words))):
                if reading.kinds[place] not in _NO_ROLE:
                    found.add(reading.words[place])
                    break
    return found


def converse(a: Reading, b: Reading, left: int, right: int) -> bool:
    """Whether the two left-over words make one statement of both: "X before Y" and "Y after X"."""
    if _CONVERSE.get(a.words[left]) != b.words[right]:
        return False
    turned = [*b.words]
    turned[right] = a.words[left]
    return exchanged(a, Reading(turned, b.kinds, b.breaks))


def _before(reading: Reading) -> list[str]:
    """For each word the one before it, light words passed over."""
    before: list[str] = []
    last = ""
    for word, kind in zip(reading.words, reading.kinds, strict=True):
        before.append(last)
        if last == "than" and kind is PLACING:
            continue  # "colder in Oslo than in Rome": Rome stands behind "than"
        if ((kind is not LIGHT and kind is not FILLER) or word == "of") and word not in _JOINING:
            last = word
    return before


def exchanged(a: Reading, b: Reading) -> bool:
    """Whether two readings of the same words are the same but for an exchange."""
    places: dict[str, list[int]] = {}
    for at in range(len(b.words) - 1, -1, -1):
        places.setdefault(b.words[at], []).append(at)
    partners = [places[word].pop() if places.get(word) else -1 for word in a.words]
    return _exchanged(a, partners)


def _exchanged(a: Reading, partners: list[int]) -> bool:
    """Whether, of the words that both have, two stretches have changed places around a middle: "X to Y", "Y to X"."""
    heavy = [at for at, other in enumerate(partners) if other >= 0 and a.kinds[at] is not LIGHT]
    every = [at for at, other in enumerate(partners) if other >= 0]
    return _turned(a, heavy, partners) or _turned(a, every, partners)


def _turned(a: Reading, places: list[int], partners: list[int]) -> bool:
    order = [partners[at] for at in places]
    rank = {other: n for n, other in enumerate(sorted(order))}
    turned = [rank[other] for other in order]
    starts = [n for n in range(1, len(turned)) if turned[n] != turned[n - 1] + 1]
    if turned[:1] == [0]:
        starts = starts[1:] if starts else starts
        first = next((n for n in range(len(turned)) if turned[n] != n), 0)
    else:
        first = 0
    if len(starts) < 2:
        return False
    second, third = starts[0], starts[1]
    # Three stretches, the last one first; what follows stands where it stood.
    if not turned[first] > turned[second] > turned[third] == first or len(starts) > 3:
        return False
    if len(starts) == 3 and turned[starts[2]] != starts[2]:
        return False
    middle = [a.words[at] for at in places[second:third]]
    if _EVEN.issuperset(middle):
        return False
    # "the word X or the word Y": what stands around the "or" stands on both sides of it.
    return _JOINING.isdisjoint(middle) or any(
        a.kinds[at] in _RELATING and a.words[at] not in _JOINING for at in places[second:third]
    )
