"""Results of a measurement, to stdout or into a file: blocks of text and tables for people, CSV and JSON for programs.

A file appears under its name only when it is whole. It may hold questions, so it is its owner's only.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import click
import msgspec

from gateway.cli.private import written
from gateway.cli.showing import Column, plain_table, visible_json, write, write_table
from gateway.core.evidence import wilson


class Table(NamedTuple):
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]


Block: TypeAlias = "str | Table"


def write_blocks(blocks: Iterable[Block], out: Path | None) -> None:
    """Text and tables. In a file as in a pipe: plain and aligned."""
    if out is not None:
        save("".join(block + "\n" if isinstance(block, str) else plain_table(*block) for block in blocks), out)
        return
    for block in blocks:
        if isinstance(block, str):
            write(block + "\n")  # with the blank line that it may end with
        else:
            write_table(*block)


def write_csv(header: Sequence[str], rows: Iterable[Sequence[object]], out: Path | None) -> None:
    """RFC 4180, but for line ends of one character; None is an empty cell, True 1."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([[int(cell) if isinstance(cell, bool) else cell for cell in row] for row in rows])
    _write(text.getvalue(), out)


def write_json_result(value: object, out: Path | None) -> None:
    """Indented JSON."""
    _write(visible_json(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()) + "\n", out)


def _write(text: str, out: Path | None) -> None:
    if out is None:
        write(text)
    else:
        save(text, out)


def save(content: str | bytes, out: Path) -> None:
    """Whole or not at all."""
    try:
        with written(out) as file:
            file.write(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise click.UsageError(f"{out} cannot be written: {error.strerror}") from error


def interval(part: int, whole: int) -> str:
    """The 95 % interval of a share, in per cent; a dash of nothing."""
    if not whole:
        return "-"
    low, high = wilson(part, whole)
    return f"{100 * low:.1f} - {100 * high:.1f} %"


def threshold(value: float) -> str:
    """Two decimals, or the third where there is one."""
    text = f"{value:.3f}"
    return text.removesuffix("0")
