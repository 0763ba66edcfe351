"""The curves: precision over recall for each pair set, served share by kind, wrong share over hit rate for each stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from quality.figures import KIND_SERVED, KindFigures, StreamFigures, precision_and_recall
from quality.judging import COSINE_LOOSE, COSINE_STRICT, RULES, VERIFIER, Judged

mpl.use("Agg")
from matplotlib import pyplot

COLOURS = {COSINE_LOOSE: "#b0bec5", COSINE_STRICT: "#78909c", VERIFIER: "#2e7d32"}
StreamCurve = dict[str, list[tuple[float, float]]]
"""For `cosine` and `verifier`: hit rate and wrong share of hits, along the thresholds."""


def draw_pairs(sets: list[Judged], path: Path) -> None:
    columns = 5
    rows = -(-len(sets) // columns)
    picture, grid = pyplot.subplots(
        rows, columns, figsize=(3.1 * columns, 2.9 * rows), layout="constrained", sharex=True, squeeze=False
    )
    for axes, judged in zip(grid.flat, sets, strict=False):
        for rank, colour, name in ((judged.similarity, "#78909c", "cosine"), (judged.rank(), "#2e7d32", "combined")):
            precision, recall = precision_and_recall(rank, judged.label)
            axes.plot(recall, precision, color=colour, linewidth=1.6, label=name)
        for rule, mark in zip(RULES, ("o", "s", "D"), strict=True):
            served = judged.served(rule)
            if served.any():
                point = (served & judged.label).sum() / max(judged.label.sum(), 1), judged.label[served].mean()
                axes.plot(*point, mark, color=COLOURS[rule], markeredgecolor="black", markersize=6, label=rule)
        axes.set_title(judged.name, fontsize=10, loc="left")
        axes.set_ylim(top=1.01)
        _tidy(axes)
    for axes in list(grid.flat)[len(sets) :]:
        axes.set_visible(False)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    picture.legend(handles, labels, loc="outside upper center", ncols=5, frameon=False, fontsize=9)
    picture.supxlabel("share of the right pairs that is served", fontsize=9)
    picture.supylabel("share of the served pairs that is right", fontsize=9)
    _save(picture, path)


def draw_kinds(kinds: list[KindFigures], path: Path) -> None:
    """Bars of all sets together: changes on the left (short is good), rewrites on the right (long is good)."""
    picture, sides = pyplot.subplots(1, 2, figsize=(12, 9), layout="constrained")
    for label, axes in enumerate(sides):
        summed = _summed([each for each in kinds if each.label == label])
        names = sorted(summed, key=lambda kind: summed[kind][VERIFIER], reverse=not label)
        places = np.arange(len(names))
        for offset, rule in enumerate(RULES):
            shares = [100 * summed[name][rule] for name in names]
            axes.barh(places + 0.27 * (1 - offset), shares, 0.26, color=COLOURS[rule], label=rule)
        axes.set_yticks(places, names, fontsize=8)
        axes.set_title("rewrites served, %" if label else "changes of the meaning served, %", fontsize=10, loc="left")
        axes.set_xlim(0, 100)
        axes.margins(y=0.01)
        if label == 0:
            axes.axvline(100 * KIND_SERVED, color="#c62828", linewidth=1, linestyle="--", label="goal: at most")
        _tidy(axes)
    handles, labels = sides[0].get_legend_handles_labels()
    picture.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    _save(picture, path)


def _summed(kinds: list[KindFigures]) -> dict[str, dict[str, float]]:
    """Kind -> rule -> share served over all sets."""
    found: dict[str, dict[str, float]] = {}
    for name in {each.kind for each in kinds}:
        chosen = [each for each in kinds if each.kind == name]
        whole = sum(each.served[VERIFIER].whole for each in chosen)
        found[name] = {rule: sum(each.served[rule].part for each in chosen) / whole for rule in RULES}
    return found


def draw_streams(curves: dict[str, StreamCurve], figures: list[StreamFigures], path: Path) -> None:
    picture, grid = pyplot.subplots(
        1, len(curves), figsize=(4.2 * len(curves), 3.6), layout="constrained", squeeze=False
    )
    for axes, stream in zip(grid.flat, figures, strict=True):
        for way, colour in (("cosine", "#78909c"), ("verifier", "#2e7d32")):
            rates, wrong = zip(*curves[stream.name][way], strict=True)
            axes.plot(100 * np.array(rates), 100 * np.array(wrong), color=colour, marker=".", markersize=4, label=way)
        for rule, mark in zip(RULES, ("o", "s", "D"), strict=True):
            rate = 100 * stream.hits[rule] / stream.questions
            label = "verifier at the setting" if rule == VERIFIER else rule
            style = {"color": COLOURS[rule], "markeredgecolor": "black", "markersize": 7, "linestyle": ""}
            axes.plot(rate, 100 * stream.wrong[rule].value, marker=mark, label=label, **style)
        axes.set_title(stream.name, fontsize=10, loc="left")
        axes.set_xlabel("hits, % of questions", fontsize=9)
        _tidy(axes)
    grid.flat[0].set_ylabel("wrong, % of hits", fontsize=9)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    picture.legend(handles, labels, loc="outside upper center", ncols=5, frameon=False, fontsize=9)
    _save(picture, path)


def _tidy(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)


def _save(picture: Any, path: Path) -> None:
    picture.savefig(path, dpi=130)
    pyplot.close(picture)
