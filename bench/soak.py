"""Soak semgate in mixed traffic and see whether it holds memory, handles or connections: a table, a plot, a verdict.

Hits, misses, reworded questions, streams (of their own, followed, broken by the upstream, left by the client), bypasses,
errors and resets of the upstream, answers that are too large to be kept, compressed ones, each in both forms. Every
answer is checked word by word. The worker is looked at from outside, so nothing is added to what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import numpy as np
import uvloop
from machine import OTHERS, ROOT, describe
from questions import questions
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from servers import Servers
from soak_clients import Asker
from soak_traffic import Traffic
from soak_watch import Sample, Soaked, Watch, print_table, write_json, write_plot

from gateway.embedders.onnx import OnnxEmbedder

WARM_UP_SECONDS = 15.0
# Idle connections to the upstream are given up after 4 s, and the clients' own after 2.
REST_SECONDS = 10.0
# No two of the reworded questions are nearer than this, so that none may answer another.
APART = 0.6
REWORDED = 40


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench/soak.py",
        description=__doc__,
        epilog="usage:\n"
        "  make .venv/.installed-bench                     once: what it needs\n"
        "  .venv/bin/python bench/soak.py                  20 minutes\n"
        "  .venv/bin/python bench/soak.py --minutes 1      does it still work? (memory is judged from 10 minutes on)\n\n"
        "exit code: 0 passed, 1 failed, 2 wrong use. It is no part of `make bench`.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=20.0, help="how long, after a warm-up (default: 20)")
    parser.add_argument(
        "--every", type=float, default=10.0, metavar="SECONDS", help="between two samples (default: 10)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the traffic's chances (default: 1)")
    parser.add_argument("--out", type=Path, default=ROOT / "bench/out", help="folder for JSON and plot")
    return parser.parse_args()


async def soak(servers: Servers, options: argparse.Namespace, console: Console) -> Soaked:
    reworded = await _far_apart()
    upstream = servers.start_upstream("bench/soak_upstream.py")
    url = servers.start_postgres("data")
    port = servers.start_gateway("bench/soak.yaml", "data", upstream)
    asker = Asker(port)
    traffic = Traffic(asker, reworded, options.seed)
    postgres = await asyncpg.connect(url)
    watch = Watch(servers.pids[port], upstream, postgres, traffic)
    samples: list[Sample] = []
    try:
        console.print(f"[dim]warming up for {WARM_UP_SECONDS:.0f} s, then {REST_SECONDS:.0f} s of rest[/]")
        await traffic.run(WARM_UP_SECONDS)
        await asyncio.sleep(REST_SECONDS)
        before = await watch.sample()
        watch.begin()
        running = asyncio.create_task(traffic.run(options.minutes * 60))
        await _watch(watch, running, samples, options, console)
        await running
        await asyncio.sleep(REST_SECONDS)
        after = await watch.sample()
        rows = await postgres.fetchval("SELECT count(*) FROM semgate.usage")
    finally:
        await asker.close()
        await postgres.close()
    counts = (dict(traffic.done), dict(traffic.ways), dict(traffic.errors))
    return Soaked(before, after, samples, *counts, traffic.first_errors, rows)


async def _watch(
    watch: Watch, running: asyncio.Task[None], samples: list[Sample], options: argparse.Namespace, console: Console
) -> None:
    """Sample while the traffic runs; tell how it goes, on a terminal as a bar, elsewhere a line a minute."""
    loop = asyncio.get_running_loop()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=options.minutes * 60)
        begun, told = loop.time(), 0
        while not running.done():
            await asyncio.wait({running}, timeout=options.every)
            if running.done():
                break
            try:
                one = await watch.sample()
            except FileNotFoundError as error:
                raise RuntimeError(f"the gateway's worker ({watch.worker}) is gone") from error
            samples.append(one)
            line = f"{one.stories:,} stories, {one.errors} errors, {one.megabytes:.0f} MB, {one.handles} handles"
            progress.update(bar, completed=loop.time() - begun, description=line)
            if not console.is_terminal and (minute := int((loop.time() - begun) / 60)) > told:
                told = minute
                console.print(f"{minute:3} min  {line}", highlight=False)


async def _far_apart() -> list[str]:
    """Questions of which none is near another, by the model that the gateway uses."""
    embedder = OnnxEmbedder()
    await embedder.open()
    chosen: list[str] = []
    vectors: list[np.ndarray] = []
    for text in questions(600, seed=11):
        vector = np.frombuffer(await embedder.embed(text), "<f4")
        if all(float(vector @ other) < APART for other in vectors):
            chosen.append(text)
            vectors.append(vector)
        if len(chosen) == REWORDED:
            break
    await embedder.close()
    return chosen


def main() -> int:
    options = arguments()
    console = Console(width=None if sys.stdout.isatty() else 132)
    if options.minutes * 60 < 4 * options.every:
        console.print(f"--minutes {options.minutes:g} is too short for samples every {options.every:g} s")
        return 2
    machine = describe()
    os.sched_setaffinity(0, OTHERS)
    # As with ctrl-C: what was started is stopped on the way out.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="semgate-soak-") as folder, ExitStack() as stack:
        soaked = uvloop.run(soak(Servers(Path(folder), stack), options, console))
    print_table(soaked, console)
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(soaked, machine | {"minutes": options.minutes}, options.out / "soak.json")
    if find_spec("matplotlib") is None:
        console.print("no plot: it needs `pip install 'semgate\\[bench]'`")
    else:
        write_plot(soaked, options.out / "soak.png")
    console.print(f"written to {options.out}", soft_wrap=True)
    for fault in soaked.faults:
        console.print(f"[bold red]{fault}[/]", highlight=False, soft_wrap=True)
    console.print(soaked.verdict(), style="bold", highlight=False, soft_wrap=True)
    return 1 if soaked.faults else 0


if __name__ == "__main__":
    sys.exit(main())
