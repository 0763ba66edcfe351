"""Judgements and the counts of shadow mode in PostgreSQL: of one namespace, for all processes.

Rows are written in batches under a lock that orders their numbers, so that whoever reads on from a number misses none.
What a purge of a route or a scope covers goes from here as well; of single entries that are purged the words go, but
for those that were found wrong. `marks` tell the other processes that rows are gone.
"""

# ruff: noqa: S608 (only fixed expressions are put into statements, never a value)

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from gateway.core.judgement import Finding, Judgement, Noted, Origin, Tally, TallyKey
from gateway.core.messages import HitKind
from gateway.stores.evidence_void import count_of, mark, void
from gateway.stores.schema import EVIDENCE, LOCK_CLASS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import asyncpg

    from gateway.stores.codec import Codec
    from gateway.stores.postgres import Database
    from gateway.stores.schema import Connection

DAY = 86400.0
KEPT_SECONDS = 90 * DAY
KEPT_OF_A_ROUTE = 20_000
"""Judgements, and as many of what clients say of it; the latest stay."""
READ_AT_ONCE = 5_000
SECONDS = "60s"

_WRITTEN = (
    "id, namespace, route, scope, at, origin, finding, how, kind, similarity, score, entry, exact, other, question, "
    "asked_before, served, setting"
)
COLUMNS = "id, route, scope, at, origin, finding, how, kind, similarity, score, entry, exact, other, served, setting"
_INSERT = f"""
    INSERT INTO semgate.judgements ({_WRITTEN})
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) ON CONFLICT (id) DO NOTHING
    """
_TALLY = """
    INSERT INTO semgate.trials AS held (namespace, route, hour, kind, requests, prompt, completion, priced, dollars)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (namespace, route, hour, kind) DO UPDATE SET
    (requests, prompt, completion, priced, dollars) = (held.requests + $5, held.prompt + $6, held.completion + $7,
        held.priced + $8, held.dollars + $9)
    """
_MARKS = "SELECT route, before, removals FROM semgate.evidence_marks WHERE namespace = $1"
# What clients call right is in no window; so no number of such rows may take the place of those that are.
_PROVES = "NOT (finding = 'right' AND how = 'client')"
_OF_PAIRS = "(finding = 'wrong' OR how = 'feedback')"


class Mark(NamedTuple):
    """What was judged before `before` (Unix seconds) is void; another number of `removals`: rows have gone."""

    before: float
    removals: int


