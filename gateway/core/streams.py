"""A recorded stream -> its events: server-sent events (WHATWG HTML, 9.2) or one JSON value per line (NDJSON).

Every event knows its own bytes, so that a stream put together from its events again is the stream that came. How a
stream of one API ends, and what its events mean together, is its dialect's (see `dialects`).
"""

from __future__ import annotations

import re

import msgspec

from gateway.core.messages import Form

_CONTENT_TYPES = {
    b"text/event-stream": Form.SSE,
    b"application/x-ndjson": Form.NDJSON,
    b"application/ndjson": Form.NDJSON,
    b"application/jsonl": Form.NDJSON,
    b"application/x-jsonlines": Form.NDJSON,
    b"application/stream+json": Form.NDJSON,
}
# A line ends with CRLF, LF or CR; two line ends close an event.
_EVENT_END = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2,}")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event. `raw` are its bytes, line ends included; `name` is b"" where it has none; `data` are its data lines,
    joined by newlines, None for an event without any (a comment, a `retry`)."""

    raw: bytes
    name: bytes
    data: bytes | None


def form_of(content_type: bytes) -> Form:
    """The form of an answer by its Content-Type; what is no stream is a single answer."""
    return _CONTENT_TYPES.get(content_type.partition(b";")[0].strip().lower(), Form.SINGLE)


def split(body: bytes, form: Form) -> list[Event]:
    """The events of a stream. The bytes of all events are the stream's; a last event without its empty line counts."""
    return _split_lines(body) if form is Form.NDJSON else _split_sse(body)


def last_data(events: list[Event]) -> Event | None:
    """The last event that says something."""
    return next((event for event in reversed(events) if event.data is not None), None)


def _split_lines(body: bytes) -> list[Event]:
    return [Event(line, b"", line.strip() or None) for line in body.splitlines(keepends=True)]


def _split_sse(body: bytes) -> list[Event]:
    if b"\r" not in body:
        *whole, rest = body.split(b"\n\n")
        events = [_read(raw + b"\n\n") for raw in whole]
        return [*events, _read(rest)] if rest else events
    events = []
    begin = 0
    for found in _EVENT_END.finditer(body):
        events.append(_read(body[begin : found.end()]))
        begin = found.end()
    if begin < len(body):
        events.append(_read(body[begin:]))
    return events


def _read(raw: bytes) -> Event:
    line = raw.rstrip(b"\n")
    if line.startswith(b"data: ") and b"\n" not in line and b"\r" not in line:
        return Event(raw, b"", line[6:])  # nearly all there are
    name, data = b"", []
    for line in _LINE_END.split(raw.removeprefix(_BOM)):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return Event(raw, name, b"\n".join(data) if data else None)
