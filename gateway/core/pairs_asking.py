"""Left-over words that tell how something is asked, not what: "why" before a complaint, "my", "now", "any".

Pure. Each is passed over only where the other side says nothing in its stead: "my" and "his" stay, so do "now" and "later".
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from gateway.core.lexicon import ASKING, BOUND, CONTENT, MODAL, NUMBER, PERSON, PLACING, WHEN
from gateway.core.lexicon_asking import (
    DEFINING,
    EXISTING,
    FETCHING,
    FINITE,
    HELPING,
    NOT_ALL,
    PAST,
    PERFECT,
    PRESENT,
    SUBJECTS,
    UNTIL_NOW,
)
from gateway.core.lexicon_same import ALIKE
from gateway.core.pairs_reading import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

_TELLING = frozenset(("why", "howto"))
_INDEFINITE, _DOING = frozenset(("a", "an")), frozenset(("howto", "can"))
_EXACTLY = frozenset(("what", "who", "how", "why", "howto"))
_BEFORE_A_VERB = frozenset((PLACING, MODAL, WHEN, BOUND))
_NONE: frozenset[int] = frozenset()


def pass_over(a: Reading, b: Reading, left: list[int], right: list[int], inflected: int) -> tuple[int, int]:
    """Take out of `left` and `right` what only tells how it is asked. `inflected`: words found there in another form.

    Returns how many such words there were, and how many question words ("why", "how to") that ask for what the other side just
    states or wants: "my card was declined", "close my account".
    """
    over_a, over_b = {a.words[at] for at in left}, {b.words[at] for at in right}
    passed_a, passed_b = not _PASSED.isdisjoint(over_a), not _PASSED.isdisjoint(over_b)
    told = 0
    if not _TELLING.isdisjoint(over_a) or not _TELLING.isdisjoint(over_b):
        _align_how(a, left, b, right)
        told = _told(a, left, b) or _told(b, right, a)
    if not passed_a and not passed_b:
        return 0, told
    one = _Side(a, left, b, over_b, {b.kinds[at] for at in right}, inflected)
    two = _Side(b, right, a, over_a, {a.kinds[at] for at in left}, inflected)
    passed = (_take_out(one) if passed_a else 0) + (_take_out(two) if passed_b else 0)
    return passed, told


def _align_how(a: Reading, left: list[int], b: Reading, right: list[int]) -> None:
    """ "How is it closed?" and "how to close it" ask the same way."""
    one, two = ([at for at in over if reading.kinds[at] is ASKING] for reading, over in ((a, left), (b, right)))
    if len(one) == len(two) == 1 and {a.words[one[0]], b.words[two[0]]} == {"how", "howto"}:
        left.remove(one[0])
        right.remove(two[0])


def _told(reading: Reading, left: list[int], other: Reading) -> int:
    """Whether all that is asked here is why or how, of what the other side says without asking; takes the word out."""
    asked = [at for at in left if reading.kinds[at] is ASKING]
    if len(asked) != 1 or reading.words[asked[0]] not in _TELLING or not other.words or _asks(other):
        return 0
    at = asked[0]
    if reading.words[at] == "why":
        # "Why do I have to pay?" is no "I have to pay": who says that asks for no reason.
        harmless = _states(other) and not {MODAL, PERSON} & {reading.kinds[place] for place in left}
    else:
        harmless = at + 1 < len(reading.words) and _orders(other, reading.words[at + 1])
    if harmless:
        left.remove(at)
    return int(harmless)


def _asks(reading: Reading) -> bool:
    words = reading.words
    return (
        ASKING in reading.kinds
        or any(words[start] in HELPING for start in (0, *reading.parts))
        or any(one in HELPING and two in SUBJECTS for one, two in pairwise(words))
    )


def _states(reading: Reading) -> bool:
    """Whether something is or happens, not only a wish or a thing."""
    return not FINITE.isdisjoint(reading.words)


def _orders(reading: Reading, task: str) -> bool:
    """Whether the task is what is to be done: "schedule a meeting", not "my meeting schedule"."""
    groups = ALIKE.get(task, _NONE)
    for at, word in enumerate(reading.words):
        if word == task or not groups.isdisjoint(ALIKE.get(word, _NONE)):
            return not at or at in reading.parts or reading.kinds[at - 1] in _BEFORE_A_VERB
    return reading.kinds[0] is CONTENT and not _states(reading)


class _Side(msgspec.Struct, gc=False):
    """One side, its left-over places, and what is left over on the other: words and kinds."""

    reading: Reading
    left: list[int]
    other: Reading
    others: set[str]
    kinds: set[str]
    inflected: int

    def before(self, at: int) -> str:
        return self.reading.words[at - 1] if at else ""

    def counted(self) -> bool:
        """Whether the other side says instead how many or which: "another", "2"."""
        return BOUND in self.kinds or NUMBER in self.kinds


def _take_out(side: _Side) -> int:
    words = side.reading.words
    gone = [at for at in side.left if words[at] in _PASSED and _HARMLESS[words[at]](side, at)]
    gone += [at - 1 for at in gone if words[at - 1] in _TAKEN_ALONG.get(words[at], ()) and at - 1 in side.left]
    if gone:
        side.left[:] = [at for at in side.left if at not in gone]
    return len(gone)


def _owner(side: _Side, at: int) -> bool:
    """ "My" for "the", or for nothing. But "what is a limit" asks what that is, "what is my limit" how high it is."""
    if PERSON in side.kinds or side.counted():
        return False
    words = side.reading.words
    any_will_do = _INDEFINITE.isdisjoint(side.others) or not _DOING.isdisjoint(words)
    return "the" in side.others or (any_will_do and DEFINING.isdisjoint(words))


def _now(side: _Side, at: int) -> bool:
    at_other_times = WHEN in side.kinds or NUMBER in side.kinds or not PAST.isdisjoint(side.others)
    return not at_other_times and side.before(at) not in UNTIL_NOW


def _any(side: _Side, at: int) -> bool:
    """ "Is there any limit", not "can I use any machine"."""
    return not side.counted() and (not at or side.before(at) in EXISTING)


def _some(side: _Side, at: int) -> bool:
    """ "Make some coffee", not "are some cats black"."""
    return not side.counted() and at > 0 and side.before(at) not in NOT_ALL


def _exactly(side: _Side, at: int) -> bool:
    """ "What exactly", "how exactly"; "where exactly" wants more than a town."""
    return not side.counted() and at > 0 and side.before(at) in _EXACTLY


def _yet(side: _Side, at: int) -> bool:
    """In a question; "it has not come yet" says that it will."""
    return WHEN not in side.kinds and _asks(side.reading)


def _me(side: _Side, at: int) -> bool:
    """ "Book me a taxi", "book a taxi for me". But "call me", "email me the file"."""
    for_me = side.before(at) == "for" and at - 1 in side.left
    return PERSON not in side.kinds and (for_me or side.before(at) in FETCHING)


def _future(side: _Side, at: int) -> bool:
    """ "Will there be a fee", "is there a fee"; "why would it be closed" of what was closed."""
    words = side.reading.words
    if words[at] == "would" and "why" in words and not PAST.isdisjoint(side.others):
        return True
    return MODAL not in side.kinds and not PRESENT.isdisjoint(side.others)


def _past(side: _Side, at: int) -> bool:
    """ "It was closed", "it has been closed"; "did it open", "it opened"."""
    turned = side.reading.words[at] == "did" and side.inflected > 0 and PRESENT.isdisjoint(side.others)
    return MODAL not in side.kinds and (turned or not PERFECT.isdisjoint(side.others))


def _named(side: _Side, at: int) -> bool:
    """ "A box with a lid on it"."""
    return at - 1 in side.left and side.before(at) in _TAKEN_ALONG["it"]


def _whether(side: _Side, at: int) -> bool:
    """ "(Tell me) if it is open", "is it open"."""
    begins = not at or at in side.reading.parts
    return begins and ASKING not in side.other.kinds and not HELPING.isdisjoint(side.other.words)


def _always(side: _Side, at: int) -> bool:
    return True


_HARMLESS: dict[str, Callable[[_Side, int], bool]] = {
    **dict.fromkeys(("my", "our", "your"), _owner),
    "now": _now,
    "any": _any,
    "some": _some,
    "exactly": _exactly,
    "yet": _yet,
    "anymore": _always,
    "me": _me,
    **dict.fromkeys(("will", "would"), _future),
    **dict.fromkeys(PAST, _past),
    **dict.fromkeys(("it", "them"), _named),
    "if": _whether,
}
_PASSED = frozenset(_HARMLESS)
_TAKEN_ALONG = {"it": ("in", "on"), "them": ("in", "on"), "me": ("for",)}
"""What goes with such a word, standing before it."""
