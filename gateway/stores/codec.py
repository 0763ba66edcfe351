"""Entries and questions as bytes for the stores, sealed (AES-256-GCM) or readable; versioned by their first byte.

A sealed value is bound to its place: the associated data names the entry's exact key and which part of it this is, so a
value moved to another row, key or column does not open. Whatever does not open, is of another version, or belongs to
another key is None: to a look-up it is absent, never an error. A sealing codec also refuses readable values, or whoever
can write to a store could put words into the cache's mouth. Fields are only ever appended, with defaults: what an older
version stored opens, and an older version passes over what it does not know.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.core.messages import Cost, Entry, Form, Headers, Shelfmark

READABLE = 0x01
SEALED = 0x02
NONCE_BYTES = 12

ENTRY = b"entry"
HEAD = b"head"
BODY = b"body"
QUESTION = b"question"


class Head(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is stored of an entry beside its body."""

    status: int
    headers: Headers
    cost: Cost = Cost()
    form: Form = Form.SINGLE
    stale: float = 0.0
    pace: bytes = b""
    compressed: bool = False
    usage_asked: bool = False
    tags: tuple[str, ...] = ()
    mark: Shelfmark | None = None
    synthesized: bool = False


class _Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A whole entry in one value, with the key it was stored under."""

    exact: bytes
    id: str
    route: str
    scope: bytes
    partition: bytes
    status: int
    headers: Headers
    asked_at: float
    created_at: float
    expires_at: float
    body: bytes
    cost: Cost = Cost()
    form: Form = Form.SINGLE
    stale: float = 0.0
    pace: bytes = b""
    compressed: bool = False
    usage_asked: bool = False
    tags: tuple[str, ...] = ()
    mark: Shelfmark | None = None
    synthesized: bool = False


class Columns(NamedTuple):
    """An entry's content as PostgreSQL columns."""

    head: bytes
    body: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode_record = msgspec.msgpack.Decoder(_Record).decode
_decode_head = msgspec.msgpack.Decoder(Head).decode


class Codec:
    """`seal_key` of 32 bytes: writes sealed, reads sealed. With `readable` it writes readable and reads both; without a
    key it writes and reads readable values only."""

    def __init__(self, seal_key: bytes | None, *, readable: bool = False) -> None:
        self._cipher = AESGCM(seal_key) if seal_key is not None else None
        self._seals = self._cipher is not None and not readable

    def encode(self, entry: Entry) -> bytes:
        """A whole entry as one value, for stores of key and value."""
        record = _Record(
            entry.exact,
            entry.id,
            entry.route,
            entry.scope,
            entry.partition,
            entry.status,
            entry.headers,
            entry.asked_at,
            entry.created_at,
            entry.expires_at,
            entry.body,
            entry.cost,
            entry.form,
            entry.stale,
            entry.pace,
            entry.compressed,
            entry.usage_asked,
            entry.tags,
            entry.mark,
            entry.synthesized,
        )
        return self._close(_encode(record), ENTRY, entry.exact)

    def decode(self, blob: bytes, exact: bytes) -> Entry | None:
        """The entry that was stored under this exact key; None if it does not open."""
        opened = self._open(blob, ENTRY, exact)
        if opened is None:
            return None
        try:
            record = _decode_record(opened)
        except msgspec.DecodeError:
            return None
        if record.exact != exact:
            return None
        return Entry(
            id=record.id,
            route=record.route,
            scope=record.scope,
            partition=record.partition,
            exact=exact,
            status=record.status,
            headers=record.headers,
            body=record.body,
            asked_at=record.asked_at,
            created_at=record.created_at,
            expires_at=record.expires_at,
            cost=record.cost,
            form=record.form,
            stale=record.stale,
            pace=record.pace,
            compressed=record.compressed,
            usage_asked=record.usage_asked,
            tags=record.tags,
            mark=record.mark,
            synthesized=record.synthesized,
        )

    def to_columns(self, entry: Entry) -> Columns:
        head = Head(
            entry.status,
            entry.headers,
            entry.cost,
            entry.form,
            entry.stale,
            entry.pace,
            entry.compressed,
            entry.usage_asked,
            entry.tags,
            entry.mark,
            entry.synthesized,
        )
        return Columns(self._close(_encode(head), HEAD, entry.exact), self._close(entry.body, BODY, entry.exact))

    def from_columns(self, head: bytes, body: bytes, exact: bytes) -> tuple[Head, bytes] | None:
        opened_head, opened_body = self._open(head, HEAD, exact), self._open(body, BODY, exact)
        if opened_head is None or opened_body is None:
            return None
        try:
            return _decode_head(opened_head), opened_body
        except msgspec.DecodeError:
            return None

    def close_question(self, question: str, exact: bytes) -> bytes:
        return self._close(question.encode(), QUESTION, exact)

    def open_question(self, blob: bytes, exact: bytes) -> str | None:
        opened = self._open(blob, QUESTION, exact)
        if opened is None:
            return None
        try:
            return opened.decode()
        except UnicodeDecodeError:
            return None

    def _close(self, plain: bytes, part: bytes, exact: bytes) -> bytes:
        if not self._seals or self._cipher is None:
            return b"%c%b" % (READABLE, plain)
        nonce = os.urandom(NONCE_BYTES)
        return b"%c%b%b" % (SEALED, nonce, self._cipher.encrypt(nonce, plain, part + exact))

    def _open(self, blob: bytes, part: bytes, exact: bytes) -> bytes | None:
        if not blob:
            return None
        if blob[0] == SEALED and self._cipher is not None:
            try:
                return self._cipher.decrypt(
                    blob[1 : 1 + NONCE_BYTES], memoryview(blob)[1 + NONCE_BYTES :], part + exact
                )
            except (InvalidTag, ValueError):
                return None
        if blob[0] == READABLE and not self._seals:
            return blob[1:]
        return None
