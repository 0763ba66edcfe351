"""The log of judgements and the counts of shadow mode, read for reports: by operators, never by requests."""

# ruff: noqa: S608 (only fixed expressions are put into statements, never a value)

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from gateway.core.judgement import Judgement, Tally, TallyKey
from gateway.stores.evidence import COLUMNS, read_judgement

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

    from gateway.stores.codec import Codec
    from gateway.stores.postgres import Database, Value

READ_AT_ONCE = 500


class Count(NamedTuple):
    """So many judgements of a kind; values as the log has them. A band is how many of the bounds asked about are at or below
    the value (None: there is no value)."""

    route: str
    origin: str
    finding: str
    how: str
    kind: str
    similarity: int | None
    score: int | None
    judgements: int


class EvidenceLog:
    """`codec` opens the words of all routes."""

    def __init__(self, database: Database, namespace: str, codec: Codec) -> None:
        self._database = database
        self._namespace = namespace
        self._codec = codec

    async def counts(
        self, route: str | None, since: float, similarities: list[float], scores: list[float]
    ) -> list[Count]:
        """Of one route or all, since then (Unix seconds), by bands between these bounds (ascending). Raises StoreError."""
        async with self._database.report() as connection:
            await connection.execute("SET LOCAL enable_seqscan = on")
            rows = await connection.fetch(
                """
                SELECT route, origin, finding, how, kind, width_bucket(similarity, $4::float8[]) AS similarity,
                    width_bucket(score, $5::float8[]) AS score, count(*) AS count
                FROM semgate.judgements WHERE namespace = $1 AND at >= $2 AND ($3::text IS NULL OR route = $3)
                GROUP BY 1, 2, 3, 4, 5, 6, 7
                """,
                *(self._namespace, since, route, similarities, scores),
            )
        return [Count(*row) for row in rows]

    async def judgements(self, route: str | None, since: float) -> AsyncIterator[Judgement]:
        """All judgements since then (Unix seconds) with their words, where they open. Raises StoreError."""
        after = 0
        while True:
            rows = await self._read(
                f"SELECT number, {COLUMNS}, question, asked_before FROM semgate.judgements WHERE namespace = $1 AND number > $2 "
                f"AND at >= $3 AND ($4::text IS NULL OR route = $4) ORDER BY number LIMIT {READ_AT_ONCE}",
                self._namespace,
                after,
                since,
                route,
            )
            for row in rows:
                after = row["number"]
                judgement = read_judgement(row)
                if judgement is not None:
                    yield self._with_words(judgement, row)
            if len(rows) < READ_AT_ONCE:
                return

    async def tallies(self, route: str | None, since: float) -> dict[TallyKey, Tally]:
        """Of whole hours that had not ended then (Unix seconds), as of hour 0. Raises StoreError."""
        rows = await self._read(
            """
            SELECT route, kind, sum(requests)::bigint AS requests, sum(prompt)::bigint AS prompt,
                sum(completion)::bigint AS completion, sum(priced)::bigint AS priced, sum(dollars) AS dollars
            FROM semgate.trials WHERE namespace = $1 AND hour >= floor($2::float8 / 3600)
            AND ($3::text IS NULL OR route = $3) GROUP BY route, kind
            """,
            self._namespace,
            since,
            route,
        )
        return {
            TallyKey(row["route"], 0, row["kind"]): Tally(
                row["requests"], row["prompt"], row["completion"], row["priced"], row["dollars"]
            )
            for row in rows
        }

    async def _read(self, statement: str, *values: Value) -> list[asyncpg.Record]:
        async with self._database.report() as connection:
            return await connection.fetch(statement, *values)

    def _with_words(self, judgement: Judgement, row: asyncpg.Record) -> Judgement:
        question, before = row["question"], row["asked_before"]
        return msgspec.structs.replace(
            judgement,
            question=None if question is None else self._codec.open_question(question, judgement.exact),
            asked_before=None if before is None else self._codec.open_question(before, judgement.other),
        )
