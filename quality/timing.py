"""What one pair costs on one core, as a route would ask: similarity is known, the verifier is loaded.

Processor time, and of each pair the best of several rounds over all of them, so that what else the machine does is not in
the figure; nor is the collector's work on the objects of this program.
"""

from __future__ import annotations

import gc
import time
from random import Random

import msgspec
import numpy as np

from gateway.core.pairs_reading import read
from quality.judging import Judge, Judged

PAIRS = 5_000
WARM_UP = 200
ROUNDS = 3
MOST_WORDS = 40


class Timing(msgspec.Struct, frozen=True):
    """Milliseconds of processor time a pair of up to 40 words each; `long_p99`: of texts that are 40 times as long."""

    pairs: int
    p50: float
    p99: float
    long_p99: float


def measure(judge: Judge, judged: list[Judged]) -> Timing:
    """Pairs that are similar enough to be judged, of all sets, in mixed order."""
    found = [
        (pair.text_a, pair.text_b, float(near))
        for each in judged
        for pair, near in zip(each.pairs, each.similarity, strict=True)
        if near >= each.setting.candidate and max(len(pair.text_a.split()), len(pair.text_b.split())) <= MOST_WORDS
    ]
    chosen = Random(0).sample(found, min(PAIRS, len(found)))
    taken = _times(judge, chosen)
    longer = [(" ".join([a] * 40), " ".join([b] * 40), near) for a, b, near in chosen[:WARM_UP]]
    return Timing(
        len(chosen),
        float(np.percentile(taken, 50)),
        float(np.percentile(taken, 99)),
        float(np.percentile(_times(judge, longer), 99)),
    )


def _times(judge: Judge, pairs: list[tuple[str, str, float]]) -> list[float]:
    for pair in pairs[:WARM_UP]:
        judge.score(*pair)
    gc.collect()
    gc.freeze()
    best = [float("inf")] * len(pairs)
    for _ in range(ROUNDS):
        read.cache_clear()  # every text is new
        for place, pair in enumerate(pairs):
            begun = time.thread_time()
            judge.score(*pair)
            best[place] = min(best[place], (time.thread_time() - begun) * 1000)
    gc.unfreeze()
    return best
