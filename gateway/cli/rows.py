"""Records of a file -> the rows that the gateway imports, in batches.

Rows that are whole (of an export, or a request's `body` and its `answer`) pass as they are, byte for byte; questions with
answers are made into rows by templates. What the command line says of all rows holds where a row does not say it itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

import click
import msgspec

from gateway.cli.faq import CARRIED, Templates
from gateway.cli.source import Record, Source

# Half of what the gateway takes at once.
BATCH_BYTES = 4 << 20


class Batch(msgspec.Struct, frozen=True):
    """Rows and the line of each; lines that cannot be used, and why; the last line, and the fingerprint up to it."""

    rows: list[bytes]
    lines: list[int]
    wrong: list[tuple[int, str]]
    last: int
    fingerprint: str


class RowMaker:
    """`given`: members for all rows; `templates` are asked for with the first question."""

    def __init__(self, given: Mapping[str, object], templates: Callable[[], Templates | None]) -> None:
        self._given = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in given.items()}
        self._choose = templates

    @cached_property
    def templates(self) -> Templates:
        templates = self._choose()
        if templates is None:
            raise click.UsageError(
                "the file has questions and answers, and what requests look like is not known: give --route (and the routes"
                " file), --preset, or --request and --response"
            )
        return templates

    def make(self, record: Record) -> bytes:
        """One line. Raises ValueError saying what is wrong with the record."""
        if record.wrong:
            raise ValueError(record.wrong)
        members = record.members
        if "stored" in members:  # of an export: it says everything itself
            return msgspec.json.encode(members)
        if "body" not in members and "question" in members:
            members = self._from_question(members)
        if self._given:
            members = {**self._given, **members}
            if "headers" in self._given and "headers" in members:
                members["headers"] = _together(self._given["headers"], members["headers"])
        return msgspec.json.encode(members)

    def _from_question(self, members: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
        said = {name: _read_text(members, name) for name in ("question", "answer")}
        row = self.templates.row(said["question"], said["answer"])
        made = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in row.items()}
        carried = {name: members[name] for name in CARRIED if name in members}
        if "headers" in carried and "headers" in made:
            carried["headers"] = _together(made["headers"], carried["headers"])
        if "tags" in carried:
            carried["tags"] = _read_tags(carried["tags"])
        return {**made, **carried}


def batches(source: Source, records: Iterator[Record], maker: RowMaker, most_rows: int) -> Iterator[Batch]:
    """All records in batches of bounded rows and bytes; a row that is larger by itself goes alone."""
    rows: list[bytes] = []
    lines: list[int] = []
    wrong: list[tuple[int, str]] = []
    size, last, fingerprint = 0, 0, ""
    for record in records:
        try:
            row = maker.make(record)
        except ValueError as error:
            wrong.append((record.line, str(error)))
            row = b""
        if rows and size + len(row) > BATCH_BYTES:
            yield Batch(rows, lines, wrong, last, fingerprint)
            rows, lines, wrong, size = [], [], [], 0
        if row:
            rows.append(row)
            lines.append(record.line)
            size += len(row)
        last, fingerprint = record.last, source.fingerprint
        if len(rows) + len(wrong) >= most_rows:
            yield Batch(rows, lines, wrong, last, fingerprint)
            rows, lines, wrong, size = [], [], [], 0
    if rows or wrong:
        yield Batch(rows, lines, wrong, last, fingerprint)


def _is_text(raw: msgspec.Raw) -> bool:
    return bytes(raw).lstrip()[:1] == b'"'


def _read_text(members: Mapping[str, msgspec.Raw], name: str) -> str:
    try:
        text = msgspec.json.decode(members.get(name, b'""'), type=str)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"its {name} is no text: {error}") from None
    if not text.strip():
        raise ValueError(f"it has no {name}")
    return text


def _read_tags(raw: msgspec.Raw) -> msgspec.Raw:
    """A list, or text with commas between, as a CSV cell has it."""
    if not _is_text(raw):
        return raw
    tags = [tag.strip() for tag in msgspec.json.decode(raw, type=str).split(",")]
    return msgspec.Raw(msgspec.json.encode([tag for tag in tags if tag]))


def _together(first: msgspec.Raw, second: msgspec.Raw) -> msgspec.Raw:
    """Two mappings of headers as one; the second one wins, whatever the case of the names."""
    headers = msgspec.json.decode(first, type=dict[str, str])
    try:
        own = msgspec.json.decode(second, type=dict[str, str])
    except msgspec.DecodeError as error:
        raise ValueError(f"its headers are not names with texts: {error}") from None
    names = {name.lower() for name in own}
    return msgspec.Raw(msgspec.json.encode({**{n: v for n, v in headers.items() if n.lower() not in names}, **own}))
