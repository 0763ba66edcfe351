"""What was purged, as PostgreSQL remembers it: written by whoever purges, heard by every process.

A purge is in effect once its row is committed; that the rows it covers are then removed only saves space, and goes on by
itself if it is cut off. Processes hear of it by NOTIFY, and look every POLL_SECONDS in case nothing was heard. A process
that has not heard yet may still store what is void: such rows are passed over by look-ups, and a second round removes
them when everybody must have heard.
"""

# ruff: noqa: S608 (only the names of semgate's own tables and locks are put into statements, never a value)

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

import msgspec

from gateway.core.purges import MOST_KEYS, MOST_PURGES, MOST_SIMILAR, Purge, Similar, coarsen
from gateway.errors import StoreError
from gateway.stores import covered
from gateway.stores.schema import LOCK_CLASS, PURGE, SETTLE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    import asyncpg

    from gateway.stores.postgres import Database
    from gateway.stores.schema import Connection

CHANNEL = "semgate_purges"
POLL_SECONDS = 15.0
# When everybody has heard, and has stored what was on its way then.
SETTLE_SECONDS = 60.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
DAY = 86400.0
# Entries that PostgreSQL does not know of (it was down when they were kept) must have expired by then, too.
KEPT_AT_LEAST = 7 * DAY

COLUMNS = "number, before, route, scopes, tags, exact, space, vector, at_least, until"

Mark: TypeAlias = tuple[int, float]


class Purged(NamedTuple):
    """`number` in the log; `removed`: rows that were still of use. Not `complete`: it is in effect, but PostgreSQL failed
    while rows were removed, and the rest of them goes later."""

    number: int
    removed: int
    complete: bool


class Heard(Protocol):
    async def __call__(self, purges: Sequence[Purge], whole: bool) -> None:
        """These are in effect from now on; `whole`: these only."""


class OnRemoved(Protocol):
    async def __call__(self, keys: Sequence[bytes], /) -> None:
        """Rows with these exact keys were removed, so other tiers may let go of them. Raises nothing."""


