"""The figures as Markdown, put into docs/quality.md between two marks, so that the page shows what a run really gave."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from quality.figures import KindFigures, Share
from quality.judging import COSINE_LOOSE, COSINE_STRICT, RULES, VERIFIER
from quality.report import Result, number, percent, rewrites, told, verdict

BEGIN, END = "<!-- measured: written by make quality -->", "<!-- end of what was measured -->"
PICTURES = ("pairs", "kinds", "streams")


def document(result: Result, folder: Path, page: Path) -> None:
    """Rewrite the page's measured part, and copy the curves beside its pictures. Raises ValueError without the marks."""
    text = page.read_text(encoding="utf-8")
    before, mark, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"{page} has no part between {BEGIN!r} and {END!r}")
    page.write_text(f"{before}{BEGIN}\n\n{markdown(result)}\n{END}{after}", encoding="utf-8")
    images = page.parent / "images"
    images.mkdir(exist_ok=True)
    for name in PICTURES:
        shutil.copyfile(folder / f"{name}.png", images / f"quality-{name}.png")


def markdown(result: Result) -> str:
    reached = sum(goal.reached for _, goal in result.goals)
    setting = result.setting
    parts = [
        f"Candidates from a similarity of {setting['candidate']:g} on, served from a score of {setting['at_least']:g} on. "
        f"{result.judged_by} {reached} of {len(result.goals)} goals are reached.",
        "### Pair sets",
        _pairs(result),
        "![Precision over recall for each pair set](images/quality-pairs.png)",
        "### One-edit changes of the meaning: share served (less is better)",
        _kinds([kind for kind in result.kinds if kind.label == 0]),
        "### Rewrites that keep the meaning: share served (more is better)",
        _kinds([kind for kind in result.kinds if kind.label == 1]),
        "All of a set, where only the surface differs and where the wording does:",
        _rewrites(result),
        "![Served share by kind](images/quality-kinds.png)",
        "### Streams",
        _streams(result),
        "![Wrong share of hits over hit rate](images/quality-streams.png)",
        "### Other settings",
        _other_scores(result),
        "### Time",
        f"One pair of up to 40 words each, processor time on one core: p50 {result.timing.p50:.3f} ms, "
        f"p99 {result.timing.p99:.3f} ms. Texts 40 times as long: p99 {result.timing.long_p99:.2f} ms.",
        "### Goals that are missed",
        _missed(result),
    ]
    return "\n\n".join(parts) + "\n"


def _pairs(result: Result) -> str:
    head = [
        "set",
        *(f"{what}, {rule}" for rule in RULES for what in ("right", "wrong")),
        "average precision: cosine",
        "combined",
        "goals",
    ]
    rows = [
        [
            each.name,
            *(told(shares[rule]) for rule in RULES for shares in (each.right, each.wrong)),
            f"{each.precision_cosine:.2f}",
            f"{each.precision_verifier:.2f}",
            verdict(each.goals),
        ]
        for each in result.pairs
    ]
    return _table(head, rows)


def _kinds(kinds: Sequence[KindFigures]) -> str:
    """A row for each kind: all sets together by each rule, then the verifier on each set."""
    sets = list(dict.fromkeys(kind.source for kind in kinds))
    rows = []
    for name in sorted({kind.kind for kind in kinds}):
        of_kind = {kind.source: kind for kind in kinds if kind.kind == name}
        pooled = {rule: _sum(kind.served[rule] for kind in of_kind.values()) for rule in RULES}
        low, high = pooled[VERIFIER].interval
        rows.append(
            [
                name,
                str(pooled[VERIFIER].whole),
                percent(pooled[COSINE_LOOSE].value),
                percent(pooled[COSINE_STRICT].value),
                f"{percent(pooled[VERIFIER].value)} ({100 * low:.1f} to {100 * high:.1f})",
                *(_of_set(of_kind.get(source)) for source in sets),
            ]
        )
    return _table(["kind", "pairs", COSINE_LOOSE, COSINE_STRICT, "verifier (95 % interval)", *sets], rows)


def _rewrites(result: Result) -> str:
    rows = [
        [name, *(told(shares[rule]) for shares in (surface, reworded) for rule in RULES)]
        for name, surface, reworded in rewrites(result)
    ]
    return _table(["set", *(f"{what}, {rule}" for what in ("surface", "reworded") for rule in RULES)], rows)


def _of_set(kind: KindFigures | None) -> str:
    if kind is None:
        return ""
    served = kind.served[VERIFIER]
    missed = " **missed**" if kind.goal and kind.proves and not kind.goal.reached else ""
    return f"{served.part} of {served.whole}{missed}"


def _streams(result: Result) -> str:
    head = [
        "stream",
        "questions",
        *(f"{what}, {rule}" for rule in RULES for what in ("hits", "wrong")),
        "right hits kept of cosine 0.92",
        "goals",
    ]
    rows = [
        [
            each.name,
            f"{each.questions:,}",
            *(cell for rule in RULES for cell in (f"{each.hits[rule]:,}", told(each.wrong[rule]))),
            percent(each.kept),
            verdict(each.goals),
        ]
        for each in result.streams
    ]
    return _table(head, rows)


def _other_scores(result: Result) -> str:
    head = ["served from", "pair sets", "streams", "kinds of change", "changes served", "rewrites served"]
    rows = [
        [
            f"{at.at_least:g}",
            *(f"{share.part} of {share.whole}" for share in (at.pair_sets, at.streams, at.kinds)),
            percent(at.changes.value),
            percent(at.rewrites.value),
        ]
        for at in result.at_other_scores
    ]
    return "Sets and kinds that reach their goals, and edits served over all sets of edits:\n\n" + _table(head, rows)


def _missed(result: Result) -> str:
    missed = [(name, goal) for name, goal in result.goals if not goal.reached]
    if not missed:
        return "None."
    rows = [
        [name, goal.name, number(goal.value), f"{'at least' if goal.at_least else 'at most'} {number(goal.bound)}"]
        for name, goal in missed
    ]
    return _table(["set", "figure", "measured", "goal"], rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _sum(shares: Iterable[Share]) -> Share:
    found = list(shares)
    return Share(sum(each.part for each in found), sum(each.whole for each in found))
