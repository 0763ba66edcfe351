"""Labelled questions out of a file: pairs, a log of questions, a shadow log. Gzipped or not, a file or stdin.

What a file is, is told by its bytes, not by its name. A file that cannot be used is refused as a whole, with what is wrong
and on which lines: figures of half a file would be believed.
"""

from __future__ import annotations

import csv
import io
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from gateway.cli.failure import Failed, note
from gateway.runtime.offline_stream import Question

STDIN = "-"
LARGEST = 512 << 20
"""Bytes of a file, unpacked."""
LONGEST_FIELD = 8 << 20
MOST_SHOWN = 10
"""Of what is wrong, so many lines are named."""
_GZIP = b"\x1f\x8b"
_LABELS = {"1": True, "0": False}
_PIECE = 1 << 20


class Pair(msgspec.Struct, frozen=True, gc=False):
    """Two questions, and whether the same answer is right for both (None: not said)."""

    text_a: str
    text_b: str
    label: bool | None


class Comparison(msgspec.Struct, frozen=True, gc=False):
    """A line of a shadow log: what would have been served, and how it compared with the real answer. `origin`: who compared,
    `shadow`, `audit` or `feedback`; `kind`: how the answer was found; the texts where they are known."""

    verdict: str
    similarity: float | None = None
    verifier_score: float | None = None
    route: str | None = None
    origin: str | None = None
    kind: str | None = None
    text_a: str | None = None
    text_b: str | None = None


class _Row(msgspec.Struct, frozen=True, gc=False):
    line: int
    cells: dict[str, str]


