"""Floor of a semantic hit: one embedding, then one bare pgvector query, and nothing else.

    python bench/floors/embed_and_search.py POSTGRES_URL TABLE VECTOR_SCHEMA PARTITION

For each line on stdin, a JSON list of texts, one line on stdout: a JSON list of nanoseconds, the two together for each
text. The session has the settings that the gateway gives its own, so that both search the graph alike.
"""

from __future__ import annotations

import json
import sys
import time

import asyncpg
import uvloop

from gateway.config.model import Hnsw
from gateway.embedders.onnx import OnnxEmbedder
from gateway.stores.graph import belongs
from gateway.stores.postgres import Database, decode_vector, encode_vector


async def main(url: str, table: str, schema: str, partition: str) -> None:
    embedder = OnnxEmbedder()
    await embedder.open()
    session = Database(url, ef_search=Hnsw().ef_search)._settings
    connection = await asyncpg.connect(url, server_settings=session)
    await connection.set_type_codec(
        "halfvec", schema=schema, encoder=encode_vector, decoder=decode_vector, format="binary"
    )
    distance = f'embedding OPERATOR("{schema}".<=>) $1'
    where = belongs(bytes.fromhex(partition))
    search = await connection.prepare(f"SELECT id, {distance} FROM {table} WHERE {where} ORDER BY {distance} LIMIT 5")
    plan = "\n".join(
        row[0] for row in await connection.fetch(f"EXPLAIN {search.get_query()}", await embedder.embed("?"))
    )
    if "_graph" not in plan:
        raise RuntimeError(f"the floor does not search the graph:\n{plan}")
    for line in sys.stdin:
        nanoseconds = []
        for text in json.loads(line):
            start = time.perf_counter_ns()
            await search.fetch(await embedder.embed(text))
            nanoseconds.append(time.perf_counter_ns() - start)
        print(json.dumps(nanoseconds), flush=True)
    await connection.close()
    await embedder.close()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
