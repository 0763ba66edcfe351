"""What a routes file says of the process: where it listens, who may call, and where entries are kept.

Shapes, defaults and descriptions only, as everywhere in the model; rules across settings are in the `rules_*` modules.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from gateway.config.model_values import Dollars, Duration, Interval, Name, Ratio, RoutePattern, Settings, Size

EMBEDDED_POSTGRES = "embedded"


class ServerTls(Settings, frozen=True):
    """Serve HTTPS with this certificate."""

    cert: Annotated[str, Meta(description="Path of the PEM certificate chain.")]
    key: Annotated[str, Meta(description="Path of the PEM private key.")]


class Admin(Settings, frozen=True, kw_only=True):
    """The operator's door under `/-/`."""

    token: Annotated[
        str,
        Meta(
            description="Bearer token of everything under `/-/` but `live`, `ready` and `metrics`. Empty: the rest answers 404."
        ),
    ] = ""
    listen: Annotated[
        str,
        Meta(
            description="Address and port of a second door. With it `/-/` is served there only (`live` and `ready` at both), so "
            "that callers of the routes never reach it. Empty: the same door as the routes."
        ),
    ] = ""


class Tracing(Settings, frozen=True, kw_only=True):
    """OpenTelemetry traces over OTLP/HTTP (needs the `otel` extra)."""

    endpoint: Annotated[
        str,
        Meta(
            description="Base URL of the collector, like `http://127.0.0.1:4318`; `/v1/traces` is added to it.",
            extra={"missing": "say where the collector is, like `endpoint: http://127.0.0.1:4318`"},
        ),
    ]
    sample: Annotated[
        Ratio,
        Meta(
            description="Part of the traces begun here that is recorded, from 0 to 1. A caller's own decision (`traceparent`) is "
            "kept."
        ),
    ] = 1.0
    headers: Annotated[dict[str, str], Meta(description="Headers sent to the collector, such as its API key.")] = field(
        default_factory=dict
    )


class Server(Settings, frozen=True, kw_only=True):
    """Where semgate listens and what belongs to the whole process."""

    listen: Annotated[str, Meta(description="Address and port to listen on, `host:port`.")] = "127.0.0.1:8080"
    workers: Annotated[int, Meta(ge=1, le=256, description="Worker processes.")] = 1
    namespace: Annotated[
        Name, Meta(description="Part of every key: two gateways may share stores and yet be apart.")
    ] = "default"
    data_dir: Annotated[str, Meta(description="Folder of the embedded PostgreSQL and of the generated digest key.")] = (
        "~/.local/share/semgate"
    )
    digest_key: Annotated[
        str,
        Meta(
            description="Secret that keys every digest and seals what is stored; at least 16 characters. Generated with "
            "the embedded PostgreSQL, required with an outside one (replicas must share it)."
        ),
    ] = ""
    max_request_body: Annotated[Size, Meta(description="A larger request body is answered with 413.")] = Size(100 << 20)
    body_timeout: Annotated[
        Duration, Meta(description="Longest pause between two pieces of a request body; then 408.")
    ] = Duration(60.0)
    max_connections: Annotated[
        int,
        Meta(ge=1, le=1_000_000, description="Open requests per worker; further ones wait in the socket's backlog."),
    ] = 1024
    open: Annotated[
        bool,
        Meta(
            description="Allow anybody who reaches the listen address to use upstreams whose credentials the gateway "
            "adds. Only where something in front of semgate decides who may call."
        ),
    ] = False
    tls: Annotated[ServerTls | None, Meta(description="Serve HTTPS.")] = None
    admin: Annotated[Admin, Meta(description="The operator's door under `/-/`.")] = field(default_factory=Admin)
    grace: Annotated[
        Duration,
        Meta(
            description="How long requests may go on with the old settings after a reload; what is not done then is cut "
            "where it hangs on a connection that nobody else uses."
        ),
    ] = Duration(600.0)
    drain: Annotated[
        Duration,
        Meta(
            description="How long requests in flight may go on after SIGTERM. Kubernetes and podman kill after 30 s and 10 s "
            "unless told otherwise."
        ),
    ] = Duration(25.0)
    watch: Annotated[
        Interval,
        Meta(
            description="How often the routes file, the files that it includes and its `${file:...}` are looked at for changes. "
            "0: never; SIGHUP and `POST /-/reload` still reload."
        ),
    ] = Interval(1.0)
    tracing: Annotated[Tracing | None, Meta(description="OpenTelemetry traces; absent: none.")] = None
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description="Addresses or networks (`10.0.0.0/8`) of the proxies in front: what they say in `Forwarded` and "
            "`X-Forwarded-*` is passed on and added to. What others say there is replaced."
        ),
    ] = ()
    forwarded: Annotated[
        Literal["both", "forwarded", "x-forwarded", "none"],
        Meta(
            description="How upstreams are told who called: `Forwarded` (RFC 7239), `X-Forwarded-*`, both, or neither."
        ),
    ] = "both"
    access_log: Annotated[
        bool, Meta(description="One JSON line per request on stdout, without question text and raw scopes.")
    ] = False


