"""Which fields `Connection` names: they are for the next hop only (RFC 9110, 7.6.1), whoever looks at them."""

from __future__ import annotations

from collections.abc import Iterable

USUAL = (b"keep-alive", b"close")  # these name no field, and are nearly all there is
NOTHING: frozenset[bytes] = frozenset()


def named_by_connection(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """Lower-case names, out of headers with lower-case names."""
    named = NOTHING
    for name, value in headers:
        if name == b"connection" and value not in USUAL:
            named |= tokens(value)
    return named


def tokens(value: bytes) -> frozenset[bytes]:
    """The fields that one `Connection` line names."""
    names = frozenset(token.strip().lower() for token in value.split(b","))
    return names - {b"", *USUAL}
