"""Settings -> Generation: every route as a gate, ready to be switched to.

Here, and only here, settings turn into the plain arguments of the rooms below. Nothing is opened: that is resources'.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from hashlib import sha256

from gateway.config import model
from gateway.config.model import File
from gateway.config.preset import FilledRoute, fill
from gateway.core.asgi import App
from gateway.core.extract import compile_extractors
from gateway.core.keys import Keyer
from gateway.core.models import compile_model
from gateway.core.policy import CachePolicy
from gateway.core.ports import Emit
from gateway.core.prices import Prices, Tariff
from gateway.core.quota import Limits
from gateway.core.routing import Router, fill_template
from gateway.core.status import Expose
from gateway.encodings import decode, encode
from gateway.engine.cache import RouteCache
from gateway.engine.coalesce import Coalescing
from gateway.engine.comparing import Comparing
from gateway.engine.elsewhere import Elsewhere
from gateway.engine.proof import Proof
from gateway.engine.tiers import Tiers
from gateway.engine.trial import Trial
from gateway.fronts.asgi import CacheMiddleware
from gateway.fronts.clients import Client, Clients
from gateway.fronts.gate import Answering, Gate, GatedRoute
from gateway.fronts.intake import Intake
from gateway.fronts.langcache.problem import send_error
from gateway.fronts.metered import Metered
from gateway.fronts.patience import Patience
from gateway.fronts.query import QueryFront
from gateway.fronts.replay import Replayer
from gateway.fronts.telling import Teller
from gateway.proxy.app import ReverseProxy, Target
from gateway.runtime.entries import RouteEntries
from gateway.runtime.generation import CompiledRoute, Generation
from gateway.runtime.models import LOCAL, embedder_of, prices_of
from gateway.runtime.parts import Lease
from gateway.runtime.proving import proof_of, setting_of
from gateway.runtime.querying import answer_of, form_of
from gateway.runtime.resources import Resources
from gateway.runtime.rules import policy_of, rule_digest, rule_of
from gateway.runtime.serving_cache import rest_cache_of
from gateway.runtime.synthesizing import synthesis_of


def compile_generation(settings: File, digest: str, resources: Resources, lease: Lease, emit: Emit) -> Generation:
    """Compile all routes. Routes of one path share a gate, in the order of the file. Raises ConfigError."""
    clients, prices = clients_of(settings), prices_of(settings)
    routes = {
        each.name: compile_route(settings, fill(each, settings.defaults), resources, emit) for each in settings.routes
    }
    by_path: dict[str, list[GatedRoute]] = {}
    for compiled in routes.values():
        by_path.setdefault(compiled.settings.path, []).append(_gated(settings, compiled, resources, prices, emit))
    patience = Patience(settings.server.body_timeout)
    intake = Intake(settings.server.max_request_body, patience)
    allowances = resources.allowances
    caches = {each.settings.path for each in routes.values() if each.settings.kind == "cache"}
    gates = {
        path: Gate(path, tuple(gated), clients, intake, allowances, emit, send_error if path in caches else None)
        for path, gated in by_path.items()
    }
    return Generation(settings, digest, time.time(), Router(gates), routes, resources, lease, patience)


def clients_of(settings: File) -> Clients:
    """Who may call."""
    return Clients({_key_hash(each.key, each.key_sha256): _client(settings, each) for each in settings.clients})


def _client(settings: File, client: model.Client) -> Client:
    """What one client may."""
    patterns = [compile_model(text).pattern for text in client.routes]
    named = frozenset(
        route.name for route in settings.routes if any(pattern.fullmatch(route.name) for pattern in patterns)
    )
    most = client.limits
    limits = Limits(most.requests_per_minute, most.tokens_per_minute, most.dollars_per_month)
    return Client(client.name, named if patterns else None, None if limits == Limits() else limits)


def _gated(settings: File, compiled: CompiledRoute, resources: Resources, prices: Prices, emit: Emit) -> GatedRoute:
    route = compiled.settings
    return GatedRoute(
        name=route.name,
        methods=frozenset(route.methods),
        models=compiled.models,
        model=compile_extractors(route.model),
        max_body=route.max_body,
        upstream_path=upstream_path_of(route),
        middleware=_answering(settings, compiled, resources, prices, emit),
    )


def _answering(settings: File, compiled: CompiledRoute, resources: Resources, prices: Prices, emit: Emit) -> Answering:
    """What answers a route's requests, by its kind."""
    route = compiled.settings
    if route.kind == "cache":
        return rest_cache_of(compiled, resources, emit)
    tariff = Tariff(compiled.models, prices)
    middleware = middleware_of(compiled, _app(settings, compiled, resources, tariff, emit), resources, tariff, emit)
    return middleware if route.kind == "proxy" else QueryFront(middleware, form_of(compiled), route.name, emit)


