"""`semgate lookup ROUTE TEXT`: what would be served, and why."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from gateway.cli.client import open_gateway
from gateway.cli.options import Reach
from gateway.cli.showing import Column, visible, write, write_json, write_table
from gateway.fronts.admin.operations import LookupAnswer, LookupQuestion

# A body larger than any route's `max_body` is likely to be another file than was meant.
MAX_BODY = 64 << 20
_NO_BODY = msgspec.Raw(b"null")


def run(
    reach: Reach,
    route: str,
    text: str | None,
    body: str | None,
    scope: tuple[str, ...],
    headers: dict[str, str],
    path: str | None,
    form: str,
) -> int:
    """0 if it would be a hit, else 1."""
    if (text is None) == (body is None):
        raise click.UsageError("give TEXT, or the whole request with --body")
    question = LookupQuestion(
        route=route,
        body=_NO_BODY if body is None else _read_body(body),
        text=text,
        scope=scope_of(scope),
        headers=headers,
        path=path,
    )
    with open_gateway(reach) as gateway:
        answer = gateway.lookup(question)
    if form == "json":
        write_json(answer)
    else:
        _show(answer, route)
    return 0 if answer.verdict == "hit" else 1


def scope_of(values: tuple[str, ...]) -> str | list[str] | None:
    """As the admin API takes it: one value as text, those of several extractors as a list."""
    return None if not values else values[0] if len(values) == 1 else list(values)


def headers_of(lines: tuple[str, ...]) -> dict[str, str]:
    """`Name: value` of --header -> a mapping."""
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise click.UsageError(f"--header: expected `Name: value`, and {name.strip() or 'this'!r} has no colon")
        headers[name.strip()] = value.strip()
    return headers


def _read_body(file: str) -> msgspec.Raw:
    try:
        if file == "-":
            data = sys.stdin.buffer.read(MAX_BODY + 1)
        else:
            with Path(file).open("rb") as source:
                data = source.read(MAX_BODY + 1)
    except OSError as error:
        raise click.UsageError(f"--body: {file} cannot be read: {error.strerror}") from error
    if len(data) > MAX_BODY:
        raise click.UsageError(f"--body: {file} is larger than {MAX_BODY >> 20} MiB")
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise click.UsageError(f"--body: {file} is no JSON: {error}") from error
    return msgspec.Raw(data.strip())


def _show(answer: LookupAnswer, route: str) -> None:
    why = f" ({visible(answer.reason)})" if answer.reason else ""
    write(f"{visible(answer.verdict)}{why} on route {visible(route)}")
    if answer.subject:
        write("\nsubject")
        width = max(map(len, answer.subject))
        for name, value in answer.subject.items():
            write(f"  {visible(name):{width}}  {visible(_plain(value))}")
    if answer.steps:
        write("\nsteps")
        rows = [
            (visible(step.step), "" if step.ms is None else f"{step.ms:.2f} ms", visible(step.result))
            for step in answer.steps
        ]
        write_table((Column("step"), Column("took", right=True), Column("result", wraps=True)), rows)
    if answer.candidates:
        write("\ncandidates, nearest first")
        judged = any(each.verifier_score is not None for each in answer.candidates)
        columns = [Column("served"), Column("similarity", right=True), Column("verifier", right=True)]
        columns += [Column("entry"), Column("why", wraps=True, spare=1), Column("question", wraps=True)]
        rows_ = [
            (
                "yes" if each.served else "no",
                f"{each.similarity:.4f}",
                "" if each.verifier_score is None else f"{each.verifier_score:.3f}",
                visible(each.entry),
                visible(each.why),
                "(sealed)" if each.question is None else visible(each.question),
            )
            for each in answer.candidates
        ]
        kept = [place for place, column in enumerate(columns) if judged or column.name != "verifier"]
        write_table([columns[place] for place in kept], [[row[place] for place in kept] for row in rows_])


def _plain(value: str | int | bool | None) -> str:
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
