"""A request body -> its one meaning as JSON, or a reason why it has none that all readers would agree on.

Readers differ on duplicate members (first or last wins) and on lone surrogates, so such a body could mean one thing to
the cache and another to the upstream: those, and nesting over 100, are ambiguous and bypass the cache.
"""

from __future__ import annotations

import json

import msgspec

from gateway.core.messages import Reason

MAX_DEPTH = 100

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Unreadable(Exception):
    """The body cannot be read as one JSON value; `reason` is NOT_JSON or AMBIGUOUS_JSON."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Document:
    """A request body as extractors want it, read when first asked for: many requests bypass the cache before that.

    `holder` is a one-element list with the decoded value, None where there is no body (no fault) or it cannot be read;
    then `reason` says why not.
    """

    __slots__ = ("_body", "_holder", "_read", "_reason")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._read = not body
        self._holder: list[object] | None = None
        self._reason: Reason | None = None

    @property
    def holder(self) -> list[object] | None:
        if not self._read:
            self._parse()
        return self._holder

    @property
    def reason(self) -> Reason | None:
        if not self._read:
            self._parse()
        return self._reason

    def _parse(self) -> None:
        self._read = True
        try:
            self._holder = [parse(self._body)]
        except Unreadable as unreadable:
            self._reason = unreadable.reason


def parse(body: bytes) -> object:
    """Decode a body. Raises Unreadable."""
    try:
        document = _decode(body)
    except UnicodeDecodeError:
        raise Unreadable(Reason.AMBIGUOUS_JSON) from None
    except (msgspec.DecodeError, RecursionError):
        # msgspec refuses lone surrogates with the same class as plain garbage; the standard library tells them apart.
        raise Unreadable(Reason.AMBIGUOUS_JSON if _is_json(body) else Reason.NOT_JSON) from None
    deep = body.count(b"[") + body.count(b"{") > MAX_DEPTH and _too_deep(document)
    if deep or _has_duplicates(body, document):
        raise Unreadable(Reason.AMBIGUOUS_JSON)
    return document


def _has_duplicates(body: bytes, document: object) -> bool:
    """Did decoding drop members? Every dropped member takes the quotes of its name with it.

    A quote in JSON text is structural, or written `\\"` or `\\u0022` inside a string; encoding writes the last one as
    `\\"`. So where no `\\u0022` occurs, equal counts of quotes mean that nothing was dropped (2 us a KB, against 20 for
    a parse with hooks).
    """
    if b"\\u0022" not in body:
        return body.count(b'"') != _encode(document).count(b'"')
    try:
        json.loads(body, object_pairs_hook=_unique)
    except _Duplicate:
        return True
    return False


class _Duplicate(Exception):
    pass


def _unique(members: list[tuple[str, object]]) -> None:
    if len({name for name, _ in members}) != len(members):
        raise _Duplicate


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _too_deep(document: object) -> bool:
    layer = [document]
    for _ in range(MAX_DEPTH + 1):
        containers = [node for node in layer if isinstance(node, (dict, list))]
        if not containers:
            return False
        layer = [child for node in containers for child in (node.values() if isinstance(node, dict) else node)]
    return True
