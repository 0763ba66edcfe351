"""How many of the true nearest neighbours `nearest` finds, against an exact scan, and how long it takes.

Two shapes, in one table at once: one partition of 100,000 rows (in the graph) and 1,000 partitions of 100 rows (scanned).
The truth is computed here, over the same half-precision vectors. A row as near as the true k-th counts as found.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from questions import vectors

from gateway.core.messages import Entry
from gateway.stores import graph
from gateway.stores.codec import Codec
from gateway.stores.embedded import EmbeddedPostgres
from gateway.stores.pgvector import PgVectorStore
from gateway.stores.postgres import Database
from gateway.stores.promotion import Promotion
from gateway.stores.schema import Space

HEADERS = ((b"content-type", b"application/json"),)
K = 5
TIE = 1e-6


def key(*parts: object) -> bytes:
    return hashlib.blake2b(repr(parts).encode(), digest_size=32).digest()


def entry(partition: bytes, number: int, body: bytes) -> Entry:
    now = time.time()
    exact = key(partition, number)
    return Entry(
        id=exact.hex()[:22],
        route="bench",
        scope=key("scope"),
        partition=partition,
        exact=exact,
        status=200,
        headers=HEADERS,
        body=body,
        asked_at=now,
        created_at=now,
        expires_at=now + 86400,
    )


async def load(
    database: Database, space: Space, codec: Codec, rows: list[tuple[Entry, bytes]], *, promoted: bytes | None = None
) -> None:
    """Many rows at once by COPY, and a graph for the `promoted` partition."""
    table = await database.table(space)
    columns = "exact id namespace route scope partition question head body asked_at created_at expires_at embedding"
    usage = "space exact namespace route bytes last_used expires_at"
    records = []
    for made, vector in rows:
        head, body = codec.to_columns(made)
        question = codec.close_question("a question", made.exact)
        keys = (made.exact, made.id, "default", made.route, made.scope, made.partition)
        times = (made.asked_at, made.created_at, made.expires_at)
        records.append((*keys, question, head, body, *times, vector, made.partition == promoted))
    counted = [
        (table.space, made.exact, "default", made.route, made.size(), made.created_at, made.expires_at)
        for made, _vector in rows
    ]
    async with database.dedicated() as connection:
        await database._teach_vectors(connection)
        await connection.copy_records_to_table(
            table.name, schema_name="semgate", columns=[*columns.split(" "), "promoted"], records=records
        )
        await connection.copy_records_to_table(
            "usage", schema_name="semgate", columns=usage.split(" "), records=counted
        )
        if promoted is not None:
            await graph.build(connection, table, promoted, database.graph)
            await connection.execute(f"INSERT INTO semgate.promoted VALUES ({table.space}, $1)", promoted)
    await database.learn_graphs(space)


def exact_scan(rows: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Similarity of each question's true k-th nearest row, as columns 1..K."""
    stored = rows.astype("<f2").astype("<f4")
    stored /= np.linalg.norm(stored, axis=1, keepdims=True)
    wanted = asked.astype("<f2").astype("<f4")
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    best = np.empty((len(asked), K), "<f4")
    for start in range(0, len(asked), 100):
        similar = wanted[start : start + 100] @ stored.T
        best[start : start + 100] = -np.sort(np.partition(-similar, K - 1, axis=1)[:, :K], axis=1)
    return best


class Score:
    """Found neighbours of all questions so far, and the time each took."""

    def __init__(self) -> None:
        self.first = self.all = self.asked = 0
        self.seconds: list[float] = []

    async def ask(self, store: PgVectorStore, partition: bytes, vector: np.ndarray, truth: np.ndarray) -> None:
        start = time.perf_counter()
        found = await store.nearest(partition, vector.astype("<f4").tobytes(), K, 0.95, time.time())
        self.seconds.append(time.perf_counter() - start)
        self.asked += 1
        self.first += bool(found) and found[0].similarity >= truth[0] - TIE
        self.all += sum(candidate.similarity >= truth[K - 1] - TIE for candidate in found)

    def row(self, name: str) -> str:
        p50, p99 = statistics.median(self.seconds) * 1e3, statistics.quantiles(self.seconds, n=100)[98] * 1e3
        return f"{name:<34}{self.first / self.asked:>10.4f}{self.all / self.asked / K:>10.4f}{p50:>10.2f}{p99:>10.2f}"


