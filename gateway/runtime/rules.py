"""A route's settings -> how it reads requests, and what it serves and keeps: the plain arguments of core."""

from __future__ import annotations

from gateway.config.plain import plain
from gateway.config.preset import FilledRoute
from gateway.core.dialects.registry import by_name
from gateway.core.extract import compile_extractors
from gateway.core.freshness import AllowedWishes
from gateway.core.jsonpath import compile_path
from gateway.core.keys import canonical
from gateway.core.policy import CachePolicy, KeepRule, SecondOpinion, compile_terminal
from gateway.core.subject import CLIENT, PUBLIC, Rule, reads_body
from gateway.runtime.querying import model_asked
from gateway.runtime.synthesizing import policy_of_synthesis


def rule_of(route: FilledRoute) -> Rule:
    """How this route reads requests."""
    scope = route.scope[0] if route.scope in ((PUBLIC,), (CLIENT,)) else compile_extractors(route.scope)
    query, model, role = (compile_extractors(each) for each in (route.query, route.model, route.role))
    stream, bypass, exact_if = (compile_extractors(each) for each in (route.stream, route.bypass, route.exact_if))
    ignore, tags = tuple(compile_path(text) for text in route.vary.ignore), compile_extractors(route.tags)
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
        synthesizes=route.synthesis is not None,
        serves={"auto": (False, True), "single": (False,), "stream": (True,)}[route.response.hit],
        reads_body=reads_body(scope, ignore, query, model, role, stream, bypass, exact_if, tags),
        tags=tags,
    )


def rule_digest(route: FilledRoute) -> bytes:
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
            *([] if route.ask is None else [plain(route.ask)]),
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
            max_body=route.max_body if route.kind == "cache" else keep.max_body,
            require=tuple(
                compile_path(text) for text in (*keep.require, *([] if route.ask is None else [route.ask.answer]))
            ),
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
        prompt_tokens=compile_path(route.usage.prompt) if route.usage.prompt else None,
        completion_tokens=compile_path(route.usage.completion) if route.usage.completion else None,
        stale_if_error=float(route.stale_if_error or 0),
        stale_while_revalidate=float(route.stale_while_revalidate or 0),
        fresh_ids=route.response.fresh_ids,
        opinion=_opinion_of(route),
        synthesis=policy_of_synthesis(route),
        client_chooses=route.kind == "query",
        model=model_asked(route),
    )


def _opinion_of(route: FilledRoute) -> SecondOpinion | None:
    if route.verify is None:
        return None
    assert route.thresholds.candidate is not None
    assert route.verify.at_least is not None
    return SecondOpinion(route.thresholds.candidate, route.verify.at_least)
