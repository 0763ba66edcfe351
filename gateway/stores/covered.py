"""The rows that a purge covers: counting and removing them, in one space's table.

The same words for both, so that a dry run counts what would go. Rows are removed in bounded batches under the sweeper's
lock, the rows of the usage table first, as everybody does who writes both.
"""

# ruff: noqa: S608 (only the names of semgate's own tables are put into statements, never a value)

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.stores.schema import CHORES, LOCK_CLASS

if TYPE_CHECKING:
    from gateway.core.purges import Purge
    from gateway.stores.postgres import Database, Value
    from gateway.stores.schema import Connection, Space, Table

BATCH = 1000
READ_AT_ONCE = 10_000


class Covered(NamedTuple):
    """The condition on a row of one table, and its values from $1 on."""

    table: Table
    condition: str
    values: list[Value]


def covered(purge: Purge, namespace: str, space: Space, table: Table) -> Covered | None:
    """None where it covers no row of this table. Of a purge by similarity that holds for the tables of other spaces: their
    vectors say nothing here, and no look-up of this purge's route reads them."""
    values: list[Value] = [namespace, purge.before]
    # What is named one by one has an index of its own; the one that begins with the namespace would be read whole.
    conditions = ["(namespace = $1) IS TRUE" if purge.keys else "namespace = $1", "asked_at < $2"]

    def demand(condition: str, value: Value) -> None:
        values.append(value)
        conditions.append(condition.format(f"${len(values)}"))

    if purge.route is not None:
        demand("route = {}", purge.route)
    if purge.scopes:
        demand("scope = ANY({})", sorted(purge.scopes))
    if purge.tags:
        conditions.append("tags <> '{}'")  # in the words of the index on them
        demand("tags && {}", sorted(purge.tags))
    if purge.exact:
        demand("exact = ANY({})", sorted(purge.exact))
    if purge.similar is not None:
        if (space.identity, space.dimensions) != (purge.similar.space, len(purge.similar.vector) // 4):
            return None
        conditions.append("embedding IS NOT NULL")
        demand(f"1 - (embedding {table.distance} {{}}) >= ", purge.similar.vector)
        values.append(purge.similar.at_least)
        conditions[-1] += f"${len(values)}"
    return Covered(table, " AND ".join(conditions), values)


async def count(connection: Connection, rows: Covered, now: float) -> int:
    """How many of them are still of use."""
    found = await connection.fetchval(
        f"""
        SELECT count(*) FROM {rows.table.entries} e WHERE {rows.condition} AND EXISTS (
            SELECT FROM semgate.usage u
            WHERE u.space = {rows.table.space} AND u.exact = e.exact AND u.expires_at > ${len(rows.values) + 1}
        )
        """,
        *rows.values,
        now,
    )
    return int(found)


async def keys_of(database: Database, rows: Covered) -> list[bytes]:
    """The keys of some of them, READ_AT_ONCE at most. Raises StoreError."""
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL statement_timeout = '60s'")
        found = await connection.fetch(
            f"SELECT exact FROM {rows.table.entries} WHERE {rows.condition} LIMIT {READ_AT_ONCE}", *rows.values
        )
    return [row["exact"] for row in found]


async def remove(database: Database, rows: Covered, keys: list[bytes], now: float) -> tuple[list[bytes], int]:
    """Of the rows with these keys (at most BATCH) those that are still covered. Which went, and how many of them were
    still of use. Raises StoreError."""
    table, nth = rows.table, len(rows.values) + 1
    async with database.writing, database.transaction() as connection:
        await connection.execute("SET LOCAL statement_timeout = '60s'")
        await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK_CLASS}, {CHORES})")
        used = await connection.fetch(
            "SELECT exact, expires_at FROM semgate.usage WHERE space = $1 AND exact = ANY($2) ORDER BY exact FOR UPDATE",
            table.space,
            keys,
        )
        gone = await connection.fetch(
            f"DELETE FROM {table.entries} WHERE exact = ANY(${nth}) AND {rows.condition} RETURNING exact",
            *rows.values,
            keys,
        )
        removed = [row["exact"] for row in gone]
        await connection.execute("DELETE FROM semgate.usage WHERE space = $1 AND exact = ANY($2)", table.space, removed)
    of_use = {row["exact"] for row in used if row["expires_at"] > now}
    return removed, len(of_use.intersection(removed))
