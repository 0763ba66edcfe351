"""How often the comparison of two answers errs, and the weights that it goes by.

`python -m quality.answers.measure` prints both: errors on the short and structured answers as they are, on prose with
weights fitted to all topics but the one that is judged. What ships is fitted to all. The model that embeds is the shipped
one. `gateway/core/prose.py` has the weights, `gateway/core/comparison.py` the errors; tests/core/test_comparison.py
compares both with what is found here.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from gateway.core import prose
from gateway.core.comparison import Compared, Questions, compare
from gateway.core.evidence import wilson
from gateway.core.judgement import Finding
from gateway.core.prose import Wording, apartness, finding, measure, nearness, pieces, score
from gateway.embedders.onnx import OnnxEmbedder

FOLDER = Path(__file__).parent
RIDGE = 0.3
"""The fit's penalty on weights: half their squares are added to the loss."""


class Pair(NamedTuple):
    """Two answers; `same`: is the stored one as good for the question asked now? `topic` counts those that belong together."""

    topic: int
    now: str
    before: str
    stored: str
    fresh: str
    same: bool


class Errors(NamedTuple):
    """Of answers that are right and of those that are wrong: how many were found to be which."""

    right: dict[Finding, int]
    wrong: dict[Finding, int]


def topics() -> list[Pair]:
    """Prose: each topic's two answers to its question, and to the near one, with each other."""
    found: list[Pair] = []
    blocks = [block for block in (FOLDER / "topics.txt").read_text(encoding="utf-8").split("\n\n") if block[0] != "#"]
    for number, block in enumerate(blocks):
        lines = [(line[0], line[3:]) for line in block.splitlines()]
        asked = {mark: text for mark, text in lines if mark in "QPNM"}
        ours, theirs = ([text for mark, text in lines if mark == kind] for kind in "AB")
        found.append(Pair(number, asked["P"], asked["Q"], ours[0], ours[1], True))
        found.append(Pair(number, asked["M"], asked["N"], theirs[0], theirs[1], True))
        found += [Pair(number, asked["Q"], asked["N"], their, our, False) for our in ours for their in theirs]
    return found


def values() -> list[Pair]:
    """What is short or structured."""
    return _rows("values.txt")


def beside() -> list[Pair]:
    """Documents that say their answer in words, with other members beside them."""
    return _rows("beside.txt")


def _rows(file: str) -> list[Pair]:
    lines = (FOLDER / file).read_text(encoding="utf-8").splitlines()
    rows = (line.replace("\\n", "\n").split(" || ") for line in lines if line and not line.startswith("#"))
    return [
        Pair(number, now, before, stored, fresh, same == "1")
        for number, (same, now, before, stored, fresh) in enumerate(rows)
    ]


def judge_values(pairs: Sequence[Pair]) -> Errors:
    """As the gateway does; what it takes for prose counts as unsure."""
    found: list[tuple[bool, Finding]] = []
    for pair in pairs:
        verdict = compare([[pair.stored]], [[pair.fresh]], Questions(pair.now, pair.before))
        found.append((pair.same, verdict.finding if isinstance(verdict, Compared) else Finding.UNSURE))
    return _errors(found)


async def wordings(pairs: Sequence[Pair]) -> list[Wording]:
    """What is weighed of each pair."""
    embedder = OnnxEmbedder()
    known: dict[str, tuple[float, ...]] = {}

    async def embed(text: str) -> tuple[float, ...]:
        if text not in known:
            vector = await embedder.embed(text)
            known[text] = struct.unpack(f"<{len(vector) // 4}f", vector)
        return known[text]

    found = []
    for pair in pairs:
        stored, fresh, asked = [
            [await embed(text) for text in texts]
            for texts in (pieces(pair.stored), pieces(pair.fresh), (pair.before, pair.now))
        ]
        near, apart = nearness(stored, fresh), apartness(stored, fresh, *asked)
        found.append(measure(pair.stored, pair.fresh, near, apart))
    await embedder.close()
    return found


def fit(rows: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Logistic regression with a ridge, by Newton's method; right and wrong count alike in all. The bias comes last."""
    design = np.column_stack([rows, np.ones(len(rows))])
    counts = np.where(same, len(same) / 2 / same.sum(), len(same) / 2 / (~same).sum())
    penalty = np.diag([RIDGE] * rows.shape[1] + [0.0])
    weights = np.zeros(design.shape[1])
    for _ in range(50):
        sure = 1 / (1 + np.exp(-design @ weights))
        slope = design.T @ (counts * (sure - same)) + penalty @ weights
        curve = (design.T * (counts * sure * (1 - sure))) @ design + penalty
        step = np.linalg.solve(curve, slope)
        weights -= step
        if np.abs(step).max() < 1e-10:
            break
    return weights


def judge_prose(pairs: Sequence[Pair], rows: np.ndarray) -> Errors:
    """Each topic by weights that were fitted to the others."""
    same, topic = np.array([pair.same for pair in pairs]), np.array([pair.topic for pair in pairs])
    found: list[tuple[bool, Finding]] = []
    for number in sorted(set(topic)):
        weights = fit(rows[topic != number], same[topic != number])
        for row, right in zip(rows[topic == number], same[topic == number], strict=True):
            sure = 1 / (1 + np.exp(-(row @ weights[:-1] + weights[-1])))
            found.append((bool(right), finding(float(sure))))
    return _errors(found)


def _errors(found: Sequence[tuple[bool, Finding]]) -> Errors:
    right, wrong = (
        {each: sum(told is each for same, told in found if same is which) for each in Finding}
        for which in (True, False)
    )
    return Errors(right, wrong)


def as_rows(measured: Sequence[Wording]) -> np.ndarray:
    return np.array([msgspec.structs.astuple(each) for each in measured])


def _told(name: str, errors: Errors) -> Iterator[str]:
    for title, counts in (("right", errors.right), ("wrong", errors.wrong)):
        total = sum(counts.values())
        for told, count in counts.items():
            low, high = wilson(count, total)
            yield f"{name:<10} {title} answers found {told:<6} {count:>3} of {total:>3}  {count / total:6.1%}  ({low:.1%} to {high:.1%})"


def main() -> None:
    pairs = topics()
    rows = as_rows(asyncio.run(wordings(pairs)))
    judged = (
        ("structured", judge_values(values())),
        ("beside", judge_values(beside())),
        ("prose", judge_prose(pairs, rows)),
    )
    for name, errors in judged:
        print("\n".join(_told(name, errors)))
    weights = fit(rows, np.array([pair.same for pair in pairs])).round(2)
    print("WEIGHTS =", ", ".join(f"{value:g}" for value in weights[:-1]), "BIAS =", f"{weights[-1]:g}")
    shipped = [score(Wording(*row)) for row in rows]
    agree = np.mean(
        [(finding(each) is not Finding.WRONG) for each, pair in zip(shipped, pairs, strict=True) if pair.same]
    )
    print(f"with the weights that ship ({prose.BIAS:g} first of all): {agree:.1%} of right prose is not found wrong")


if __name__ == "__main__":
    main()
