"""`max_error` tried out on streams of questions: how long the ramp is, what is served, and how much of it wrongly.

Part of `make quality`; by itself: python -m quality.control --data DIR [--out DIR] [--quick]. Prints tables and writes
them to control.md, every figure to control.json and the curves to control.png. A minute or two on one core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from random import Random
from statistics import median

from rich.console import Console

from gateway.core.betting import right_needed
from gateway.core.control import CHANCES
from quality.control_play import (
    BY_COSINE,
    MISTAKEN,
    OF_PROSE,
    PERFECT,
    WINDOW,
    Decision,
    Near,
    Played,
    Score,
    by_verifier,
    neighbours,
    play,
)
from quality.control_ramp import Ramp, ramp
from quality.embedding import Vectors, embed_all
from quality.judges import Shipped
from quality.judging import Setting
from quality.sources import Stream, read_folder

OUT = Path(__file__).parent / "out"
BOUNDS = (0.005, 0.01, 0.02, 0.05)
COMPARISONS = (PERFECT, OF_PROSE, MISTAKEN)
ROUNDS = 10
ENOUGH = 300
"""Served hits from which on the wrong rate is held against the bound."""
ALLOWANCE = 0.01
"""What the realised rate may be above the bound."""
GONE_BAD = 0.1


@dataclass(frozen=True)
class Line:
    stream: str
    decision: str
    bound: float
    rounds: int
    comparison: str
    gone_bad: float
    played: Played

    @property
    def keeps(self) -> bool | None:
        """None: too little was served to say, or answers went bad, which cannot be known before they do."""
        played = self.played
        return (
            None if self.gone_bad or played.served < ENOUGH else played.wrong / played.served <= self.bound + ALLOWANCE
        )


@dataclass(frozen=True)
class Tried:
    lines: list[Line]
    ramps: list[Ramp]

    @property
    def keeps(self) -> bool:
        """Wherever there were hits enough."""
        return all(line.keeps is not False for line in self.lines)


def main() -> int:
    """0 where the bound was kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with streams (text, cluster)")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="folder for tables, JSON and curves")
    parser.add_argument("--quick", action="store_true", help="the streams once only")
    options = parser.parse_args()
    console, verifier = Console(), Shipped().timed
    _, streams = read_folder(options.data, None)
    vectors = embed_all((text for each in streams for text in each.texts), options.out / "vectors.npz", console)
    tried = try_out(streams, vectors, lambda _: verifier.score, Setting(), 1 if options.quick else ROUNDS)
    print_and_write(tried, options.out, console)
    return 0 if tried.keeps else 1


def try_out(
    streams: Sequence[Stream],
    vectors: Vectors,
    score_of: Callable[[str], Score],
    setting: Setting,
    rounds: int = ROUNDS,
) -> Tried:
    """Every stream, by the verifier that `score_of` has for it and by similarity alone, once as it is and once `rounds`
    times over."""
    lines: list[Line] = []
    for decision in (by_verifier(setting), BY_COSINE):
        for stream in streams:
            near = neighbours(stream, vectors, decision, score_of(stream.name))
            lines += _played(stream, near, decision, rounds)
    return Tried(lines, list(_ramps()) if rounds > 1 else [])


def print_and_write(tried: Tried, folder: Path, console: Console) -> None:
    """To the screen, and as control.md, control.json and control.png."""
    tables = render(tried)
    console.print(tables, markup=False, highlight=False, soft_wrap=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "control.md").write_text(tables + "\n", encoding="utf-8")
    (folder / "control.json").write_text(json.dumps(asdict(tried), indent=1) + "\n", encoding="utf-8")
    if find_spec("matplotlib") is not None:
        draw(tried.lines, folder / "control.png")


def _played(stream: Stream, near: list[list[Near]], decision: Decision, rounds: int) -> Iterable[Line]:
    for bound in BOUNDS:
        for length in sorted({1, rounds}):
            for comparison in COMPARISONS:
                played = play(stream, near, decision, bound, rounds=length, comparison=comparison)
                yield Line(stream.name, decision.name, bound, length, comparison.name, 0.0, played)
    played = play(stream, near, decision, BOUNDS[-1], rounds=rounds, gone_bad=GONE_BAD)
    yield Line(stream.name, decision.name, BOUNDS[-1], rounds, PERFECT.name, GONE_BAD, played)


