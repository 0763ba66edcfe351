"""`semgate judge PAIRS.csv`: what a route would serve of labelled pairs, and how much of it would be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from gateway.cli.failure import Failed, note
from gateway.cli.labelled import Pair, read_pairs
from gateway.cli.offline import Chosen, choose_route, progress, with_route
from gateway.cli.results import Block, Table, interval, write_blocks, write_csv, write_json_result
from gateway.cli.showing import Column, count, share, things, visible
from gateway.cli.thresholds import threshold_blocks
from gateway.core.calibration import Level, Trial, levels_of
from gateway.core.evidence import wilson
from gateway.runtime.offline import Judged, OfflineRoute

CSV_COLUMNS = ("text_a", "text_b", "label", "similarity", "verifier_score", "served")
SIMILARITIES = (0.7, 0.75, *(step / 100 for step in range(80, 90, 2)), *(step / 100 for step in range(90, 100)))
"""At which plain similarity is shown, in tables."""
SCORES = (0.05, *(step / 10 for step in range(1, 10)), 0.95, 0.98, 0.99)
"""At which a verifier's score is shown."""


class Counts(msgspec.Struct, frozen=True):
    """`right`: those that should be served; `wrong`: those that should not."""

    right: int
    wrong: int
    right_served: int
    wrong_served: int


class AtThreshold(msgspec.Struct, frozen=True):
    """Shares 0 to 1; `interval`: the 95 % interval of the wrong share of what is served."""

    threshold: float
    right_served: int
    wrong_served: int
    right_share: float
    wrong_share: float
    wrong_of_served: float
    interval: tuple[float, float]


class Result(msgspec.Struct, frozen=True):
    """`thresholds` are of what the route decides by: similarity, or its verifier's score at its candidate threshold;
    `similarity_thresholds` of plain similarity, for comparison (none where that is the same). `denied` pairs have a question
    that the file denies, and are served at no threshold."""

    route: str
    rule: str
    pairs: int
    served: int
    denied: int
    counts: Counts | None
    thresholds: list[AtThreshold]
    similarity_thresholds: list[AtThreshold]
    judged: list[dict[str, object]]


def run(file: str, config: Path | None, route: str | None, form: str, out: Path | None, plot: Path | None) -> int:
    chosen = choose_route(config, route)
    pairs = read_pairs(file, labelled=False)
    judged = judge_pairs(chosen, pairs)
    unfit = sum(each.similarity is None for each in judged)
    if unfit:
        note(f"{things(unfit, 'pair')} with a text that is looked up by its exact words only: not served")
    labelled = pairs[0].label is not None
    if plot is not None:
        if not labelled:
            raise Failed(f"{file} has no column `label`: there is nothing to draw")
        from gateway.cli.plots import draw_pairs

        draw_pairs(plot, file, chosen, _counts(pairs, judged), *_curves(chosen, pairs, judged))
    if form == "csv":
        write_csv(CSV_COLUMNS, [list(_row(*each).values()) for each in zip(pairs, judged, strict=True)], out)
    else:
        result = _result(chosen, pairs, judged, labelled=labelled)
        if form == "json":
            write_json_result(result, out)
        else:
            write_blocks(_blocks(file, chosen, result), out)
    return 0


def judge_pairs(chosen: Chosen, pairs: Sequence[Pair]) -> list[Judged]:
    """Each pair as the route sees it. Raises Failed."""
    texts = len({text for pair in pairs for text in (pair.text_a, pair.text_b)})

    async def judged(route: OfflineRoute) -> list[Judged]:
        with progress("judging", texts + len(pairs)) as moved:
            return await route.judge([(pair.text_a, pair.text_b) for pair in pairs], moved)

    return with_route(chosen, judged)


def by_similarity(pairs: Sequence[Pair], judged: Sequence[Judged]) -> list[Trial]:
    """The pairs as trials of plain similarity."""
    return [
        Trial(None if each.denied else each.similarity, bool(pair.label))
        for pair, each in zip(pairs, judged, strict=True)
    ]


def by_score(pairs: Sequence[Pair], judged: Sequence[Judged], candidate: float) -> list[Trial]:
    """The same of the verifier's score, for those that are near enough to be judged."""
    return [
        Trial(each.score if _is_near(each, candidate) else None, bool(pair.label))
        for pair, each in zip(pairs, judged, strict=True)
    ]


def _is_near(judged: Judged, candidate: float) -> bool:
    return not judged.denied and judged.similarity is not None and judged.similarity >= candidate


def _row(pair: Pair, judged: Judged) -> dict[str, object]:
    label = None if pair.label is None else int(pair.label)
    cells = (pair.text_a, pair.text_b, label, judged.similarity, judged.score, int(judged.served))
    return dict(zip(CSV_COLUMNS, cells, strict=True))


