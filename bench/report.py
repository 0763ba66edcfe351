"""Figures as a table for people, JSON for programs, and one picture in which the goal is a line at 1."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
from figure import Figure
from rich.console import Console
from rich.table import Table

SIGNS = {True: "reached", False: "MISSED", None: ""}


def print_table(figures: list[Figure], console: Console) -> None:
    table = Table("figure", title="semgate: measured over its floor, in one run", title_justify="left")
    for heading in ("value", "goal", "measured", "floor"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for figure in figures:
        colour = {True: "green", False: "bold red", None: "dim"}[figure.reached]
        table.add_row(
            figure.name,
            told(figure.value, figure.unit),
            goal(figure),
            figure.measured,
            figure.floor,
            f"[{colour}]{SIGNS[figure.reached]}[/]",
        )
    console.print(table)
    for figure in figures:
        for fault in figure.faults:
            console.print(f"[bold red]wrong answers[/] in {figure.name}: {fault}", soft_wrap=True)
    for figure in figures:
        for remark in figure.remarks:
            console.print(f"[dim]{figure.name}: {remark}[/]", soft_wrap=True, highlight=False)


def told(number: float, unit: str) -> str:
    if unit == "x":
        return f"{number:.2f} x"
    if unit == "%":
        return f"{number:.1f} %"
    return f"{number:,.0f} {unit}" if number >= 100 else f"{number:.2f} {unit}"


def goal(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    number = f"{figure.goal:g} x" if figure.unit == "x" else f"{figure.goal:,.3g} {figure.unit}"
    return f"{'≥' if figure.at_least else '≤'} {number}"


def write_json(figures: list[Figure], machine: dict[str, str | int | float], path: Path) -> None:
    """Every sample of every turn, so that a figure can be judged and compared later."""
    told_figures = [{**msgspec.to_builtins(figure), "reached": figure.reached} for figure in figures]
    path.write_text(json.dumps({"machine": machine, "figures": told_figures}, indent=2) + "\n")


def write_picture(figures: list[Figure], machine: dict[str, str | int | float], path: Path) -> None:
    """One bar for each figure with a goal: how many times the goal it is, longer is better, 1 is the goal."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    shown = [figure for figure in figures if figure.goal and figure.value > 0][::-1]
    shares = [share_of_goal(figure) for figure in shown]
    picture, axes = pyplot.subplots(figsize=(10, 1.2 + 0.42 * len(shown)), layout="constrained")
    colours = ["#2e7d32" if figure.reached else "#c62828" for figure in shown]
    bars = axes.barh([figure.name for figure in shown], shares, color=colours, height=0.62)
    axes.bar_label(bars, [f"{told(figure.value, figure.unit)}  ({goal(figure)})" for figure in shown], padding=5)
    axes.axvline(1, color="black", linewidth=1, linestyle="--")
    axes.set_xscale("log")
    axes.set_xlim(min(0.4, *shares), max(shares) * 8)
    axes.set_xticks([0.5, 1, 2, 5, 10], ["½", "goal", "2 x", "5 x", "10 x"])
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("semgate against its goals (right of the line is better)", loc="left", fontsize=11)
    axes.set_xlabel(f"{machine['cpu']}, server on one core, load on another; Python {machine['python']}", fontsize=8)
    picture.savefig(path, dpi=150)
    pyplot.close(picture)


def share_of_goal(figure: Figure) -> float:
    assert figure.goal
    return figure.value / figure.goal if figure.at_least else figure.goal / figure.value
