"""Questions with their answers -> rows of an import: a request and a response are made of two templates.

A template is a JSON document; `{question}` and `{answer}` in its texts are replaced. In its parsed texts, not in its
source: what a question holds (quotes, line breaks, `{answer}` itself) cannot become part of the document.
"""

from __future__ import annotations

import re
from pathlib import Path

import click
import msgspec

from gateway.cli.forms import Form, form_of

_PLACEHOLDER = re.compile(r"\{(question|answer)\}")
LARGEST_TEMPLATE = 1 << 20
# Members of a record that go with it into the row.
CARRIED = ("route", "scope", "headers", "path", "tags", "ttl")


class Templates(msgspec.Struct, frozen=True):
    """What requests and responses look like; `headers` go with each request."""

    request: object
    response: object
    headers: dict[str, str] = {}

    def row(self, question: str, answer: str) -> dict[str, object]:
        """A row of the import, without what the record carries."""
        said = {"question": question, "answer": answer}
        row: dict[str, object] = {"body": fill(self.request, said), "answer": fill(self.response, said)}
        return {**row, "headers": self.headers} if self.headers else row


def fill(document: object, said: dict[str, str]) -> object:
    """The document with the placeholders of its texts replaced, each once."""
    match document:
        case str(text):
            return _PLACEHOLDER.sub(lambda found: said[found[1]], text)
        case dict(members):
            return {name: fill(value, said) for name, value in members.items()}
        case list(items):
            return [fill(item, said) for item in items]
        case _:
            return document


def choose_templates(
    request: Path | None, response: Path | None, preset: str | None, model: str | None
) -> Templates | None:
    """Of the files given, for the rest the preset's. None where neither says anything: the rows are whole by themselves.

    Raises UsageError where one of the two cannot be known."""
    form = form_of(preset, model) if preset is not None and not (request and response) else None
    if form is None and request is None and response is None:
        return None
    if form is None and (request is None or response is None):
        missing = "--request" if request is None else "--response"
        raise click.UsageError(f"{missing} is needed as well: the route's preset is not known, or has no usual form")
    own = form or Form({}, {})
    return Templates(
        request=own.request if request is None else _read(request, "--request", "question"),
        response=own.response if response is None else _read(response, "--response", "answer"),
        headers=own.headers,
    )


def _read(file: Path, option: str, placeholder: str) -> object:
    try:
        with file.open("rb") as source:
            data = source.read(LARGEST_TEMPLATE + 1)
    except OSError as error:
        raise click.UsageError(f"{option}: {file} cannot be read: {error.strerror}") from error
    if len(data) > LARGEST_TEMPLATE:
        raise click.UsageError(f"{option}: {file} is larger than {LARGEST_TEMPLATE >> 20} MiB")
    try:
        document: object = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise click.UsageError(f"{option}: {file} is no JSON: {error}") from error
    marked = fill(document, {"question": "", "answer": "", placeholder: "?"})
    if marked == fill(document, {"question": "", "answer": "", placeholder: "!"}):
        raise click.UsageError(f"{option}: no text of {file} has {{{placeholder}}} in it")
    return document
