"""Rules for upstreams: where they are, what they add to a request, what they fall back on, and who may use them."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.findings import Findings
from gateway.config.model import File, Upstream
from gateway.config.problem import Place
from gateway.config.rules_process import check_reference
from gateway.config.syntax import (
    header_value_problem,
    is_loopback,
    listen_host,
    listen_problem,
    own_header_problem,
    split_url,
    url_problem,
)

CREDENTIALS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "proxy-authorization"})
# What only matters where there is a network.
NETWORK_OPTIONS = ("headers", "timeout", "retry", "fallback", "tls", "proxy", "connections")


def check_upstreams(found: Findings, file: File) -> None:
    for name, upstream in file.upstreams.items():
        place: Place = ("upstreams", name)
        _check_kind(found, place, name, upstream)
        check_headers(found, (*place, "headers"), upstream.headers)
        _check_fallback(found, file, place, name, upstream)
    _check_cycles(found, file)
    _check_credentials(found, file)
    _check_unused(found, file)


def _check_kind(found: Findings, place: Place, name: str, upstream: Upstream) -> None:
    url, respond = (*place, "url"), (*place, "respond")
    if found.is_written(url) and found.is_written(respond):
        text = f"the upstream `{name}` has both `url` and `respond`"
        found.error(respond, text, "write exactly one of them", (url,))
    elif upstream.respond is not None:
        for option in NETWORK_OPTIONS:
            if found.is_written((*place, option)):
                text = f"`{option}` has no effect on an upstream with `respond`, which needs no network"
                found.error((*place, option), text, "leave it out", (respond,))
        check_headers(found, (*respond, "headers"), upstream.respond.headers)
    elif not upstream.url:
        what = (
            "the variable of `url` is empty" if found.is_filled_in(url) else "`url: https://...` says where requests go"
        )
        found.error(place, f"the upstream `{name}` has neither `url` nor `respond`", what, (url, respond))
    else:
        _check_url(found, place, upstream)


def _check_url(found: Findings, place: Place, upstream: Upstream) -> None:
    url = (*place, "url")
    problem = url_problem(upstream.url)
    if problem is not None:
        found.error(url, f"`url`: {problem}")
    elif upstream.url.startswith("http://") and not found.is_filled_in(url) and found.is_written((*place, "tls")):
        found.error((*place, "tls"), "`tls` has no effect on an `http://` URL", "is it an `https://` URL?", (url,))
    tls = upstream.tls
    if tls.ca and not tls.verify:
        text = "`ca` has no effect with `verify: false`"
        found.error((*place, "tls", "ca"), text, "keep one of the two", ((*place, "tls", "verify"),))
    proxy = url_problem(upstream.proxy, userinfo=True) if upstream.proxy else None
    if proxy is not None:
        found.error((*place, "proxy"), f"`proxy`: {proxy}")
    retry = (*place, "retry")
    if found.is_written((*retry, "on")) and upstream.retry.attempts == 1 and not upstream.fallback:
        text = "`on` has no effect: with one attempt and no fallback nothing is tried again"
        if not found.is_filled_in((*retry, "attempts")):
            found.error((*retry, "on"), text, "write `attempts: 2`", ((*retry, "attempts"), (*place, "fallback")))


def check_headers(found: Findings, place: Place, headers: dict[str, str]) -> None:
    """Names and values of headers that semgate sets, and none twice."""
    seen: dict[str, str] = {}
    for name, value in headers.items():
        problem = own_header_problem(name)
        if problem is not None:
            found.error((*place, name), f"`{name[:40]}` {problem}")
        problem = header_value_problem(value)
        if problem is not None:
            found.error((*place, name), f"the value of the header `{name[:40]}` {problem}")
        first = seen.setdefault(name.lower(), name)
        if first != name:
            found.error((*place, name), f"the header `{name[:40]}` is there already, as `{first[:40]}`", "keep one")


def _check_fallback(found: Findings, file: File, place: Place, name: str, upstream: Upstream) -> None:
    seen: set[str] = set()
    for index, fallback in enumerate(upstream.fallback):
        at = (*place, "fallback", index, "upstream")
        check_reference(found, at, fallback.upstream, file.upstreams, "upstream")
        if fallback.upstream == name:
            found.error(at, f"the upstream `{name}` cannot fall back on itself", "`retry` tries the same one again")
        if fallback.upstream in seen:
            found.error(at, f"{found.shown(at, fallback.upstream)} is in this list already", "keep one")
        seen.add(fallback.upstream)


def _check_cycles(found: Findings, file: File) -> None:
    """Report a chain of fallbacks that comes back to its start, once, at its first upstream in the file."""
    reported: set[str] = set()
    for start in file.upstreams:
        chain = _chain_back(file, start)
        if chain and not reported.intersection(chain):
            reported.update(chain)
            shown = " -> ".join(f"`{name}`" for name in (*chain, start))
            place = ("upstreams", start, "fallback")
            judged = tuple(("upstreams", name, "fallback") for name in chain)
            found.error(place, f"the fallbacks go in a circle: {shown}", "let the last one have no fallback", judged)


def _chain_back(file: File, start: str) -> tuple[str, ...]:
    """The shortest chain of at least two upstreams from `start` back to it; empty if there is none."""
    chains: list[tuple[str, ...]] = [(start,)]
    seen = {start}
    while chains:
        chain = chains.pop(0)
        for name in _fallbacks(file, chain[-1]):
            if name == start and len(chain) > 1:
                return chain
            if name not in seen:
                seen.add(name)
                chains.append((*chain, name))
    return ()


def _fallbacks(file: File, name: str) -> tuple[str, ...]:
    upstream = file.upstreams.get(name)
    return () if upstream is None else tuple(fallback.upstream for fallback in upstream.fallback)


def reachable(file: File, name: str) -> Iterator[str]:
    """An upstream and everything it may fall back on."""
    waiting, seen = [name], {name}
    while waiting:
        current = waiting.pop()
        if current in file.upstreams:
            yield current
        for each in _fallbacks(file, current):
            if each not in seen:
                seen.add(each)
                waiting.append(each)


def _credentials(found: Findings, name: str, upstream: Upstream) -> tuple[Place, ...]:
    """The headers by which the gateway vouches for whoever calls."""
    place = ("upstreams", name, "headers")
    return tuple(
        (*place, header)
        for header, value in upstream.headers.items()
        if value and (header.lower() in CREDENTIALS or found.is_filled_in((*place, header)))
    )


def _check_credentials(found: Findings, file: File) -> None:
    listen, routes = ("server", "listen"), ("routes",)
    open_door = not is_loopback(listen_host(file.server.listen)) and listen_problem(file.server.listen) is None
    guarded = bool(file.clients) or file.server.open
    used = {name for route in file.routes for name in reachable(file, route.upstream)}
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


def _check_unused(found: Findings, file: File) -> None:
    named = [route.upstream for route in file.routes]
    named += [name for upstream in file.upstreams for name in _fallbacks(file, upstream)]
    if not set(named) <= set(file.upstreams):
        return  # a mistyped name would have its upstream called unused
    used = {name for route in file.routes for name in reachable(file, route.upstream)}
    judged: list[Place] = [("routes",)]
    for index in range(len(file.routes)):
        judged += [("routes", index), ("routes", index, "upstream")]
    for name in file.upstreams:
        if name not in used:
            text = f"the upstream `{name}` is declared, but no route uses it"
            found.warning(("upstreams", name), text, judged_from=tuple(judged))
