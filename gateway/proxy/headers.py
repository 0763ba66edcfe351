"""Which header fields cross the gateway, in both directions: pure functions over lists of (name, value).

End-to-end fields pass in order, duplicates kept; hop-by-hop ones never do (RFC 9110, 7.6.1): the well-known names and
whatever `Connection` names. Framing (Content-Length, Transfer-Encoding) is each connection's own business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TypeAlias

import msgspec

from gateway.core.connection import NOTHING, USUAL, tokens
from gateway.errors import AmbiguousRequest

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


TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

_SECONDS = re.compile(rb"[0-9]{1,9}")


class Framing(msgspec.Struct, frozen=True):
    """What a request's head says of its body (bytes; None: not announced) and of the host that was asked for."""

    content_length: int | None
    chunked: bool
    host: bytes


def read_framing(headers: RawHeaders) -> Framing:
    """Raises AmbiguousRequest where two readers could take the request for two things: smugglers live on that.

    A server in front refuses most of these; one that takes `gzip, chunked` hands the body over as it came, and the
    upstream would never learn that it is still compressed (RFC 9112, 6.1). Two hosts are an error by RFC 9112, 3.2.
    """
    length: int | None = None
    chunked = False
    host: bytes | None = None
    for name, value in headers:
        if name == b"content-length":
            if not value.isdigit() or length not in (None, int(value)):
                raise AmbiguousRequest("Content-Length is not one number")
            length = int(value)
        elif name == b"transfer-encoding":
            if chunked or value.strip().lower() != b"chunked":
                raise AmbiguousRequest("Transfer-Encoding: only `chunked`, once, can be read")
            chunked = True
        elif name == b"host":
            if host is not None:
                raise AmbiguousRequest("the request has more than one Host")
            host = value
    return Framing(length, chunked, host or b"")


def retry_after(headers: RawHeaders, now: float) -> float | None:
    """How many seconds an answer asks to be left alone (RFC 9110, 10.2.3); None: it does not, or not in words that can
    be read. `now` is the Unix time; names are lower-case."""
    for name, value in headers:
        if name != b"retry-after":
            continue
        value = value.strip()
        if _SECONDS.fullmatch(value):
            return float(value)
        try:
            date = parsedate_to_datetime(value.decode("latin-1"))
        except ValueError:
            return None
        return max(0.0, date.replace(tzinfo=date.tzinfo or UTC).timestamp() - now)
    return None


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
            if name == b"connection" and value not in USUAL:
                named |= tokens(value)
        elif name not in dropped:
            kept.append((name.decode(), text(value)))
    if named:
        names = {name.decode("latin-1") for name in named}
        return [field for field in kept if field[0] not in names]
    return kept


def response_headers(headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    """The upstream's fields as the client shall see them, names in lower case (as ASGI wants them).

    Raises ValueError for a transfer coding besides `chunked`: nobody asked for it, and its bytes would pass as the body;
    and for a name that is none, such as `Content-Length ` with its space, which readers take for two different things.
    """
    kept = []
    named = NOTHING
    chunked = False
    for name, value in headers:
        lower = name.lower()
        if lower not in HOP_BY_HOP:
            kept.append((lower, value))
        elif lower == b"connection":
            if value not in USUAL:
                named |= tokens(value)
        elif lower == b"transfer-encoding":
            if value.lower() != b"chunked":
                raise ValueError("a transfer coding that is not chunked")
            chunked = True
    if kept and not TOKEN.fullmatch(b"".join(name for name, _ in kept)):
        raise ValueError("a header's name is not valid")
    if CONTROL.search(b"".join(value for _, value in kept)):
        # Servers refuse to write them; a space means the same (RFC 9110, 5.5, of the worst of them).
        kept = [(name, CONTROL.sub(b" ", value)) for name, value in kept]
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
