"""A stored entry -> the same answer in the form that a client asks for, or nothing where it cannot be had in that form.

In its own form an entry is replayed unchanged. A dialect turns one form into the other; where it cannot do so without
loss the entry does not answer the other form.
"""

from __future__ import annotations

import msgspec

from gateway.core.dialects.base import Dialect
from gateway.core.messages import Entry, Form, Reason, Wanted
from gateway.core.streams import Event, split

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def show(entry: Entry, wanted: Wanted | None, dialect: Dialect | None) -> Entry | None:
    """The entry in the form asked for; None where it cannot be had."""
    if wanted is None:
        return entry
    single = entry.form is Form.SINGLE
    if dialect is None:
        return entry if wanted.stream is not single else None
    if single and not wanted.stream:
        return entry
    if single:
        return _streamed(entry, wanted, dialect)
    if wanted.stream and (not dialect.usage_option or wanted.usage is entry.usage_asked):
        return entry
    events = split(entry.body, entry.form)
    if not wanted.stream:
        return _assembled(entry, events, dialect)
    adapted = dialect.adapt(events, usage=wanted.usage)
    if adapted is None:
        return None
    return entry if len(adapted) == len(entry.body) else msgspec.structs.replace(entry, body=adapted)


def renew(entry: Entry, dialect: Dialect, token: str, now: float) -> Entry:
    """The entry with an id and a time of creation of its own. What is not a JSON object stays as it is."""
    if entry.form is Form.SINGLE:
        body = _renewed(entry.body, dialect, token, now)
    else:
        body = b"".join(_renewed_event(event, dialect, token, now) for event in split(entry.body, entry.form))
    return msgspec.structs.replace(entry, body=body)


def _streamed(entry: Entry, wanted: Wanted, dialect: Dialect) -> Entry | None:
    try:
        body = dialect.render(_decode(entry.body), usage=wanted.usage)
    except (ValueError, RecursionError):  # msgspec's own are ValueErrors, and so is broken UTF-8
        return None
    return None if body is None else _as(entry, body, dialect.form, dialect.stream_type)


def _assembled(entry: Entry, events: list[Event], dialect: Dialect) -> Entry | None:
    assembled = dialect.assemble(events)
    if isinstance(assembled, Reason) or not assembled.faithful:
        return None
    return _as(entry, _encode(assembled.document), Form.SINGLE, dialect.single_type)


def _as(entry: Entry, body: bytes, form: Form, content_type: bytes) -> Entry:
    others = tuple(pair for pair in entry.headers if pair[0] != b"content-type")
    headers = ((b"content-type", content_type), *others)
    return msgspec.structs.replace(entry, body=body, form=form, headers=headers, pace=b"")


def _renewed_event(event: Event, dialect: Dialect, token: str, now: float) -> bytes:
    """Only the data changes: it is one line in every API that has a dialect, else the event stays as it is."""
    if event.data is None or event.raw.count(event.data) != 1:
        return event.raw
    return event.raw.replace(event.data, _renewed(event.data, dialect, token, now))


def _renewed(text: bytes, dialect: Dialect, token: str, now: float) -> bytes:
    try:
        payload = _decode(text)
    except (ValueError, RecursionError):  # msgspec's own are ValueErrors, and so is broken UTF-8
        return text
    if not isinstance(payload, dict):
        return text
    dialect.renew(payload, token, now)
    return _encode(payload)
