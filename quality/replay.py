"""A stream through a cache that begins empty: what is not served is kept, and may answer later questions.

As the gateway does it: of the nearest kept questions, at most five and similar enough, the first one that is accepted is
served, nearest first. A hit is wrong if it is of another cluster. No entry expires.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from quality.embedding import Vectors
from quality.sources import Stream

TOP_K = 5
Accept = Callable[[str, str, float], bool]


class Replayed(msgspec.Struct, frozen=True):
    hits: int
    wrong: int

    @property
    def right(self) -> int:
        return self.hits - self.wrong


def replay(stream: Stream, vectors: Vectors, candidate: float, accept: Accept) -> Replayed:
    """`accept(question, kept question, similarity)` decides for each candidate."""
    kept = np.zeros((len(stream.texts), vectors.width), dtype=np.float32)
    texts: list[str] = []
    clusters: list[str] = []
    exact: dict[str, str] = {}
    hits = wrong = 0
    for text, cluster in zip(stream.texts, stream.clusters, strict=True):
        found = exact.get(text)
        vector = vectors.get(text)
        if found is None and vector is not None and texts:
            near = kept[: len(texts)] @ vector
            nearest = np.argsort(-near, kind="stable")[:TOP_K]
            for place in nearest:
                if near[place] >= candidate and accept(text, texts[place], float(near[place])):
                    found = clusters[place]
                    break
        if found is not None:
            hits += 1
            wrong += found != cluster
            continue
        exact[text] = cluster
        if vector is not None:
            kept[len(texts)] = vector
            texts.append(text)
            clusters.append(cluster)
    return Replayed(hits, wrong)
