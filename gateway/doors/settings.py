"""Settings of a program as Python objects: the structure of a routes file, for editors and type checkers.

They are checked when they are used, by the same rules as a file: these types only say what there is. Durations, sizes and
shares are text as in a file: `24h`, `10MiB`, `1%`. What only a gateway has a use for is not here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, TypeAlias, TypedDict

from gateway.fronts.request import Request

Extractor: TypeAlias = str | Sequence[str]
"""Where a value is: `$.a.b`, `header:Name`, `query:name`, `path:name`, `state:user.id`, or a list of these."""
Text: TypeAlias = Callable[[Request], "str | None"] | Callable[[Request], Awaitable["str | None"]]
"""A function of yours that gives the value; None: the request is forwarded as it is."""
Yes: TypeAlias = Callable[[Request], "bool | None"] | Callable[[Request], Awaitable["bool | None"]]
Duration: TypeAlias = str
Size: TypeAlias = str | Literal[0]
Share: TypeAlias = str | float


class Vary(TypedDict, total=False):
    ignore: Sequence[str]
    headers: Sequence[str]


class Thresholds(TypedDict, total=False):
    hit: float
    candidate: float | None


Verify = TypedDict("Verify", {"with": str, "at_least": float | None}, total=False)


class Keep(TypedDict, total=False):
    status: Sequence[str | int]
    max_body: Size
    require: Sequence[str]
    reject: Sequence[str]
    terminal: Sequence[str]
    cookies: Sequence[str]


class Usage(TypedDict, total=False):
    prompt: str
    completion: str


class Limits(TypedDict, total=False):
    max_entries: int
    max_bytes: Size


class AllowThreshold(TypedDict, total=False):
    min: float


class AllowTtl(TypedDict, total=False):
    max: Duration


Allow = TypedDict(
    "Allow",
    {"cache-control": Sequence[str], "threshold": AllowThreshold | None, "ttl": AllowTtl | None},
    total=False,
)


class Response(TypedDict, total=False):
    miss: Literal["tee", "buffer"]
    hit: Literal["auto", "single", "stream"]
    pace: Literal["instant", "recorded"]
    fresh_ids: bool
    expose: Literal["all", "status", "none"]
    headers: Mapping[str, str]


class Coalesce(TypedDict, total=False):
    followers: int
    release: int
    uncacheable: Duration
    lock: Literal["none", "redis", "postgres"]


class Deny(TypedDict, total=False):
    text: str | None
    file: str | None
    at_least: float | None
    verify: bool
    then: Literal["forward", "refuse"]
    name: str | None
    answer: str | None


class SynthesisBudget(TypedDict, total=False):
    calls_per_minute: int
    dollars_per_day: float | None


Synthesis = TypedDict(
    "Synthesis",
    {
        "upstream": str,
        "model": str,
        "path": str,
        "from": float,
        "top_k": int,
        "max_material": Size,
        "mode": Literal["auto", "always"],
        "answer": str,
        "prompt": str,
        "max_tokens": int,
        "options": Mapping[str, str | int | float | bool | None],
        "first_token": Duration,
        "timeout": Duration,
        "at_once": int,
        "budget": SynthesisBudget,
        "keep": bool,
    },
    total=False,
)


class Route(TypedDict, total=False):
    """One path of the program and how it is cached: the route of a routes file, without its upstream. `query`, `model` and
    `scope` may be callables, and so is `keep_if`: True to keep this request's answer, False to answer it from the cache but
    keep nothing, None to forward it as it is."""

    name: str
    path: str
    kind: Literal["proxy", "cache"]
    methods: Sequence[str]
    models: Sequence[str]
    preset: str | None
    match: Literal["semantic", "exact"]
    query: Extractor | Text
    model: Extractor | Text
    scope: Extractor | Text
    keep_if: Yes
    role: Extractor
    stream: Extractor
    stream_default: bool
    dialect: str | None
    vary: Vary
    bypass: Sequence[str]
    exact_if: Sequence[str]
    keep: Keep
    verify: str | Verify
    usage: Usage
    embedder: str | None
    thresholds: Thresholds
    top_k: int
    max_body: Size
    limits: Limits
    tags: Extractor
    allow: Allow
    ttl: Duration | None
    stale_if_error: Duration | None
    stale_while_revalidate: Duration | None
    coalesce: Coalesce
    on_disconnect: Literal["finish", "abort"]
    response: Response
    at_rest: Literal["sealed", "readable"]
    mode: Literal["serve", "shadow", "off"]
    audit: Share
    max_error: Share | None
    compare: str | None
    deny: Sequence[Deny]
    synthesis: Synthesis | None


class Server(TypedDict, total=False):
    namespace: str
    data_dir: str
    digest_key: str


class Hnsw(TypedDict, total=False):
    m: int
    ef_construction: int
    ef_search: int
    promote_at: int


class Postgres(TypedDict, total=False):
    url: str
    timeout: Duration
    write_timeout: Duration
    pool: int
    hnsw: Hnsw


class Redis(TypedDict, total=False):
    url: str
    timeout: Duration
    pool: int


class Memory(TypedDict, total=False):
    max_bytes: Size


class PartBreaker(TypedDict, total=False):
    failures: int
    pause: Duration
    longest: Duration


class Stores(TypedDict, total=False):
    postgres: Postgres
    redis: Redis
    memory: Memory
    breaker: PartBreaker
    pending: int


class Price(TypedDict, total=False):
    prompt: float
    completion: float


class Defaults(TypedDict, total=False):
    embedder: str
    ttl: Duration


class Config(TypedDict, total=False):
    """A program's settings. Only `routes` is needed."""

    version: Literal[1]
    routes: Sequence[Route]
    server: Server
    stores: Stores
    embedders: Mapping[str, Mapping[str, object]]
    verifiers: Mapping[str, Mapping[str, object]]
    upstreams: Mapping[str, Mapping[str, object]]
    deny: Sequence[Deny]
    prices: Mapping[str, Price]
    defaults: Defaults
