"""All that is stored, as an operator sees it: every space's table of one namespace put side by side.

Reading only, but for `put_row`: purging is purge_log's. Nobody's request waits for anything here; a page, an export and a
count read in bounded pieces, and never an answer's body unless it is asked for. What has expired (with its stale time)
is not shown.
"""

# ruff: noqa: S608 (only the names of semgate's own tables are put into statements, never a value)

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from gateway.core.messages import Entry, Vector
from gateway.stores.covered import count, covered
from gateway.stores.pgvector import PgVectorStore, read_entry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    import asyncpg

    from gateway.core.purges import Purge
    from gateway.stores.codec import Codec
    from gateway.stores.postgres import Database, Value
    from gateway.stores.schema import Space, Table

EXPORTED_AT_ONCE = 50
# Fewer, where answers are large: no more than so many bytes, or one entry.
EXPORTED_BYTES = 8 << 20
# Of a scope's questions, whatever their partition, so many are compared with a text.
MOST_COMPARED = 20_000


class Listed(msgspec.Struct, frozen=True):
    """`question` is None where it does not open with this codec's key; `bytes` is what it counts as in limits."""

    id: str
    route: str
    created_at: float
    expires_at: float
    hits: int
    bytes: int
    tags: tuple[str, ...]
    question: str | None


class Whole(msgspec.Struct, frozen=True):
    """An entry with all that is known of it; `entry` is None where it does not open with this codec's key. `space` is
    the table it is in, `vector` its question's, None where it has none."""

    listed: Listed
    entry: Entry | None
    last_used: float
    asked_at: float
    form: str
    vector: Vector | None
    space: Space


class Page(msgspec.Struct, frozen=True):
    """`next`: what to ask for as `after`; None where this was the last one."""

    entries: list[Listed]
    next: str | None


class Total(msgspec.Struct, frozen=True):
    entries: int
    bytes: int


class Near(msgspec.Struct, frozen=True):
    """An entry whose question is near a text."""

    id: str
    similarity: float
    question: str | None


