"""The purges that one process knows of: is this entry void? Asked of every entry before it is served or stored.

While there are none, or none later than an entry, that is one comparison (`newest`). Otherwise purges are found by what
they name, so that ten thousand purges by tag cost an entry no more than its own few tags.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from gateway.core.messages import Entry, Vector
from gateway.core.purges import Purge, Purgeable

SPARED_REMEMBERED = 100_000


class _Marks:
    """Purges of one route, or of all of them, by one kind of thing that they name; `rest` names none."""

    __slots__ = ("exact", "newest", "rest", "scopes", "tags")

    def __init__(self) -> None:
        self.newest = 0.0
        self.exact: dict[bytes, list[Purge]] = {}
        self.tags: dict[str, list[Purge]] = {}
        self.scopes: dict[bytes, list[Purge]] = {}
        self.rest: list[Purge] = []

    def add(self, purge: Purge) -> None:
        self.newest = max(self.newest, purge.before)
        if purge.exact:
            for exact in purge.exact:
                _put(self.exact.setdefault(exact, []), purge)
        elif purge.tags:
            for tag in purge.tags:
                _put(self.tags.setdefault(tag, []), purge)
        elif purge.scopes:
            for scope in purge.scopes:
                _put(self.scopes.setdefault(scope, []), purge)
        else:
            _put(self.rest, purge)

    def that_may_cover(self, asked: Purgeable) -> list[Purge]:
        found = [*self.rest]
        if self.exact:
            found += self.exact.get(asked.exact, ())
        if self.scopes:
            found += self.scopes.get(asked.scope, ())
        if self.tags:
            for tag in asked.tags:
                found += self.tags.get(tag, ())
        return found


class Purges:
    """Of all routes. `newest`: what was asked then or later is not void; 0 while there are none."""

    def __init__(self) -> None:
        self.newest = 0.0
        self._of: dict[str | None, _Marks] = {}
        self._spared: OrderedDict[str, None] = OrderedDict()

    def add(self, purges: Iterable[Purge]) -> None:
        """In effect from the next look on."""
        for purge in purges:
            self._of.setdefault(purge.route, _Marks()).add(purge)
            self.newest = max(self.newest, purge.before)
            if purge.similar is not None:
                self._spared.clear()

    def replace(self, purges: Iterable[Purge]) -> None:
        """These instead of all there were."""
        self.newest = 0.0
        self._of.clear()
        self.add(purges)

    def covers(self, asked: Purgeable, vector: Vector | None = None, space: str | None = None) -> bool:
        """Is this void? As `Purge.covers`: what may be similar is, as long as nobody has compared its vector."""
        return asked.asked_at < self.newest and any(purge.covers(asked, vector, space) for purge in self._near(asked))

    def voids(self, entry: Entry) -> bool | None:
        """Is this entry void? None: that depends on its vector, which nobody has compared yet."""
        if entry.asked_at >= self.newest:
            return False
        covering = [purge for purge in self._near(entry) if purge.covers(entry)]
        if any(purge.similar is None for purge in covering):
            return True
        return None if covering and entry.id not in self._spared else False

    def spare(self, entry: Entry) -> None:
        """Its vector was compared with all purges that there are now, and it is not void."""
        self._spared[entry.id] = None
        if len(self._spared) > SPARED_REMEMBERED:
            self._spared.popitem(last=False)

    def _near(self, asked: Purgeable) -> list[Purge]:
        found: list[Purge] = []
        for route in (None, asked.route):
            marks = self._of.get(route)
            if marks is not None and asked.asked_at < marks.newest:
                found += marks.that_may_cover(asked)
        return found


def _put(purges: list[Purge], purge: Purge) -> None:
    """Only what the new one leaves anything to."""
    purges[:] = [each for each in purges if not purge.supersedes(each)]
    purges.append(purge)
