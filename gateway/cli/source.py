"""A file to import -> its records, with the lines they stand on: JSON lines or CSV, gzipped or not, a file or stdin.

What it is, is told by its beginning, not by its name: JSON lines begin with `{`. Lines are bounded. What was read is
hashed as it passes, so that an interrupted import knows again the part that it has done.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from gateway.cli.failure import Failed

LONGEST_LINE = 64 << 20
LONGEST_FIELD = 8 << 20
STDIN = "-"
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


class Record(msgspec.Struct, frozen=True):
    """One record of a file: the number of its first line and of its last, from 1, and what it says; `wrong` says why it
    cannot be used."""

    line: int
    last: int
    members: dict[str, msgspec.Raw] = {}
    wrong: str = ""


class Source:
    """`records` once; meanwhile `position` tells how much of `size` bytes was read (None: not known), and `fingerprint`
    what the lines up to and with the last record were."""

    def __init__(self, file: str) -> None:
        self.file = file
        try:
            self._raw = _stdin() if file == STDIN else Path(file).open("rb")  # noqa: SIM115 - closed by `close`
            status = None if file == STDIN else os.fstat(self._raw.fileno())
            zipped = self._raw.peek(2)[:2] == _GZIP
        except OSError as error:
            raise click.UsageError(f"{file} cannot be read: {error.strerror}") from error
        self.size = status.st_size if status is not None and stat.S_ISREG(status.st_mode) else None
        self._bytes = gzip.GzipFile(fileobj=self._raw) if zipped else self._raw
        self._hash = hashlib.sha256()
        self._line = 0

    def close(self) -> None:
        if self.file != STDIN:
            self._raw.close()

    @property
    def is_file(self) -> bool:
        """One that can be read again, rather than a pipe."""
        return self.size is not None

    @property
    def position(self) -> int | None:
        return None if self.size is None else self._raw.tell()

    @property
    def fingerprint(self) -> str:
        return self._hash.copy().hexdigest()

    def records(self) -> Iterator[Record]:
        """Blank lines are passed over. Raises Failed where the file itself cannot be read on."""
        lines = self._lines()
        first = next(lines, None)
        while first is not None and not first.strip():
            first = next(lines, None)
        if first is None:
            return
        if first.lstrip().startswith(b"{"):
            yield _json_record(first, self._line)
            for line in lines:
                if line.strip():
                    yield _json_record(line, self._line)
        else:
            yield from self._table(first, lines)

    def _table(self, first: bytes, lines: Iterator[bytes]) -> Iterator[Record]:
        csv.field_size_limit(LONGEST_FIELD)
        names = next(csv.reader([_text(first)]), [])
        names = [name.strip() for name in names]
        if not {"question", "answer"} <= set(names):
            raise Failed(
                f"{self.file}: the first line is neither JSON nor a CSV header with `question` and `answer`"
                " (a header line comes first)"
            )
        rows = csv.reader(map(_text, lines), strict=True)
        while True:
            begun = self._line + 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Record(begun, self._line, wrong=f"not CSV: {error}")
                continue
            if any(cell.strip() for cell in row):
                yield _table_record(names, row, begun, self._line)

    def _lines(self) -> Iterator[bytes]:
        try:
            while line := self._bytes.readline(LONGEST_LINE):
                if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                    raise Failed(f"{self.file}: line {self._line + 1} is longer than {LONGEST_LINE >> 20} MiB")
                self._line += 1
                self._hash.update(line)
                yield line.removeprefix(_BOM) if self._line == 1 else line
        except (OSError, EOFError, zlib.error) as error:
            raise Failed(f"{self.file} cannot be read beyond line {self._line}: {error}") from error


def _stdin() -> io.BufferedReader:
    stdin = sys.stdin.buffer
    return stdin if isinstance(stdin, io.BufferedReader) else io.BufferedReader(stdin)  # type: ignore[arg-type]


def _json_record(line: bytes, number: int) -> Record:
    try:
        return Record(number, number, msgspec.json.decode(line, type=dict[str, msgspec.Raw]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        said = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error
        return Record(number, number, wrong=f"not a JSON object: {said}")


def _text(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def _table_record(names: list[str], row: list[str], first: int, last: int) -> Record:
    if len(row) > len(names):
        return Record(first, last, wrong=f"it has {len(row)} columns, the header {len(names)}")
    try:
        cells = {name: msgspec.Raw(msgspec.json.encode(cell)) for name, cell in zip(names, row, strict=False) if cell}
    except UnicodeEncodeError:
        return Record(first, last, wrong="not UTF-8")
    return Record(first, last, cells)
