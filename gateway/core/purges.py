"""A Purge: a word of the operator's that everything *asked* before a moment is void, if it fits what the purge names.

It is a fact that stays, not an action: whatever still comes from an upstream or from another tier is compared with it.
So purges are kept until nothing they cover can exist any more, and there is a bound to how many: beyond it older ones
are put together into broader ones, which void more than was asked for, never less.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Protocol, TypeAlias

import msgspec

from gateway.core.messages import Vector

MOST_PURGES = 10_000
MOST_KEYS = 100_000
"""Tags, scopes and exact keys that all purges together name."""
MOST_SIMILAR = 100
"""Purges by similarity: each costs a comparison of vectors for every older entry of its route."""
KEYS_TOGETHER = 1_000
FOREVER = math.inf


class Asked(msgspec.Struct, frozen=True, gc=False):
    """What a purge looks at, of an answer that is still on its way; an Entry has the same."""

    route: str
    scope: bytes
    exact: bytes
    tags: tuple[str, ...]
    asked_at: float


class Purgeable(Protocol):
    """An Entry, or an Asked."""

    @property
    def route(self) -> str: ...
    @property
    def scope(self) -> bytes: ...
    @property
    def exact(self) -> bytes: ...
    @property
    def tags(self) -> tuple[str, ...]: ...
    @property
    def asked_at(self) -> float: ...


class Similar(msgspec.Struct, frozen=True):
    """Questions near this vector. `space` names the embedding space: vectors of another cannot be compared with it."""

    space: str
    vector: Vector
    at_least: float


class Purge(msgspec.Struct, frozen=True):
    """Void is what was asked before `before` and fits every part that is given: the route, any of the scopes (digests),
    any of the tags, any of the exact keys, and the similarity. `number` is its place in the log (0: not written yet);
    nothing that it covers can exist from `until` on."""

    before: float
    route: str | None = None
    scopes: frozenset[bytes] = frozenset()
    tags: frozenset[str] = frozenset()
    exact: frozenset[bytes] = frozenset()
    similar: Similar | None = None
    number: int = 0
    until: float = FOREVER

    def covers(self, asked: Purgeable, vector: Vector | None = None, space: str | None = None) -> bool:
        """Is this void? `vector` is the question's in `space` (b"": it has none, and is like no other). Where the vectors
        cannot be compared, whatever may be similar is covered."""
        if not self.covers_but_for_similarity(asked):
            return False
        similar = self.similar
        if similar is None or vector is None or space != similar.space:
            return True
        return bool(vector) and cosine(similar.vector, vector) >= similar.at_least

    def covers_but_for_similarity(self, asked: Purgeable) -> bool:
        return (
            asked.asked_at < self.before
            and (self.route is None or self.route == asked.route)
            and (not self.exact or asked.exact in self.exact)
            and (not self.scopes or asked.scope in self.scopes)
            and (not self.tags or not self.tags.isdisjoint(asked.tags))
        )

    def supersedes(self, other: Purge) -> bool:
        """Does this cover everything that the other one covers?"""
        return (
            self.before >= other.before
            and (self.route is None or self.route == other.route)
            and _is_broader(self.exact, other.exact)
            and _is_broader(self.scopes, other.scopes)
            and _is_broader(self.tags, other.tags)
            and (self.similar is None or _is_nearly(self.similar, other.similar))
        )

    @property
    def keys(self) -> int:
        """How many things it names one by one."""
        return len(self.scopes) + len(self.tags) + len(self.exact)


def cosine(one: Vector, other: Vector) -> float:
    """Of unit vectors of one size; else 1, as nothing tells them apart."""
    if len(one) != len(other):
        return 1.0
    form = f"<{len(one) // 4}f"
    return math.fsum(map(float.__mul__, struct.unpack(form, one), struct.unpack(form, other)))


def coarsen(
    purges: Iterable[Purge],
    *,
    most: int = MOST_PURGES,
    most_keys: int = MOST_KEYS,
    most_similar: int = MOST_SIMILAR,
) -> list[Purge]:
    """At most so many purges that cover at least the same, by time. Those in excess are put together: the older half of
    what names one kind of thing first, in one purge for each route, which costs no more than their exact times; then
    whole routes; then everything. What is new has the number 0."""
    kept = sorted(_without_superseded(purges), key=lambda purge: (purge.before, purge.number))
    similar = [purge for purge in kept if purge.similar is not None]
    if len(similar) > most_similar:
        kept = _together(kept, set(similar[: -most_similar // 2]), _by_route)
    if len(kept) > most:
        kept = _together(kept, set(kept[: len(kept) // 2]), _by_kind)
    for part, group in ((0.5, _by_route), (0.5, _as_one), (1.0, _by_route), (1.0, _as_one)):
        if len(kept) > most or sum(purge.keys for purge in kept) > most_keys:
            kept = _together(kept, set(kept[: math.ceil(len(kept) * part)]), group)
    return kept


def _without_superseded(purges: Iterable[Purge]) -> list[Purge]:
    """Those void by a broader and later one that names no more than a route: that is what makes many idle at once."""
    purges = list(purges)
    broad: dict[str | None, Purge] = {}
    for purge in purges:
        if _is_plain(purge) and (purge.route not in broad or broad[purge.route].before < purge.before):
            broad[purge.route] = purge
    everything = broad.pop(None, None)
    kept = [] if everything is None else [everything]
    for purge in purges:
        over = [each for each in (everything, broad.get(purge.route)) if each is not None and each is not purge]
        idle = purge is everything or (_is_plain(purge) and broad.get(purge.route) is not purge)
        if not idle and not any(each.supersedes(purge) for each in over):
            kept.append(purge)
    return kept


def _is_plain(purge: Purge) -> bool:
    return not purge.keys and purge.similar is None


Group: TypeAlias = "tuple[str | None, str]"


def _by_kind(purge: Purge) -> Group | None:
    """Alike are those that name one kind of thing only; others stay as they are."""
    kinds = [name for name in ("scopes", "tags", "exact") if getattr(purge, name)]
    return (purge.route, kinds[0]) if len(kinds) == 1 and purge.similar is None else None


def _by_route(purge: Purge) -> Group | None:
    return (purge.route, "")


def _as_one(_purge: Purge) -> Group | None:
    return (None, "")


def _together(purges: list[Purge], chosen: set[Purge], group: Callable[[Purge], Group | None]) -> list[Purge]:
    """The chosen ones put together by their groups, the others as they are, by time."""
    groups: dict[Group, list[Purge]] = {}
    kept = []
    for purge in purges:
        key = group(purge) if purge in chosen else None
        if key is None:
            kept.append(purge)
        else:
            groups.setdefault(key, []).append(purge)
    for (route, kind), members in groups.items():
        if len(members) == 1 and (kind or _is_plain(members[0])):
            kept += members
        else:
            kept += _merge(route, kind, members)
    return sorted(_without_superseded(kept), key=lambda purge: (purge.before, purge.number))


def _merge(route: str | None, kind: str, members: list[Purge]) -> Iterable[Purge]:
    """With a kind: purges that name what the members name, KEYS_TOGETHER each at most. Without: of the route."""
    if not kind:
        yield Purge(max(each.before for each in members), route, until=max(each.until for each in members))
        return
    named: dict[object, None] = {}
    for each in members:
        named |= dict.fromkeys(getattr(each, kind))
    before, until = max(each.before for each in members), max(each.until for each in members)
    things = iter(named)
    while some := frozenset(islice(things, KEYS_TOGETHER)):
        yield msgspec.structs.replace(Purge(before, route, until=until), **{kind: some})


def _is_broader(ours: frozenset[bytes] | frozenset[str], theirs: frozenset[bytes] | frozenset[str]) -> bool:
    return not ours or (bool(theirs) and ours >= theirs)


def _is_nearly(ours: Similar, theirs: Similar | None) -> bool:
    same = theirs is not None and (ours.space, ours.vector) == (theirs.space, theirs.vector)
    return same and theirs is not None and ours.at_least <= theirs.at_least