class ClientLimits(Settings, frozen=True):
    """What one client may use, over all workers and replicas; beyond it the answer is 429. Hits cost no tokens and no money."""

    requests_per_minute: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="Most requests in a minute, answered from the cache or not. Absent: any number."),
    ] = None
    tokens_per_minute: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="Most tokens of upstream answers in a minute, as `usage` of the route finds them. Counted when an answer "
            "is there, so the one that goes beyond is still sent. Absent: any number."
        ),
    ] = None
    dollars_per_month: Annotated[
        Annotated[float, Meta(ge=0.01)] | None,
        Meta(
            description="Most US dollars of upstream answers in a calendar month (UTC), by `prices`. Absent: any sum."
        ),
    ] = None


class Client(Settings, frozen=True, kw_only=True):
    """One caller that may use the gateway; it sends its key as a bearer token or `x-api-key`."""

    name: Annotated[Name, Meta(description="Name used as the value of `scope: client`.")]
    key: Annotated[str, Meta(description="The key itself; better taken from `${ENV}` or `${file:...}`.")] = ""
    key_sha256: Annotated[
        str,
        Meta(
            pattern="^([0-9a-f]{64})?$",
            description="Lower-case hex SHA-256 of the key, instead of `key`.",
            extra={"wants": "the SHA-256 of the key in 64 lower-case hex digits"},
        ),
    ] = ""
    routes: Annotated[
        tuple[RoutePattern, ...],
        Meta(
            description="Names of the routes it may use, or patterns (`openai-*`); the others answer 403. Empty: all."
        ),
    ] = ()
    limits: Annotated[ClientLimits, Meta(description="What it may use.")] = field(default_factory=ClientLimits)


class Price(Settings, frozen=True, kw_only=True):
    """US dollars per million tokens."""

    prompt: Annotated[Dollars, Meta(description="For tokens read.")]
    completion: Annotated[Dollars, Meta(description="For tokens written.")] = 0.0


class PartBreaker(Settings, frozen=True):
    """When a store or an embedder is left alone for a while, so that one that is down or slow does not cost its timeout on
    every request. After the pause one request tries whether it is back."""

    failures: Annotated[int, Meta(ge=1, le=1000, description="Failures in a row that open it; late is a failure.")] = 5
    pause: Annotated[Duration, Meta(description="First pause; doubled each time the trial fails.")] = Duration(0.5)
    longest: Annotated[Duration, Meta(description="Longest pause.")] = Duration(15.0)


class Hnsw(Settings, frozen=True):
    """The graph index of partitions that outgrew exact scans."""

    m: Annotated[int, Meta(ge=2, le=100, description="Edges per node (pgvector's `m`).")] = 16
    ef_construction: Annotated[int, Meta(ge=4, le=1000, description="Candidates kept while building.")] = 200
    ef_search: Annotated[
        int,
        Meta(
            ge=1,
            le=1000,
            description="Candidates kept while searching: more is slower and misses fewer; a lost hit costs a call.",
        ),
    ] = 256
    promote_at: Annotated[
        int, Meta(ge=1, description="Rows at which a partition moves from exact scans into the graph.")
    ] = 3000


class Postgres(Settings, frozen=True):
    """Entries, their vectors and the exact digest."""

    url: Annotated[
        str, Meta(description="`embedded`, or a `postgresql://` URL of a server with pgvector 0.8 or later.")
    ] = EMBEDDED_POSTGRES
    timeout: Annotated[Duration, Meta(description="Time budget of one look-up; later is a miss.")] = Duration(0.5)
    write_timeout: Annotated[
        Duration, Meta(description="Time budget of storing one answer, for which nobody waits; later it is not kept.")
    ] = Duration(10.0)
    pool: Annotated[int, Meta(ge=1, le=1000, description="Connections per worker.")] = 8
    hnsw: Annotated[Hnsw, Meta(description="The graph index.")] = field(default_factory=Hnsw)


class Redis(Settings, frozen=True):
    """Optional exact tier that replicas share."""

    url: Annotated[
        str,
        Meta(
            description="`redis://`, `rediss://`, `redis+cluster://`, `rediss+cluster://` or `unix://` URL; empty: no Redis."
        ),
    ] = ""
    timeout: Annotated[Duration, Meta(description="Time budget of one operation.")] = Duration(0.05)
    pool: Annotated[int, Meta(ge=1, le=1000, description="Connections per worker.")] = 32


class Memory(Settings, frozen=True):
    """In-process exact tier."""

    max_bytes: Annotated[Size, Meta(description="Bound of this tier per worker; 0 turns it off.")] = Size(256 << 20)


class Stores(Settings, frozen=True):
    postgres: Annotated[Postgres, Meta(description="Entries and vectors.")] = field(default_factory=Postgres)
    redis: Annotated[Redis, Meta(description="Optional shared exact tier.")] = field(default_factory=Redis)
    memory: Annotated[Memory, Meta(description="In-process exact tier.")] = field(default_factory=Memory)
    breaker: Annotated[
        PartBreaker, Meta(description="When a store or an embedder that fails is left alone for a while.")
    ] = field(default_factory=PartBreaker)
    pending: Annotated[
        int, Meta(ge=1, le=100_000, description="Answers being stored at once per worker; further ones are not kept.")
    ] = 256
