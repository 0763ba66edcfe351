"""The decisions: may we look up, is it near enough, may we keep it. Each is a function from values to a Reason or None.

Nothing is forwarded, stored or read here. A new rule belongs here if two fronts would have to agree on it.
"""

from __future__ import annotations

import re

import msgspec

from gateway.core.body import Unreadable, parse
from gateway.core.freshness import AllowedWishes, Wishes, parse_cache_control, upstream_ttl
from gateway.core.jsonpath import JsonPath
from gateway.core.messages import Candidate, Cost, Headers, Reason

# Kept decoded and served in a form the client accepts, so the encoding need not be equal.
HANDLED_VARY = frozenset({"accept-encoding"})
# A part of an answer is never the answer, whatever `keep.status` says.
PARTIAL = 206
OTHER_MODEL = "other"


class KeepRule(msgspec.Struct, frozen=True):
    """What an answer must be to be stored. `statuses` holds numbers and classes (2 for 2xx); `vary` lower-case names of
    the request headers that are part of the partition; `max_body` bytes, before and after decoding."""

    statuses: frozenset[int]
    max_body: int
    require: tuple[JsonPath, ...]
    reject: tuple[JsonPath, ...]
    cookies: frozenset[bytes]
    vary: frozenset[str]


class ModelPattern(msgspec.Struct, frozen=True):
    """One of a route's `models`: as written, and as it matches (`*`: any characters; case matters)."""

    text: str
    pattern: re.Pattern[str]


def compile_model(text: str) -> ModelPattern:
    literals = (re.escape(literal) for literal in text.split("*"))
    return ModelPattern(text, re.compile(".*".join(literals), re.DOTALL))


class CachePolicy(msgspec.Struct, frozen=True):
    """One route's rules. `hit` is a cosine similarity, `ttl` seconds, `top_k` a count of candidates."""

    hit: float
    top_k: int
    ttl: float
    keep: KeepRule
    allowed: AllowedWishes
    models: tuple[ModelPattern, ...] = ()
    prompt_tokens: JsonPath | None = None
    completion_tokens: JsonPath | None = None


def threshold(policy: CachePolicy, wishes: Wishes) -> float:
    """The similarity to serve at: a client can ask for a nearer question, never for a farther one."""
    return policy.hit if wishes.threshold is None else max(policy.hit, wishes.threshold)


def time_to_live(policy: CachePolicy, wishes: Wishes, headers: Headers) -> float:
    """Seconds to keep an answer: the route's (or the client's allowed wish), and no longer than the upstream says."""
    ttl = policy.ttl if wishes.ttl is None else wishes.ttl
    upstream = upstream_ttl(headers)
    return ttl if upstream is None else min(ttl, upstream)


def choose(candidates: list[Candidate], at: float) -> Candidate | None:
    """The nearest candidate at or above the threshold. Candidates come nearest first."""
    if candidates and candidates[0].similarity >= at:
        return candidates[0]
    return None


def too_old(created_at: float, wishes: Wishes, now: float) -> bool:
    """Does the client's max-age rule this entry out? (RFC 9111 5.2.1.1)"""
    return wishes.max_age is not None and now - created_at > wishes.max_age


def reject_head(rule: KeepRule, status: int, headers: Headers) -> Reason | None:
    """Why an answer with this head must not be kept; None where its body decides."""
    if status == PARTIAL or not (status in rule.statuses or status // 100 in rule.statuses):
        return Reason.STATUS
    control = parse_cache_control(value for name, value in headers if name == b"cache-control")
    if "no-store" in control or "private" in control or upstream_ttl(headers) == 0:
        return Reason.CACHE_CONTROL
    for name, value in headers:
        if name == b"set-cookie" and value.partition(b"=")[0].strip() not in rule.cookies:
            return Reason.SET_COOKIE
        if name == b"vary" and not _varies_within(rule, value):
            return Reason.VARY
        if name == b"content-type" and _is_stream(value):
            return Reason.STREAM
        if name == b"content-length" and value.isdigit() and int(value) > rule.max_body:
            return Reason.TOO_LARGE
    return None


def examine_body(rule: KeepRule, body: bytes) -> list[object] | Reason:
    """The decoded body's document in its holder, or why it must not be kept. A null member counts as absent, as APIs send
    `error: null`."""
    if len(body) > rule.max_body:
        return Reason.TOO_LARGE
    try:
        holder = [parse(body)]
    except Unreadable as unreadable:
        return unreadable.reason
    if not all(_present(path, holder) for path in rule.require):
        return Reason.REJECTED
    if any(_present(path, holder) for path in rule.reject):
        return Reason.REJECTED
    return holder


def read_cost(policy: CachePolicy, model: str | None, holder: list[object]) -> Cost:
    """What this answer cost. Models that no pattern of the route names are counted as OTHER_MODEL: a client's words must
    not become labels."""
    named = [each.text for each in policy.models if model is not None and each.pattern.fullmatch(model)]
    prompt, completion = _tokens(policy.prompt_tokens, holder), _tokens(policy.completion_tokens, holder)
    return Cost(named[0] if named else OTHER_MODEL, prompt, completion)


def _tokens(path: JsonPath | None, holder: list[object]) -> int:
    values = [] if path is None else path.values(holder)
    return values[0] if values and type(values[0]) is int and values[0] > 0 else 0


def _present(path: JsonPath, holder: list[object]) -> bool:
    return any(value is not None for value in path.values(holder))


def _varies_within(rule: KeepRule, value: bytes) -> bool:
    names = {name.strip().lower() for name in value.decode("latin-1").split(",") if name.strip()}
    return names <= (rule.vary | HANDLED_VARY)


def _is_stream(content_type: bytes) -> bool:
    kind = content_type.partition(b";")[0].strip().lower()
    return kind in (b"text/event-stream", b"application/x-ndjson", b"application/jsonl", b"application/stream+json")