class EvidenceStore:
    """`codec_of` says how the words of a route are written."""

    def __init__(self, database: Database, namespace: str, codec_of: Callable[[str], Codec]) -> None:
        self._database = database
        self._namespace = namespace
        self._codec_of = codec_of

    async def write(self, noted: Sequence[Noted], tallies: Mapping[TallyKey, Tally]) -> None:
        """Add them; a judgement that is there already is left. Raises StoreError, and then has written nothing, unless the
        connection broke at the very end: tallies may count twice then."""
        async with self._database.writing, self._database.transaction() as connection:
            await _lock(connection)
            marks = await connection.fetch(_MARKS, self._namespace)
            # A reset or a purge that the writer had not heard of is older than its row all the same.
            before = {row["route"]: row["before"] for row in marks}
            fresh = [each for each in noted if each.judgement.at >= before.get(each.judgement.route, 0.0)]
            if fresh:
                await connection.executemany(_INSERT, [self._row(each) for each in fresh])
                await void(connection, self._namespace, min(each.judgement.at for each in fresh))
            rows = [(self._namespace, *key, *tally) for key, tally in sorted(tallies.items())]
            if rows:
                await connection.executemany(_TALLY, rows)

    async def news(self, after: int) -> tuple[list[Noted], int]:
        """Judgements beyond this number, READ_AT_ONCE at most, in order; and the last number that was looked at. Raises
        StoreError."""
        rows = await self._database.fetch(
            f"SELECT number, {COLUMNS} FROM semgate.judgements WHERE namespace = $1 AND number > $2 "
            f"ORDER BY number LIMIT {READ_AT_ONCE}",
            self._namespace,
            after,
        )
        return [*_read(rows)], rows[-1]["number"] if rows else after

    async def latest(self, route: str, most: int, most_pairs: int) -> list[Noted]:
        """The route's latest judgements that prove something, and before them the latest that say something of pairs; in order. Raises
        StoreError."""
        rows = await self._database.fetch(
            f"""
            SELECT {COLUMNS} FROM semgate.judgements WHERE number IN (
                (SELECT number FROM semgate.judgements WHERE namespace = $1 AND route = $2 AND {_PROVES}
                ORDER BY number DESC LIMIT $3)
                UNION
                (SELECT number FROM semgate.judgements WHERE namespace = $1 AND route = $2 AND {_OF_PAIRS}
                ORDER BY number DESC LIMIT $4)
            ) ORDER BY number
            """,
            self._namespace,
            route,
            most,
            most_pairs,
        )
        return [*_read(rows)]

    async def routes(self) -> list[str]:
        """Those that anything was judged of. Raises StoreError."""
        rows = await self._database.fetch(
            """
            WITH RECURSIVE named AS (
                (SELECT route FROM semgate.judgements WHERE namespace = $1 ORDER BY route LIMIT 1)
                UNION ALL
                SELECT (SELECT route FROM semgate.judgements j WHERE namespace = $1 AND j.route > named.route
                        ORDER BY route LIMIT 1)
                FROM named WHERE named.route IS NOT NULL
            )
            SELECT route FROM named WHERE route IS NOT NULL
            """,
            self._namespace,
        )
        return [row["route"] for row in rows]

    async def newest(self) -> int:
        """The last number of all; 0: there is none. Raises StoreError."""
        rows = await self._database.fetch("SELECT coalesce(max(number), 0) AS newest FROM semgate.judgements")
        return int(rows[0]["newest"])

    async def marks(self) -> dict[str, Mark]:
        """By route. Raises StoreError."""
        rows = await self._database.fetch(_MARKS, self._namespace)
        return {row["route"]: Mark(row["before"], row["removals"]) for row in rows}

    async def find(self, judgement_id: bytes) -> Noted | None:
        """The judgement of this id, without words. Raises StoreError."""
        rows = await self._database.fetch(
            f"SELECT {COLUMNS} FROM semgate.judgements WHERE id = $1 AND namespace = $2", judgement_id, self._namespace
        )
        return next(_read(rows), None)

    async def oldest_of(self, beginning: bytes, since: float, most: int) -> float | None:
        """When (Unix seconds) the oldest of the last `most` judgements whose ids begin like this was made, if there are so
        many since then. Raises StoreError."""
        rows = await self._database.fetch(
            "SELECT at FROM semgate.judgements WHERE id >= $1 AND id < $2 AND at >= $3 AND namespace = $4 "
            "ORDER BY at DESC LIMIT $5",
            beginning,
            beginning + b"\xff" * 16,
            since,
            self._namespace,
            most,
        )
        return rows[-1]["at"] if len(rows) >= most else None

    async def reset(self, route: str, before: float) -> int:
        """Void what was judged of a route before then (Unix seconds), and its counts; how many judgements went. Raises
        StoreError."""
        async with self._database.writing, self._database.transaction() as connection:
            await _lock(connection)
            await mark(connection, self._namespace, route, before)
            gone = await connection.execute(
                "DELETE FROM semgate.judgements WHERE namespace = $1 AND route = $2 AND at < $3",
                *(self._namespace, route, before),
            )
            await connection.execute(
                "DELETE FROM semgate.trials WHERE namespace = $1 AND route = $2", self._namespace, route
            )
        return count_of(gone)

    async def forget_words(self, keys: Sequence[bytes]) -> None:
        """Of judgements on the entries with these exact keys, but for those that were found wrong. Raises StoreError."""
        await self._database.fetch(
            "UPDATE semgate.judgements SET question = NULL, asked_before = NULL WHERE other = ANY($1) AND namespace = $2 "
            "AND finding <> 'wrong'",
            list(keys),
            self._namespace,
        )

    async def purge(self, since: float) -> int:
        """Remove what purges of the log made since then (Unix seconds) cover; how many judgements went. Raises
        StoreError."""
        async with self._database.writing, self._database.transaction() as connection:
            await _lock(connection)
            return await void(connection, self._namespace, since)

    async def prune(self, now: float) -> int:
        """Remove what is too old, and of each route what is beyond its number; by one process at a time. Raises
        StoreError."""
        async with self._database.writing, self._database.transaction() as connection:
            if not await connection.fetchval(f"SELECT pg_try_advisory_xact_lock({LOCK_CLASS}, {EVIDENCE})"):
                return 0
            await connection.execute(f"SET LOCAL enable_seqscan = on; SET LOCAL statement_timeout = '{SECONDS}'")
            old = await connection.execute("DELETE FROM semgate.judgements WHERE at < $1", now - KEPT_SECONDS)
            await connection.execute(
                "DELETE FROM semgate.trials WHERE hour < floor($1::float8 / 3600)", now - KEPT_SECONDS
            )
            beyond = await connection.execute(
                """
                DELETE FROM semgate.judgements WHERE number IN (
                    SELECT number FROM (
                        SELECT number, row_number() OVER (
                            PARTITION BY namespace, route, how = 'client' ORDER BY number DESC
                        ) AS nth
                        FROM semgate.judgements
                    ) numbered WHERE nth > $1
                )
                """,
                KEPT_OF_A_ROUTE,
            )
        return count_of(old) + count_of(beyond)

    def _row(self, noted: Noted) -> tuple[object, ...]:
        judgement = noted.judgement
        codec = self._codec_of(judgement.route)
        question, before = judgement.question, judgement.asked_before
        return (
            noted.id,
            self._namespace,
            judgement.route,
            judgement.scope,
            judgement.at,
            judgement.origin.value,
            judgement.finding.value,
            judgement.how,
            judgement.kind.value,
            judgement.similarity,
            judgement.score,
            judgement.entry,
            judgement.exact,
            judgement.other,
            None if question is None else codec.close_question(question, judgement.exact),
            None if before is None else codec.close_question(before, judgement.other),
            judgement.served,
            judgement.setting,
        )


def _read(rows: Sequence[asyncpg.Record]) -> Iterator[Noted]:
    """What this version knows the words of."""
    for row in rows:
        judgement = read_judgement(row)
        if judgement is not None:
            yield Noted(row["id"], judgement)


def read_judgement(row: asyncpg.Record) -> Judgement | None:
    """Without words. None where a newer version wrote something that this one has no name for."""
    try:
        origin, finding, kind = Origin(row["origin"]), Finding(row["finding"]), HitKind(row["kind"])
    except ValueError:
        return None
    return Judgement(
        route=sys.intern(row["route"]),
        at=row["at"],
        origin=origin,
        finding=finding,
        how=sys.intern(row["how"]),
        kind=kind,
        similarity=row["similarity"],
        score=row["score"],
        entry=row["entry"],
        exact=row["exact"],
        other=row["other"],
        served=row["served"],
        scope=row["scope"],
        setting=row["setting"],
    )


async def _lock(connection: Connection) -> None:
    """For the transaction: who writes waits for who writes."""
    await connection.execute(f"SET LOCAL statement_timeout = '{SECONDS}'")
    await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK_CLASS}, {EVIDENCE})")
