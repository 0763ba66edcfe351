"""What the cache says of an answer, as a value for the program that asked."""

from __future__ import annotations

import re

import msgspec

from gateway.core.asgi import HeaderList
from gateway.core.freshness import age
from gateway.core.messages import Hit

EXTENSION = "semgate"
"""The name of the value among a response's `extensions`."""

_PARAMETER = re.compile(rb";\s*([a-z-]+)=([^;]*)")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the cache said of one answer: `response.extensions["semgate"]`.

    `hit`: it is a stored answer, or made of stored ones. Then `kind` says how it was found (`exact`, `semantic`, `verified`, `synthesis`), `source`
    in which tier (`memory`, `redis`, `postgres`), `age` how old it is in seconds, `stale` whether its time was over.
    Else `forwarded` says why the upstream was asked (`miss`, `bypass`, `request`, `stale`), and `detail` more closely, where
    there is more to say (`no-scope`, `no-text`, ...). `similarity` is cosine, 0 to 1: of the hit, or the best that a miss has
    seen. `entry` is the id to purge by.
    """

    hit: bool
    kind: str | None = None
    source: str | None = None
    similarity: float | None = None
    entry: str | None = None
    age: int | None = None
    stale: bool = False
    forwarded: str | None = None
    detail: str | None = None


def told_of_hit(hit: Hit, now: float) -> Told:
    """Of a stored answer."""
    return Told(
        hit=True,
        kind=hit.kind.value,
        source=hit.source.value,
        similarity=hit.similarity,
        entry=hit.entry.id,
        age=age(hit.entry.created_at, now),
        stale=hit.stale,
    )


def told_of_other(headers: HeaderList) -> Told:
    """Of any other, by what semgate itself says in these headers (names in lower case): nothing, where the route exposes
    nothing."""
    said = dict(headers)
    raw = said.get(b"cache-status", b"")
    status = {name: value.decode() for name, value in _PARAMETER.findall(raw)}
    similarity, entry = said.get(b"x-cache-similarity"), said.get(b"x-cache-entry")
    if raw.startswith(b"semgate; hit"):  # made of kept answers just now: no entry is it
        return Told(
            hit=True,
            kind=status.get(b"detail"),
            similarity=None if similarity is None else float(similarity),
            age=int(said[b"age"]) if b"age" in said else None,
        )
    return Told(
        hit=False,
        similarity=None if similarity is None else float(similarity),
        entry=None if entry is None else entry.decode(),
        forwarded=status.get(b"fwd"),
        detail=status.get(b"detail"),
    )
