"""Cache-Control, Age and time to live, by RFC 9111 as far as a shared cache with an operator's ttl needs it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.core.messages import Headers

_DIRECTIVE = re.compile(r"""\s*([A-Za-z0-9_-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;"]*)))?\s*(?:,|$)""")
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Wishes(msgspec.Struct, frozen=True):
    """What a client asked of the cache and the route allows. Ages and times to live in seconds."""

    no_cache: bool = False
    no_store: bool = False
    only_if_cached: bool = False
    max_age: int | None = None
    threshold: float | None = None
    ttl: float | None = None
    stale_if_error: int | None = None


NO_WISHES = Wishes()

# Request headers that wish something of a cache.
WISHING = frozenset({b"cache-control", b"pragma", b"x-cache-threshold", b"x-cache-ttl"})


class AllowedWishes(msgspec.Struct, frozen=True):
    """Which wishes a route honours: Cache-Control directives, the floor of `X-Cache-Threshold`, the cap of `X-Cache-TTL`.
    None: the header is ignored."""

    cache_control: frozenset[str]
    threshold_min: float | None
    ttl_max: float | None


def parse_cache_control(values: Iterable[bytes]) -> dict[str, str]:
    """Directives of one or more Cache-Control fields: lower-case name -> argument ("" without one); the first wins.

    What does not parse is passed over up to the next comma, as RFC 9111 5.2 asks of unknown directives.
    """
    directives: dict[str, str] = {}
    for value in values:
        text = value.decode("latin-1")
        position = 0
        while position < len(text):
            match = _DIRECTIVE.match(text, position)
            if match is None:
                comma = text.find(",", position)
                position = len(text) if comma < 0 else comma + 1
                continue
            directives.setdefault(match[1].lower(), match[2] or match[3] or "")
            position = match.end()
    return directives


def seconds(argument: str | None) -> int | None:
    """delta-seconds (RFC 9111 1.2.2), or None where there is no valid number; very large ones are capped."""
    if argument is None or not argument.isascii() or not argument.isdigit():
        return None
    return min(int(argument[:12]), 2**31)


def read_wishes(headers: list[tuple[bytes, bytes]], allowed: AllowedWishes) -> Wishes:
    """The client's wishes that this route honours; malformed ones are ignored."""
    for name, _ in headers:
        if name in WISHING:
            break
    else:
        return NO_WISHES  # by far the usual case
    fields = [value for name, value in headers if name == b"cache-control"]
    asked = parse_cache_control(fields)
    if not fields and any(name == b"pragma" and b"no-cache" in value.lower() for name, value in headers):
        asked = {"no-cache": ""}  # RFC 9111 5.4: only where there is no Cache-Control
    asked = {name: argument for name, argument in asked.items() if name in allowed.cache_control}
    return Wishes(
        no_cache="no-cache" in asked,
        no_store="no-store" in asked,
        only_if_cached="only-if-cached" in asked,
        max_age=seconds(asked.get("max-age")),
        threshold=_threshold(headers, allowed),
        ttl=_ttl(headers, allowed),
        stale_if_error=seconds(asked.get("stale-if-error")),
    )


def upstream_ttl(headers: Headers) -> int | None:
    """Seconds an upstream's own `s-maxage` or `max-age` allows, None where it names none."""
    directives = parse_cache_control(value for name, value in headers if name == b"cache-control")
    shared = seconds(directives.get("s-maxage"))
    return seconds(directives.get("max-age")) if shared is None else shared


def age(created_at: float, now: float) -> int:
    """Whole seconds since the answer was kept (RFC 9111 4.2.3); a clock that ran backwards gives 0."""
    return max(0, int(now - created_at))


def _single(headers: list[tuple[bytes, bytes]], wanted: bytes) -> str | None:
    values = [value for name, value in headers if name == wanted]
    return values[0].decode("latin-1").strip() if len(values) == 1 else None


def _threshold(headers: list[tuple[bytes, bytes]], allowed: AllowedWishes) -> float | None:
    text = _single(headers, b"x-cache-threshold")
    if (
        allowed.threshold_min is None
        or text is None
        or not re.fullmatch(r"0(\.[0-9]{0,9})?|1(\.0{0,9})?|\.[0-9]{1,9}", text)
    ):
        return None
    return max(float(text), allowed.threshold_min)


def _ttl(headers: list[tuple[bytes, bytes]], allowed: AllowedWishes) -> float | None:
    text = _single(headers, b"x-cache-ttl")
    if allowed.ttl_max is None or text is None:
        return None
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    return min(float(match[1]) * _UNITS[match[2] or "s"], allowed.ttl_max)
