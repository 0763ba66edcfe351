"""Settings -> Generation: every route as a gate, ready to be switched to.

Here, and only here, settings turn into the plain arguments of the rooms below. Nothing is opened: that is resources'.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from hashlib import sha256

import msgspec

from gateway.config.model import File
from gateway.config.preset import FilledRoute, fill
from gateway.core.dialects.registry import by_name
from gateway.core.extract import compile_extractors
from gateway.core.freshness import AllowedWishes
from gateway.core.jsonpath import compile_path
from gateway.core.keys import Keyer, canonical
from gateway.core.policy import CachePolicy, KeepRule, compile_model, compile_terminal
from gateway.core.ports import Emit
from gateway.core.routing import Router, fill_template
from gateway.core.status import Expose
from gateway.core.subject import CLIENT, PUBLIC, Rule, reads_body
from gateway.encodings import decode, encode
from gateway.engine.cache import RouteCache
from gateway.engine.coalesce import Coalescing
from gateway.engine.elsewhere import Elsewhere
from gateway.engine.tiers import Places, Tiers
from gateway.fronts.asgi import CacheMiddleware
from gateway.fronts.clients import Clients
from gateway.fronts.gate import Gate, GatedRoute
from gateway.fronts.patience import Patience
from gateway.fronts.replay import Replayer
from gateway.fronts.telling import Teller
from gateway.proxy.app import ReverseProxy, Target
from gateway.runtime.resources import LOCAL, Resources, embedder_of


class Generation(msgspec.Struct, frozen=True):
    """One compiled routes file."""

    router: Router[Gate]
    digest: str
    loaded_at: float


def compile_generation(settings: File, digest: str, resources: Resources, emit: Emit) -> Generation:
    """Compile all routes. Routes of one path share a gate, in the order of the file."""
    clients = Clients({_key_hash(client.key, client.key_sha256): client.name for client in settings.clients})
    places = Places(settings.stores.pending)
    by_path: dict[str, list[GatedRoute]] = {}
    for each in settings.routes:
        route = fill(each, settings.defaults)
        by_path.setdefault(route.path, []).append(_gated(settings, route, resources, places, emit))
    limit, patience = settings.server.max_request_body, Patience(settings.server.body_timeout)
    gates = {path: Gate(path, tuple(routes), clients, limit, patience) for path, routes in by_path.items()}
    return Generation(Router(gates), digest, time.time())


def _gated(settings: File, route: FilledRoute, resources: Resources, places: Places, emit: Emit) -> GatedRoute:
    cache = None if route.mode == "off" else _cache(settings, route, resources, places, emit)
    added = [(name.lower().encode(), value.encode()) for name, value in route.response.headers.items()]
    middleware = CacheMiddleware(
        ReverseProxy(_targets(settings, route.upstream, resources), emit, resources.introducer),
        cache,
        buffer=route.response.miss == "buffer",
        finish=route.on_disconnect == "finish",
        tell=Teller(route.name, Expose(route.response.expose), added, emit),
        replayer=Replayer(encode, keeps_pace=route.response.pace == "recorded"),
    )
    return GatedRoute(
        name=route.name,
        methods=frozenset(route.methods),
        models=tuple(compile_model(text) for text in route.models),
        model=compile_extractors(route.model),
        max_body=route.max_body,
        upstream_path=_upstream_path(route),
        middleware=middleware,
    )


def _cache(settings: File, route: FilledRoute, resources: Resources, places: Places, emit: Emit) -> RouteCache:
    name = embedder_of(settings, route)
    redis = resources.redis.get(route.at_rest)
    tiers = Tiers(
        memory=resources.memory,
        redis=None if redis is None else (redis, resources.redis_guard),
        postgres=(resources.entries[name, route.at_rest], resources.postgres_guard),
        storing=resources.storing_guard,
        embedder=resources.embedders[name] if name else None,
        embeds_ahead=bool(name) and isinstance(settings.embedders[name], LOCAL),
        places=places,
        decode=decode,
        emit=emit,
        new_id=_new_id,
    )
    keyer = Keyer(
        resources.key,
        settings.server.namespace.encode(),
        route.name.encode(),
        _rule_digest(route),
        route.upstream.encode(),
    )
    coalesce = route.coalesce
    return RouteCache(
        route.name,
        rule_of(route),
        policy_of(route),
        keyer,
        tiers,
        Coalescing(coalesce.followers, coalesce.release, coalesce.uncacheable, route.keep.max_body),
        _elsewhere(settings, route, resources),
    )


def _elsewhere(settings: File, route: FilledRoute, resources: Resources) -> Elsewhere | None:
    if route.coalesce.lock == "none":
        return None
    locks, guard = resources.locks[route.coalesce.lock]
    return Elsewhere(locks, guard, settings.upstreams[route.upstream].timeout.first_byte)


def rule_of(route: FilledRoute) -> Rule:
    """How this route reads requests."""
    scope = route.scope[0] if route.scope in ((PUBLIC,), (CLIENT,)) else compile_extractors(route.scope)
    query, model, role = (compile_extractors(each) for each in (route.query, route.model, route.role))
    stream, bypass, exact_if = (compile_extractors(each) for each in (route.stream, route.bypass, route.exact_if))
    ignore = tuple(compile_path(text) for text in route.vary.ignore)
    return Rule(
        scope=scope,
        query=query,
        model=model,
        role=role,
        stream=stream,
        stream_default=route.stream_default,
        bypass=bypass,
        exact_if=exact_if,
        ignore=ignore,
        headers=tuple(sorted({name.lower().encode() for name in route.vary.headers})),
        exact_only=route.match == "exact",
        dialect=by_name(route.dialect) if route.dialect else None,
        serves={"auto": (False, True), "single": (False,), "stream": (True,)}[route.response.hit],
        reads_body=reads_body(scope, ignore, query, model, role, stream, bypass, exact_if),
    )


def _rule_digest(route: FilledRoute) -> bytes:
    """What identifies the way a route reads requests: with another rule, entries are others."""
    return canonical(
        [
            route.preset,
            route.preset_version,
            route.match,
            route.scope,
            route.query,
            route.model,
            route.role,
            route.stream,
            route.stream_default,
            route.dialect,
            route.bypass,
            route.exact_if,
            sorted(route.vary.ignore),
            sorted(name.lower() for name in route.vary.headers),
        ]
    )


def policy_of(route: FilledRoute) -> CachePolicy:
    """What this route serves and keeps."""
    keep, allow = route.keep, route.allow
    statuses = {int(str(each)[0]) if str(each).endswith("xx") else int(each) for each in keep.status}
    return CachePolicy(
        hit=route.thresholds.hit,
        top_k=route.top_k,
        ttl=float(route.ttl),
        keep=KeepRule(
            statuses=frozenset(statuses),
            max_body=keep.max_body,
            require=tuple(compile_path(text) for text in keep.require),
            reject=tuple(compile_path(text) for text in keep.reject),
            cookies=frozenset(name.encode() for name in keep.cookies),
            vary=frozenset(name.lower() for name in route.vary.headers),
            dialect=by_name(route.dialect) if route.dialect else None,
            terminal=tuple(compile_terminal(text) for text in keep.terminal),
        ),
        allowed=AllowedWishes(
            cache_control=frozenset(allow.cache_control),
            threshold_min=None if allow.threshold is None else allow.threshold.min,
            ttl_max=None if allow.ttl is None else allow.ttl.max,
        ),
        models=tuple(compile_model(text) for text in route.models),
        prompt_tokens=compile_path(route.usage.prompt) if route.usage.prompt else None,
        completion_tokens=compile_path(route.usage.completion) if route.usage.completion else None,
        stale_if_error=float(route.stale_if_error or 0),
        stale_while_revalidate=float(route.stale_while_revalidate or 0),
        fresh_ids=route.response.fresh_ids,
    )


def _targets(settings: File, name: str, resources: Resources) -> tuple[Target, ...]:
    """The upstream and its fallbacks in order. Fallbacks of fallbacks are not followed: the file says what it says."""
    fallbacks = settings.upstreams[name].fallback
    return (
        Target(resources.sources[name]),
        *(Target(resources.sources[each.upstream], each.equivalent, each.path) for each in fallbacks),
    )


def _upstream_path(route: FilledRoute) -> Callable[[bytes, dict[str, bytes]], bytes]:
    if route.upstream_path is not None:
        template = route.upstream_path
        return lambda _raw, variables: fill_template(template, variables)
    if route.strip_prefix is not None:
        prefix = route.strip_prefix.rstrip("/").encode()
        return lambda raw, _variables: raw.removeprefix(prefix) or b"/"
    return lambda raw, _variables: raw


def _key_hash(key: str, key_sha256: str) -> bytes:
    return bytes.fromhex(key_sha256) if key_sha256 else sha256(key.encode()).digest()


def _new_id() -> str:
    """UUID version 7 (RFC 9562 5.7): ids that sort by time keep the index on them compact."""
    stamp = int(time.time() * 1000).to_bytes(6, "big")
    rest = bytearray(os.urandom(10))
    rest[0] = rest[0] & 0x0F | 0x70
    rest[2] = rest[2] & 0x3F | 0x80
    text = (stamp + rest).hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
