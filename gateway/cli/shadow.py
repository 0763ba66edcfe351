"""`semgate shadow report|reset`: what shadow mode and audits found, for people, for programs, and as the log itself."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from gateway.cli.client import open_gateway
from gateway.cli.failure import Failed, note
from gateway.cli.options import Reach
from gateway.cli.showing import (
    Column,
    count,
    dollars,
    share,
    things,
    visible,
    visible_json,
    visible_lines,
    write,
    write_json,
    write_table,
)
from gateway.fronts.admin.judged import Band, ComparisonError, Estimate, Findings, ShadowReport, ShadowRoute

COLUMNS = (
    Column("compared"),
    Column("right", right=True),
    Column("wrong", right=True),
    Column("unsure", right=True),
    Column("wrong rate", right=True),
    Column("95 % interval", right=True),
    Column("unsure as right or wrong", right=True, spare=1),
)
CSV = ("route", "by", "group", "right", "wrong", "unsure", "rate", "low", "high", "best_low", "worst_high")
SYNTHESIS = "synthesis"
NO_SAMPLE = "what people say is no sample, and in no rate"


def report(reach: Reach, route: str | None, since: str | None, form: str) -> int:
    with open_gateway(reach) as gateway:
        if form == "jsonl":
            with gateway.shadow_log(route, since) as pieces:
                for line in _lines(pieces):
                    write(visible_json(line.decode()))
            return 0
        found = gateway.shadow(route, since)
        url = gateway.url
    match form:
        case "json":
            write_json(found)
        case "csv":
            write(_as_csv(found))
        case _:
            write(f"{url}, " + ("all that is kept" if since is None else f"the last {visible(since)}"))
            _show(found)
    return 0


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
    if rest:
        raise Failed("the log broke off in the middle of a line")


def reset(reach: Reach, route: str, *, yes: bool) -> int:
    with open_gateway(reach) as gateway:
        if yes:
            removed = gateway.reset_shadow(route).removed
            write(f"forgot {things(removed, 'judgement')} of route {visible(route)}")
            return 0
        found = gateway.shadow(route, None).routes[route]
    known = sum((found.compared.right, found.compared.wrong, found.compared.unsure))
    if found.synthesized is not None:
        known += sum((found.synthesized.right, found.synthesized.wrong, found.synthesized.unsure))
    known += sum(sum(said.values()) for said in found.told.values())
    write(f"{things(known, 'judgement')} of route {visible(route)} would be forgotten")
    if known:
        note("nothing was forgotten yet: --yes does it")
    return 0


def _show(found: ShadowReport) -> None:
    if not found.routes:
        note("no route is in shadow mode, and nothing was judged yet")
    for name, route in found.routes.items():
        write(f"\nroute {visible(name)}, mode {route.mode}")
        _show_look_ups(route)
        if rows := _table(route):
            write("")
            write_table(COLUMNS, rows)
        else:
            write("  nothing was compared yet")
        for who, said in route.told.items():
            words = ", ".join(f"{count(number)} {visible(word)}" for word, number in said.items() if number)
            write(f"  {visible(who)} said: {words} ({NO_SAMPLE})")
    used = {how for route in found.routes.values() for how in route.how}
    for how, errs in found.errors.items():
        if how in used:
            write(f"\nby {visible(how)}: {_own_error(errs)}")


def _show_look_ups(route: ShadowRoute) -> None:
    if not route.looked_up:
        return
    hits, saved = sum(route.would_be.values()), route.saved
    kinds = ", ".join(f"{count(number)} {visible(kind)}" for kind, number in route.would_be.items())
    write(f"  looked up      {count(route.looked_up)}")
    write(f"  would-be hits  {count(hits)}, {share(hits, route.looked_up)}" + (f" ({kinds})" if kinds else ""))
    tokens = f"{count(saved.prompt_tokens)} prompt and {count(saved.completion_tokens)} completion tokens"
    write(f"  would save     {tokens}" + ("" if saved.dollars is None else f", {dollars(saved.dollars)}"))


def _groups(route: ShadowRoute) -> Iterator[tuple[str, str, Findings]]:
    """What it is grouped by, the group, and what was found of it."""
    if route.synthesized is not None:
        yield SYNTHESIS, "", route.synthesized
    if not route.origins:
        return
    yield "all", "", route.compared
    for by, groups in (("origin", route.origins), ("kind", route.kinds), ("how", route.how)):
        for group, findings in groups.items():
            yield by, group, findings
    for by, bands in (("similarity", route.similarities), ("score", route.scores)):
        for band in bands:
            yield by, _span(band), band.findings


def _table(route: ShadowRoute) -> list[tuple[str, ...]]:
    """Where all are of one kind, that is said of them all."""
    alone = [next(iter(groups)) for groups in (route.origins, route.kinds, route.how) if len(groups) == 1]
    rows = []
    for by, group, findings in _groups(route):
        if by == SYNTHESIS:
            rows.append(_row("synthesized answers", findings))
        elif by == "all":
            rows.append(_row("all" + (f" ({', '.join(map(visible, alone))})" if alone else ""), findings))
        elif by in ("similarity", "score"):
            rows.append(_row(f"  {by} {group}", findings))
        elif group not in alone:
            rows.append(_row(f"  {visible(group)}", findings))
    return rows


def _span(band: Band) -> str:
    return "unknown" if band.least is None or band.below is None else f"{band.least:g} to {band.below:g}"


def _row(label: str, findings: Findings) -> tuple[str, ...]:
    best, worst = findings.at_best, findings.at_worst
    both = "-" if best is None or worst is None else f"{_percent(best.rate)} to {_percent(worst.rate)} %"
    if best is not None and worst is not None:
        both += f" ({_percent(best.low)} to {_percent(worst.high)} %)"
    return (
        label,
        count(findings.right),
        count(findings.wrong),
        count(findings.unsure),
        "-" if findings.decided is None else f"{_percent(findings.decided.rate)} %",
        _interval(findings.decided),
        both if findings.unsure else "-",
    )


def _interval(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"{_percent(estimate.low)} to {_percent(estimate.high)} %"


def _percent(rate: float) -> str:
    """Two decimals where they matter: rates of interest are about 1 %."""
    return f"{100 * rate:.2f}" if rate < 0.1 else f"{100 * rate:.1f}"


def _own_error(errs: ComparisonError) -> str:
    """The comparison's, in words."""
    right, wrong = errs.right_found_wrong, errs.wrong_found_right
    return (
        f"of right answers {_percent(right.rate)} % are found wrong ({_interval(right)}) and "
        f"{_percent(errs.right_found_unsure.rate)} % unsure; of wrong ones {_percent(wrong.rate)} % are found right "
        f"({_interval(wrong)}) and {_percent(errs.wrong_found_unsure.rate)} % unsure"
    )


def _as_csv(found: ShadowReport) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(CSV)
    for name, route in found.routes.items():
        for by, group, each in _groups(route):
            decided, best, worst = each.decided, each.at_best, each.at_worst
            rates = ("", "", "") if decided is None else (decided.rate, decided.low, decided.high)
            outer = ("" if best is None else best.low, "" if worst is None else worst.high)
            rows.writerow((name, by, group, each.right, each.wrong, each.unsure, *rates, *outer))
    return visible_lines(text.getvalue())
