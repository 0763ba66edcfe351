"""What clients used, in PostgreSQL: the last minute (where no Redis counts it) and the dollars of a month (always).

A minute is one row for each client, changed by one statement that looks and counts at once: the row's lock lets one
after the other look. The only clock is the server's own. A month's dollars outlive a crash but for the last moments
(the commit is not waited for), and what is booked while a connection breaks may be booked twice.
"""

# ruff: noqa: S608 (only fixed expressions are put into statements, never a value)

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.quota import SLOT_SECONDS, SLOTS, Usage

if TYPE_CHECKING:
    from gateway.core.quota import Counts, Limits
    from gateway.stores.postgres import Database

# The same all through a statement, however long it waited for the row.
_NOW = "extract(epoch FROM statement_timestamp())::float8"
_SIZE = SLOTS + 1
_EMPTY = f"array_fill(0::bigint, ARRAY[{_SIZE}])"
_REST = f"array_fill(0::bigint, ARRAY[{SLOTS}])"

# What there was, moved on to the slot that it is now: who waited, or a clock that went back a little, moves nothing back.
# What lies further ahead than a minute was counted by a clock that was wrong, and is void.
_SHIFTED = f"""
    SELECT moved.slot,
        (array_fill(0::bigint, ARRAY[moved.by]) || held.requests)[1:{_SIZE}] AS requests,
        (array_fill(0::bigint, ARRAY[moved.by]) || held.tokens)[1:{_SIZE}] AS tokens
    FROM (
        SELECT next.slot, least(abs(next.slot - held.slot), {_SIZE})::int AS by
        FROM (
            SELECT CASE WHEN held.slot > this.slot + {_SIZE} THEN this.slot ELSE greatest(held.slot, this.slot) END AS slot
            FROM (SELECT floor({_NOW} / $3)::bigint AS slot) this
        ) next
    ) moved
    """

# $1 namespace, $2 client, $3 seconds of a slot, $4 most requests, $5 most tokens (null: any number)
ADMIT = f"""
    INSERT INTO semgate.minutes AS held (namespace, client, slot, requests, tokens, admitted)
    SELECT $1, $2, floor({_NOW} / $3)::bigint, (CASE WHEN $4::bigint IS NULL THEN 0 ELSE 1 END) || {_REST}, {_EMPTY},
        coalesce($4 > 0, true) AND coalesce($5::bigint > 0, true)
    ON CONFLICT (namespace, client) DO UPDATE SET (slot, requests, tokens, admitted) = (
        SELECT slot,
            CASE WHEN fits AND $4 IS NOT NULL THEN (requests[1] + 1) || requests[2:] ELSE requests END, tokens, fits
        FROM (
            SELECT *,
                coalesce((SELECT sum(each) FROM unnest(requests) each) < $4, true)
                AND coalesce((SELECT sum(each) FROM unnest(tokens) each) < $5, true) AS fits
            FROM ({_SHIFTED}) shifted
        ) judged
    )
    RETURNING {_NOW} AS now, slot, requests, tokens, admitted
    """
# $1 namespace, $2 client, $3 seconds of a slot, $4 tokens
ADD = f"""
    INSERT INTO semgate.minutes AS held (namespace, client, slot, requests, tokens, admitted)
    SELECT $1, $2, floor({_NOW} / $3)::bigint, {_EMPTY}, $4::bigint || {_REST}, true
    ON CONFLICT (namespace, client) DO UPDATE SET (slot, requests, tokens) = (
        SELECT slot, requests, (tokens[1] + $4) || tokens[2:] FROM ({_SHIFTED}) shifted
    )
    """

SPENT = "SELECT dollars FROM semgate.spending WHERE namespace = $1 AND client = $2 AND month = $3"
SPEND = """
    WITH unhurried AS (SELECT set_config('synchronous_commit', 'off', true))
    INSERT INTO semgate.spending AS held (namespace, client, month, dollars) SELECT $1, $2, $3, $4 FROM unhurried
    ON CONFLICT (namespace, client, month) DO UPDATE SET dollars = held.dollars + excluded.dollars
    RETURNING dollars
    """


class PostgresCounters:
    """A Counters. Cheap to make: the connections are the database's."""

    def __init__(self, database: Database, namespace: str, *, slot_seconds: float = SLOT_SECONDS) -> None:
        self._database = database
        self._namespace = namespace
        self._slot_seconds = slot_seconds

    async def admit(self, client: str, limits: Limits) -> Usage:
        (row,) = await self._database.fetch(
            ADMIT, self._namespace, client, self._slot_seconds, limits.requests, limits.tokens
        )
        return Usage(
            now=row["now"],
            seconds=self._slot_seconds,
            requests=_counts(row["slot"], row["requests"]),
            tokens=_counts(row["slot"], row["tokens"]),
            admitted=row["admitted"],
        )

    async def add(self, client: str, tokens: int) -> None:
        await self._database.fetch(ADD, self._namespace, client, self._slot_seconds, tokens)


class PostgresSpending:
    """A Spending. Cheap to make: the connections are the database's."""

    def __init__(self, database: Database, namespace: str) -> None:
        self._database = database
        self._namespace = namespace

    async def spent(self, client: str, month: str) -> float:
        rows = await self._database.fetch(SPENT, self._namespace, client, month)
        return float(rows[0]["dollars"]) if rows else 0.0

    async def spend(self, client: str, month: str, dollars: float) -> float:
        (row,) = await self._database.fetch(SPEND, self._namespace, client, month, dollars)
        return float(row["dollars"])


def _counts(newest: int, amounts: list[int]) -> Counts:
    return tuple((newest - back, amount) for back, amount in reversed([*enumerate(amounts)]) if amount)
