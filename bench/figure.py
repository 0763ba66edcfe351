"""A Figure: what was measured, beside its floor and its goal; and the way to measure two things fairly.

Two things are measured in turns (A B A B ...), so that whatever else the machine does meets both. A ratio is taken in
each turn, and the median of the ratios is the figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median

import msgspec
from load import Job, Seen, drive
from machine import OTHERS, SERVER, Busy, cpu_seconds

# From here on the load's own core is full, and what is measured may be the load.
FULL = 0.97


class Figure(msgspec.Struct, kw_only=True):
    """`value` in `unit`; `unit` "x" is a ratio to the floor. `goal` None: shown for orientation. `faults` are wrong
    answers: a figure with any has not reached its goal. `remarks` are things to know when reading it."""

    name: str
    what: str
    value: float
    unit: str
    goal: float | None = None
    at_least: bool = False
    measured: str = ""
    floor: str = ""
    faults: list[str] = []
    remarks: list[str] = []
    samples: dict[str, list[float]] = {}

    @property
    def reached(self) -> bool | None:
        """None where there is no goal."""
        if self.goal is None:
            return None
        near = self.value >= self.goal if self.at_least else self.value <= self.goal
        return near and not self.faults


class Effort(msgspec.Struct, frozen=True):
    """How long to measure: turns, seconds a turn, rows of the large partition, rows in each of 1,000 small ones; and
    streams at once, for how many seconds, how many times."""

    turns: int
    seconds: float
    rows: int
    rows_each: int
    starts: int
    streams: int
    stream_seconds: float
    stream_rounds: int


FULL_EFFORT = Effort(
    turns=5, seconds=2.0, rows=100_000, rows_each=100, starts=3, streams=500, stream_seconds=15.0, stream_rounds=2
)
QUICK_EFFORT = Effort(
    turns=3, seconds=0.5, rows=10_000, rows_each=10, starts=1, streams=100, stream_seconds=3.0, stream_rounds=2
)


class Turns:
    """What several jobs saw, in turns: `seen[name][turn]`, and the processor time that each answer cost the process
    behind the job's port (`pids` by port), in microseconds."""

    def __init__(self, jobs: Mapping[str, Job], turns: int, pids: Mapping[int, int]) -> None:
        self.seen: dict[str, list[Seen]] = {name: [] for name in jobs}
        self._cpu: dict[str, list[float]] = {name: [] for name in jobs}
        self._others_busy: list[float] = []
        for _ in range(turns):
            for name, job in jobs.items():
                pid = pids.get(job.port)
                busy, used = Busy(), 0.0 if pid is None else cpu_seconds(pid)
                seen = drive(job, OTHERS)
                self.seen[name].append(seen)
                self._others_busy.append(max(busy.shares()[core] for core in OTHERS))
                if pid is not None:
                    self._cpu[name].append((cpu_seconds(pid) - used) / max(1, seen.right) * 1e6)

    def ratio(self, name: str, floor: str, of: Callable[[Seen], float]) -> float:
        pairs = zip(self.seen[name], self.seen[floor], strict=True)
        return median(of(one) / of(other) for one, other in pairs)

    def middle(self, name: str, of: Callable[[Seen], float]) -> float:
        return median(of(seen) for seen in self.seen[name])

    def samples(self, of: Callable[[Seen], float]) -> dict[str, list[float]]:
        return {name: [of(seen) for seen in all_seen] for name, all_seen in self.seen.items()}

    def faults(self, *names: str) -> list[str]:
        return [f"{name}: {fault}" for name in names for fault in faults(self.seen[name])]

    def remarks(self, *names: str) -> list[str]:
        """What to know when reading the figure. Processor time tells most on a machine that is not quiet."""
        costs = [f"{name} {median(self._cpu[name]):.0f} µs" for name in names]
        remarks = [f"processor time per answer: {', '.join(costs)}"]
        if OTHERS != SERVER and median(self._others_busy) >= FULL:
            share = median(self._others_busy)
            remarks.append(f"the load's core was {share:.0%} busy: the load may be what is measured")
        return remarks


def faults(all_seen: list[Seen]) -> list[str]:
    """Wrong answers of any kind, counted."""
    counts: dict[str, int] = {}
    for seen in all_seen:
        for kind, count in seen.wrong.items():
            counts[kind] = counts.get(kind, 0) + count
    return [f"{count} x {kind}" for kind, count in counts.items()]


def must_be_right(seen: Seen, what: str) -> None:
    """For what is only prepared: nothing can be measured on top of wrong answers. Raises RuntimeError."""
    if seen.wrong:
        raise RuntimeError(f"{what}: {', '.join(faults([seen]))}")


def rate(seen: Seen) -> float:
    return seen.rate


def p50(seen: Seen) -> float:
    return seen.p50()
