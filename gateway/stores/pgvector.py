"""Entries in PostgreSQL: by exact key, and by nearness within one partition, for one embedding space.

A look-up is one round trip. `nearest` scans the rows of the partition exactly; of a large one it asks the partition's
graph and scans what is not in it yet, in one statement. It brings the answer of the nearest along where it may be
served. The conditions are written so that each part can use one index only: the graph or the partition's rows (tests
look at the plans). Expired rows are never returned, whenever the sweeper comes; it comes after their stale time, which
`semgate.usage.expires_at` includes.
"""

# ruff: noqa: S608 (only the names of semgate's own tables are put into statements, never a value)

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from gateway.core.messages import Candidate, Entry, Source
from gateway.stores.graph import belongs

if TYPE_CHECKING:
    import asyncpg

    from gateway.core.messages import Vector
    from gateway.stores.codec import Codec
    from gateway.stores.postgres import Database, Value
    from gateway.stores.schema import Space, Table

ROW = "exact, id, route, scope, partition, head, body, asked_at, created_at, expires_at"


class Statements(msgspec.Struct, frozen=True):
    """The texts for one space's table; each is prepared once per connection."""

    by_exact: str
    by_id: str
    vector: str
    keep: str
    put_new: str
    nearest: str


class PgVectorStore:
    """An EntryStore. Cheap to make: connections and notes are the database's."""

    source = Source.POSTGRES

    def __init__(self, database: Database, space: Space, codec: Codec, *, namespace: str = "default") -> None:
        self._database = database
        self._space = space
        self._codec = codec
        self._namespace = namespace
        self._statements: Statements | None = None
        self._era = -1

    async def get(self, exact: bytes, now: float) -> Entry | None:
        statements = await self._prepared()
        rows = await self._database.fetch(statements.by_exact, exact, now)
        return read_entry(self._codec, rows[0]) if rows else None

    async def fetch(self, entry_id: str, now: float) -> Entry | None:
        statements = await self._prepared()
        rows = await self._database.fetch(statements.by_id, entry_id, now)
        return read_entry(self._codec, rows[0]) if rows else None

    @property
    def space(self) -> str:
        return self._space.identity

    async def vector(self, entry_id: str) -> Vector | None:
        statements = await self._prepared()
        rows = await self._database.fetch(statements.vector, entry_id)
        return (rows[0]["embedding"] or b"") if rows else None

    async def nearest(
        self, partition: bytes, vector: Vector, k: int, load_at: float, now: float, *, questions: bool = False
    ) -> list[Candidate]:
        statements = await self._prepared()
        statement = statements.nearest
        if partition in self._database.graphs.get(self._space, ()):
            statement = nearest_in_graph(await self._database.table(self._space), partition)
        rows = await self._database.fetch(statement, partition, vector, k, now, load_at, questions)
        return [read_candidate(self._codec, row) for row in rows]

    async def put(self, entry: Entry) -> None:
        """As `keep`, without question and vector: found by its exact key only."""
        await self.keep(entry, "", None)

    async def keep(self, entry: Entry, question: str, vector: Vector | None) -> None:
        await self._write((await self._prepared()).keep, entry, question, vector)

    async def put_new(self, entry: Entry, question: str, vector: Vector | None) -> bool:
        """As `keep`, but what is there under this key and has not expired by the time this was made stays: False."""
        return bool(await self._write((await self._prepared()).put_new, entry, question, vector))

    async def _write(self, statement: str, entry: Entry, question: str, vector: Vector | None) -> list[asyncpg.Record]:
        columns = self._codec.to_columns(entry)
        closed = self._codec.close_question(question, entry.exact)
        size = entry.size() + len(closed) + (len(vector) // 2 if vector else 0)
        values: tuple[Value, ...] = (
            entry.exact,
            entry.id,
            self._namespace,
            entry.route,
            entry.scope,
            entry.partition,
            closed,
            columns.head,
            columns.body,
            entry.asked_at,
            entry.created_at,
            entry.expires_at,
            size,
            entry.form.value,
            entry.expires_at + entry.stale,
            list(entry.tags),
            None if entry.mark is None else entry.mark.words,
            [] if entry.mark is None else [entry.mark.words, *entry.mark.labels],
        )
        if self._space.dimensions is not None:
            values += (vector,)
        async with self._database.writing:
            written = await self._database.fetch(statement, *values)
        if vector is not None:
            self._database.notes.grew(self._space, entry.partition)
        return written

    def used(self, entry_id: str, at: float) -> None:
        self._database.notes.used(self._space, entry_id, at)

    async def ping(self) -> None:
        await self._database.ping()

    async def close(self) -> None:
        """Nothing of its own to close: whoever made the database closes it."""

    async def _prepared(self) -> Statements:
        if self._statements is None or self._era != self._database.era:
            self._era = self._database.era
            self._statements = statements_for(await self._database.table(self._space))
        return self._statements


def read_entry(codec: Codec, row: asyncpg.Record) -> Entry | None:
    """The entry in a row with all columns of ROW; None where it does not open."""
    opened = codec.from_columns(row["head"], row["body"], row["exact"])
    if opened is None:
        return None
    head, body = opened
    return Entry(
        id=row["id"],
        route=row["route"],
        scope=row["scope"],
        partition=row["partition"],
        exact=row["exact"],
        status=head.status,
        headers=head.headers,
        body=body,
        asked_at=row["asked_at"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        cost=head.cost,
        form=head.form,
        stale=head.stale,
        pace=head.pace,
        compressed=head.compressed,
        usage_asked=head.usage_asked,
        tags=head.tags,
        mark=head.mark,
        synthesized=head.synthesized,
    )


def read_candidate(codec: Codec, row: asyncpg.Record) -> Candidate:
    """The candidate in a row of a `ranked` search."""
    entry = read_entry(codec, row) if row["head"] is not None else None
    closed = row["question"]
    question = None if closed is None else codec.open_question(closed, row["exact"])
    return Candidate(row["id"], row["similarity"], entry, row["exact"], question)


def statements_for(table: Table) -> Statements:
    embeds = table.dimensions is not None
    return Statements(
        by_exact=f"SELECT {ROW} FROM {table.entries} WHERE exact = $1 AND expires_at > $2",
        by_id=f"SELECT {ROW} FROM {table.entries} WHERE id = $1 AND expires_at > $2",
        vector=f"SELECT {'embedding' if embeds else 'NULL AS embedding'} FROM {table.entries} WHERE id = $1",
        keep=_keep(table),
        put_new=_put_new(table),
        nearest=_nearest(table) if embeds else "",
    )


def _keep(table: Table) -> str:
    """The row, and what is counted of it. PostgreSQL runs what stands in WITH after the rest: usage first."""
    return f"""
        WITH kept AS ({_put_entry(table, "VALUES")})
        INSERT INTO semgate.usage AS used (space, exact, namespace, route, bytes, last_used, expires_at)
        VALUES ({table.space}, $1, $3, $4, $13, $11, $15)
        ON CONFLICT (space, exact) DO UPDATE SET (namespace, route, bytes, last_used, expires_at)
        = ($3, $4, $13, greatest(used.last_used, $11), $15)
        """


def _put_new(table: Table) -> str:
    """The same in the same order, where nothing under the key is of use any more; the key, if it was written."""
    return f"""
        WITH counted AS (
            INSERT INTO semgate.usage AS used (space, exact, namespace, route, bytes, last_used, expires_at)
            VALUES ({table.space}, $1, $3, $4, $13, $11, $15)
            ON CONFLICT (space, exact) DO UPDATE SET (namespace, route, bytes, hits, last_used, expires_at)
            = ($3, $4, $13, 0, $11, $15) WHERE used.expires_at <= $11
            RETURNING exact
        )
        {_put_entry(table, "SELECT", "FROM counted")}
        RETURNING exact
        """


def _put_entry(table: Table, values: str, source: str = "") -> str:
    embeds = table.dimensions is not None
    listed = f"$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $14, $16, $17, $18{', $19' if embeds else ''}"
    return f"""
        INSERT INTO {table.entries} (exact, id, namespace, route, scope, partition, question, head, body,
            asked_at, created_at, expires_at, form, tags, words, labels{", embedding" if embeds else ""})
        {values} {listed if source else f"({listed})"} {source}
        ON CONFLICT (exact) DO UPDATE SET (id, namespace, route, scope, partition, question, head, body,
            asked_at, created_at, expires_at, form, tags, words, labels{", embedding, promoted" if embeds else ""})
        = ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $14, $16, $17, $18{", $19, false" if embeds else ""})
        """


@lru_cache(maxsize=1024)
def nearest_in_graph(table: Table, partition: bytes) -> str:
    """For a partition that has a graph, or had one when last heard: `ready` says whether it counts now. If it does,
    the graph is asked for what is in it and the rest is scanned; if not, all rows are scanned."""
    ready = f"EXISTS (SELECT FROM semgate.promoted WHERE space = {table.space} AND partition = $1)"
    columns, order = columns_and_order(table)
    return ranked(
        f"""
        WITH graph AS MATERIALIZED (SELECT {ready} AS ready), near AS (
            (SELECT {columns} FROM {table.entries}
             WHERE {belongs(partition)} AND expires_at > $4 AND (SELECT ready FROM graph) {order})
            UNION ALL
            (SELECT {columns} FROM {table.entries}
             WHERE partition = $1 AND embedding IS NOT NULL AND expires_at > $4
             AND promoted = ANY (CASE WHEN (SELECT ready FROM graph) THEN '{{f}}' ELSE '{{f,t}}' END::boolean[]) {order})
        )"""
    )


def _nearest(table: Table) -> str:
    columns, order = columns_and_order(table)
    return ranked(
        f"""
        WITH near AS (
            SELECT {columns} FROM {table.entries}
            WHERE partition = $1 AND embedding IS NOT NULL AND expires_at > $4 {order}
        )"""
    )


def columns_and_order(table: Table) -> tuple[str, str]:
    """$2 vector, $3 how many."""
    distance = f"embedding {table.distance} $2"
    return f"{ROW}, question, {distance} AS distance", f"ORDER BY {distance} LIMIT $3"


def ranked(near: str) -> str:
    """$1 partition, $2 vector, $3 how many, $4 now, $5 similarity from which the first brings its answer and, with $6, all
    bring their questions."""
    brings = "nth = 1 AND similarity >= $5"
    return f"""{near}, ranked AS (
            SELECT *, row_number() OVER (ORDER BY distance) AS nth, greatest(0, least(1, 1 - distance)) AS similarity
            FROM near ORDER BY distance LIMIT $3
        )
        SELECT id, similarity, exact, route, scope, partition, asked_at, created_at, expires_at,
            CASE WHEN {brings} THEN head END AS head, CASE WHEN {brings} THEN body END AS body,
            CASE WHEN $6 AND similarity >= $5 THEN question END AS question
        FROM ranked ORDER BY nth
        """
