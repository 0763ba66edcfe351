"""Who called, as the upstream is told: `Forwarded` (RFC 7239), `X-Forwarded-For/-Proto/-Host`, `Via` (RFC 9110, 7.6.3).

What a peer says there of those before it counts only where the peer is a trusted proxy: then it is kept and added to.
From anybody else all of `Forwarded` and `X-Forwarded-*` is replaced, as anybody can write what they like there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Literal, TypeAlias

import msgspec

from gateway.core.asgi import Scope
from gateway.core.connection import NOTHING
from gateway.proxy.headers import text

Mode: TypeAlias = Literal["both", "forwarded", "x-forwarded", "none"]

PSEUDONYM = "semgate"
FORWARDED = b"forwarded"
X_FORWARDED = b"x-forwarded-"
FOR, PROTO, HOST = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"

PEERS_REMEMBERED = 4096

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HIDDEN = re.compile(r"_[A-Za-z0-9._-]+")  # an obfuscated node (RFC 7239, 6.3)
_UNKNOWN = "unknown"


class Introduction(msgspec.Struct, frozen=True):
    """What goes with one request: `fields` (lower-case names) are added after the client's own, of which those named
    in `replaced` do not pass."""

    fields: list[tuple[str, str]]
    replaced: frozenset[bytes] = NOTHING


class Peer(msgspec.Struct, frozen=True):
    """Who holds the connection. `address` is empty where the server does not know it."""

    address: str
    node: str
    trusted: bool


class Introducer:
    """`trusted` are addresses and networks (`10.0.0.0/8`) of the proxies in front, `mode` which fields are written.

    In each mode, what a trusted peer says in fields that are not written passes. Raises ValueError where one of
    `trusted` is no network.
    """

    def __init__(self, trusted: Iterable[str] = (), mode: Mode = "both") -> None:
        self._networks = tuple(ip_network(each, strict=False) for each in trusted)
        self._forwarded = mode in ("both", "forwarded")
        self._x_forwarded = mode in ("both", "x-forwarded")
        self._peer = lru_cache(PEERS_REMEMBERED)(self._recognise)

    def introduce(self, scope: Scope, host: str) -> Introduction:
        """`host` is what the client asked for in `Host`, empty where it named none."""
        client = scope.get("client")
        peer = self._peer(client[0] if client else "")
        scheme = scope["scheme"]
        said: dict[bytes, str] = {}
        for name, value in scope["headers"]:
            if name == FORWARDED or name.startswith(X_FORWARDED):
                said[name] = _append(said.get(name, ""), text(value))
        replaced = set() if peer.trusted else set(said)
        before = said if peer.trusted else {}
        fields = []
        if self._forwarded:
            replaced.add(FORWARDED)
            earlier = before.get(FORWARDED) or _as_forwarded(before)
            fields.append(("forwarded", _append(earlier, _element(peer.node, host, scheme))))
        if self._x_forwarded:
            if peer.address:
                replaced.add(FOR)
                fields.append(("x-forwarded-for", _append(before.get(FOR, ""), peer.address)))
            # Of these there is one each, from the proxy that the client spoke to.
            if PROTO not in before:
                fields.append(("x-forwarded-proto", scheme))
            if host and HOST not in before:
                fields.append(("x-forwarded-host", host))
        fields.append(("via", via(scope["http_version"])))
        return Introduction(fields, frozenset(replaced))

    def _recognise(self, address: str) -> Peer:
        found = _parse(address)
        if found is None:
            return Peer("", _UNKNOWN, trusted=False)
        parsed = ip_address(found)
        return Peer(found, _node(found), any(parsed in network for network in self._networks))


def via(version: str) -> str:
    """The `Via` element for a message that came in this version of HTTP (`1.1`, `2`)."""
    return f"{version} {PSEUDONYM}"


def _append(earlier: str, own: str) -> str:
    return f"{earlier}, {own}" if earlier else own


def _parse(address: str) -> str | None:
    """An address in its usual form; None if it is none. IPv4 within IPv6 is IPv4; a zone is of this machine only."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return str(found.ipv4_mapped or found) if isinstance(found, IPv6Address) else str(found)


def _node(address: str) -> str:
    """An address as a node of `Forwarded`: one of IPv6 stands in brackets, and those in quotes (RFC 7239, 6.1)."""
    return f'"[{address}]"' if ":" in address else address


def _element(node: str, host: str, scheme: str) -> str:
    named = f"host={_value(host)};" if host else ""
    return f"for={node};{named}proto={_value(scheme)}"


def _value(value: str) -> str:
    if _TOKEN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _as_forwarded(said: dict[bytes, str]) -> str:
    """`Forwarded` for the hops that a trusted proxy told by X-Forwarded-* alone (RFC 7239, 7.4); empty: it told none.

    Protocol and host are those of the first hop.
    """
    nodes = [f"for={_said_node(each.strip())}" for each in said.get(FOR, "").split(",") if each.strip()]
    if not nodes:
        return ""
    first, *others = nodes
    for name, field in ((HOST, "host"), (PROTO, "proto")):
        value = said.get(name, "").strip()
        if value and "," not in value:
            first += f";{field}={_value(value)}"
    return ", ".join((first, *others))


def _said_node(said: str) -> str:
    """An entry of X-Forwarded-For as a node; what is no address is not passed off as one."""
    if _HIDDEN.fullmatch(said):
        return said
    bare = said.removeprefix("[").partition("]")[0] if said.startswith("[") else said
    address = _parse(bare) or (_parse(bare.rpartition(":")[0]) if bare.count(":") == 1 else None)
    return _UNKNOWN if address is None else _node(address)
