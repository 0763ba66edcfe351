"""What the soak sees of the gateway from outside, every few seconds, and what it makes of that: a line, a table, a plot."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path
from statistics import mean

import asyncpg
import msgspec
from machine import get, handles, resident, threads, worker_of
from rich.console import Console
from rich.table import Table
from soak_traffic import Traffic

# Of the worker's memory: what the line through the second half may rise from its beginning to its end. Over less than
# some minutes it says nothing: caches still fill.
RISE_AT_MOST = 0.03
JUDGED_FROM_SECONDS = 280.0
# Connections to PostgreSQL are opened when they are needed, up to the pool's 8.
MORE_HANDLES_AT_MOST = 10


class Sample(msgspec.Struct, frozen=True):
    """Of the worker: resident megabytes, open handles, threads. `postgres`: connections that it holds; `upstream`:
    connections open there; `stories` and `errors` so far; `seconds` since the begin."""

    seconds: float
    megabytes: float
    handles: int
    threads: int
    postgres: int
    upstream: int
    stories: int
    errors: int


class Watch:
    """Takes samples of a gateway; `launcher` is the process id of its `semgate serve`."""

    def __init__(
        self, launcher: int, upstream: int, postgres: asyncpg.Connection[asyncpg.Record], traffic: Traffic
    ) -> None:
        self.worker = worker_of(launcher)
        self._upstream = upstream
        self._postgres = postgres
        self._traffic = traffic
        self._begun = time.monotonic()

    def begin(self) -> None:
        """Count seconds from now."""
        self._begun = time.monotonic()

    async def sample(self) -> Sample:
        """Raises FileNotFoundError when the worker is gone."""
        backends = await self._postgres.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return Sample(
            seconds=time.monotonic() - self._begun,
            megabytes=resident(self.worker),
            handles=handles(self.worker),
            threads=threads(self.worker),
            postgres=backends,
            upstream=int(get(self._upstream, "/open")[1]),
            stories=self._traffic.done.total(),
            errors=self._traffic.errors.total(),
        )


class Soaked(msgspec.Struct):
    """Samples at rest before and after, and those in between; how much of what was done, and what went wrong."""

    rest_before: Sample
    rest_after: Sample
    samples: list[Sample]
    done: dict[str, int]
    ways: dict[str, int]
    errors: dict[str, int]
    first_errors: list[str]
    rows: int

    @property
    def second_half(self) -> list[Sample]:
        return self.samples[len(self.samples) // 2 :]

    @property
    def slope(self) -> float:
        """Megabytes an hour, by least squares over the second half."""
        return slope([(one.seconds / 3600, one.megabytes) for one in self.second_half])

    @property
    def faults(self) -> list[str]:
        """Why this soak was not passed; empty: it was."""
        half = self.second_half
        seconds = half[-1].seconds - half[0].seconds
        share = self.slope * seconds / 3600 / mean(one.megabytes for one in half)
        more = self.rest_after.handles - self.rest_before.handles
        found = [f"{count} wrong in {kind!r}" for kind, count in self.errors.items()]
        if share > RISE_AT_MOST and seconds >= JUDGED_FROM_SECONDS:
            found.append(f"memory rose by {share:.1%} over the second half (at most {RISE_AT_MOST:.0%})")
        if more > MORE_HANDLES_AT_MOST:
            found.append(f"{more} more handles at rest than before (at most {MORE_HANDLES_AT_MOST})")
        if self.rest_after.upstream > 0:
            found.append(f"{self.rest_after.upstream} connections to the upstream left open")
        return found

    def verdict(self) -> str:
        before, after = self.rest_before, self.rest_after
        return (
            f"{'FAILED' if self.faults else 'passed'}: {self.slope:+.1f} MB/h over the second half (at "
            f"{mean(one.megabytes for one in self.second_half):.0f} MB); at rest, first and last: handles {before.handles} "
            f"and {after.handles}, threads {before.threads} and {after.threads}, PostgreSQL connections {before.postgres} "
            f"and {after.postgres}, upstream connections {before.upstream} and {after.upstream}; errors "
            f"{sum(self.errors.values())} in {sum(self.done.values()):,} stories"
        )


def slope(points: list[tuple[float, float]]) -> float:
    """Of the line with the least squares through these (x, y)."""
    if len(points) < 2:
        return 0.0
    middle_x, middle_y = mean(x for x, _ in points), mean(y for _, y in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / sum((x - middle_x) ** 2 for x, _ in points)


def print_table(soaked: Soaked, console: Console) -> None:
    table = Table("", title="semgate soaked: its worker from outside", title_justify="left")
    for heading in ("memory MB", "handles", "threads", "PostgreSQL", "upstream", "stories", "errors"):
        table.add_column(heading, justify="right")
    middle = soaked.samples[:: max(1, len(soaked.samples) // 12)]
    named = [("at rest, before", soaked.rest_before), *((f"{one.seconds / 60:.1f} min", one) for one in middle)]
    for name, one in [*named, ("at rest, after", soaked.rest_after)]:
        counts = (one.handles, one.threads, one.postgres, one.upstream)
        table.add_row(name, f"{one.megabytes:.0f}", *map(str, counts), f"{one.stories:,}", str(one.errors))
    console.print(table)
    done = Table("stories", "times", "wrong", title="what was done", title_justify="left")
    for kind, times in sorted(soaked.done.items()):
        done.add_row(kind, f"{times:,}", str(soaked.errors.get(kind, 0)))
    console.print(done)
    ways = ", ".join(f"{way} {count:,}" for way, count in sorted(soaked.ways.items()))
    console.print(f"right answers: {ways}; rows stored at the end: {soaked.rows:,}", highlight=False, soft_wrap=True)
    for error in soaked.first_errors:
        console.print(error, style="red", markup=False, highlight=False, soft_wrap=True)


def write_json(soaked: Soaked, machine: dict[str, str | int | float], path: Path) -> None:
    told = {"machine": machine, "verdict": soaked.verdict(), "slope_mb_per_hour": soaked.slope, "faults": soaked.faults}
    path.write_text(json.dumps({**told, **msgspec.to_builtins(soaked)}, indent=2) + "\n")


def write_plot(soaked: Soaked, path: Path) -> None:
    """Memory with the line through its second half, handles and connections, stories a second."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    samples, half = soaked.samples, soaked.second_half
    minutes = [one.seconds / 60 for one in samples]
    picture, (memory, counts, rate) = pyplot.subplots(3, 1, figsize=(10, 8), sharex=True, layout="constrained")
    memory.plot(minutes, [one.megabytes for one in samples], color="#1565c0", label="resident memory")
    middle_x, middle_y = mean(one.seconds for one in half) / 60, mean(one.megabytes for one in half)
    ends = [half[0].seconds / 60, half[-1].seconds / 60]
    line = [middle_y + soaked.slope / 60 * (x - middle_x) for x in ends]
    memory.plot(ends, line, color="black", linestyle="--", label=f"{soaked.slope:+.1f} MB/h")
    memory.set_ylim(0, max(one.megabytes for one in samples) * 1.25)
    memory.set_ylabel("MB")
    for name, values in (
        ("handles", [one.handles for one in samples]),
        ("threads", [one.threads for one in samples]),
        ("PostgreSQL connections", [one.postgres for one in samples]),
        ("upstream connections", [one.upstream for one in samples]),
    ):
        counts.plot(minutes, values, label=name)
    counts.set_ylim(0, max(one.handles for one in samples) * 1.25)
    pairs = list(pairwise(samples))
    rate.plot(
        [later.seconds / 60 for _, later in pairs],
        [(later.stories - one.stories) / (later.seconds - one.seconds) for one, later in pairs],
        color="#2e7d32",
        label="stories a second",
    )
    rate.set_ylim(0, rate.get_ylim()[1] * 1.25)
    rate.set_xlabel("minutes")
    for axes in (memory, counts, rate):
        axes.legend(loc="upper left", fontsize=8, ncols=4)
        axes.spines[["top", "right"]].set_visible(False)
    memory.set_title(f"semgate's worker under mixed traffic, {sum(soaked.errors.values())} errors", loc="left")
    picture.savefig(path, dpi=150)
    pyplot.close(picture)
