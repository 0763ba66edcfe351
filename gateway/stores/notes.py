"""What the fast path leaves behind for upkeep: which entries were used, and which partitions grew. Bounded; no I/O.

Noting costs a dict operation. Beyond the bound, uses of further entries are not counted until the next flush, and the
partition that grew longest ago is forgotten (a slow scan finds it later).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gateway.stores.schema import Space

MOST_USES = 100_000
MOST_PARTITIONS = 10_000


class Use(NamedTuple):
    hits: int
    last: float


class Notes:
    def __init__(self) -> None:
        self._uses: dict[tuple[Space, str], Use] = {}
        self._grown: OrderedDict[tuple[Space, bytes], int] = OrderedDict()

    def used(self, space: Space, entry_id: str, at: float) -> None:
        self._add_use((space, entry_id), Use(1, at))

    def grew(self, space: Space, partition: bytes) -> None:
        key = (space, partition)
        self._grown[key] = self._grown.get(key, 0) + 1
        self._grown.move_to_end(key)
        if len(self._grown) > MOST_PARTITIONS:
            self._grown.popitem(last=False)

    def take_uses(self) -> dict[Space, dict[str, Use]]:
        """All uses noted since the last time, by space and entry id."""
        taken, self._uses = self._uses, {}
        by_space: dict[Space, dict[str, Use]] = {}
        for (space, entry_id), use in taken.items():
            by_space.setdefault(space, {})[entry_id] = use
        return by_space

    def give_back(self, space: Space, uses: dict[str, Use]) -> None:
        """Uses that could not be written now."""
        for entry_id, use in uses.items():
            self._add_use((space, entry_id), use)

    def take_grown(self, at_least: int) -> list[tuple[Space, bytes]]:
        """Partitions that took at least so many new rows since they were last taken."""
        taken = [key for key, rows in self._grown.items() if rows >= at_least]
        for key in taken:
            del self._grown[key]
        return taken

    def _add_use(self, key: tuple[Space, str], use: Use) -> None:
        known = self._uses.get(key)
        if known is not None:
            self._uses[key] = Use(known.hits + use.hits, max(known.last, use.last))
        elif len(self._uses) < MOST_USES:
            self._uses[key] = use