class Catalog:
    """`codec` should open both sealed and readable values. Every method may raise StoreError."""

    def __init__(
        self, database: Database, codec: Codec, *, namespace: str, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` gives Unix seconds."""
        self._database = database
        self._codec = codec
        self._namespace = namespace
        self._clock = clock

    async def page(self, route: str | None, limit: int, after: str | None) -> Page:
        """Up to `limit` entries (of one route, or of all), newest first, `after` an entry's id."""
        tables = await self._database.all_tables()
        values: list[Value] = [self._namespace, self._clock(), limit + 1]
        wanted = f"{_of_namespace(route)} AND u.expires_at > $2"
        for column, value in (("e.route =", route), ("e.id <", after)):
            if value is not None:
                values.append(value)
                wanted += f" AND {column} ${len(values)}"
        parts = [
            f"(SELECT {LISTED} FROM {_with_usage(table)} WHERE {wanted} ORDER BY e.id DESC LIMIT $3)"
            for _, table in tables
        ]
        if not parts:
            return Page([], None)
        together = f"SELECT * FROM ({' UNION ALL '.join(parts)}) AS tables ORDER BY id DESC LIMIT $3"
        rows = await self._read(together, values)
        listed = [self._listed(row) for row in rows[:limit]]
        return Page(listed, listed[-1].id if len(rows) > limit and listed else None)

    async def show(self, entry_id: str) -> Whole | None:
        """One entry with its answer."""
        for space, table in await self._database.all_tables():
            rows = await self._read(
                f"SELECT {_all(table)} FROM {_with_usage(table)} "
                "WHERE e.id = $1 AND e.namespace = $2 AND u.expires_at > $3",
                [entry_id, self._namespace, self._clock()],
            )
            if rows:
                return self._whole(rows[0], space)
        return None

    async def questions(self, ids: Sequence[str]) -> dict[str, str | None]:
        """The questions of these entries, None where one does not open; of as many as there are."""
        found: dict[str, str | None] = {}
        for _space, table in await self._database.all_tables():
            rows = await self._read(
                f"SELECT id, exact, question FROM {table.entries} WHERE id = ANY($1) AND namespace = $2",
                [list(ids), self._namespace],
            )
            found |= {row["id"]: self._codec.open_question(row["question"], row["exact"]) for row in rows}
        return found

    async def totals(self) -> dict[str, Total]:
        """What is stored now, by route."""
        rows = await self._read(
            "SELECT route, count(*) AS entries, sum(bytes)::bigint AS bytes FROM semgate.usage "
            "WHERE namespace = $1 AND expires_at > $2 GROUP BY route",
            [self._namespace, self._clock()],
        )
        return {row["route"]: Total(row["entries"], row["bytes"]) for row in rows}

    async def count(self, selection: Purge) -> int:
        """How many entries a purge would remove."""
        total, now = 0, self._clock()
        for space, table in await self._database.all_tables():
            rows = covered(selection, self._namespace, space, table)
            if rows is not None:
                async with self._database.report() as connection:
                    total += await count(connection, rows, now)
        return total

    async def near_in_scope(self, route: str, scope: bytes, space: Space, vector: Vector, k: int) -> list[Near]:
        """The k nearest questions that one scope has asked of a route, in whatever partition, nearest first. Of a scope
        with more than MOST_COMPARED entries only so many are compared."""
        table = await self._database.table(space)
        rows = await self._read(
            f"""
            SELECT id, exact, question, greatest(0, least(1, 1 - distance)) AS similarity FROM (
                SELECT id, exact, question, embedding {table.distance} $5 AS distance FROM {table.entries}
                WHERE scope = $1 AND (namespace = $2) IS TRUE AND route = $3 AND expires_at > $4 AND embedding IS NOT NULL
                LIMIT {MOST_COMPARED}
            ) AS compared ORDER BY distance LIMIT $6
            """,
            [scope, self._namespace, route, self._clock(), vector, k],
        )
        return [
            Near(row["id"], row["similarity"], self._codec.open_question(row["question"], row["exact"])) for row in rows
        ]

    async def export(self, route: str | None) -> AsyncIterator[Whole]:
        """All entries, one table after the other, oldest first; what is stored meanwhile may or may not be among them."""
        for space, table in await self._database.all_tables():
            after = ""
            while True:
                rows = await self._read(
                    f"""
                    SELECT * FROM (
                        SELECT {_all(table)}, sum(u.bytes) OVER (ORDER BY e.id) - u.bytes AS before
                        FROM {_with_usage(table)} WHERE {_of_namespace(route)} AND u.expires_at > $2
                        AND e.id > $3 {"" if route is None else "AND e.route = $4"}
                        ORDER BY e.id LIMIT {EXPORTED_AT_ONCE}
                    ) AS piece WHERE before < {EXPORTED_BYTES} ORDER BY id
                    """,
                    [self._namespace, self._clock(), after, *([] if route is None else [route])],
                )
                for row in rows:
                    yield self._whole(row, space)
                if not rows:
                    break
                after = rows[-1]["id"]

    async def put_row(self, codec: Codec, space: Space, entry: Entry, question: str, vector: Vector | None) -> bool:
        """Store an imported entry, written by its route's codec. False: there is one under its key, which stays. The entry
        should say that it was asked now: an import is a later word than every purge before it."""
        store = PgVectorStore(self._database, space, codec, namespace=self._namespace)
        return await store.put_new(entry, question, vector)

    async def _read(self, statement: str, values: list[Value]) -> list[asyncpg.Record]:
        async with self._database.report() as connection:
            return await connection.fetch(statement, *values)

    def _listed(self, row: asyncpg.Record) -> Listed:
        return Listed(
            id=row["id"],
            route=row["route"],
            created_at=row["created_at"],
            expires_at=row["expires_at"],
            hits=row["hits"],
            bytes=row["bytes"],
            tags=tuple(row["tags"]),
            question=self._codec.open_question(row["question"], row["exact"]),
        )

    def _whole(self, row: asyncpg.Record, space: Space) -> Whole:
        return Whole(
            listed=self._listed(row),
            entry=read_entry(self._codec, row),
            last_used=row["last_used"],
            asked_at=row["asked_at"],
            form=row["form"],
            vector=row["embedding"],
            space=space,
        )


LISTED = "e.id, e.exact, e.route, e.created_at, e.expires_at, e.tags, e.question, u.hits, u.bytes"


def _of_namespace(route: str | None) -> str:
    """Of all routes, in the words of no index: that on the ids has the order, the other would be read whole and sorted."""
    return "(e.namespace = $1) IS TRUE" if route is None else "e.namespace = $1"


def _all(table: Table) -> str:
    embedding = "NULL" if table.dimensions is None else "e.embedding"
    return f"{LISTED}, e.scope, e.partition, e.head, e.body, e.asked_at, e.form, u.last_used, {embedding} AS embedding"


def _with_usage(table: Table) -> str:
    """Entry by entry, in the order of the index on them: OFFSET keeps PostgreSQL from beginning with the usage table."""
    return (
        f"{table.entries} e CROSS JOIN LATERAL "
        f"(SELECT * FROM semgate.usage WHERE space = {table.space} AND exact = e.exact OFFSET 0) u"
    )
