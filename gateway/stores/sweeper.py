"""Removing rows: what expired, the longest unused beyond a route's limits, locks that ended, purges that nothing they
cover has outlived. In bounded batches, by one process at a time (an advisory lock), reading only the narrow usage table;
and writing the use counts that decide who goes first. Expired is, in the usage table, what is past its time to live and
its stale time.

Rows of the usage table are locked first, as `keep` does: the other order deadlocks. A row that was replaced meanwhile
stays: its times are looked at again once it is locked.
"""

# ruff: noqa: S608 (only numbers of semgate's own tables are put into statements, never a value)

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.stores.schema import CHORES, LOCK_CLASS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import asyncpg

    from gateway.stores.notes import Use
    from gateway.stores.postgres import Database
    from gateway.stores.schema import Connection, Space

BATCH = 1000
# More than this is left to the next sweep.
MOST_EVICTED = 100_000


class RouteLimits(NamedTuple):
    max_entries: int
    max_bytes: int


class Swept(NamedTuple):
    """Rows removed; `ours` is False where another process was already at it."""

    expired: int
    evicted: int
    ours: bool


class _Batch(NamedTuple):
    """Rows to delete. They stay if they are of use after `expired_by` or were made after `made_by`."""

    rows: Sequence[asyncpg.Record]
    expired_by: float
    made_by: float


FOREVER = float("inf")


async def write_uses(database: Database, space: Space, uses: dict[str, Use]) -> None:
    """Add hits and last uses, by entry id. Raises StoreError, and then has written none of them."""
    table = await database.table(space)
    ids = sorted(uses)
    async with database.transaction() as connection:
        await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK_CLASS}, {CHORES})")
        await connection.execute(
            f"""
            UPDATE semgate.usage u SET hits = u.hits + b.hits, last_used = greatest(u.last_used, b.last)
            FROM unnest($1::text[], $2::bigint[], $3::float8[]) AS b (id, hits, last)
            JOIN {table.entries} e ON e.id = b.id
            WHERE u.space = {table.space} AND u.exact = e.exact
            """,
            ids,
            [uses[entry_id].hits for entry_id in ids],
            [uses[entry_id].last for entry_id in ids],
        )


async def sweep(database: Database, namespace: str, limits: Mapping[str, RouteLimits], now: float) -> Swept:
    """Remove what expired by `now` (of every route, known or not), then what is beyond the limits of these routes.
    Raises StoreError."""
    expired = evicted = 0
    while (removed := await _remove_expired(database, now)) is not None:
        expired += removed
        if removed < BATCH:
            break
    else:
        return Swept(expired, 0, ours=False)
    await _remove_ended_locks(database)
    await _remove_ended_verdicts(database, now)
    await _remove_idle_purges(database, now)
    for route, over_entries, over_bytes in await _over_limits(database, namespace, limits):
        victims = await _longest_unused(database, namespace, route, over_entries, over_bytes)
        for start in range(0, len(victims), BATCH):
            rows = victims[start : start + BATCH]
            removed = await _remove(database, _Batch(rows, FOREVER, rows[-1]["last_used"]))
            if removed is None:
                return Swept(expired, evicted, ours=False)
            evicted += removed
    return Swept(expired, evicted, ours=True)


async def _remove_expired(database: Database, now: float) -> int | None:
    rows = await database.fetch(
        f"SELECT space, exact FROM semgate.usage WHERE expires_at <= $1 ORDER BY expires_at LIMIT {BATCH}", now
    )
    return await _remove(database, _Batch(rows, now, FOREVER))


