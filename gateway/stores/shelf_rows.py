"""Rows that programs put by hand (core/shelving.py): finding them by the same words or by nearness, among those that have
certain labels.

A search in a small partition scans its rows, as without labels. In one that has a graph, labels that few rows have are
read by the index on labels and compared exactly: in the graph they would be met late, and then not the nearest of them
(measured, of labels that one row in 400 has: 33 of 50). Labels that many rows have are met there soon.
"""

# ruff: noqa: S608 (only the names of semgate's own tables are put into statements, never a value)

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from gateway.stores.graph import belongs
from gateway.stores.pgvector import ROW, columns_and_order, ranked, read_candidate, read_entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.core.messages import Candidate, Entry, Vector
    from gateway.stores.codec import Codec
    from gateway.stores.postgres import Database, Value
    from gateway.stores.schema import Space, Table

# Up to so many rows with the labels are compared exactly, which takes some milliseconds.
MOST_EXACT = 5000


class ShelfRows:
    """Of one embedding space. Every method may raise StoreError."""

    def __init__(self, database: Database, space: Space, codec: Codec) -> None:
        self._database = database
        self._space = space
        self._codec = codec

    async def same_words(self, words: bytes, labels: Sequence[bytes], k: int, now: float) -> list[Entry]:
        table = await self._database.table(self._space)
        if labels:
            rows = await self._database.fetch(same_words_labelled(table), [words, *labels], now, k)
        else:
            rows = await self._database.fetch(same_words(table), words, now, k)
        return [entry for row in rows if (entry := read_entry(self._codec, row)) is not None]

    async def nearest(
        self, partition: bytes, vector: Vector, labels: Sequence[bytes], k: int, load_at: float, now: float
    ) -> list[Candidate]:
        table = await self._database.table(self._space)
        values: tuple[Value, ...] = (partition, vector, k, now, load_at, True, list(labels))
        has_graph = partition in self._database.graphs.get(self._space, ())
        statement = nearest_in_graph(table, partition) if has_graph else nearest(table)
        rows = await self._database.fetch(statement, *values)
        return [read_candidate(self._codec, row) for row in rows]


@lru_cache(maxsize=64)
def same_words(table: Table) -> str:
    """Those with the fewest attributes first, of as many the newest: in the order of the index."""
    return f"""
        SELECT {ROW} FROM {table.entries} WHERE words = $1 AND expires_at > $2
        ORDER BY cardinality(labels), created_at DESC LIMIT $3
        """


@lru_cache(maxsize=64)
def same_words_labelled(table: Table) -> str:
    """$1 the words' digest and those of the attributes: the index on labels begins with whatever is rarest."""
    return f"""
        SELECT {ROW} FROM {table.entries} WHERE labels @> $1 AND labels <> '{{}}' AND expires_at > $2
        ORDER BY cardinality(labels), created_at DESC LIMIT $3
        """


@lru_cache(maxsize=64)
def nearest(table: Table) -> str:
    columns, order = columns_and_order(table)
    return ranked(
        f"""
        WITH near AS (
            SELECT {columns} FROM {table.entries}
            WHERE partition = $1 AND embedding IS NOT NULL AND expires_at > $4 AND labels @> $7 {order}
        )"""
    )


@lru_cache(maxsize=1024)
def nearest_in_graph(table: Table, partition: bytes) -> str:
    """For a partition that has a graph, or had one when last heard (`ready`). `many`: too many rows have the labels for all
    of them to be compared, so the graph is asked, and what is not in it yet is scanned."""
    ready = f"EXISTS (SELECT FROM semgate.promoted WHERE space = {table.space} AND partition = $1)"
    labelled = "labels @> $7 AND labels <> '{}'"
    columns, order = columns_and_order(table)
    return ranked(
        f"""
        WITH counted AS MATERIALIZED (
            SELECT count(*) > {MOST_EXACT} AS many FROM (
                SELECT FROM {table.entries} WHERE {labelled} LIMIT {MOST_EXACT + 1}
            ) AS found
        ), graph AS MATERIALIZED (SELECT {ready} AS ready), near AS (
            (SELECT {columns} FROM {table.entries}
             WHERE {labelled} AND (partition = $1) IS TRUE AND expires_at > $4 AND (embedding IS NOT NULL) IS TRUE
             AND (SELECT NOT many FROM counted) {order})
            UNION ALL
            (SELECT {columns} FROM {table.entries}
             WHERE {belongs(partition)} AND expires_at > $4 AND labels @> $7
             AND (SELECT many FROM counted) AND (SELECT ready FROM graph) {order})
            UNION ALL
            (SELECT {columns} FROM {table.entries}
             WHERE partition = $1 AND embedding IS NOT NULL AND expires_at > $4 AND labels @> $7
             AND promoted = ANY (CASE WHEN (SELECT ready FROM graph) THEN '{{f}}' ELSE '{{f,t}}' END::boolean[])
             AND (SELECT many FROM counted) {order})
        )"""
    )
