"""Measure semgate against its floors: one run, in turns, medians; a table here, JSON and a picture in bench/out.

Whatever is measured (semgate, or the floor that it is compared with) runs alone on one core; load, upstream and
PostgreSQL share another. Two idle cores and about 2 GB of memory are needed; nothing else should run. Linux only.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import bypass
import exact
import load_streams
import miss
import semantic
import starting
import streams
from figure import FULL_EFFORT, QUICK_EFFORT, Effort, Figure
from machine import CORES, OTHERS, ROOT, SERVER, describe
from report import print_table, write_json, write_picture
from rich.console import Console
from servers import Servers

PARTS: dict[str, tuple[Callable[[Servers, Effort], list[Figure]], str]] = {
    "exact": (exact.measure, "exact hits from memory, 16 and 64 connections, over a Litestar mount"),
    "bypass": (bypass.measure, "forwarded requests, 1 and 16 connections, over a bare aiohttp proxy"),
    "miss": (miss.measure, "misses looked up and stored; hits behind slow misses"),
    "streams": (streams.measure, "events of one stream, over the same stream without semgate"),
    "stream-load": (load_streams.measure, "500 streams and 500 followers at 10 events/s, memory afterwards"),
    "semantic": (semantic.measure, "semantic hits among 100,000 rows, over one embedding and one pgvector query"),
    "start": (starting.measure, "time until ready, memory of one worker"),
}
# Seldom more load than this from elsewhere leaves the figures alone.
QUIET = 0.5


def arguments() -> argparse.Namespace:
    parts = "\n".join(f"  {name:12}{what}" for name, (_measure, what) in PARTS.items())
    parser = argparse.ArgumentParser(
        prog="bench/run.py",
        description=__doc__,
        epilog=f"parts:\n{parts}\n\nexamples:\n"
        "  bench/run.py                          everything, about 9 minutes (2 more the first time)\n"
        "  bench/run.py --quick                  everything, short and rough: does it still work?\n"
        "  bench/run.py --only exact bypass      two parts\n\n"
        "exit code: 0 all goals reached, 1 some missed, 2 wrong use. bench/README.md says what each figure means.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter turns, 10,000 rows: rough figures")
    parser.add_argument(
        "--only", nargs="+", metavar="PART", choices=PARTS, default=list(PARTS), help="these parts only"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "bench/out", help="folder for JSON and picture")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    # A pipe or a CI log has no width of its own; the table needs this one.
    console = Console(width=None if sys.stdout.isatty() else 132)
    machine = describe()
    if machine["cores"] == 1:
        console.print("[bold]One core only:[/] server and load share it; ratios hold roughly, the rest means little.")
    if float(machine["load_before"]) > QUIET:
        console.print(f"[bold]This machine is busy[/] (load {machine['load_before']}): the figures will be too.")
    effort = QUICK_EFFORT if options.quick else FULL_EFFORT
    os.sched_setaffinity(0, OTHERS)
    # As with ctrl-C: what was started is stopped on the way out.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    figures: list[Figure] = []
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="semgate-bench-") as folder, ExitStack() as stack:
        servers = Servers(Path(folder), stack)
        for name in dict.fromkeys(options.only):
            console.print(f"[dim]{time.monotonic() - begun:4.0f} s  {name}: {PARTS[name][1]}[/]", highlight=False)
            figures += PARTS[name][0](servers, effort)
    machine |= {"seconds": round(time.monotonic() - begun), "effort": "quick" if options.quick else "full"}
    print_table(figures, console)
    console.print(
        f"{machine['cpu']}, core {min(SERVER)} for the server, core {min(OTHERS)} for load, upstream and PostgreSQL "
        f"({len(CORES)} in all); {machine['seconds']} s",
        highlight=False,
    )
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(figures, machine, options.out / "bench.json")
    if find_spec("matplotlib") is None:
        console.print("no picture: it needs `pip install 'semgate\\[bench]'`")
    else:
        write_picture(figures, machine, options.out / "bench.png")
    console.print(f"written to {options.out}", soft_wrap=True)
    return 0 if all(figure.reached is not False for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