async def measure(arguments: argparse.Namespace, url: str) -> bool:
    rows, per_partition, partitions = arguments.rows, 100, arguments.partitions
    made, source = vectors(rows + arguments.questions, Path(arguments.vectors) if arguments.vectors else None)
    asked, made = made[rows:], made[:rows]
    print(f"{source}; {rows} rows in one partition, {partitions} partitions of {per_partition}; {len(asked)} questions")
    codec = Codec(b"k" * 32)
    space = Space("bench", made.shape[1])
    body = os.urandom(1500)
    big = key("big")
    chance = np.random.default_rng(2)
    members = chance.permutation(rows)[: partitions * per_partition].reshape(partitions, -1)
    database = Database(url, m=arguments.m, ef_construction=arguments.ef_construction)
    start = time.perf_counter()
    pairs = [(entry(big, number, body), made[number].tobytes()) for number in range(rows)]
    small = [
        (entry(key("small", place), int(number), body), made[number].tobytes())
        for place, numbers in enumerate(members)
        for number in numbers
    ]
    if arguments.load == "keep":
        store = PgVectorStore(database, space, codec)

        async def keep(share: list[tuple[Entry, bytes]]) -> None:
            for kept, vector in share:
                await store.keep(kept, "a question", vector)

        await asyncio.gather(*[keep((pairs + small)[part::8]) for part in range(8)])
        print(f"kept in {time.perf_counter() - start:.0f} s", flush=True)
        start = time.perf_counter()
        await Promotion(database, 3000).of_partition(space, big)
        print(f"promoted in {time.perf_counter() - start:.0f} s", flush=True)
    else:
        await load(database, space, codec, pairs + small, promoted=big)
        print(f"loaded in {time.perf_counter() - start:.0f} s", flush=True)
    await database.close()

    truth_big = exact_scan(made, asked)
    truth_small = [exact_scan(made[numbers], asked[place :: len(members)]) for place, numbers in enumerate(members)]
    print(f"{'':<34}{'recall@1':>10}{f'recall@{K}':>10}{'p50 ms':>10}{'p99 ms':>10}")
    good = True
    for ef_search in arguments.ef_search:
        database = Database(url, ef_search=ef_search, m=arguments.m, ef_construction=arguments.ef_construction)
        store = PgVectorStore(database, space, codec)
        one, many = Score(), Score()
        for number, vector in enumerate(asked):
            await one.ask(store, big, vector, truth_big[number])
            place, nth = number % len(members), number // len(members)
            await many.ask(store, key("small", place), vector, truth_small[place][nth])
        print(one.row(f"1 x {rows}, ef_search {ef_search}"))
        print(many.row(f"{partitions} x {per_partition}"), flush=True)
        good &= min(one.first, one.all / K) >= 0.99 * one.asked and min(many.first, many.all / K) >= 0.99 * many.asked
        await database.close()
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the one large partition")
    parser.add_argument("--partitions", type=int, default=1_000, help="small partitions, of 100 rows each")
    parser.add_argument("--questions", type=int, default=2_000, help="questions asked of each shape")
    parser.add_argument(
        "--ef-search", type=int, nargs="+", default=[256], help="pgvector's hnsw.ef_search, one or more"
    )
    parser.add_argument("--m", type=int, default=16, help="pgvector's m")
    parser.add_argument("--ef-construction", type=int, default=200, help="pgvector's ef_construction")
    parser.add_argument(
        "--load", choices=["copy", "keep"], default="copy", help="fill by COPY (a minute), or as the gateway does"
    )
    parser.add_argument("--vectors", default="", help="folder that keeps the questions' vectors between runs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="semgate-recall-") as folder:
        server = EmbeddedPostgres(folder)
        try:
            good = asyncio.run(measure(arguments, server.start()))
        finally:
            server.stop()
    print("recall is at least 0.99 everywhere" if good else "recall is below 0.99")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
