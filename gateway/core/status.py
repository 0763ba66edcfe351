"""What semgate says about an answer: Cache-Status (RFC 9211), Age, X-Cache and its kin; and what a replay may carry.

Header values are built from closed sets, numbers and ids only, so nothing of a client's can end up in them.
"""

from __future__ import annotations

import math
from enum import StrEnum

from gateway.core.freshness import age
from gateway.core.messages import Bypass, Denial, Headers, Hit, HitKind, Miss, Reason, Refuse
from gateway.core.synthesis import Draft

# Stored headers that a replay carries. Everything else (ids, counters, dates, cookies, CORS grants) belonged to the
# request that was answered then.
REPLAYED = frozenset({b"content-type", b"content-language"})


class Expose(StrEnum):
    """`response.expose`: all cache headers; Cache-Status and Age only; nothing."""

    ALL = "all"
    STATUS = "status"
    NONE = "none"


def replayable(headers: Headers) -> Headers:
    """The stored headers that strangers may see."""
    return tuple((name, value) for name, value in headers if name in REPLAYED)


def hit_headers(hit: Hit, expose: Expose, now: float, *, instead: int | None = None) -> list[tuple[bytes, bytes]]:
    """Of a stored answer. A stale one has a negative ttl (RFC 9211, 2.4). `instead`: it stands in for an upstream that
    failed, with this status (0: without any)."""
    if expose is Expose.NONE:
        return []
    entry = hit.entry
    now = max(now, entry.created_at)  # who waited for it asked before it was there
    ttl = math.floor(entry.expires_at - now) if hit.stale else max(0, int(entry.expires_at - now))
    if instead is None:
        status = b"semgate; hit; ttl=%d; detail=%s" % (ttl, hit.kind.encode())
    else:
        status = b"semgate; fwd=stale" + (b"; fwd-status=%d" % instead if instead else b"")
    headers = [(b"cache-status", status), (b"age", b"%d" % age(entry.created_at, now))]
    if expose is Expose.ALL:
        headers += [
            (b"x-cache", _word(hit)),
            (b"x-cache-source", hit.source.encode()),
            (b"x-cache-entry", entry.id.encode()),
        ]
        if hit.similarity is not None:
            headers.append((b"x-cache-similarity", b"%.4f" % hit.similarity))
    return headers


def _word(hit: Hit) -> bytes:
    return b"STALE" if hit.stale else b"SYNTHESIS" if hit.kind is HitKind.SYNTHESIS else b"HIT"


def synthesis_headers(draft: Draft | None, expose: Expose, now: float) -> list[tuple[bytes, bytes]]:
    """Of an answer that is made of kept ones, as old as the oldest of them, and named by their ids, which are of the caller's
    own scope. None: it was made for somebody else who asked the same."""
    if expose is Expose.NONE:
        return []
    headers = [(b"cache-status", b"semgate; hit; detail=%s" % HitKind.SYNTHESIS.encode())]
    if draft is not None:
        headers.append((b"age", b"%d" % age(min(draft.provenance.created_at, now), now)))
    if expose is Expose.ALL:
        headers.append((b"x-cache", b"SYNTHESIS"))
    if expose is Expose.ALL and draft is not None:
        headers.append((b"x-cache-similarity", b"%.4f" % draft.nearest.similarity))
        headers.append((b"x-cache-material", ", ".join([each.entry.id for each in draft.material]).encode()))
    return headers


def other_headers(
    verdict: Miss | Bypass | Refuse, expose: Expose, *, stored: bool = False, collapsed: bool = False
) -> list[tuple[bytes, bytes]]:
    """Of an answer that is not a hit. `stored` only where it is known when the head goes out; `collapsed`: it is the
    answer to somebody else's same request (RFC 9211, 2.7)."""
    if expose is Expose.NONE:
        return []
    match verdict:
        case Miss(reason=Reason.REQUESTED | Reason.TOO_OLD):
            # The client's own Cache-Control ruled a stored answer out (RFC 9211 2.2).
            status, word = b"semgate; fwd=request", b"MISS" if verdict.recording is not None else b"BYPASS"
        case Miss(reason=Reason.SHADOW, would_be=would_be):
            found = b"miss" if would_be is None else b"hit"
            status, word = b"semgate; fwd=request; detail=shadow-%s" % found, b"SHADOW"
        case Miss(reason=Reason.UNPROVEN):
            status, word = b"semgate; fwd=miss; detail=unproven", b"MISS"
        case Miss(reason=Reason.STALE):
            status, word = b"semgate; fwd=stale", b"MISS"
        case Miss():
            status, word = b"semgate; fwd=miss", b"MISS"
        case Bypass(reason=reason):
            status, word = b"semgate; fwd=bypass; detail=%s" % reason.encode(), b"BYPASS"
        case Refuse(denial=Denial()):
            status, word = b"semgate; detail=denied", b"BYPASS"
        case Refuse():
            status, word = b"semgate; detail=only-if-cached", b"MISS"  # nothing was forwarded, so there is no fwd
    status += b"; stored" if stored else b""
    status += b"; collapsed" if collapsed else b""
    headers = [(b"cache-status", status)]
    if expose is Expose.ALL:
        headers.append((b"x-cache", word))
        if isinstance(verdict, Miss) and verdict.similarity is not None:
            headers.append((b"x-cache-similarity", b"%.4f" % verdict.similarity))
        if isinstance(verdict, Miss) and verdict.would_be is not None:
            # An id of the caller's own scope, as in a hit: what would have been served can be looked at and judged.
            headers.append((b"x-cache-entry", verdict.would_be.entry.id.encode()))
    return headers