def _ramps() -> Iterable[Ramp]:
    for bound in (0.01, 0.05):
        for share in (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 2.0):
            yield ramp(bound, share, Random(1))


def render(tried: Tried) -> str:
    """Tables in Markdown."""
    out = ["Clean comparisons that prove a bound, at the level of the route's own thresholds:"]
    out += [", ".join(f"{bound:.1%}: {right_needed(bound, CHANCES[-1])}" for bound in BOUNDS), ""]
    out += [
        "| bound | true rate | ever served | hits before | of 5,000 served | of these wrong | audits |",
        "|---" * 7 + "|",
    ]
    for each in tried.ramps:
        before = "-" if each.before is None else f"{each.before:,.0f}"
        served = f"{each.served:.0%} | {each.wrong:.2%}" if each.ever else "0% | -"
        out.append(
            f"| {each.bound:.0%} | {each.rate:.2%} | {each.ever:.0%} | {before} | {served} | {each.audits:,.0f} |"
        )
    head = "| stream | decision | bound | comparison | hits | wrong | hits before | served | of these wrong | audits | kept |"
    for title, chosen in (
        ("The streams as they are:", [line for line in tried.lines if line.rounds == 1]),
        ("The same, over and over:", [line for line in tried.lines if line.rounds > 1 and not line.gone_bad]),
    ):
        out += ["", title, "", head, "|---" * 11 + "|", *map(_row, chosen)]
    out += ["", f"From the middle on {GONE_BAD:.0%} of the answers are wrong:", ""]
    out += ["| stream | decision | bound | hits since | served of these | wrong of these |", "|---" * 6 + "|"]
    out += [_gone_bad(line) for line in tried.lines if line.gone_bad]
    return "\n".join(out)


def _gone_bad(line: Line) -> str:
    played = line.played
    return (
        f"| {line.stream} | {line.decision} | {line.bound:.1%} | {played.hits_after:,} | {played.served_after:,} | "
        f"{played.wrong_after:,} |"
    )


def _row(line: Line) -> str:
    played = line.played
    first = "-" if played.first is None else f"{played.first:,}"
    wrong = f"{played.wrong / played.served:.2%}" if played.served else "-"
    kept = {None: "", True: "yes", False: "NO"}[line.keeps]
    return (
        f"| {line.stream} | {line.decision} | {line.bound:.1%} | {line.comparison} | {played.hits:,} | "
        f"{played.wrong_hits / max(1, played.hits):.1%} | {first} | {played.served / max(1, played.hits):.0%} | {wrong} | "
        f"{played.audits:,} | {kept} |"
    )


def draw(lines: Sequence[Line], file: Path) -> None:
    """What is served of each 250 hits, as time goes by; the dashed ones are where answers go bad in the middle."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    chosen = [
        line for line in lines if line.rounds == max(each.rounds for each in lines) and line.comparison == PERFECT.name
    ]
    panels = list(dict.fromkeys((line.decision, line.stream) for line in chosen))
    streams = len({stream for _, stream in panels})
    figure, axes = pyplot.subplots(
        len(panels) // streams,
        streams,
        figsize=(4 * streams, 2.6 * len(panels) // streams),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for panel, axis in zip(panels, axes.flat, strict=True):
        for line in chosen:
            if (line.decision, line.stream) == panel:
                hits = [WINDOW * (number + 0.5) for number in range(len(line.played.windows))]
                shares = [100 * served / total for total, served, _ in line.played.windows]
                label, style = f"{line.bound:.1%}", "--" if line.gone_bad else "-"
                color = f"C{BOUNDS.index(line.bound)}"
                axis.plot(hits, shares, style, color=color, label=None if line.gone_bad else label)
        every = median(
            line.played.wrong_hits / max(1, line.played.hits)
            for line in chosen
            if not line.gone_bad and (line.decision, line.stream) == panel
        )
        axis.set_title(f"{panel[1]}, {panel[0]}: {every:.1%} of hits wrong", fontsize=9)
        axis.set_ylim(-3, 103)
        axis.grid(alpha=0.3)
    for axis in axes[-1]:
        axis.set_xlabel("hits on other words")
    for row in axes:
        row[0].set_ylabel("served, %")
    axes[0][0].legend(title="max_error", fontsize=8)
    figure.savefig(file, dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    raise SystemExit(main())