async def _over_limits(
    database: Database, namespace: str, limits: Mapping[str, RouteLimits]
) -> list[tuple[str, int, int]]:
    """(route, entries beyond, bytes beyond). A little more is taken away than must be, so that a cache at its limit
    need not be sorted in each sweep."""
    async with database.transaction() as connection:
        await _read_all(connection)
        totals = await connection.fetch(
            "SELECT route, count(*) AS entries, sum(bytes)::bigint AS bytes FROM semgate.usage "
            "WHERE namespace = $1 GROUP BY route",
            namespace,
        )
    over = []
    for row in totals:
        limit = limits.get(row["route"])
        if limit is not None and (row["entries"] > limit.max_entries or row["bytes"] > limit.max_bytes):
            entries = row["entries"] - limit.max_entries + limit.max_entries // 50
            size = row["bytes"] - limit.max_bytes + limit.max_bytes // 50
            over.append(
                (
                    row["route"],
                    entries if row["entries"] > limit.max_entries else 0,
                    size if row["bytes"] > limit.max_bytes else 0,
                )
            )
    return over


async def _longest_unused(
    database: Database, namespace: str, route: str, entries: int, size: int
) -> list[asyncpg.Record]:
    """The longest unused rows that together make up so many entries and so many bytes, oldest use first."""
    async with database.transaction() as connection:
        await _read_all(connection)
        return await connection.fetch(
            f"""
            SELECT space, exact, last_used FROM (
                SELECT space, exact, last_used, bytes, row_number() OVER oldest AS nth, sum(bytes) OVER oldest AS upto
                FROM semgate.usage WHERE namespace = $1 AND route = $2
                WINDOW oldest AS (ORDER BY last_used, exact ROWS UNBOUNDED PRECEDING)
            ) AS used
            WHERE nth <= $3 OR upto - bytes < $4 ORDER BY nth LIMIT {MOST_EVICTED}
            """,
            namespace,
            route,
            entries,
            size,
        )


async def _remove(database: Database, batch: _Batch) -> int | None:
    """How many rows went; None where another process holds the sweeper's lock."""
    removed = 0
    async with database.transaction() as connection:
        if not await connection.fetchval(f"SELECT pg_try_advisory_xact_lock({LOCK_CLASS}, {CHORES})"):
            return None
        by_space: dict[int, list[bytes]] = {}
        for row in batch.rows:
            by_space.setdefault(row["space"], []).append(row["exact"])
        for space, keys in by_space.items():
            # `keep` writes usage first and the entry second; in the other order the two would wait for each other.
            locked = await connection.fetch(
                "SELECT exact FROM semgate.usage WHERE space = $1 AND exact = ANY($2) AND expires_at <= $3 "
                "ORDER BY exact FOR UPDATE",
                space,
                keys,
                batch.expired_by,
            )
            due = [row["exact"] for row in locked]
            await connection.execute(
                f"DELETE FROM semgate.entries_{space} WHERE exact = ANY($1) AND created_at <= $2", due, batch.made_by
            )
            done = await connection.execute(
                f"""
                DELETE FROM semgate.usage u WHERE space = $1 AND exact = ANY($2)
                AND NOT EXISTS (SELECT FROM semgate.entries_{space} e WHERE e.exact = u.exact)
                """,
                space,
                due,
            )
            removed += int(done.rpartition(" ")[2])
    return removed


async def _remove_ended_locks(database: Database) -> None:
    """Locks of those who died with them; by the clock that they were made by (see postgres_locks)."""
    async with database.transaction() as connection:
        await _read_all(connection)
        await connection.execute("DELETE FROM semgate.locks WHERE until <= extract(epoch FROM clock_timestamp())")


async def _remove_ended_verdicts(database: Database, now: float) -> None:
    """Of judges that nobody asked again for so long (see verdicts)."""
    async with database.transaction() as connection:
        await _read_all(connection)
        await connection.execute("DELETE FROM semgate.verdicts WHERE until <= $1", now)


async def _remove_idle_purges(database: Database, now: float) -> None:
    """Those that cover nothing that could still exist (see purge_log)."""
    async with database.transaction() as connection:
        await _read_all(connection)
        await connection.execute("DELETE FROM semgate.purges WHERE until <= $1", now)


async def _read_all(connection: Connection) -> None:
    """Reading a whole narrow table is right here; everywhere else scans are off."""
    await connection.execute("SET LOCAL enable_seqscan = on; SET LOCAL statement_timeout = '60s'")
