"""Whether a passive on one side says what the active on the other says: "books that were lent by Ann", "books Ann lent".

Pure. Who acts stands behind "by" in the one and before the verb in the other; behind the verb he is acted upon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.lexicon import ASKING, CONTENT, LIGHT, NUMBER, PERSON, PLACING

if TYPE_CHECKING:
    from gateway.core.pairs_reading import Reading

_BEING = frozenset(("is", "are", "was", "were", "be", "been", "being", "get", "got"))
_WAS = frozenset(("was", "were"))
_DID = frozenset(("did",))
_REACH = 5
"""Words before "by" among which its verb is looked for."""


def same_actor(
    passive: Reading, left: list[int], active: Reading, other_left: list[int], partners: list[int]
) -> bool | None:
    """Whether the same one acts; None where no passive is found. What only makes it a passive leaves `left`.

    Args:
        left: the passive's words without partner, `other_left` the active's.
        partners: for each word of the passive the place of its partner, or -1.
    """
    by = passive.words.index("by")
    verb = _verb(passive, by, partners) if by in left else -1
    actor = _actor(passive, by, partners) if verb >= 0 else -1
    if actor < 0:
        return None
    acts, does = partners[actor], partners[verb]
    if acts > does:
        before = acts - 1
        while before > does and (active.kinds[before] is LIGHT or active.kinds[before] is PERSON):
            before -= 1
        return None if active.kinds[before] is PLACING else False
    left.remove(by)
    past = [at for at in left if passive.words[at] in _WAS]
    told = [at for at in other_left if active.words[at] in _DID]
    if past and (told or passive.words[verb] == active.words[does]):
        left.remove(past[0])
        if told:
            other_left.remove(told[0])
    return True


def _verb(passive: Reading, by: int, partners: list[int]) -> int:
    """The place of what is done; behind "by whom" it stands last."""
    asked = by + 1 < len(passive.words) and passive.kinds[by + 1] is ASKING
    places = list(range(by - 1, max(by - 1 - _REACH, 0), -1))
    if asked:
        places.extend(range(len(passive.words) - 1, by + 1, -1))
    for at in places:
        done = passive.words[at].endswith("ed") or (at > 0 and passive.words[at - 1] in _BEING)
        if done and partners[at] >= 0 and passive.kinds[at] is CONTENT:
            return at
    return -1


def _actor(passive: Reading, by: int, partners: list[int]) -> int:
    for at in range(by + 1, min(by + 4, len(passive.words))):
        if partners[at] >= 0 and passive.kinds[at] in (CONTENT, ASKING, NUMBER):
            return at
    return -1