class PurgeLog:
    """That of one namespace, in one process."""

    def __init__(
        self,
        database: Database,
        *,
        namespace: str,
        heard: Heard,
        on_removed: OnRemoved | None = None,
        clock: Callable[[], float] = time.time,
        poll_seconds: float = POLL_SECONDS,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        """`clock` gives Unix seconds."""
        self._database = database
        self._namespace = namespace
        self._heard = heard
        self._on_removed = on_removed
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._settle_seconds = settle_seconds
        self._known: dict[Mark, Purge] = {}
        self._loading = asyncio.Lock()
        self._pause = FIRST_PAUSE

    async def purge(self, purge: Purge) -> Purged:
        """Put a purge into effect and remove the rows it covers. Raises StoreError where it is not in effect at all."""
        now = self._clock()
        mark, purge = await self._write(purge, now)
        self._known[mark] = purge
        await self._heard([purge], whole=False)
        removed = 0
        try:
            async for some in self._remove_covered(purge):
                removed += some
        except StoreError:
            return Purged(purge.number, removed, complete=False)
        return Purged(purge.number, removed, complete=True)

    async def remove(self, entry_id: str) -> bool:
        """Purge one entry, wherever it is. False where there is none with this id. Raises StoreError."""
        for _space, table in await self._database.all_tables():
            rows = await self._database.fetch(
                f"SELECT exact, route FROM {table.entries} WHERE id = $1 AND namespace = $2", entry_id, self._namespace
            )
            for row in rows:
                await self.purge(Purge(self._clock(), row["route"], exact=frozenset([row["exact"]])))
                return True
        return False

    async def load(self) -> None:
        """Hear of what others have written, and forget what is no more. Raises StoreError."""
        async with self._loading:
            found = await self._database.fetch(
                "SELECT number, made_at FROM semgate.purges WHERE namespace = $1", self._namespace
            )
            marks = {(row["number"], row["made_at"]) for row in found}
            unknown = [number for number, made_at in marks if (number, made_at) not in self._known]
            if unknown:
                rows = await self._database.fetch(
                    f"SELECT {COLUMNS}, made_at FROM semgate.purges WHERE number = ANY($1) ORDER BY number", unknown
                )
                new = {(row["number"], row["made_at"]): _purge(row) for row in rows}
                self._known |= new
                await self._heard(list(new.values()), whole=False)
            gone = self._known.keys() - marks
            # What is no more covers nothing that exists, so there is no hurry; but made anew, the list costs time.
            if gone and 2 * len(gone) >= len(self._known):
                self._known = {mark: purge for mark, purge in self._known.items() if mark in marks}
                await self._heard(list(self._known.values()), whole=True)

    async def follow(self, on_trouble: Callable[[StoreError], None]) -> None:
        """Hear of every purge, until cancelled. Without a connection to listen on, look all the same."""
        while True:
            try:
                async with self._database.dedicated("semgate purges") as connection:
                    await self._listen(connection)
            except StoreError as trouble:
                on_trouble(trouble)
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
            with suppress(StoreError):  # of the same database, whose trouble was told just now
                await self.load()

    async def _listen(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        """Until the connection is lost. Raises StoreError, and what asyncpg raises."""
        woken = asyncio.Event()
        await connection.add_listener(CHANNEL, lambda *_: woken.set())
        connection.add_termination_listener(lambda *_: woken.set())
        looked = time.monotonic()
        while not connection.is_closed():
            woken.clear()
            await self.load()
            self._pause = FIRST_PAUSE
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds):
                    await woken.wait()
            if time.monotonic() - looked >= self._poll_seconds and not connection.is_closed():
                # Also tells a connection from one whose other end went without a word.
                await connection.execute("SELECT 1", timeout=self._poll_seconds)
                await self._settle(connection)
                looked = time.monotonic()

    async def _settle(self, connection: Connection) -> None:
        """The second round; by one process at a time, as long as it has this connection."""
        due = await self._database.fetch(
            f"SELECT {COLUMNS} FROM semgate.purges WHERE namespace = $1 AND NOT settled AND made_at <= $2 "
            "ORDER BY number LIMIT 100",
            self._namespace,
            self._clock() - self._settle_seconds,
        )
        if not due or not await connection.fetchval(f"SELECT pg_try_advisory_lock({LOCK_CLASS}, {SETTLE})"):
            return
        try:
            for row in due:
                async for _ in self._remove_covered(_purge(row)):
                    pass
                await self._database.fetch("UPDATE semgate.purges SET settled = true WHERE number = $1", row["number"])
        finally:
            await connection.execute(f"SELECT pg_advisory_unlock({LOCK_CLASS}, {SETTLE})")

    async def _remove_covered(self, purge: Purge) -> AsyncIterator[int]:
        """Counts, batch by batch, of the rows that were still of use."""
        for space, table in await self._database.all_tables():
            rows = covered.covered(purge, self._namespace, space, table)
            if rows is None:
                continue
            while keys := await covered.keys_of(self._database, rows):
                for start in range(0, len(keys), covered.BATCH):
                    batch = keys[start : start + covered.BATCH]
                    gone, of_use = await covered.remove(self._database, rows, batch, self._clock())
                    if gone and self._on_removed is not None:
                        await self._on_removed(gone)
                    yield of_use

    async def _write(self, purge: Purge, now: float) -> tuple[Mark, Purge]:
        async with self._database.transaction() as connection:
            await connection.execute("SET LOCAL statement_timeout = '30s'")
            # One at a time, so that none is put together with others before it is seen.
            await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK_CLASS}, {PURGE})")
            last = await connection.fetchval("SELECT max(expires_at) FROM semgate.usage") or 0.0
            # By then what is there now has expired, and whatever was asked before has long been answered.
            written = msgspec.structs.replace(purge, until=max(now + KEPT_AT_LEAST, last) + DAY)
            number = await self._insert(connection, written, now)
            await self._bound(connection, now)
            await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, str(number))
        return (number, now), msgspec.structs.replace(written, number=number)

    async def _insert(self, connection: Connection, purge: Purge, now: float) -> int:
        similar = purge.similar
        number = await connection.fetchval(
            "INSERT INTO semgate.purges (namespace, before, route, scopes, tags, exact, space, vector, at_least, made_at, "
            "until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING number",
            self._namespace,
            purge.before,
            purge.route,
            sorted(purge.scopes),
            sorted(purge.tags),
            sorted(purge.exact),
            None if similar is None else similar.space,
            None if similar is None else similar.vector,
            None if similar is None else similar.at_least,
            now,
            purge.until,
        )
        return int(number)

    async def _bound(self, connection: Connection, now: float) -> None:
        """Put the older ones together where there are too many."""
        counted = await connection.fetchrow(
            "SELECT count(*) AS purges, count(vector) AS similar, coalesce(sum(cardinality(scopes) + cardinality(tags) "
            "+ cardinality(exact)), 0) AS keys FROM semgate.purges WHERE namespace = $1",
            self._namespace,
        )
        assert counted is not None
        if counted["purges"] <= MOST_PURGES and counted["keys"] <= MOST_KEYS and counted["similar"] <= MOST_SIMILAR:
            return
        rows = await connection.fetch(f"SELECT {COLUMNS} FROM semgate.purges WHERE namespace = $1", self._namespace)
        bounded = await asyncio.to_thread(coarsen, [_purge(row) for row in rows])
        stay = {purge.number for purge in bounded}
        await connection.execute(
            "DELETE FROM semgate.purges WHERE number = ANY($1)",
            [row["number"] for row in rows if row["number"] not in stay],
        )
        for purge in bounded:
            if purge.number == 0:
                await self._insert(connection, purge, now)


def _purge(row: asyncpg.Record) -> Purge:
    similar = None if row["vector"] is None else Similar(row["space"], row["vector"], row["at_least"])
    return Purge(
        before=row["before"],
        route=row["route"],
        scopes=frozenset(row["scopes"]),
        tags=frozenset(row["tags"]),
        exact=frozenset(row["exact"]),
        similar=similar,
        number=row["number"],
        until=row["until"],
    )
