"""Short locks in PostgreSQL: a lease is one row of an unlogged table, taken and given back by one statement each.

Session advisory locks were rejected: each would hold one of the few connections for as long as an upstream takes.
The only clock is the server's own. A lease that ended may be taken by anybody; what nobody takes, the sweeper removes.
"""

# ruff: noqa: S608 (only the clock is put into statements, never a value)

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.stores.postgres import Database

TOKEN_BYTES = 16

NOW = "extract(epoch FROM clock_timestamp())::float8"

# A statement whose connection died is run again, so a lease with one's own token is as good as none.
ACQUIRE = f"""
    INSERT INTO semgate.locks AS held (key, token, until) VALUES ($1, $2, {NOW} + $3)
    ON CONFLICT (key) DO UPDATE SET (token, until) = ($2, {NOW} + $3) WHERE held.until <= {NOW} OR held.token = $2
    RETURNING token
    """
RELEASE = "DELETE FROM semgate.locks WHERE key = $1 AND token = $2"


class PostgresLocks:
    """A Locks. Cheap to make: the connections are the database's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def acquire(self, key: bytes, seconds: float) -> bytes | None:
        token = os.urandom(TOKEN_BYTES)
        return token if await self._database.fetch(ACQUIRE, key, token, seconds) else None

    async def release(self, key: bytes, token: bytes) -> None:
        await self._database.fetch(RELEASE, key, token)
