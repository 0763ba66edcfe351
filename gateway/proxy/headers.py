"""Which header fields cross the gateway, in both directions: pure functions over lists of (name, value).

End-to-end fields pass in order, duplicates kept; hop-by-hop ones never do (RFC 9110, 7.6.1): the well-known names and
whatever `Connection` names. Framing (Content-Length, Transfer-Encoding) is each connection's own business.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

RawHeaders: TypeAlias = Iterable[tuple[bytes, bytes]]

# The Proxy-Auth fields are not in RFC 9110's list, but they speak to the nearest proxy, which is not the upstream.
HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)

# Host and Content-Length are written anew for the upstream's connection. `Expect: 100-continue` was already answered:
# the server says "100 Continue" when the body is first asked for.
NOT_FORWARDED = HOP_BY_HOP | {b"host", b"content-length", b"expect"}

NOTHING: frozenset[bytes] = frozenset()
USUAL_CONNECTION = (b"keep-alive", b"close")  # these name no field, and are nearly all there is


def request_headers(
    headers: RawHeaders, unwanted: frozenset[bytes], dropped: frozenset[bytes]
) -> list[tuple[str, str]]:
    """The client's fields as the upstream shall see them, without those in `unwanted` and `dropped` (lower-case names).

    `unwanted` must hold NOT_FORWARDED.
    """
    kept = []
    named = NOTHING
    for name, value in headers:
        if name in unwanted:
            if name == b"connection" and value not in USUAL_CONNECTION:
                named |= _tokens(value)
        elif name not in dropped:
            kept.append((name.decode(), text(value)))
    if named:
        names = {name.decode("latin-1") for name in named}
        return [field for field in kept if field[0] not in names]
    return kept


def response_headers(headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    """The upstream's fields as the client shall see them, names in lower case (as ASGI wants them)."""
    kept = []
    named = NOTHING
    chunked = False
    for name, value in headers:
        lower = name.lower()
        if lower not in HOP_BY_HOP:
            kept.append((lower, value))
        elif lower == b"connection":
            if value not in USUAL_CONNECTION:
                named |= _tokens(value)
        elif lower == b"transfer-encoding":
            chunked = True
    if chunked:
        # A Content-Length beside Transfer-Encoding is overridden by it (RFC 9112, 6.3), and may well be wrong.
        named |= {b"content-length"}
    if named:
        return [field for field in kept if field[0] not in named]
    return kept


def text(value: bytes) -> str:
    """A field value as text that comes out as the same bytes when aiohttp writes it (as UTF-8).

    Values that are not UTF-8 (Latin-1 of old) cannot: they are re-encoded as UTF-8.
    """
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _tokens(value: bytes) -> frozenset[bytes]:
    names = frozenset(token.strip().lower() for token in value.split(b","))
    return names - {b"", b"close", b"keep-alive"}
