"""Removing what programs put by hand: one row by its id, those of a scope that have certain labels, or all of a scope.

Such rows are nowhere but in PostgreSQL, so a row that is gone is gone for everybody at once, and no word of it has to be
kept as of a purge. Rows go in bounded batches; what is cut off leaves the rest, and does not say that it is done.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gateway.stores import covered
from gateway.stores.covered import Covered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.core.purges import Purge
    from gateway.stores.postgres import Database, Value
    from gateway.stores.purge_log import OnRemoved, PurgeLog
    from gateway.stores.schema import Table


class ShelfRemoval:
    """Of one namespace. Every method may raise StoreError."""

    def __init__(
        self,
        database: Database,
        log: PurgeLog,
        *,
        namespace: str,
        on_removed: OnRemoved,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives Unix seconds."""
        self._database = database
        self._log = log
        self._namespace = namespace
        self._on_removed = on_removed
        self._clock = clock

    async def remove(self, route: str, entry_id: str, scope: bytes | None, labels: Sequence[bytes]) -> bool:
        """One entry of a route; of this scope, where one is given, and with all of these labels."""
        condition = "id = $3 AND (scope = $4 OR $4 IS NULL) AND labels @> $5"
        return await self._remove(route, condition, [entry_id, scope, list(labels)]) > 0

    async def remove_labelled(self, route: str, scope: bytes, labels: Sequence[bytes]) -> int:
        """Those of a scope that have all of these labels, one at least. How many of them were still of use."""
        return await self._remove(
            route, "labels @> $3 AND labels <> '{}' AND (scope = $4) IS TRUE", [list(labels), scope]
        )

    async def remove_scope(self, route: str, scope: bytes) -> int:
        """All that is in a scope. How many were still of use."""
        return await self._remove(route, "scope = $3", [scope])

    async def purge(self, purge: Purge) -> int:
        """A purge like an operator's; how many entries of use went now."""
        return (await self._log.purge(purge)).removed

    async def _remove(self, route: str, condition: str, values: list[Value]) -> int:
        removed = 0
        for _space, table in await self._database.all_tables():
            rows = self._rows(table, route, condition, values)
            while keys := await covered.keys_of(self._database, rows):
                for start in range(0, len(keys), covered.BATCH):
                    batch = keys[start : start + covered.BATCH]
                    gone, of_use = await covered.remove(self._database, rows, batch, self._clock())
                    if gone:
                        await self._on_removed(gone)
                    removed += of_use
        return removed

    def _rows(self, table: Table, route: str, condition: str, values: list[Value]) -> Covered:
        """In the words of no index but that on the ids, on the labels, or on the scope."""
        return Covered(
            table,
            f"(namespace = $1) IS TRUE AND (route = $2) IS TRUE AND (words IS NOT NULL) IS TRUE AND {condition}",
            [self._namespace, route, *values],
        )
