"""Giving a graph to partitions that outgrew exact scans, and taking it from those that shrank.

A partition's rows are marked, its graph is built over them, and one row in `semgate.promoted` switches the partition
over; until then they are scanned exactly. New rows of a promoted partition start outside as all do (an insert costs
0.15 ms there, 2-4 ms in the graph), are scanned exactly, and follow in batches. One process at a time does any of it.
"""

# ruff: noqa: S608 (only the names of semgate's own tables are put into statements, never a value)

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.stores import graph
from gateway.stores.schema import LOCK_CLASS, PROMOTE

if TYPE_CHECKING:
    from gateway.stores.postgres import Database
    from gateway.stores.schema import Connection, Space, Table

BATCH = 100
# Each graph makes every insert into the table a little dearer (its condition is looked at): 0.15 ms become 0.22 with 64.
MOST_GRAPHS = 64


class Promotion:
    def __init__(self, database: Database, promote_at: int, *, most_graphs: int = MOST_GRAPHS) -> None:
        """`promote_at`: rows outside a graph from which a partition gets one. One that has it takes a tenth of that at
        a time; one that shrank to half loses it. At most `most_graphs` partitions of a space have one: further ones
        are scanned exactly."""
        self._database = database
        self._promote_at = promote_at
        self._tail = max(1, promote_at // 10)
        self._most_graphs = most_graphs

    async def of_grown(self) -> int:
        """Look at the partitions that this process saw grow. Rows moved; raises StoreError."""
        moved = 0
        for space, partition in self._database.notes.take_grown(self._tail):
            moved += await self.of_partition(space, partition)
        return moved

    async def of_space(self, space: Space) -> int:
        """Look at all partitions of a space, which reads an index of it whole: for what grew or shrank unseen, and
        graphs built with other settings than today's. Rows moved; raises StoreError."""
        table = await self._database.table(space)
        if table.dimensions is None:
            return 0
        async with self._database.transaction() as connection:
            await connection.execute("SET LOCAL enable_seqscan = on; SET LOCAL statement_timeout = '120s'")
            rows = await connection.fetch(
                f"""
                SELECT partition, true AS ready FROM semgate.promoted WHERE space = {table.space}
                UNION ALL
                (SELECT partition, false FROM {table.entries} WHERE NOT promoted AND embedding IS NOT NULL
                 GROUP BY partition HAVING count(*) >= $1 ORDER BY count(*) DESC LIMIT 1000)
                """,
                self._tail,
            )
        moved = 0
        for partition in dict.fromkeys(row["partition"] for row in rows):
            moved += await self.of_partition(space, partition)
        async with self._database.dedicated() as connection:
            if await _try_lock(connection):
                for partition in await self._database.learn_graphs(space):
                    await graph.build(connection, table, partition, self._database.graph)
        return moved

    async def of_partition(self, space: Space, partition: bytes) -> int:
        """Move what is due, in or out. Rows moved; raises StoreError."""
        table = await self._database.table(space)
        rows = await self._database.fetch(
            f"""
            SELECT EXISTS (SELECT FROM semgate.promoted WHERE space = {table.space} AND partition = $1) AS ready,
            (SELECT count(*) FROM semgate.promoted WHERE space = {table.space}) AS graphs,
            count(*) FILTER (WHERE promoted) AS inside, count(*) FILTER (WHERE NOT promoted) AS outside
            FROM {table.entries} WHERE partition = $1 AND embedding IS NOT NULL
            """,
            partition,
        )
        ready, inside, outside = rows[0]["ready"], rows[0]["inside"], rows[0]["outside"]
        if ready and inside + outside < self._promote_at // 2:
            moved = await self._leave(table, partition)
        elif ready and outside >= self._tail:
            moved = await self._mark(table, partition, into=True)
        elif not ready and inside + outside >= self._promote_at and rows[0]["graphs"] < self._most_graphs:
            moved = await self._enter(table, partition)
        else:
            return 0
        await self._database.learn_graphs(space)
        return moved

    async def _enter(self, table: Table, partition: bytes) -> int:
        moved = await self._mark(table, partition, into=True)
        async with self._database.dedicated() as connection:
            if not await _try_lock(connection):
                return moved
            await graph.build(connection, table, partition, self._database.graph)
            await connection.execute(
                f"INSERT INTO semgate.promoted VALUES ({table.space}, $1) ON CONFLICT DO NOTHING", partition
            )
        return moved

    async def _leave(self, table: Table, partition: bytes) -> int:
        async with self._database.dedicated() as connection:
            if not await _try_lock(connection):
                return 0
            # Scanned exactly from here on, wherever its rows are.
            await connection.execute(
                f"DELETE FROM semgate.promoted WHERE space = {table.space} AND partition = $1", partition
            )
            await graph.drop(connection, table, partition)
        return await self._mark(table, partition, into=False)

    async def _mark(self, table: Table, partition: bytes, *, into: bool) -> int:
        """In small transactions: where the graph is built already, each row in it takes some milliseconds."""
        moved = 0
        while True:
            async with self._database.transaction() as connection:
                await connection.execute("SET LOCAL statement_timeout = '120s'")
                if not await connection.fetchval(f"SELECT pg_try_advisory_xact_lock({LOCK_CLASS}, {PROMOTE})"):
                    return moved
                done = await mark_batch(connection, table, partition, into=into)
            moved += done
            if done < BATCH:
                return moved


async def mark_batch(connection: Connection, table: Table, partition: bytes, *, into: bool) -> int:
    done = await connection.execute(
        f"""
        UPDATE {table.entries} SET promoted = $2 WHERE exact IN (
            SELECT exact FROM {table.entries} WHERE partition = $1 AND promoted = NOT $2 AND embedding IS NOT NULL
            LIMIT {BATCH} FOR UPDATE SKIP LOCKED
        )
        """,
        partition,
        into,
    )
    return int(done.rpartition(" ")[2])


async def _try_lock(connection: Connection) -> bool:
    """Held until the connection closes."""
    return bool(await connection.fetchval(f"SELECT pg_try_advisory_lock({LOCK_CLASS}, {PROMOTE})"))
