"""Rules for upstreams: where they are, what they add to a request or take out of it, and when they are tried again."""

from __future__ import annotations

from gateway.config.findings import Findings
from gateway.config.model import File, Upstream
from gateway.config.problem import Place
from gateway.config.rules_fallback import asked_by, fallbacks_of
from gateway.config.rules_stores import check_pauses
from gateway.config.syntax import header_value_problem, own_header_problem, removed_header_problem, url_problem

# What only matters where there is a network.
NETWORK_OPTIONS = (
    "headers", "remove_headers", "timeout", "retry", "breaker", "fallback", "tls", "proxy", "connections", "keepalive",
)  # fmt: skip
# What has no effect with `failures: 0`.
IDLE_BREAKER = ("pause", "longest")


def check_upstreams(found: Findings, file: File) -> None:
    for name, upstream in file.upstreams.items():
        place: Place = ("upstreams", name)
        _check_kind(found, place, name, upstream)
        check_headers(found, (*place, "headers"), upstream.headers)
        _check_removed_headers(found, place, upstream)
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
    _check_retry(found, place, upstream)
    _check_breaker(found, place, upstream)


def _check_retry(found: Findings, place: Place, upstream: Upstream) -> None:
    retry = (*place, "retry")
    attempts = (*retry, "attempts")
    if upstream.retry.attempts > 1 or found.is_filled_in(attempts):
        return
    if found.is_written((*retry, "on")) and not upstream.fallback:
        text = "`on` has no effect: with one attempt and no fallback nothing is tried again"
        found.error((*retry, "on"), text, "write `attempts: 2`", (attempts, (*place, "fallback")))
    if found.is_written((*retry, "max_wait")):
        text = "`max_wait` has no effect: with one attempt nobody waits for another, and a fallback is asked at once"
        found.error((*retry, "max_wait"), text, "write `attempts: 2`", (attempts,))


def _check_breaker(found: Findings, place: Place, upstream: Upstream) -> None:
    breaker, at = upstream.breaker, (*place, "breaker")
    if breaker.failures == 0:
        for option in IDLE_BREAKER:
            if found.is_written((*at, option)) and not found.is_filled_in((*at, "failures")):
                text = f"`{option}` has no effect with `failures: 0`, which never opens the breaker"
                found.error((*at, option), text, "leave it out", ((*at, "failures"),))
    else:
        check_pauses(found, at, breaker)


def _check_removed_headers(found: Findings, place: Place, upstream: Upstream) -> None:
    set_here = {name.lower(): name for name in upstream.headers}
    seen: set[str] = set()
    for index, name in enumerate(upstream.remove_headers):
        at = (*place, "remove_headers", index)
        own = set_here.get(name.lower())
        problem = removed_header_problem(name)
        if problem is not None:
            found.error(at, f"{found.shown(at, name)} {problem}")
        elif name.lower() in seen:
            found.error(at, f"{found.shown(at, name)} is in this list already", "keep one")
        elif own is not None and not any(found.is_filled_in(each) for each in (at, (*place, "headers", own))):
            text = f"{found.shown(at, name)} is set in `headers` of the same upstream, which takes the client's place anyway"
            found.error(at, text, "keep one of the two", ((*place, "headers"),))
        seen.add(name.lower())


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


def _check_unused(found: Findings, file: File) -> None:
    named = [route.upstream for route in file.routes if route.kind != "cache"]
    named += [route.synthesis.upstream for route in file.routes if route.synthesis is not None]
    named += [name for upstream in file.upstreams for name in fallbacks_of(file, upstream)]
    if not set(named) <= set(file.upstreams):
        return  # a mistyped name would have its upstream called unused
    used = {name for route in file.routes for name in asked_by(file, route)}
    judged: list[Place] = [("routes",)]
    for index in range(len(file.routes)):
        judged += [("routes", index), ("routes", index, "upstream"), ("routes", index, "synthesis")]
    for name in file.upstreams:
        if name not in used:
            text = f"the upstream `{name}` is declared, but no route uses it"
            found.warning(("upstreams", name), text, judged_from=tuple(judged))