class _Wrong:
    """Problems as they are found; `refuse` ends the reading if there were any."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._count = 0

    def add(self, line: int, text: str) -> None:
        self._count += 1
        if self._count <= MOST_SHOWN:
            note(f"{self._file}:{line}: {text}")

    def refuse(self) -> None:
        if self._count:
            more = f", the first {MOST_SHOWN} of them above" if self._count > MOST_SHOWN else ""
            lines = "line" if self._count == 1 else "lines"
            raise Failed(f"{self._file} cannot be used: {self._count:,} {lines} with mistakes{more}")


def read_pairs(file: str, *, labelled: bool) -> list[Pair]:
    """`text_a,text_b,label`, label 0 or 1; without `labelled` the column may be missing. Raises Failed."""
    wanted = ("text_a", "text_b", "label") if labelled else ("text_a", "text_b")
    wrong = _Wrong(file)
    pairs = []
    for row in _rows(file, wanted, wrong):
        label = None
        if "label" in row.cells:
            label = _LABELS.get(row.cells["label"].strip())
            if label is None:
                wrong.add(row.line, f"`label` is {_quoted(row.cells['label'])}, and must be 0 or 1")
        texts = [row.cells[name] for name in ("text_a", "text_b")]
        for name, text in zip(("text_a", "text_b"), texts, strict=True):
            if not text.strip():
                wrong.add(row.line, f"`{name}` is empty")
        pairs.append(Pair(texts[0], texts[1], label))
    wrong.refuse()
    return pairs


def read_questions(file: str) -> list[Question]:
    """`text,cluster`, in the order in which they were asked; and `scope`, where only the same one shares answers. Raises
    Failed."""
    wrong = _Wrong(file)
    questions = []
    for row in _rows(file, ("text", "cluster"), wrong):
        for name in ("text", "cluster"):
            if not row.cells[name].strip():
                wrong.add(row.line, f"`{name}` is empty")
        questions.append(Question(row.cells["text"], row.cells["cluster"].strip(), row.cells.get("scope", "").strip()))
    wrong.refuse()
    return questions


def read_comparisons(file: str) -> list[Comparison]:
    """JSON lines with `similarity`, `verifier_score` and `verdict`, as `semgate shadow report --format jsonl` prints them.
    Raises Failed."""
    wrong = _Wrong(file)
    comparisons = []
    for number, line in enumerate(_text(file).split("\n"), 1):
        if not line.strip():
            continue
        try:
            read = msgspec.json.decode(line, type=Comparison)
        except (msgspec.DecodeError, RecursionError) as error:
            wrong.add(number, f"not a line of a shadow log: {error}")
            continue
        for name, value in (("similarity", read.similarity), ("verifier_score", read.verifier_score)):
            if value is not None and not 0 <= value <= 1:
                wrong.add(number, f"`{name}` is {value:g}, and must be 0 to 1")
        if read.verdict not in ("right", "wrong", "unsure"):
            wrong.add(number, f"`verdict` is {_quoted(read.verdict)}, and must be right, wrong or unsure")
        comparisons.append(read)
    wrong.refuse()
    if not comparisons:
        raise Failed(f"{file} is empty: the shadow log has nothing yet")
    return comparisons


def _rows(file: str, wanted: tuple[str, ...], wrong: _Wrong) -> Iterator[_Row]:
    """The rows below the header, blank ones left out. Raises Failed where there is none."""
    text = _text(file)
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    any_row = False
    try:
        names = [name.strip() for name in next((row for row in reader if any(row)), [])]
        _check_header(file, names, wanted, reader.line_num)
        line = reader.line_num + 1
        for row in reader:
            if any(cell.strip() for cell in row):
                any_row = True
                if len(row) > len(names):
                    wrong.add(
                        line, f"{len(row)} columns, and the header has {len(names)}: a text with commas needs quotes"
                    )
                elif len(row) < len(names):
                    wrong.add(
                        line, f"{len(row)} columns, and the header has {len(names)}: `{names[len(row)]}` is missing"
                    )
                else:
                    yield _Row(line, dict(zip(names, row, strict=True)))
            line = reader.line_num + 1
    except csv.Error as error:
        wrong.refuse()
        raise Failed(f"{file}:{reader.line_num}: not CSV: {error}") from error
    if not any_row:
        raise Failed(f"{file} has a header and no rows")


def _check_header(file: str, names: list[str], wanted: tuple[str, ...], line: int) -> None:
    if not names:
        raise Failed(f"{file} is empty: it begins with a header, `{','.join(wanted)}`")
    missing = [name for name in wanted if name not in names]
    if missing:
        columns = " and ".join(f"`{name}`" for name in missing)
        hint = f"the header is `{','.join(wanted)}`"
        if any(mark in name for name in names for mark in ";\t"):
            hint = "columns are separated by commas"
        raise Failed(f"{file}:{line}: no column {columns}: {hint}")
    twice = next((name for name in wanted if names.count(name) > 1), None)
    if twice is not None:
        raise Failed(f"{file}:{line}: the header has `{twice}` twice")


def _text(file: str) -> str:
    """Raises Failed where it is no UTF-8, or too large."""
    data = _unzipped(file, _read(file))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Failed(f"{file}:{line}: not UTF-8: byte 0x{data[error.start]:02x}") from None


def _read(file: str) -> bytes:
    try:
        if file == STDIN:
            data = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with Path(file).open("rb") as source:
                data = source.read(LARGEST + 1)
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}") from error
    _bound(file, data)
    return data


def _unzipped(file: str, data: bytes) -> bytes:
    """All members of a gzip file; other bytes as they are."""
    unpacked = bytearray()
    try:
        while data.startswith(_GZIP):
            member = zlib.decompressobj(wbits=31)
            while not member.eof:
                piece = member.decompress(data, _PIECE)
                data = member.unconsumed_tail
                if not piece and not data and not member.eof:
                    raise Failed(f"{file} cannot be unpacked: it ends too early")
                unpacked += piece
                _bound(file, unpacked)
            data = member.unused_data.lstrip(b"\0")
            if not data:
                return bytes(unpacked)
    except zlib.error as error:
        raise Failed(f"{file} cannot be unpacked: {error}") from error
    if unpacked:
        raise Failed(f"{file} cannot be unpacked: something else follows the gzipped data")
    return data


def _bound(file: str, data: bytes | bytearray) -> None:
    if len(data) > LARGEST:
        raise Failed(f"{file} is larger than {LARGEST >> 20} MiB")


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 20 else text[:20] + "...")
