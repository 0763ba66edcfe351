"""Rules for credentials: whose keys the gateway adds, who may make use of them, and where callers' own keys would end up."""

from __future__ import annotations

from gateway.config.findings import Findings
from gateway.config.model import File, Route, Upstream
from gateway.config.preset import presets
from gateway.config.problem import Place
from gateway.config.rules_fallback import asked_by
from gateway.config.syntax import is_loopback, listen_host, listen_problem, split_url

CREDENTIALS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "proxy-authorization"})
# Where a caller's key usually is: an upstream that sets or removes one of these was thought about.
USUAL_KEYS = frozenset({"authorization", "x-api-key"})


def check_credentials(found: Findings, file: File) -> None:
    listen, routes = ("server", "listen"), ("routes",)
    open_door = not is_loopback(listen_host(file.server.listen)) and listen_problem(file.server.listen) is None
    guarded = bool(file.clients) or file.server.open
    used = {name for route in file.routes for name in asked_by(file, route)}
    for name, upstream in file.upstreams.items():
        places = _credentials(found, name, upstream)
        if places and name in used and open_door and not guarded:
            text = f"anybody who reaches the listen address could use the credentials of the upstream `{name}`"
            hint = "declare `clients`, listen on 127.0.0.1, or write `server.open: true` if others guard the door"
            found.error(places[0], text, hint, (listen, ("server", "open"), ("clients",), routes))
        parts = split_url(upstream.url)
        if places and parts is not None and parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            text = f"the credentials of the upstream `{name}` travel unencrypted"
            found.warning(places[0], text, "use an `https://` URL", (("upstreams", name, "url"),))
    if not file.clients:
        _check_callers_keys(found, file)


def _check_callers_keys(found: Findings, file: File) -> None:
    """A caller's own key, meant for one upstream, must not reach another host unnoticed."""
    judged: list[Place] = [("clients",), ("routes",)]
    for index in range(len(file.routes)):
        judged += [("routes", index, key) for key in ("upstream", "scope", "preset")]
    for name in dict.fromkeys(route.upstream for route in file.routes if _asks_with_keys(route)):
        first = file.upstreams.get(name)
        if first is None or _credentials(found, name, first) or _handles_keys(first):
            continue
        for index, fallback in enumerate(first.fallback):
            other = file.upstreams.get(fallback.upstream)
            if other is None or _handles_keys(other) or not _is_elsewhere(first, other):
                continue
            at = ("upstreams", name, "fallback", index, "upstream")
            text = f"the callers' own keys, meant for `{name}`, would be sent to {found.shown(at, fallback.upstream)} as well"
            hint = "give that upstream a key of its own in `headers`, or write `remove_headers: [Authorization, x-api-key]`"
            urls = (("upstreams", name), ("upstreams", fallback.upstream))
            found.warning(at, text, hint, (*judged, *urls))


def _asks_with_keys(route: Route) -> bool:
    """Do its callers send keys, as far as the file tells?"""
    preset = presets().get(route.preset or "")
    return route.scope == "client" or (preset is not None and preset.llm)


def _handles_keys(upstream: Upstream) -> bool:
    named = {*upstream.remove_headers, *(name for name, value in upstream.headers.items() if value)}
    return not USUAL_KEYS.isdisjoint(name.lower() for name in named)


def _is_elsewhere(first: Upstream, other: Upstream) -> bool:
    """Another host, and not this machine."""
    here, there = split_url(first.url), split_url(other.url)
    if here is None or there is None or not other.url:
        return False
    return here.hostname != there.hostname and not is_loopback(there.hostname or "")


def _credentials(found: Findings, name: str, upstream: Upstream) -> tuple[Place, ...]:
    """The headers by which the gateway vouches for whoever calls."""
    place = ("upstreams", name, "headers")
    return tuple(
        (*place, header)
        for header, value in upstream.headers.items()
        if value and (header.lower() in CREDENTIALS or found.is_filled_in((*place, header)))
    )
