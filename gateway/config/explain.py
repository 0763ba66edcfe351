"""One route with everything filled in: preset, defaults, embedder, upstreams, stores, as YAML; then every bound.

The text is itself a routes file with that one route; the list of bounds is comment in it. Secrets are masked: what came from `${...}`, what is under a key that
holds one, headers that carry credentials, passwords in URLs. What would have no effect on the route is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from itertools import compress

import yaml

from gateway.config.bounds import bounds_text
from gateway.config.load import Loaded
from gateway.config.model import File, Route, Upstream
from gateway.config.model_deny import DENIED_AT_LEAST
from gateway.config.model_routes import NO_VERIFIER
from gateway.config.plain import plain
from gateway.config.preset import FilledRoute, fill, presets
from gateway.config.problem import Place, json_path
from gateway.config.rules_clients import METERED, may_use
from gateway.config.rules_credentials import CREDENTIALS
from gateway.config.rules_fallback import asked_by
from gateway.config.rules_kind import IDLE_IN_A_CACHE
from gateway.config.rules_prices import counts_tokens
from gateway.config.rules_query import IDLE_IN_A_QUERY
from gateway.config.rules_route import SEMANTIC_OPTIONS
from gateway.config.rules_serving import IDLE_COALESCING, keeps_stale
from gateway.config.rules_upstream import IDLE_BREAKER, NETWORK_OPTIONS
from gateway.config.rules_verify import IDLE_IN_SHADOW
from gateway.config.syntax import covers
from gateway.config.tree import kind_of
from gateway.errors import ConfigError

MASK = "***"
MASKED_KEYS = frozenset({"key", "api_key", "token", "digest_key"})
_SECRET_NAME = re.compile(r"(?i)key|secret|token|password|credential")
_PASSWORD = re.compile(r"(://[^/@]*?:)[^/@]*@")


def explain(loaded: Loaded, route_name: str) -> str:
    """YAML text. Raises ConfigError where the file has errors or no such route."""
    file = loaded.settings
    if file is None:
        raise ConfigError("the routes file has errors: `semgate check` shows them")
    found = [index for index, route in enumerate(file.routes) if route.name == route_name]
    if not found:
        names = ", ".join(f"`{route.name}`" for route in file.routes)
        raise ConfigError(f"there is no route `{route_name}`; the file has {names}")
    filled = fill(file.routes[found[0]], file.defaults)
    head = f"# Route `{filled.name}` with everything filled in; {MASK} stands for a secret or a value from outside.\n"
    if filled.preset:
        head += f"# Preset {filled.preset}, version {filled.preset_version}.\n"
    if file.clients and not any(may_use(client, filled.name) for client in file.clients):
        head += "# None of the clients may use it.\n"
    explained = _explained(file, found[0], filled, loaded.secrets)
    return head + _as_yaml(explained) + bounds_text(explained)


def _as_yaml(explained: dict[str, object]) -> str:
    return yaml.dump(
        explained,
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        width=110,
        allow_unicode=True,
    )


def _explained(file: File, index: int, filled: FilledRoute, secrets: frozenset[str]) -> dict[str, object]:
    route, embedder, verify = file.routes[index], filled.embedder, filled.verify

    def each(place: Place, value: object) -> object:
        return _masked(place, value, secrets)

    shown: dict[str, object] = {"version": file.version, "server": plain(file.server, ("server",), each)}
    clients = [
        _client(file, number, route, each) for number, client in enumerate(file.clients) if may_use(client, route.name)
    ]
    if clients:
        shown["clients"] = clients
    shown["stores"] = plain(file.stores, ("stores",), each)
    if route.match == "semantic":
        shown["embedders"] = {embedder: plain(file.embedders[embedder], ("embedders", embedder), each)}
    if verify is not None and verify.by in file.verifiers:
        shown["verifiers"] = {verify.by: plain(file.verifiers[verify.by], ("verifiers", verify.by), each)}
    used = {name: _upstream(name, file.upstreams[name], each) for name in asked_by(file, route)}
    if used:
        shown["upstreams"] = used
    if file.prices and (counts_tokens(route) or route.synthesis is not None):
        shown["prices"] = plain(file.prices, ("prices",), each)
    if file.deny and route.mode != "off":
        shown["deny"] = _deny(plain(file.deny, ("deny",), each), filled)
    shown["routes"] = [_route(file, index, filled, each)]
    return shown


def _client(file: File, number: int, route: Route, each: Callable[[Place, object], object]) -> dict[str, object]:
    """One of those that may use the route, with what concerns it."""
    client = file.clients[number]
    shown = _without(plain(client, ("clients", number), each), ())
    shown["routes"] = _only(shown["routes"], [covers(pattern, route.name) for pattern in client.routes])
    shown["limits"] = _without(shown["limits"], () if counts_tokens(route) else METERED)
    return shown


def _route(file: File, index: int, resolved: FilledRoute, each: Callable[[Place, object], object]) -> dict[str, object]:
    route, place, embedder = file.routes[index], ("routes", index), resolved.embedder
    filled = plain(route, place, each)
    assert isinstance(filled, dict)
    if route.embedder is None:
        filled["embedder"] = each(("defaults", "embedder"), embedder)
    if route.ttl is None:
        filled["ttl"] = plain(file.defaults.ttl, ("defaults", "ttl"), each)
    if route.dialect is None and (preset := presets().get(route.preset or "")) and preset.route.dialect is not None:
        filled["dialect"] = None  # said by the file: left out, the preset's would be back
    for window in ("stale_if_error", "stale_while_revalidate"):
        filled.setdefault(window, None)
    filled["thresholds"] = _without(
        plain(resolved.thresholds, (*place, "thresholds"), each), ("candidate" if resolved.verify is None else "hit",)
    )
    filled["verify"] = NO_VERIFIER if resolved.verify is None else plain(resolved.verify, (*place, "verify"), each)
    filled["keep"] = _without(filled["keep"], () if route.dialect is None else ("terminal",))
    filled["deny"] = _deny(filled["deny"], resolved)
    filled["coalesce"] = _without(filled["coalesce"], IDLE_COALESCING if route.coalesce.followers == 0 else ())
    if not keeps_stale(route):
        allow = _without(filled["allow"], ())
        wishes = [directive != "stale-if-error" for directive in route.allow.cache_control]
        filled["allow"] = {**allow, "cache-control": _only(allow["cache-control"], wishes)}
    if route.synthesis is not None and route.dialect is not None:
        filled["synthesis"] = _without(filled["synthesis"], ("answer",))
    first = ("name", "path", "kind", "models", "upstream", "preset", "scope", "mode")
    ordered = {name: filled[name] for name in (*first, *filled) if name in filled}
    if route.kind == "query":
        ordered = _query(file, ordered, resolved, place, each)
    elif route.kind == "cache":
        ordered = _without_inner(ordered, IDLE_IN_A_CACHE)
    idle = (*(SEMANTIC_OPTIONS if route.match == "exact" else ()), *(IDLE_IN_SHADOW if route.mode == "shadow" else ()))
    return _without(ordered, idle)


def _query(
    file: File,
    shown: dict[str, object],
    resolved: FilledRoute,
    place: Place,
    each: Callable[[Place, object], object],
) -> dict[str, object]:
    """Of a route of `kind: query`: what it fills in by itself, without what has no effect there."""
    assert resolved.ask is not None
    ask = plain(resolved.ask, (*place, "ask"), each)
    shown = {**shown, "ask": _without(ask, ("body",) if resolved.ask.model else ("model",))}
    if resolved.allow.threshold is not None:
        shown["allow"] = {**_without(shown["allow"], ()), "threshold": plain(resolved.allow.threshold)}
    upstream = file.upstreams.get(resolved.upstream)
    if resolved.upstream_path is not None and (upstream is None or upstream.respond is None):
        shown["upstream_path"] = each((*place, "upstream_path"), resolved.upstream_path)
    return _without_inner(shown, (*IDLE_IN_A_QUERY, "methods"))


def _without_inner(shown: dict[str, object], idle: Collection[str]) -> dict[str, object]:
    """A mapping without what has no effect, in it (`keep`) or in one of its mappings (`response.hit`)."""
    inner = [option.split(".") for option in idle if "." in option]
    left = _without(shown, tuple(idle))
    for outer in {option[0] for option in inner} & left.keys():
        left[outer] = _without(left[outer], tuple(name for where, name in inner if where == outer))
    return left


def _deny(entries: object, route: FilledRoute) -> list[object]:
    """As the file says them, with what it leaves open: not with the lines of the files that they name."""
    assert isinstance(entries, list)
    usual = {"text": None, "file": None, "at_least": DENIED_AT_LEAST}
    filled = [{name: value for name, value in {**usual, **entry}.items() if value is not None} for entry in entries]
    return [_without(entry, ("questions", *_idle_in(entry, route))) for entry in filled]


def _idle_in(entry: dict[str, object], route: FilledRoute) -> tuple[str, ...]:
    """Of a denied question on this route."""
    if route.match == "exact":
        return ("at_least", "verify")
    return ("verify",) if route.verify is None or entry.get("at_least") == 1 else ()


def _upstream(name: str, upstream: Upstream, each: Callable[[Place, object], object]) -> dict[str, object]:
    shown = _without(plain(upstream, ("upstreams", name), each), ())
    if upstream.respond is not None:
        return _without(shown, ("url", *NETWORK_OPTIONS))
    if upstream.retry.attempts == 1:
        shown["retry"] = _without(shown["retry"], ("max_wait",) if upstream.fallback else ("on", "max_wait"))
    shown["breaker"] = _without(shown["breaker"], IDLE_BREAKER if upstream.breaker.failures == 0 else ())
    set_here = {header.lower() for header in upstream.headers}
    removed = [header.lower() not in set_here for header in upstream.remove_headers]
    shown["remove_headers"] = _only(shown["remove_headers"], removed)
    return _without(shown, ("tls",) if upstream.url.startswith("http://") else ())


def _without(shown: object, idle: Sequence[str]) -> dict[str, object]:
    """A mapping without what has no effect."""
    assert isinstance(shown, dict)
    return {name: value for name, value in shown.items() if name not in idle}


def _only(shown: object, wanted: Sequence[bool]) -> list[object]:
    """A list without the entries that have no effect."""
    assert isinstance(shown, list)
    return list(compress(shown, wanted))


def _masked(place: Place, value: object, secrets: frozenset[str]) -> object:
    if value in (None, ""):
        return value
    if json_path(place) in secrets or _is_secret(place):
        return MASK
    if isinstance(value, str):
        return _PASSWORD.sub(rf"\1{MASK}@", value).replace("${", "$${")
    return value


def _is_secret(place: Place) -> bool:
    match place:
        case ("upstreams", _, "headers", str(name)) | ("server", "tracing", "headers", str(name)):
            return name.lower() in CREDENTIALS or _SECRET_NAME.search(name) is not None
        case ("embedders", _, "options", str(name)):
            return _SECRET_NAME.search(name) is not None
        case (*_, str(name)):
            return name in MASKED_KEYS
        case _:
            return False


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.2 would take for something else than text, where PyYAML thinks of 1.1."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None if kind_of(text) == "text" else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