def middleware_of(
    compiled: CompiledRoute, app: App, resources: Resources, tariff: Tariff, emit: Emit, *, lingers: bool = False
) -> CacheMiddleware:
    """One route's cache around what answers, which `lingers` where it does more than that."""
    route = compiled.settings
    added = [(name.lower().encode(), value.encode()) for name, value in route.response.headers.items()]
    telling = resources.evidence.tally(emit) if route.mode == "shadow" else emit
    return CacheMiddleware(
        app,
        compiled.cache,
        buffer=route.response.miss == "buffer",
        finish=route.on_disconnect == "finish",
        tell=Teller(route.name, Expose(route.response.expose), added, telling, tariff),
        replayer=Replayer(encode, keeps_pace=route.response.pace == "recorded"),
        lingers=lingers,
    )


def _app(settings: File, compiled: CompiledRoute, resources: Resources, tariff: Tariff, emit: Emit) -> App:
    """The proxy; metered where its answers tell tokens, and somebody has a limit of them or of dollars."""
    proxy = ReverseProxy(_targets(settings, compiled.settings.upstream, resources), emit, resources.introducer)
    policy, limits = compiled.policy, [client.limits for client in settings.clients]
    if policy.prompt_tokens is None and policy.completion_tokens is None:
        return proxy
    if all(each.tokens_per_minute is None and each.dollars_per_month is None for each in limits):
        return proxy
    return Metered(proxy, policy, compiled.rule.model, tariff, decode, resources.allowances)


def compile_route(
    settings: File, route: FilledRoute, resources: Resources, emit: Emit, place: bytes | None = None
) -> CompiledRoute:
    """One route's rule, policy and cache. `place` stands for the upstream's name in its keys, where a program's own
    application is that: no name of an upstream is like it."""
    rule, policy = rule_of(route), policy_of(route)
    models = tuple(compile_model(text) for text in route.models)
    namespace = settings.server.namespace.encode()
    answers = route.upstream.encode() if place is None else b"\0" + place
    keyer = Keyer(resources.key, namespace, route.name.encode(), rule_digest(route), answers)
    if route.mode == "off":
        return CompiledRoute(route, rule, policy, keyer, models=models)
    name = embedder_of(settings, route)
    redis = resources.redis.get(route.at_rest)
    entries = resources.entries[name, route.at_rest]
    tiers = Tiers(
        memory=resources.memory,
        redis=None if redis is None else (redis, resources.redis_guard),
        postgres=(entries, resources.postgres_guard),
        storing=resources.storing_guard,
        embedder=resources.embedders[name] if name else None,
        embeds_ahead=bool(name) and isinstance(settings.embedders[name], LOCAL),
        places=resources.places,
        decode=decode,
        emit=emit,
        new_id=_new_id,
        route=route.name,
        purges=resources.purging.purges,
        verifier=None if route.verify is None else resources.verifiers[route.verify.by],
        denied=resources.denied_on(route.name, name),
        evidence=resources.evidence.known,
    )
    proof = proof_of(settings, route, policy, entries, resources, emit)
    coalesce = route.coalesce
    bounds = Coalescing(coalesce.followers, coalesce.release, coalesce.uncacheable, route.keep.max_body)
    cache = RouteCache(
        route.name,
        rule,
        policy,
        keyer,
        tiers,
        resources.flights(route.name, bounds),
        resources.landings(route.name),
        _elsewhere(settings, route, resources),
        _trial(settings, route, policy, tiers, entries, proof, resources, emit),
        questions=route.kind == "query",
        synthesis=synthesis_of(route, tiers, resources),
    )
    return CompiledRoute(route, rule, policy, keyer, cache, tiers, entries, models, proof)


def _elsewhere(settings: File, route: FilledRoute, resources: Resources) -> Elsewhere | None:
    if route.coalesce.lock == "none":
        return None
    locks, guard = resources.locks[route.coalesce.lock]
    return Elsewhere(locks, guard, settings.upstreams[route.upstream].timeout.first_byte)


def _trial(
    settings: File,
    route: FilledRoute,
    policy: CachePolicy,
    tiers: Tiers,
    entries: RouteEntries,
    proof: Proof | None,
    resources: Resources,
    emit: Emit,
) -> Trial | None:
    """Where something is held back or looked at again."""
    if route.mode == "serve" and not route.audit and route.max_error is None:
        return None
    return Trial(
        route.name,
        Comparing(
            policy.keep.dialect,
            tiers,
            resources.judges.get(route.name),
            answer_of(route),
        ),
        resources.evidence.known,
        resources.purging.evict,
        emit,
        draw=random.random,
        shadow=route.mode == "shadow",
        audit=float(route.audit),
        proof=proof,
        setting=setting_of(settings, route, policy, entries),
    )


def _targets(settings: File, name: str, resources: Resources) -> tuple[Target, ...]:
    """The upstream and its fallbacks in order. Fallbacks of fallbacks are not followed: the file says what it says."""
    fallbacks = settings.upstreams[name].fallback
    return (
        Target(resources.sources[name]),
        *(Target(resources.sources[each.upstream], each.equivalent, each.path) for each in fallbacks),
    )


def upstream_path_of(route: FilledRoute) -> Callable[[bytes, dict[str, bytes]], bytes]:
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
