"""Tables as they are after weeks of use, filled by COPY: rows that the gateway takes for its own, in its partitions."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

import asyncpg
import msgspec
import numpy as np
from floors.upstream import BODY
from machine import CORES, OTHERS, pin
from recall import entry, load
from servers import Servers

from gateway.core.messages import Entry
from gateway.stores.postgres import Database
from gateway.stores.schema import Space, Table


class Partition(msgspec.Struct, frozen=True):
    """As the gateway made it when it stored an answer."""

    partition: bytes
    scope: bytes


async def table_of(servers: Servers, route: str) -> tuple[Table, Space]:
    """The table that the gateway keeps a route's entries in."""
    connection = await asyncpg.connect(servers.postgres)
    try:
        schema = await connection.fetchval(
            "SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'vector'"
        )
        for row in await connection.fetch("SELECT id, identity, dimensions FROM semgate.spaces"):
            table = Table(row["id"], f"entries_{row['id']}", schema, row["dimensions"])
            if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table.entries} WHERE route = $1)", route):
                return table, Space(row["identity"], row["dimensions"])
    finally:
        await connection.close()
    raise RuntimeError(f"the gateway stored nothing for route {route!r}")


async def partitions_of(servers: Servers, table: Table, route: str) -> list[Partition]:
    connection = await asyncpg.connect(servers.postgres)
    try:
        rows = await connection.fetch(f"SELECT DISTINCT partition, scope FROM {table.entries} WHERE route = $1", route)
    finally:
        await connection.close()
    return [Partition(row["partition"], row["scope"]) for row in rows]


async def rows_of(servers: Servers, table: Table, route: str) -> int:
    connection = await asyncpg.connect(servers.postgres)
    try:
        return int(await connection.fetchval(f"SELECT count(*) FROM {table.entries} WHERE route = $1", route))
    finally:
        await connection.close()


async def fill(
    servers: Servers, space: Space, route: str, rows: Iterable[tuple[Partition, np.ndarray]], *, promoted: bytes | None
) -> None:
    """Store one answer beside each vector (float32, unit length). PostgreSQL may use all cores meanwhile."""
    postmaster = servers.postmaster
    os.sched_setaffinity(0, CORES)
    pin(postmaster, set(CORES))
    try:
        pairs = [(_entry(route, place, number), vector.tobytes()) for number, (place, vector) in enumerate(rows)]
        database = Database(servers.postgres)
        table = await database.table(space)
        await load(database, space, servers.codec, pairs, promoted=promoted)
        await database.close()
        connection = await asyncpg.connect(servers.postgres)
        # What autovacuum and the checkpointer would do in the middle of a measurement.
        await connection.execute(f"VACUUM (ANALYZE) {table.entries}")
        await connection.execute("CHECKPOINT")
        await connection.close()
    finally:
        os.sched_setaffinity(0, OTHERS)
        pin(postmaster, OTHERS)


def _entry(route: str, place: Partition, number: int) -> Entry:
    made = entry(place.partition, number, BODY)
    return msgspec.structs.replace(made, route=route, scope=place.scope, expires_at=time.time() + 86400)