def _curves(
    chosen: Chosen, pairs: Sequence[Pair], judged: Sequence[Judged], *, fine: bool = True
) -> tuple[list[Level], list[Level]]:
    """Levels of what the route decides by, and of plain similarity (none where that is the same); the strictest last."""
    verify, thresholds = chosen.route.verify, chosen.route.thresholds
    steps = tuple(step / 200 for step in range(201)) if fine else None
    if verify is None:
        return levels_of(by_similarity(pairs, judged), steps or _with(SIMILARITIES, thresholds.hit)), []
    assert thresholds.candidate is not None
    assert verify.at_least is not None
    opinions = by_score(pairs, judged, thresholds.candidate)
    return (
        levels_of(opinions, steps or _with(SCORES, verify.at_least)),
        levels_of(by_similarity(pairs, judged), steps or SIMILARITIES),
    )


def _with(steps: Sequence[float], own: float) -> tuple[float, ...]:
    """With the route's own threshold among them."""
    return tuple(sorted({*steps, own}))


def _result(chosen: Chosen, pairs: Sequence[Pair], judged: Sequence[Judged], *, labelled: bool) -> Result:
    counts, own, plain = None, list[AtThreshold](), list[AtThreshold]()
    if labelled:
        counts = _counts(pairs, judged)
        own, plain = (
            [_at_threshold(each, counts) for each in levels] for levels in _curves(chosen, pairs, judged, fine=False)
        )
    return Result(
        route=chosen.route.name,
        rule=chosen.rule,
        pairs=len(pairs),
        served=sum(each.served for each in judged),
        denied=sum(each.denied for each in judged),
        counts=counts,
        thresholds=own,
        similarity_thresholds=plain,
        judged=[_row(*each) for each in zip(pairs, judged, strict=True)],
    )


def _counts(pairs: Sequence[Pair], judged: Sequence[Judged]) -> Counts:
    right = sum(bool(pair.label) for pair in pairs)
    served = [bool(pair.label) for pair, each in zip(pairs, judged, strict=True) if each.served]
    return Counts(right, len(pairs) - right, sum(served), len(served) - sum(served))


def _at_threshold(level: Level, counts: Counts) -> AtThreshold:
    right = level.served - level.wrong
    return AtThreshold(
        threshold=level.threshold,
        right_served=right,
        wrong_served=level.wrong,
        right_share=right / counts.right if counts.right else 0.0,
        wrong_share=level.wrong / counts.wrong if counts.wrong else 0.0,
        wrong_of_served=level.rate,
        interval=wilson(level.wrong, level.served),
    )


def _blocks(file: str, chosen: Chosen, result: Result) -> list[Block]:
    blocks: list[Block] = [f"route {visible(result.route)}: {result.rule}"]
    if result.denied:
        blocks.append(f"{things(result.denied, 'pair')} with a question that is denied: not served")
    if result.counts is None:
        blocks += [
            f"{visible(file)}: {things(result.pairs, 'pair')} without labels, {count(result.served)} served"
            f" ({share(result.served, result.pairs)}); --format csv has them one by one"
        ]
        return blocks
    counts = result.counts
    rows = [
        (name, count(all_), count(served), share(served, all_), interval(served, all_))
        for name, all_, served in (
            ("same answer (1)", counts.right, counts.right_served),
            ("another answer (0)", counts.wrong, counts.wrong_served),
        )
    ]
    wrong, served = counts.wrong_served, result.served
    head = (Column("label"), *(Column(name, right=True) for name in ("pairs", "served", "share", "95 % interval")))
    blocks += [
        f"{visible(file)}: {things(result.pairs, 'pair')}\n",
        Table(head, rows),
        f"\nof {count(served)} served {count(wrong)} are wrong: {share(wrong, served)} ({interval(wrong, served)});"
        " in traffic it depends on how often each kind comes, see docs/judging.md\n",
    ]
    return blocks + threshold_blocks(chosen, _MEASURES, _cells, result.thresholds, result.similarity_thresholds)


def _cells(each: AtThreshold) -> tuple[str, ...]:
    return (
        count(each.right_served),
        f"{100 * each.right_share:.1f} %",
        count(each.wrong_served),
        f"{100 * each.wrong_share:.1f} %",
        share(each.wrong_served, each.right_served + each.wrong_served),
        interval(each.wrong_served, each.right_served + each.wrong_served),
    )


_MEASURES = (
    ("right served", 3),
    ("of all right", 0),
    ("wrong served", 2),
    ("of all wrong", 0),
    ("wrong of served", 0),
    ("95 % interval", 1),
)
