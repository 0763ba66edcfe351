"""The curves of `judge`, `simulate` and `calibrate`, as PNG or SVG. The only module that imports matplotlib, an extra.

Each has two parts: on the left what happens at each threshold, on the right the trade between right and wrong.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli.failure import Failed
from gateway.cli.offline import Chosen, own_threshold
from gateway.cli.results import save
from gateway.core.calibration import Calibration, Level, Outcome

if TYPE_CHECKING:
    from gateway.cli.evidence_files import Evidence
    from gateway.cli.judge import Counts
    from gateway.cli.simulate import Plays

# Okabe and Ito's palette, which those who see few colours can tell apart; lines differ in their dashes as well.
_RIGHT, _WRONG, _OTHER = "#0072B2", "#D55E00", "#7F7F7F"
_INCHES = (10.0, 4.4)
_DPI = 150
_SIMILARITY_ALONE = "similarity alone"


def draw_pairs(
    out: Path, file: str, chosen: Chosen, counts: Counts, own: Sequence[Level], plain: Sequence[Level]
) -> None:
    """`own`: levels of what the route decides by; `plain`: of similarity, where that is another. Raises Failed."""
    figure, (left, right) = _figure()
    at = [each.threshold for each in own]
    served = [100 * _part(each.served - each.wrong, counts.right) for each in own]
    wrong = [100 * _part(each.wrong, counts.wrong) for each in own]
    left.plot(at, served, color=_RIGHT, label="same answer (1)")
    left.plot(at, wrong, color=_WRONG, linestyle="--", label="another answer (0)")
    _mark_own(left, chosen)
    _name_axes(left, f"{_by(chosen)} at least", "served of each kind, %")
    if plain:
        right.plot(
            [100 * _part(each.wrong, counts.wrong) for each in plain],
            [100 * _part(each.served - each.wrong, counts.right) for each in plain],
            color=_OTHER,
            linestyle="--",
            label=_SIMILARITY_ALONE,
        )
    right.plot(wrong, served, color=_RIGHT, label=_by(chosen))
    here = 100 * _part(counts.wrong_served, counts.wrong), 100 * _part(counts.right_served, counts.right)
    right.plot(*here, "o", color=_RIGHT, label="as the route is set")
    _name_axes(right, "served of those with another answer, %", "served of those with the same answer, %")
    _finish(figure, (left, right), out, f"{Path(file).name}: what route {chosen.route.name} serves")


def draw_log(out: Path, file: str, chosen: Chosen, plays: Plays) -> None:
    """Raises Failed."""
    figure, (left, right) = _figure()
    at = [threshold for threshold, _ in plays.by_own]
    left.plot(
        at, [_of_requests(each.right, each.requests) for _, each in plays.by_own], color=_RIGHT, label="right hits"
    )
    left.plot(
        at,
        [_of_requests(each.wrong, each.requests) for _, each in plays.by_own],
        color=_WRONG,
        linestyle="--",
        label="wrong hits",
    )
    left.plot(
        at,
        [_of_requests(each.missed, each.requests) for _, each in plays.by_own],
        color=_OTHER,
        linestyle=":",
        label="missed: the answer was there",
    )
    _mark_own(left, chosen)
    _name_axes(left, f"{_by(chosen)} at least", "of all questions, %")
    for each, colour, line, label in (
        (plays.by_similarity, _OTHER, "--", _SIMILARITY_ALONE),
        (plays.by_own, _RIGHT, "-", _by(chosen)),
    ):
        if each:
            right.plot(
                [100 * _part(played.wrong, played.hits) for _, played in each],
                [_of_requests(played.right, played.requests) for _, played in each],
                color=colour,
                linestyle=line,
                marker=".",
                label=label,
            )
    own = plays.own
    here = 100 * _part(own.wrong, own.hits), _of_requests(own.right, own.requests)
    right.plot(*here, "o", color=_RIGHT, label="as the route is set")
    _name_axes(right, "wrong of hits, %", "right hits of all questions, %")
    _finish(figure, (left, right), out, f"{Path(file).name}: what route {chosen.route.name} would have served")


def draw_calibration(
    out: Path, file: str, chosen: Chosen, evidence: Evidence, found: Calibration, max_error: float
) -> None:
    """Raises Failed."""
    figure, (left, right) = _figure()
    levels = [each for each in evidence.levels if each.served]
    at = [each.threshold for each in levels]
    low, high = (
        [100 * value for value in ends] for ends in zip(*((each.low, each.high) for each in levels), strict=True)
    )
    left.fill_between(at, low, high, color=_WRONG, alpha=0.2, linewidth=0, label="95 % interval")
    left.plot(at, [100 * each.rate for each in levels], color=_WRONG, label="wrong of served")
    left.plot(
        at,
        [100 * each.bound for each in levels],
        color=_WRONG,
        linestyle="--",
        linewidth=0.8,
        label="bound that is tested",
    )
    left.axhline(100 * max_error, color=_OTHER, linestyle=":", label=f"wished: {100 * max_error:g} %")
    left.set_ylim(0, min(100.0, max(400 * max_error, 150 * max((each.rate for each in levels), default=0.0))))
    _name_axes(left, f"{evidence.name} at least", "wrong of served, %")
    right.plot(at, [each.served for each in levels], color=_RIGHT, label="served")
    right.set_ylim(bottom=0)
    _name_axes(right, f"{evidence.name} at least", "served, counted as evidence")
    if found.level is not None:
        label = "proven" if found.outcome is Outcome.PROVEN else "nearest, not proven"
        for axes in (left, right):
            axes.axvline(
                found.level.threshold, color=_RIGHT, linestyle="--", label=f"{label}: {found.level.threshold:g}"
            )
    _finish(
        figure, (left, right), out, f"{Path(file).name}: route {chosen.route.name}, wrong answers at each threshold"
    )


def _part(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _of_requests(part: int, requests: int) -> float:
    return 100 * _part(part, requests)


def _by(chosen: Chosen) -> str:
    verify = chosen.route.verify
    return "similarity" if verify is None else f"score of {verify.by}"


def _mark_own(axes: Any, chosen: Chosen) -> None:
    axes.axvline(own_threshold(chosen), color=_OTHER, linewidth=0.8, label="as the route is set")


def _figure() -> tuple[Any, Any]:
    """A figure that no window shows, with two axes beside each other. Raises Failed."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise Failed("--plot needs matplotlib: pip install 'semgate[plot]'") from error
    figure = Figure(figsize=_INCHES, layout="constrained")
    return figure, figure.subplots(1, 2)


def _name_axes(axes: Any, across: str, up: str) -> None:
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _finish(figure: Any, parts: Sequence[Any], out: Path, title: str) -> None:
    from matplotlib import rc_context

    figure.suptitle(title, fontsize=11, parse_math=False)  # a file's name may have dollar signs
    for axes in parts:
        axes.legend(fontsize=8, framealpha=0.8, edgecolor="none")
    content = io.BytesIO()
    # Text stays text, and the same figures give the same file.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "semgate"}):
        form = out.suffix.lower().removeprefix(".")
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(content, format=form, dpi=_DPI, metadata=metadata)
    save(content.getvalue(), out)
