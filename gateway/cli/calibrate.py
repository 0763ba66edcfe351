"""`semgate calibrate`: from labelled evidence to the thresholds that hold a wished error rate, and the YAML to paste."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec

from gateway.cli.evidence_files import Evidence, from_pairs, from_shadow, from_stream
from gateway.cli.failure import note
from gateway.cli.judge import SCORES, SIMILARITIES
from gateway.cli.offline import Chosen, choose_route
from gateway.cli.results import Block, Table, threshold, write_blocks, write_csv, write_json_result
from gateway.cli.showing import Column, count, visible
from gateway.core.calibration import (
    CONFIDENCE,
    Calibration,
    Level,
    Outcome,
    calibrate,
    more_wrong_pairs,
)

UNPROVEN = 3
"""The exit code where no threshold is proven to hold the rate."""
CSV_COLUMNS = ("threshold", "served", "wrong", "rate", "low", "high", "bound", "proven", "right_share", "hit_share")


class Wishes(msgspec.Struct, frozen=True):
    """What the command line says. `kind`: pairs, stream or shadow; shares 0 to 1."""

    kind: str
    file: str
    max_error: float
    prior: float | None
    config: Path | None
    route: str | None


class Result(msgspec.Struct, frozen=True):
    """`threshold` is that of `by` (`similarity` or `verifier_score`) which is proven, else null; `nearest` is the one that is
    nearest to it, and `more` about what it takes. `yaml` is empty where nothing is proven. Levels: the strictest first."""

    route: str
    by: str
    max_error: float
    confidence: float
    outcome: str
    threshold: float | None
    nearest: float | None
    more: int
    yaml: str
    notes: list[str]
    levels: list[Level]


def run(wishes: Wishes, form: str, out: Path | None, plot: Path | None) -> int:
    """0 if a threshold is proven, else UNPROVEN."""
    chosen = choose_route(wishes.config, wishes.route)
    if wishes.kind == "pairs":
        evidence = from_pairs(chosen, wishes.file, wishes.prior)
    elif wishes.kind == "stream":
        evidence = from_stream(chosen, wishes.file)
    else:
        evidence = from_shadow(chosen, wishes.file, wishes.route)
    more = None
    if wishes.prior is not None:
        more = partial(more_wrong_pairs, prior=wishes.prior, wrong_pairs=evidence.wrong_pairs)
    found = calibrate(evidence.levels, wishes.max_error, evidence.own, more)
    if plot is not None:
        from gateway.cli.plots import draw_calibration

        draw_calibration(plot, wishes.file, chosen, evidence, found, wishes.max_error)
    for each in evidence.notes if form != "json" else ():
        note(each)
    if form == "json":
        write_json_result(_result(chosen, wishes, evidence, found), out)
    elif form == "csv":
        proven = set(found.proven)
        rows = [
            [each.threshold in proven if name == "proven" else getattr(each, name) for name in CSV_COLUMNS]
            for each in evidence.levels
        ]
        write_csv(CSV_COLUMNS, rows, out)
    else:
        write_blocks(_blocks(chosen, wishes, evidence, found), out)
    return 0 if found.outcome is Outcome.PROVEN else UNPROVEN


def _result(chosen: Chosen, wishes: Wishes, evidence: Evidence, found: Calibration) -> Result:
    proven = found.outcome is Outcome.PROVEN
    return Result(
        route=chosen.route.name,
        by=evidence.by,
        max_error=wishes.max_error,
        confidence=CONFIDENCE,
        outcome=found.outcome.value,
        threshold=found.level.threshold if proven and found.level else None,
        nearest=None if found.level is None else found.level.threshold,
        more=found.more,
        yaml=_yaml(chosen, evidence, found.level) if proven and found.level else "",
        notes=list(evidence.notes),
        levels=list(evidence.levels),
    )


def _blocks(chosen: Chosen, wishes: Wishes, evidence: Evidence, found: Calibration) -> list[Block]:
    blocks: list[Block] = [
        f"route {visible(chosen.route.name)}: at most {100 * wishes.max_error:g} % of what is served may be wrong",
        f"{visible(wishes.file)}: {evidence.what}\n",
        _table(evidence, found),
        "",
        *_verdict(wishes, evidence, found),
    ]
    if found.outcome is Outcome.PROVEN and found.level is not None:
        blocks += ["\nfor the routes file, under this route:", _yaml(chosen, evidence, found.level)]
    return blocks


def _verdict(wishes: Wishes, evidence: Evidence, found: Calibration) -> list[str]:
    rate, level = f"{100 * wishes.max_error:g} %", found.level
    if level is None:
        return [
            f"not proven: nothing was served at any threshold; {rate} takes about {count(found.more)} hits, none of them wrong"
        ]
    strictest_wrong = next((each for each in evidence.levels if each.low > wishes.max_error), None)
    at = f"at a {evidence.name} of {threshold(level.threshold)} or above"
    counted = (
        f"{at} {count(level.wrong)} of {count(level.served)} are wrong ({_percent(level.rate)};"
        f" {_percent(level.low)} to {_percent(level.high)} with 95 % confidence)"
    )
    if wishes.prior is not None:
        counted = (
            f"{at} {count(level.served - level.wrong)} with the same answer and {count(level.wrong)} with another are served:"
            f" in traffic {_percent(level.low)} to {_percent(level.high)} wrong, with 95 % confidence"
        )
    match found.outcome:
        case Outcome.PROVEN:
            return [f"holds: {counted}", *_expected(evidence, level)]
        case Outcome.WRONG:
            return [f"no threshold holds {rate}: {counted}"]
        case Outcome.THIN:
            what = (
                "further hits, none of them wrong,"
                if wishes.prior is None
                else "further pairs labelled 0, none of them served,"
            )
            return [
                f"not proven: the evidence is too thin. The nearest: {counted}",
                f"about {count(found.more)} {what} would prove it there",
                *([] if strictest_wrong is None else [_ruled_out(strictest_wrong)]),
            ]


def _ruled_out(level: Level) -> str:
    return f"ruled out already: {threshold(level.threshold)}, where {count(level.wrong)} of {count(level.served)} are wrong"


def _expected(evidence: Evidence, level: Level) -> list[str]:
    if level.hit_share is not None:
        return [f"expected hit rate: {100 * level.hit_share:.1f} % of {evidence.requests}"]
    if level.right_share is not None:
        return [f"served of {evidence.right}: {100 * level.right_share:.1f} %"]
    return []


def _yaml(chosen: Chosen, evidence: Evidence, level: Level) -> str:
    """What the route must say, in two lines."""
    verify = chosen.route.verify
    if evidence.by == "similarity" or verify is None:
        return f"thresholds: {{hit: {level.threshold:g}}}\nverify: none"
    return (
        f"thresholds: {{candidate: {chosen.route.thresholds.candidate:g}}}\n"
        f"verify: {{with: {verify.by}, at_least: {level.threshold:g}}}"
    )


def _table(evidence: Evidence, found: Calibration) -> Table:
    levels, shown = _to_show(evidence, found)
    proven = set(found.proven)
    columns = [
        Column(f"{evidence.name} at least", right=True),
        Column("served", right=True),
        Column("wrong", right=True),
        Column("wrong share", right=True, spare=1),
        Column("95 % interval", right=True),
        Column("at most", right=True),
        Column("holds"),
        Column("right served", right=True, spare=2),
        Column("hit rate", right=True, spare=3),
    ]
    rows = [
        (
            threshold(each.threshold) + ("*" if each is found.level else " "),
            count(each.served),
            count(each.wrong),
            _percent(each.rate) if each.served else "-",
            f"{100 * each.low:.2f} - {100 * each.high:.2f} %" if each.served else "-",
            f"{100 * each.bound:.2f} %" if each.served else "-",
            "yes" if each.threshold in proven else "no",
            "-" if each.right_share is None else f"{100 * each.right_share:.1f} %",
            "-" if each.hit_share is None else f"{100 * each.hit_share:.1f} %",
        )
        for each in shown
    ]
    known = (any(each.right_share is not None for each in levels), any(each.hit_share is not None for each in levels))
    kept = [place for place in range(len(columns)) if place < 7 or known[place - 7]]
    return Table([columns[place] for place in kept], [[row[place] for place in kept] for row in rows])


def _to_show(evidence: Evidence, found: Calibration) -> tuple[Sequence[Level], list[Level]]:
    """All levels, and those for people: the usual thresholds, the one found, and the next looser one."""
    levels = evidence.levels
    usual = {*(SIMILARITIES if evidence.by == "similarity" else SCORES)}
    places = {place for place, each in enumerate(levels) if each.threshold in usual}
    if found.level is not None:
        place = next(place for place, each in enumerate(levels) if each is found.level)
        places |= {place, min(place + 1, len(levels) - 1)}
    return levels, [levels[place] for place in sorted(places)]


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"
