"""Rules for what belongs to the whole process: server, clients, stores, embedders."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from gateway.config.findings import Findings
from gateway.config.model import CohereEmbedder, File, OpenAIEmbedder, PythonEmbedder, VoyageEmbedder
from gateway.config.problem import Place
from gateway.config.syntax import (
    is_loopback,
    is_visible_ascii,
    is_whole_network,
    listen_host,
    listen_problem,
    read_network,
    split_url,
    url_problem,
)
from gateway.config.words import did_you_mean

SHORTEST_DIGEST_KEY = 16
POSTGRES_SCHEMES = ("postgresql://", "postgres://")
OPENAI_URL = "https://api.openai.com/"
REDIS_SCHEMES = ("redis://", "rediss://", "redis+cluster://", "rediss+cluster://", "unix://")
_CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


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
    _check_proxies(found, server.trusted_proxies)
    if server.max_request_body == 0:
        found.error((*place, "max_request_body"), "`max_request_body` must be more than 0")
    _check_digest_key(found, file)


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


def check_clients(found: Findings, file: File) -> None:
    names: dict[str, Place] = {}
    keys: dict[str, Place] = {}
    for index, client in enumerate(file.clients):
        place = ("clients", index)
        shown = found.shown((*place, "name"), client.name)
        _note_double(found, names, client.name, (*place, "name"), f"{shown} is the name of two clients")
        both = ((*place, "key"), (*place, "key_sha256"))
        if bool(client.key) == bool(client.key_sha256):
            what = "has both `key` and `key_sha256`" if client.key else "has neither `key` nor `key_sha256`"
            empty = found.is_filled_in(both[0]) and not client.key
            hint = "the variable of `key` is empty" if empty else "write exactly one of them"
            found.error(place, f"the client {what}", hint, both)
            continue
        if client.key and not is_visible_ascii(client.key):
            found.error(both[0], "`key` must be visible ASCII characters, as it travels in a header")
        digest = client.key_sha256 or hashlib.sha256(client.key.encode()).hexdigest()
        _note_double(found, keys, digest, both[0] if client.key else both[1], "two clients have this key", both)


def _note_double(
    found: Findings, seen: dict[str, Place], value: str, place: Place, text: str, judged_from: tuple[Place, ...] = ()
) -> None:
    """Report a second use of what must be unique; `seen` collects the first ones."""
    if any(found.is_broken(each) for each in (place, *judged_from)):
        return
    first = seen.setdefault(value, place)
    if first != place:
        found.error(place, text, f"first on line {found.line_of(first)}", judged_from)


def check_stores(found: Findings, file: File) -> None:
    postgres, redis = file.stores.postgres, file.stores.redis
    place = ("stores", "postgres", "url")
    if postgres.url != "embedded" and not postgres.url.startswith(POSTGRES_SCHEMES):
        found.error(place, "`url` must be `embedded` or begin with `postgresql://`")
    elif not _is_readable_url(postgres.url):
        found.error(place, "the host or the port in `url` is not valid")
    if postgres.hnsw.ef_construction < 2 * postgres.hnsw.m:
        at = ("stores", "postgres", "hnsw")
        text = "`ef_construction` must be at least twice `m`"
        found.error((*at, "ef_construction"), text, "pgvector refuses it otherwise", ((*at, "m"),))
    place = ("stores", "redis", "url")
    if redis.url and not redis.url.startswith(REDIS_SCHEMES):
        schemes = ", ".join(f"`{scheme}`" for scheme in REDIS_SCHEMES)
        found.error(place, f"`url` must begin with one of {schemes}", "or leave it empty: no Redis")
    elif not _is_readable_url(redis.url):
        found.error(place, "the host or the port in `url` is not valid")


def _is_readable_url(url: str) -> bool:
    # libpq and Redis URLs may list several hosts, and passwords may hold anything: those are theirs to judge.
    return "," in url or "@" in url or split_url(url) is not None


def check_embedders(found: Findings, file: File) -> None:
    for name, embedder in file.embedders.items():
        match embedder:
            case OpenAIEmbedder() | VoyageEmbedder() | CohereEmbedder():
                _check_remote(found, ("embedders", name), name, embedder)
            case PythonEmbedder() if _CLASS.fullmatch(embedder.cls) is None:
                found.error(("embedders", name, "class"), "`class` must be `package.module:Class`")
            case _:
                pass
    _check_uses(found, file)


def _check_remote(
    found: Findings, place: Place, name: str, embedder: OpenAIEmbedder | VoyageEmbedder | CohereEmbedder
) -> None:
    url, key = (*place, "base_url"), (*place, "api_key")
    chosen_by_key = isinstance(embedder, VoyageEmbedder) and not embedder.base_url
    problem = None if chosen_by_key else url_problem(embedder.base_url)
    if problem is not None:
        found.error(url, f"`base_url`: {problem}")
    needs_key = not isinstance(embedder, OpenAIEmbedder) or embedder.base_url.startswith(OPENAI_URL)
    if needs_key and not embedder.api_key:
        text = f"the embedder `{name}` has no `api_key`: the service will refuse it, and every question misses"
        found.warning(key, text, judged_from=(url,))
    if embedder.api_key and not is_visible_ascii(embedder.api_key):
        found.error(key, "`api_key` must be visible ASCII characters, as it travels in a header")


def _check_uses(found: Findings, file: File) -> None:
    check_reference(found, ("defaults", "embedder"), file.defaults.embedder, file.embedders, "embedder")
    used: set[str] = set()
    judged: list[Place] = [("defaults", "embedder"), ("routes",)]
    for index, route in enumerate(file.routes):
        place = ("routes", index)
        if route.embedder is not None:
            check_reference(found, (*place, "embedder"), route.embedder, file.embedders, "embedder")
        if route.match == "semantic":
            used.add(route.embedder or file.defaults.embedder)
        judged += [(*place, "embedder"), (*place, "match"), (*place, "preset"), place]
    if not used <= set(file.embedders):
        return  # a mistyped name would have its embedder called unused
    for name in file.embedders:
        if name not in used and found.is_written(("embedders", name)):
            text = f"the embedder `{name}` is declared, but no route uses it"
            found.warning(("embedders", name), text, judged_from=tuple(judged))


def check_reference(found: Findings, place: Place, name: str, declared: Iterable[str], kind: str) -> None:
    """Report a name that nothing declares."""
    names = sorted(declared)
    if name in names:
        return
    close = None if found.is_filled_in(place) else did_you_mean(name, names)
    hint = f"did you mean `{close}`?" if close else "declared: " + ", ".join(f"`{each}`" for each in names)
    text = f"{found.shown(place, name)} is not the name of {'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    found.error(place, text, hint, ((f"{kind}s",),))
