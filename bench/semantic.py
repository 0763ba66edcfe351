"""Semantic hits, against one embedding and one pgvector query in the same table and nothing else.

One partition of 100,000 questions, in the graph; every question asked is a paraphrase of a stored one that was never
asked before, so neither an exact tier nor the embedder's memory can answer it.
"""

from __future__ import annotations

import asyncio
import re
import time
from statistics import median
from typing import cast

import numpy as np
from figure import Effort, Figure, faults, must_be_right, p50
from filled import fill, partitions_of, table_of
from load import Job, Seen, drive
from machine import OTHERS, get
from questions import questions, vectors
from servers import Servers
from traffic import CHAT, SEMANTIC, chat, paraphrase

GOAL = 1.3
FOUND_PERCENT = 99.0
LEARNING_SECONDS = 3.0  # until the gateway has heard that the partition has a graph
NOT_FOUND = "x-cache: miss"
PATH = f"/semantic{CHAT}"
SPARE = 2_000  # bench/recall.py asks as many: both use one file of vectors
EACH_TURN = 200


def measure(servers: Servers, effort: Effort) -> list[Figure]:
    first = chat("What is this shop called?", path=PATH)
    must_be_right(drive(Job(port=servers.gateway, requests=[first], count=1), OTHERS), "the first question")
    made, source = vectors(effort.rows + SPARE)
    table, space = asyncio.run(table_of(servers, "semantic"))
    (place,) = asyncio.run(partitions_of(servers, table, "semantic"))
    stored = made[: effort.rows].astype("<f4")
    asyncio.run(fill(servers, space, "semantic", ((place, row) for row in stored), promoted=place.partition))
    asked = [paraphrase(question, nth) for nth, question in enumerate(_spread(questions(effort.rows + SPARE), effort))]
    ours: list[Seen] = []
    floors: list[float] = []
    time.sleep(LEARNING_SECONDS)
    floor = ["bench/floors/embed_and_search.py", servers.postgres, table.entries, table.vector_schema]
    with servers.asking([*floor, place.partition.hex()]) as embed_and_search:
        before = _stages(servers)
        for turn in range(-1, effort.turns):  # the first one warms up
            texts = asked[(turn + 1) * 2 * EACH_TURN :][: 2 * EACH_TURN]
            requests = [chat(text, path=PATH) for text in texts[::2]]
            seen = drive(Job(port=servers.gateway, requests=requests, count=EACH_TURN, expect=SEMANTIC), OTHERS)
            # Questions of its own: the pages that the gateway just read may still be in the processor's caches.
            alone = cast(list[int], embed_and_search(texts[1::2]))
            if turn >= 0:
                ours.append(seen)
                floors.append(median(alone) / 1e6)
    not_found = sum(count for seen in ours for kind, count in seen.wrong.items() if kind.startswith(NOT_FOUND))
    asked_in_all = sum(seen.asked for seen in ours)
    return [
        Figure(
            name=f"semantic hit, {effort.rows:,} rows",
            what="p50 of a semantic hit at 1 connection over one embedding and one pgvector query",
            value=median(p50(seen) / floor for seen, floor in zip(ours, floors, strict=True)),
            unit="x",
            goal=GOAL,
            measured=f"{median(map(p50, ours)):.2f} ms",
            floor=f"{median(floors):.2f} ms",
            faults=[fault for fault in faults(ours) if NOT_FOUND not in fault],
            remarks=[source, f"where the gateway waits: {_means(before, _stages(servers))}"],
            samples={"semgate": [p50(seen) for seen in ours], "floor": floors},
        ),
        Figure(
            name="semantic hit, found",
            what="paraphrases (similarity 0.9 or above) of stored questions that were answered from the cache",
            value=100 * (1 - not_found / asked_in_all),
            unit="%",
            goal=FOUND_PERCENT,
            at_least=True,
            measured=f"{asked_in_all - not_found:,} of {asked_in_all:,}",
            remarks=["what is missing here the graph did not find: bench/recall.py looks closer"] if not_found else [],
        ),
    ]


def _spread(everything: list[str], effort: Effort) -> list[str]:
    """As many stored questions as are asked, from all over the partition."""
    wanted = (effort.turns + 1) * 2 * EACH_TURN
    return [everything[int(place)] for place in np.linspace(0, effort.rows - 1, wanted)]


def _stages(servers: Servers) -> dict[str, tuple[float, float]]:
    """Seconds and calls of each stage of a look-up so far, by the gateway's own metrics."""
    text = get(servers.gateway, "/-/metrics")[1].decode()
    found = re.findall(r'^semgate_stage_seconds_(sum|count){stage="([^"]+)"} (\S+)$', text, re.MULTILINE)
    read = {(kind, stage): float(number) for kind, stage, number in found}
    return {stage: (read["sum", stage], read["count", stage]) for stage in ("postgres-exact", "embed", "nearest")}


def _means(before: dict[str, tuple[float, float]], after: dict[str, tuple[float, float]]) -> str:
    """Milliseconds of a stage, on average."""
    told = []
    for stage, (seconds, calls) in after.items():
        seconds_before, calls_before = before[stage]
        told.append(f"{stage} {(seconds - seconds_before) / max(1, calls - calls_before) * 1e3:.2f} ms")
    return ", ".join(told)
