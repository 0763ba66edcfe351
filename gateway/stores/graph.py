"""The graph of one large partition: an HNSW index over its promoted rows only.

One graph for all large partitions was measured and rejected: where a partition is a small part of the graph and its
topic is another than the question's, the search wades through the others' rows (28 partitions of 3,571 rows: 50 ms,
and with a graph each 0.8 ms). Graphs are built and dropped without blocking anybody, outside
transactions, on a connection of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.stores.schema import Connection, Graph, Table


def graph_name(table: Table, partition: bytes) -> str:
    return f"{table.name}_graph_{partition.hex()[:24]}"


def belongs(partition: bytes) -> str:
    """The condition under which a row is in this partition's graph; a search must say it in the same words."""
    return f"promoted AND partition = '\\x{partition.hex()}'::bytea"


async def build(connection: Connection, table: Table, partition: bytes, graph: Graph) -> None:
    """Make the graph of this partition, or make it anew where its settings are others or a build was cut off."""
    name = f"semgate.{graph_name(table, partition)}"
    wanted = {f"m={graph.m}", f"ef_construction={graph.ef_construction}"}
    found = await connection.fetchrow(
        "SELECT indisvalid, reloptions FROM pg_index JOIN pg_class ON oid = indexrelid WHERE oid = to_regclass($1)",
        name,
    )
    if found is not None and found["indisvalid"] and set(found["reloptions"] or ()) == wanted:
        return
    await drop(connection, table, partition)
    await connection.execute(
        f"CREATE INDEX CONCURRENTLY {graph_name(table, partition)} ON {table.entries} "
        f'USING hnsw (embedding "{table.vector_schema}".halfvec_cosine_ops) '
        f"WITH ({', '.join(sorted(wanted))}) WHERE {belongs(partition)}"
    )


async def drop(connection: Connection, table: Table, partition: bytes) -> None:
    await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS semgate.{graph_name(table, partition)}")
