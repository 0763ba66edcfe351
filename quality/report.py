"""The figures as tables for people (on the screen and as text), JSON and CSV for programs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from quality.figures import Goal, KindFigures, PairFigures, Share, StreamFigures
from quality.judging import COSINE_LOOSE, RULES, VERIFIER
from quality.sweep import At
from quality.timing import Timing

PAIR_TIME = 0.2
"""Milliseconds at p99 that a pair may take."""


class Result(msgspec.Struct, frozen=True):
    """Everything of one run. `judged_by`: whose opinions, and what these have seen."""

    judged_by: str
    setting: dict[str, float]
    pairs: list[PairFigures]
    kinds: list[KindFigures]
    streams: list[StreamFigures]
    timing: Timing
    at_other_scores: list[At] = []

    @property
    def goals(self) -> list[tuple[str, Goal]]:
        """Each with the set it belongs to. Kinds of fewer than 20 pairs prove nothing, and have no goal here."""
        found = [(each.name, goal) for each in (*self.pairs, *self.streams) for goal in each.goals]
        for kind in self.kinds:
            if kind.goal and kind.proves:
                found.append((kind.source, kind.goal))
        found.append(("timing", Goal("p99 of a pair, ms", self.timing.p99, PAIR_TIME, at_least=False)))
        return found


def tables(result: Result) -> list[Table]:
    return [
        _pair_table(result),
        _kind_table(result, 0),
        _kind_table(result, 1),
        _rewrite_table(result),
        _stream_table(result),
        *([_sweep_table(result)] if result.at_other_scores else []),
    ]


def _pair_table(result: Result) -> Table:
    table = _table("set", "pair sets: share served of the right pairs and of the wrong ones")
    for rule in RULES:
        table.add_column(f"right\n{rule}", justify="right")
        table.add_column(f"wrong\n{rule}", justify="right")
    table.add_column("average precision\ncosine / combined", justify="right")
    table.add_column("")
    for each in result.pairs:
        cells = [told(by_rule[rule]) for rule in RULES for by_rule in (each.right, each.wrong)]
        precision = f"{each.precision_cosine:.2f} / {each.precision_verifier:.2f}"
        table.add_row(each.name, *cells, precision, verdict(each.goals))
    return table


def _kind_table(result: Result, label: int) -> Table:
    what = "rewrites that keep the meaning" if label else "one-edit changes of the meaning"
    table = _table("kind", f"{what}: share served ({'more' if label else 'less'} is better)")
    for column in ("set", "pairs", *RULES, "95 % interval"):
        table.add_column(column, justify="left" if column == "set" else "right")
    table.add_column("")
    for each in sorted(
        (kind for kind in result.kinds if kind.label == label), key=lambda kind: (kind.kind, kind.source)
    ):
        served = each.served[VERIFIER]
        cells = [percent(each.served[rule].value) for rule in RULES]
        shown = verdict([each.goal]) if each.goal and each.proves else ""
        table.add_row(each.kind, each.source, str(served.whole), *cells, interval(served), shown)
    return table


def _rewrite_table(result: Result) -> Table:
    table = _table("set", "rewrites: share served where only the surface differs, and where the wording does")
    for what in ("surface", "reworded"):
        for rule in RULES:
            table.add_column(f"{what}\n{rule}", justify="right")
    for name, surface, reworded in rewrites(result):
        table.add_row(name, *(told(shares[rule]) for shares in (surface, reworded) for rule in RULES))
    return table


def rewrites(result: Result) -> list[tuple[str, dict[str, Share], dict[str, Share]]]:
    """Of each set of edits: its name, and by rule the share served of its rewrites on the surface and of its other wordings."""
    return [
        (each.name, each.surface, each.reworded)
        for each in result.pairs
        if each.surface is not None and each.reworded is not None
    ]


def _stream_table(result: Result) -> Table:
    table = _table("stream", "streams: wrong share of hits, and how many of the right hits are kept")
    table.add_column("questions", justify="right")
    for rule in RULES:
        table.add_column(f"hits\n{rule}", justify="right")
        table.add_column(f"wrong\n{rule}", justify="right")
    table.add_column(f"right hits kept\nof {COSINE_LOOSE}", justify="right")
    table.add_column("")
    for each in result.streams:
        cells = [cell for rule in RULES for cell in (f"{each.hits[rule]:,}", told(each.wrong[rule]))]
        table.add_row(each.name, f"{each.questions:,}", *cells, percent(each.kept), verdict(each.goals))
    return table


def _sweep_table(result: Result) -> Table:
    table = _table(
        "served from", "at other scores: sets that reach their goals, and edits served over all sets of edits"
    )
    for column in ("pair sets", "streams", "kinds of change", "changes served", "rewrites served"):
        table.add_column(column, justify="right")
    for at in result.at_other_scores:
        reached = [f"{share.part} of {share.whole}" for share in (at.pair_sets, at.streams, at.kinds)]
        table.add_row(f"{at.at_least:g}", *reached, percent(at.changes.value), percent(at.rewrites.value))
    return table


def _table(first: str, title: str) -> Table:
    return Table(first, title=title, title_justify="left")


def print_result(result: Result, console: Console) -> None:
    for table in tables(result):
        console.print(table)
    timing = result.timing
    console.print(
        f"one pair of up to 40 words each: p50 {timing.p50:.3f} ms, p99 {timing.p99:.3f} ms ({timing.pairs:,} pairs); "
        f"texts 40 times as long: p99 {timing.long_p99:.3f} ms",
        highlight=False,
    )
    missed = [(name, goal) for name, goal in result.goals if not goal.reached]
    for name, goal in missed:
        sign = "at least" if goal.at_least else "at most"
        console.print(f"MISSED  {name}: {goal.name} {number(goal.value)}, {sign} {number(goal.bound)}", highlight=False)
    console.print(
        f"{len(result.goals) - len(missed)} of {len(result.goals)} goals reached. {result.judged_by}", highlight=False
    )


def told(share: Share) -> str:
    return f"{percent(share.value)} ({share.part:,})"


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def interval(share: Share) -> str:
    low, high = share.interval
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def number(value: float) -> str:
    return f"{value:g}" if value > 1 or value == 0 else f"{value:.4g}"


def verdict(goals: Sequence[Goal]) -> str:
    return "reached" if all(goal.reached for goal in goals) else "MISSED"


def write_files(result: Result, folder: Path) -> None:
    """quality.json, tables.txt, pairs.csv, kinds.csv and streams.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "quality.json").write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    with (folder / "tables.txt").open("w", encoding="utf-8") as file:
        print_result(result, Console(file=file, width=200))
    by_rule = [f"{what}_{rule.replace(' ', '_')}" for rule in RULES for what in ("right", "wrong")]
    _write_csv(
        folder / "pairs.csv",
        ["set", "right", "wrong", *by_rule, "average_precision_cosine", "average_precision_combined"],
        [
            [
                each.name,
                each.right[VERIFIER].whole,
                each.wrong[VERIFIER].whole,
                *(shares[rule].part for rule in RULES for shares in (each.right, each.wrong)),
                round(each.precision_cosine, 4),
                round(each.precision_verifier, 4),
            ]
            for each in result.pairs
        ],
    )
    _write_csv(
        folder / "kinds.csv",
        ["label", "kind", "set", "pairs", *(f"served_{rule.replace(' ', '_')}" for rule in RULES)],
        [
            [
                each.label,
                each.kind,
                each.source,
                each.served[VERIFIER].whole,
                *(each.served[rule].part for rule in RULES),
            ]
            for each in result.kinds
        ],
    )
    _write_csv(
        folder / "streams.csv",
        ["stream", "questions", *(f"{what}_{rule.replace(' ', '_')}" for rule in RULES for what in ("hits", "wrong"))],
        [
            [
                each.name,
                each.questions,
                *(count for rule in RULES for count in (each.hits[rule], each.wrong[rule].part)),
            ]
            for each in result.streams
        ],
    )


def _write_csv(path: Path, head: list[str], rows: list[list[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)
