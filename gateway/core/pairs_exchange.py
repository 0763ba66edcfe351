"""Whether two stretches of words have changed places around a middle: "from X to Y" and "from Y to X".

Pure. What only stands in front, or may stand anywhere, has not: "on Monday, can I ..." is "can I ... on Monday".
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from gateway.core.lexicon import CONTENT, LIGHT, MODAL, NEGATOR, NUMBER, PLACING, WHEN
from gateway.core.pairs_aligning import turned

if TYPE_CHECKING:
    from gateway.core.pairs_reading import Reading

JOINING = frozenset(("and", "or", "/", "&", "+", ","))
_EVEN = JOINING | {"is", "are", "was", "were", "be", "s", "the"}
"""Between these it does not matter which stands before and which behind: "A or B", "A is B"."""
RELATIONS = frozenset(
    (
        *("from", "to", "into", "in", "on", "at", "by", "with", "for", "of", "before", "after"),
        *("until", "since", "under", "over", "than", "between", "versus"),
        *("de", "a", "da", "di", "à", "vers", "von", "nach", "van", "naar", "desde", "hasta", "para", "verso", "bis"),
    )
)
_LEADING = frozenset(
    ("in", "on", "at", "by", "with", "for", "from", "before", "after", "until", "since", "during", "within", "under")
)
_RELATING = frozenset((PLACING, NUMBER, MODAL, NEGATOR))
_SETTING = frozenset(("in", "on", "at", "during"))
_WEIGHTY = frozenset((CONTENT, NUMBER, WHEN))


def exchanged(a: Reading, partners: list[int]) -> bool:
    """Whether, of the words that both have, two stretches have changed places around a middle: "X to Y", "Y to X"."""
    return any(_turned(a, places, partners) for places in places_of(a, partners))


def exchanged_in_a_sentence(a: Reading, b: Reading, partners: list[int]) -> bool:
    """As `exchanged`, sentence by sentence where one side has more of them, and without a phrase that only stands in front.

    "Word shows error 5. What does it mean?" is "What does error 5 in Word mean?", and "on Monday" may stand anywhere.
    """
    settings = {at for at in _in_front(a, b, partners) if partners[at] >= 0}
    behind = turned(partners, len(b.words))
    settings.update(behind[other] for other in _in_front(b, a, behind) if behind[other] >= 0)
    if settings:
        partners = [-1 if at in settings else other for at, other in enumerate(partners)]
    if len(a.parts) > len(b.parts):
        bounds = (0, *a.parts, len(a.words))
        return any(
            exchanged(a, [other if start <= at < end else -1 for at, other in enumerate(partners)])
            for start, end in pairwise(bounds)
        )
    if b.parts and len(b.parts) > len(a.parts):
        bounds = (0, *b.parts, len(b.words))
        return any(
            exchanged(a, [other if start <= other < end else -1 for other in partners])
            for start, end in pairwise(bounds)
        )
    return not settings or exchanged(a, partners)


def _in_front(reading: Reading, other: Reading, partners: list[int]) -> range:
    """The places of a phrase at the very beginning that the other side has as a whole, behind the same preposition or none."""
    if reading.kinds[0] is not PLACING or len(partners) < 2:
        return range(0)
    end = 1
    while end < len(partners) and reading.kinds[end] is LIGHT:
        end += 1
    if end == len(partners) or partners[end] < 0:
        return range(0)
    first = partners[end]
    before = first - 1
    while before >= 0 and other.kinds[before] is LIGHT:
        before -= 1
    same = before >= 0 and other.words[before] == reading.words[0]
    bare = reading.words[0] in _SETTING and (before < 0 or other.kinds[before] is not PLACING)
    if not same and not bare:
        return range(0)
    start = end
    end += 1
    while end < len(partners) and partners[end] == first + end - start and reading.kinds[end] in _WEIGHTY:
        end += 1
    return range(end)


def places_of(a: Reading, partners: list[int]) -> tuple[list[int], ...]:
    """Of the words that both have the ones that weigh, and all; but for things said twice, which stand anywhere."""
    words = a.words
    every = [at for at, other in enumerate(partners) if other >= 0]
    if len(set(words)) < len(words):
        again = said_again(words)
        every = [at for at in every if a.kinds[at] is not CONTENT or words[at] not in again]
    heavy = [at for at in every if a.kinds[at] is not LIGHT]
    return (heavy,) if len(heavy) == len(every) else (heavy, every)


def said_again(words: list[str]) -> set[str]:
    """The words that stand there more than once."""
    seen: set[str] = set()
    again: set[str] = set()
    for word in words:
        if word in seen:
            again.add(word)
        seen.add(word)
    return again


def stretches_of(partners: list[int], places: list[int]) -> tuple[int, int, int, int] | None:
    """Where three stretches begin of which the first and the last changed places, and where the last ends."""
    order = [partners[at] for at in places]
    in_order = sorted(order)
    if len(order) < 3 or order == in_order:
        return None
    rank = {other: n for n, other in enumerate(in_order)}
    ranks = [rank[other] for other in order]
    starts = [n for n, (one, next_one) in enumerate(pairwise(ranks), 1) if next_one != one + 1]
    if ranks[0] == 0:
        starts = starts[1:] if starts else starts
        first = next((n for n in range(len(ranks)) if ranks[n] != n), 0)
    else:
        first = 0
    if len(starts) < 2:
        return None
    second, third = starts[0], starts[1]
    # Three stretches, the last one first; what follows stands where it stood.
    if not ranks[first] > ranks[second] > ranks[third] == first or len(starts) > 3:
        return None
    if len(starts) == 3 and ranks[starts[2]] != starts[2]:
        return None
    return first, second, third, starts[2] if len(starts) == 3 else len(ranks)


def _turned(a: Reading, places: list[int], partners: list[int]) -> bool:
    stretches = stretches_of(partners, places)
    if stretches is None:
        return False
    first, second, third, end = stretches
    if _keeps_its_preposition(a, places[first:second]) or _keeps_its_preposition(a, places[third:end]):
        return False
    middle = [a.words[at] for at in places[second:third]]
    if _EVEN.issuperset(middle):
        return False
    # "the word X or the word Y": what stands around the "or" stands on both sides of it.
    return JOINING.isdisjoint(middle) or any(
        a.kinds[at] in _RELATING and a.words[at] not in JOINING for at in places[second:third]
    )


def _keeps_its_preposition(a: Reading, stretch: list[int]) -> bool:
    """Whether a stretch that moved says itself how it relates to the rest: "in Europe", "after lunch"."""
    return len(stretch) > 1 and a.words[stretch[0]] in _LEADING and a.words[stretch[-1]] not in RELATIONS
