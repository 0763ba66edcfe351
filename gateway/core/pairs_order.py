"""Whether words that both questions have changed places, and whether that turns the meaning round.

Pure. "From X to Y" and "from Y to X" have the same words; so have "on Monday, can I ..." and "can I ... on Monday".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gateway.core.lexicon import ASKING, FILLER, LIGHT, MODAL, PERSON, PLACING
from gateway.core.lexicon_opposites import CONVERSE
from gateway.core.lexicon_same import ALIKE
from gateway.core.pairs_exchange import (
    JOINING,
    RELATIONS,
    exchanged,
    exchanged_in_a_sentence,
    places_of,
    said_again,
    stretches_of,
)

if TYPE_CHECKING:
    from collections.abc import Container

    from gateway.core.pairs_reading import Reading

_AND = frozenset(("and", "&", "+"))
_NO_ROLE = frozenset((PLACING, ASKING, MODAL, PERSON, LIGHT, FILLER))
_POINTING = frozenset(("than", "to", "into", "from", "compared", "nach", "von", "hasta", "vers"))
_QUIZ = frozenset(("who", "which", "what"))
_ENDS = frozenset(("from", "to"))
_HELPING = frozenset(("do", "does", "did", "has", "have", "will", "would", "can", "could"))
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
    aligned = [other for other in partners if other >= 0]
    moved = aligned != sorted(aligned)
    if not moved and not placing:
        return order
    if moved:
        order.inverted = _inverted(a.kinds, partners)
    order.exchanged = moved and exchanged(a, partners) and exchanged_in_a_sentence(a, b, partners)
    if moved:
        order.crossed = crossed(a, b)
        # Behind its verb a question word asks for what is acted upon, as with a helping verb: "you teach what".
        asked = not (_QUIZ.isdisjoint(a.words[:2]) or _QUIZ.isdisjoint(b.words[:2]))
        order.subject = int(asked and _HELPING.isdisjoint(a.words) != _HELPING.isdisjoint(b.words))
    before_a, before_b = _before(a), _before(b)
    contexts: set[tuple[str, str]] = set()
    for was, kind, other in zip(before_a, a.kinds, partners, strict=True):
        if other < 0 or was == before_b[other]:
            continue
        if kind not in _NO_ROLE:
            now = before_b[other]
            order.swapped += (now, was) in contexts
            contexts.add((was, now))
            if was in RELATIONS and now in RELATIONS and ALIKE.get(was, _NONE).isdisjoint(ALIKE.get(now, _NONE)):
                order.roles += 1
    return order


def _inverted(kinds: list[str], partners: list[int]) -> int:
    """How many words stand behind one whose partner stands behind theirs."""
    count = 0
    highest = -1
    for kind, other in zip(kinds, partners, strict=True):
        if other > highest:
            highest = other
        elif other >= 0:
            count += kind is not LIGHT and kind is not FILLER
    return count


def crossed(a: Reading, b: Reading) -> int:
    """How many of "than", "to" and "from" stand before Y in one and before X in the other, where both have X and Y."""
    relations = _POINTING.intersection(a.words)
    if not relations or relations.isdisjoint(b.words):
        return 0
    relations = relations.intersection(b.words)
    count = 0
    for relation in relations:
        behind_a, behind_b = _behind(a, relation), _behind(b, relation)
        only_a, only_b = behind_a - behind_b, behind_b - behind_a
        count += not (only_a.isdisjoint(b.words) or only_b.isdisjoint(a.words))
    if not count and relations.issuperset(_ENDS):
        count += not (
            _behind(a, "from").isdisjoint(_behind(b, "to")) and _behind(a, "to").isdisjoint(_behind(b, "from"))
        )
    return count


def _behind(reading: Reading, relation: str) -> set[str]:
    """The words that stand next behind this one, light ones and question words passed over; of a list all."""
    found: set[str] = set()
    for at, word in enumerate(reading.words):
        if word == relation:
            found.update(_row(reading, at, _AND))
    return found


def _row(reading: Reading, at: int, joining: frozenset[str], passed: Container[str] = ()) -> list[str]:
    """The words behind this place, up to the next relation: of a list all, else only the first."""
    row: list[str] = []
    listed = False
    for place in range(at + 1, min(at + 9, len(reading.words))):
        word = reading.words[place]
        if word in joining:
            listed = True
        elif reading.kinds[place] not in _NO_ROLE:
            if word not in passed:
                row.append(word)
        elif row and reading.kinds[place] is not LIGHT:
            break
    return row if listed else row[:1]


def converse(a: Reading, b: Reading, left: list[int], right: list[int], partners: list[int]) -> tuple[int, int] | None:
    """The places of two left-over words that make one statement of both: "X before Y" and "Y after X"."""
    for at in left:
        others = CONVERSE.get(a.words[at])
        if others is None:
            continue
        for other in right:
            if b.words[other] in others:
                if _says_the_converse(a, at, b, other):
                    return at, other
                turned = [*partners]
                turned[at] = other
                for places in places_of(a, turned):
                    stretches = stretches_of(turned, places)
                    if (
                        stretches
                        and at in places[stretches[1] : stretches[2]]
                        and not _ends_in_a_choice(a, places, stretches[3])
                    ):
                        return at, other
    return None


def _says_the_converse(a: Reading, at: int, b: Reading, other: int) -> bool:
    """Whether all that stands behind the relation here stands before it there, and the other way round."""
    if "than" in a.words and "than" in b.words:
        at, other = a.words.index("than"), b.words.index("than")
    again = said_again(a.words)
    behind_a, behind_b = _row(a, at, JOINING, again), _row(b, other, JOINING, again)
    if not behind_a or not behind_b or not set(behind_a).isdisjoint(behind_b):
        return False
    return set(b.words[:other]).issuperset(behind_a) and set(a.words[:at]).issuperset(behind_b)


def _ends_in_a_choice(a: Reading, places: list[int], end: int) -> bool:
    """Whether what follows is a further member of what stands before: "X before Y or Z"."""
    if end >= len(places):
        return False
    return not JOINING.isdisjoint(a.words[places[end - 1] + 1 : places[end] + 1])


def _before(reading: Reading) -> list[str]:
    """For each word the one before it, light words passed over."""
    before: list[str] = []
    last = ""
    for word, kind in zip(reading.words, reading.kinds, strict=True):
        before.append(last)
        if kind is LIGHT or kind is FILLER:
            if word == "of":
                last = word
        # "Colder in Oslo than in Rome": Rome stands behind "than".
        elif word not in JOINING and (kind is not PLACING or last != "than"):
            last = word
    return before
