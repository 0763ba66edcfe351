"""Misses: looked up, forwarded, stored; how many a second, whether all were stored, and who waits for whom.

Vectors are hashes of the texts, so that the model is not what is measured. The table holds 1,000 small partitions.
"""

from __future__ import annotations

import asyncio
import time
from statistics import median

import asyncpg
import numpy as np
from figure import Effort, Figure, Turns, faults, must_be_right, p50, rate
from filled import fill, partitions_of, rows_of, table_of
from hashed import DIMENSIONS
from load import Job, Seen, drive, start
from machine import OTHERS
from servers import Servers
from traffic import CHAT, HIT, MISS, NEW_QUESTION, chat

PATH = f"/miss{CHAT}"
PARTITIONS = 1_000
RATE = 400.0
STORED_PERCENT = 99.0
HELD_UP_AT_MOST = 1.2
HIT_WITHIN_MS = 20.0
SLOW_MISSES = 10
SLOW_MS = 1_000


def measure(servers: Servers, effort: Effort) -> list[Figure]:
    new_questions = [chat(NEW_QUESTION, path=PATH, tenant=f"shop {number}") for number in range(PARTITIONS)]
    numbers = Numbers()
    first = drive(_job(servers, new_questions, numbers, connections=4, count=PARTITIONS), OTHERS)
    must_be_right(first, "one question in each partition")
    asyncio.run(_fill(servers, effort))
    return [
        *_throughput(servers, effort, new_questions, numbers),
        _held_up_store(servers, effort, new_questions, numbers),
        _hit_behind_misses(servers, effort, numbers),
    ]


class Numbers:
    """Running numbers that no two jobs share."""

    def __init__(self) -> None:
        self._next = 0

    def take(self) -> int:
        self._next += 1_000_000
        return self._next


def _job(servers: Servers, requests: list[bytes], numbers: Numbers, **options: float) -> Job:
    return Job(
        port=servers.gateway,
        requests=requests,
        expect=MISS,
        first_number=numbers.take(),
        **options,  # type: ignore[arg-type]
    )


async def _fill(servers: Servers, effort: Effort) -> None:
    table, space = await table_of(servers, "miss")
    places = await partitions_of(servers, table, "miss")
    directions = np.random.default_rng(5).normal(size=(len(places) * (effort.rows_each - 1), DIMENSIONS))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    rows = ((places[number % len(places)], row) for number, row in enumerate(directions.astype("<f4")))
    await fill(servers, space, "miss", rows, promoted=None)


def _throughput(servers: Servers, effort: Effort, requests: list[bytes], numbers: Numbers) -> list[Figure]:
    table, _space = asyncio.run(table_of(servers, "miss"))
    all_seen: list[Seen] = []
    stored: list[float] = []
    remarks: list[str] = []
    for _ in range(effort.turns):
        before = asyncio.run(rows_of(servers, table, "miss"))
        turn = Turns(
            {"miss": _job(servers, requests, numbers, connections=16, seconds=effort.seconds)}, 1, servers.pids
        )
        (seen,) = turn.seen["miss"]
        time.sleep(0.5)  # the last answers may still be on their way into the table
        all_seen.append(seen)
        stored.append(100 * (asyncio.run(rows_of(servers, table, "miss")) - before) / max(1, seen.right))
        remarks = turn.remarks("miss")
    wrong = faults(all_seen)
    return [
        Figure(
            name="miss, 16 connections",
            what=f"misses per second, looked up and stored, over {PARTITIONS:,} partitions of {effort.rows_each} rows",
            value=median(map(rate, all_seen)),
            unit="req/s",
            goal=RATE,
            at_least=True,
            measured=f"p50 {median(map(p50, all_seen)):.1f} ms",
            faults=wrong,
            remarks=remarks,
            samples={"semgate": [rate(seen) for seen in all_seen]},
        ),
        Figure(
            name="miss, stored",
            what="answers that are rows in PostgreSQL afterwards",
            value=median(stored),
            unit="%",
            goal=STORED_PERCENT,
            at_least=True,
            measured=f"{sum(seen.right for seen in all_seen):,} misses",
            faults=wrong,
            samples={"semgate": stored},
        ),
    ]


def _held_up_store(servers: Servers, effort: Effort, requests: list[bytes], numbers: Numbers) -> Figure:
    """A lock on the table lets look-ups through and holds every store up: do misses take longer meanwhile?"""
    table, _space = asyncio.run(table_of(servers, "miss"))
    free: list[Seen] = []
    held: list[Seen] = []

    async def turn() -> None:
        # Fewer than the pool has connections, and done before the store's time budget is over.
        few = {"count": 6, "pause": 0.02}
        free.append(drive(_job(servers, requests, numbers, **few), OTHERS))
        await asyncio.sleep(0.1)
        connection = await asyncpg.connect(servers.postgres)
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table.entries} IN EXCLUSIVE MODE")
            held.append(drive(_job(servers, requests, numbers, **few), OTHERS))
        await connection.close()
        await asyncio.sleep(0.1)

    for _ in range(2 * effort.turns):
        asyncio.run(turn())
    return Figure(
        name="miss, store held up",
        what="p50 of a miss at 1 connection while nothing can be stored over the same while it can",
        value=median(p50(slow) / p50(fast) for slow, fast in zip(held, free, strict=True)),
        unit="x",
        goal=HELD_UP_AT_MOST,
        measured=f"{median(map(p50, held)):.2f} ms",
        floor=f"{median(map(p50, free)):.2f} ms",
        faults=faults(free + held),
        samples={"held up": [p50(seen) for seen in held], "floor": [p50(seen) for seen in free]},
    )


def _hit_behind_misses(servers: Servers, effort: Effort, numbers: Numbers) -> Figure:
    known = chat("How do I descale my coffee machine?")
    drive(Job(port=servers.gateway, requests=[known], count=1), OTHERS)
    # Under hashed vectors: to the model, questions that differ by a number only are so near that some would be hits.
    slow = [chat(NEW_QUESTION, path=PATH, delay_ms=SLOW_MS)]
    hits: list[Seen] = []
    misses: list[Seen] = []
    for _ in range(effort.turns):
        waiting = start(_job(servers, slow, numbers, connections=SLOW_MISSES, count=SLOW_MISSES), OTHERS)
        hits.append(drive(Job(port=servers.gateway, requests=[known], count=50, pause=0.01, expect=HIT), OTHERS))
        misses.append(waiting())
    waited = min((latency for seen in misses for latency in seen.latencies), default=0) / 1e6
    too_soon = [] if waited >= SLOW_MS else [f"a miss took {waited:.0f} ms, not {SLOW_MS}: it was not slow"]
    slowest = [max(seen.latencies, default=0) / 1e6 for seen in hits]
    return Figure(
        name="hit behind ten slow misses",
        what=f"slowest of 50 exact hits while {SLOW_MISSES} misses wait {SLOW_MS} ms for the upstream",
        value=median(slowest),
        unit="ms",
        goal=HIT_WITHIN_MS,
        measured=f"p50 {median(map(p50, hits)):.2f} ms",
        faults=faults(hits + misses) + too_soon,
        samples={"slowest": slowest, "p50": [p50(seen) for seen in hits]},
    )
