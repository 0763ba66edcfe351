"""Rules for the process itself: where it listens, who operates it, whom it believes and tells, and its key."""

from __future__ import annotations

from gateway.config.findings import Findings
from gateway.config.model import File, Tracing
from gateway.config.rules_upstream import check_headers
from gateway.config.syntax import (
    is_every_address,
    is_loopback,
    is_visible_ascii,
    is_whole_network,
    listen_host,
    listen_port,
    listen_problem,
    read_network,
    url_problem,
)

SHORTEST_DIGEST_KEY = 16


def check_server(found: Findings, file: File) -> None:
    server, place = file.server, ("server",)
    problem = listen_problem(server.listen)
    if problem is not None:
        found.error((*place, "listen"), f"`listen`: {problem}")
    elif server.open and is_loopback(listen_host(server.listen)) and not found.is_filled_in((*place, "listen")):
        hint = "leave it out, or listen on another address"
        found.warning(
            (*place, "open"), "`open: true` changes nothing on a loopback address", hint, ((*place, "listen"),)
        )
    if server.open and file.clients:
        hint = "keep one of the two: only `clients` may call, or anybody may"
        found.error((*place, "open"), "`open: true` has no effect where `clients` are declared", hint, (("clients",),))
    if server.admin.token and not is_visible_ascii(server.admin.token):
        found.error((*place, "admin", "token"), "`token` must be visible ASCII characters, as it travels in a header")
    _check_second_door(found, file)
    _check_tracing(found, server.tracing)
    _check_proxies(found, server.trusted_proxies)
    if server.max_request_body == 0:
        found.error((*place, "max_request_body"), "`max_request_body` must be more than 0")
    _check_digest_key(found, file)


def _check_second_door(found: Findings, file: File) -> None:
    server, at = file.server, ("server", "admin", "listen")
    if not server.admin.listen:
        return
    problem = listen_problem(server.admin.listen)
    if problem is not None:
        found.error(at, f"`listen`: {problem}")
    elif _same_door(server.listen, server.admin.listen):
        hint = "leave it out (`/-/` is served at that address too), or give it another port"
        text = "`server.admin.listen` is the address of `server.listen`: it cannot be a second door"
        found.error(at, text, hint, (("server", "listen"),))
    elif server.admin.token and not is_loopback(listen_host(server.admin.listen)) and server.tls is None:
        text = "whoever listens on the network can read the admin token, as it travels unencrypted"
        found.warning(
            at, text, "listen on 127.0.0.1, or write `server.tls`", (("server", "tls"), ("server", "admin", "token"))
        )


def _same_door(one: str, other: str) -> bool:
    """The same port of the same address, or of all of them."""
    hosts = {listen_host(one).lower(), listen_host(other).lower()}
    return listen_port(one) == listen_port(other) and (len(hosts) == 1 or any(is_every_address(host) for host in hosts))


def _check_tracing(found: Findings, tracing: Tracing | None) -> None:
    if tracing is None:
        return
    at = ("server", "tracing")
    problem = url_problem(tracing.endpoint)
    if problem is not None:
        found.error((*at, "endpoint"), f"`endpoint`: {problem}")
    elif tracing.endpoint.rstrip("/").endswith("/v1/traces"):
        text = "`endpoint` is the collector's base URL: `/v1/traces` is added to it"
        found.error((*at, "endpoint"), text, "leave the path out")
    check_headers(found, (*at, "headers"), tracing.headers)


def _check_proxies(found: Findings, proxies: tuple[str, ...]) -> None:
    for index, text in enumerate(proxies):
        at = ("server", "trusted_proxies", index)
        network = read_network(text)
        if network is None:
            hint = "write an IP address or a network, like `10.0.0.7` or `10.0.0.0/8`; names are not looked up"
            found.error(at, f"{found.shown(at, text)} is not an IP address or a network", hint)
        elif not is_whole_network(text):
            hidden = found.is_filled_in(at)
            whole = "its first address" if hidden else f"`{network}`"
            alone = "one without `/`" if hidden else f"`{text.partition('/')[0]}`"
            hint = f"write {whole} for the network, or {alone} for that address alone"
            found.error(at, f"{found.shown(at, text)} names an address within a network", hint)
        elif network.prefixlen == 0:
            text = f"{found.shown(at, text)} is every address: whoever calls is believed to be whom they say they are"
            found.warning(at, text, "name the addresses of the proxies in front")


def _check_digest_key(found: Findings, file: File) -> None:
    place, url_place = ("server", "digest_key"), ("stores", "postgres", "url")
    key = file.server.digest_key
    if key and len(key) < SHORTEST_DIGEST_KEY:
        hint = "`openssl rand -base64 32` makes a good one"
        found.error(place, f"`digest_key` must have at least {SHORTEST_DIGEST_KEY} characters", hint)
    if not key and file.stores.postgres.url != "embedded":
        text = "`server.digest_key` is needed with an outside PostgreSQL, as all replicas must share it"
        at = place if found.is_written(place) else url_place
        found.error(at, text, "`openssl rand -base64 32` makes a good one", (place, url_place))
