"""What a routes file says, as frozen structs: the one source of the JSON Schema, the reference page and `explain`.

Only shapes, defaults and descriptions live here; cross-field rules are in `check`, reading text is in `load`. Unknown
fields are refused everywhere. Durations are seconds (`Duration`), sizes are bytes (`Size`); both are written with a unit.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, field

EMBEDDED_POSTGRES = "embedded"


class Duration(float):
    """Seconds. Written `250ms`, `5s`, `10m`, `24h` or `7d`."""


class Size(int):
    """Bytes. Written `512B`, `64KiB`, `10MiB` or `1GiB`; a bare 0 is allowed."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """House rules for every struct of a routes file: frozen (type checkers want it said again below), no unknown fields."""


Extractor: TypeAlias = Annotated[
    str | tuple[str, ...],
    Meta(
        description="Where a value is: a JSONPath into the body (`$.a.b`, RFC 9535 without the regex functions), "
        "`header:Name`, `query:name`, `path:name`, or a list of these. In a list, `query` and `model` take the first "
        "that has a value; `scope` needs all of them together; `bypass` takes any."
    ),
]
# `extra["wants"]` is how a problem says what a pattern admits; `extra["missing"]` what to write where a key is not there.
Name: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$",
        extra={"wants": "a name of letters, digits, `_`, `.` and `-` (63 at most, the first a letter or digit)"},
    ),
]
Ratio: TypeAlias = Annotated[float, Meta(ge=0.0, le=1.0)]
Count: TypeAlias = Annotated[int, Meta(ge=1)]


# --- server ---------------------------------------------------------------------------------------------------------


class ServerTls(Settings, frozen=True):
    """Serve HTTPS with this certificate."""

    cert: Annotated[str, Meta(description="Path of the PEM certificate chain.")]
    key: Annotated[str, Meta(description="Path of the PEM private key.")]


class Admin(Settings, frozen=True, kw_only=True):
    """The operator's door under `/-/`."""

    token: Annotated[str, Meta(description="Bearer token of `/-/config`. Empty: that path answers 404.")] = ""


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
    access_log: Annotated[
        bool, Meta(description="One JSON line per request on stdout, without question text and raw scopes.")
    ] = False


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


# --- stores ---------------------------------------------------------------------------------------------------------


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
    pending: Annotated[
        int, Meta(ge=1, le=100_000, description="Answers being stored at once per worker; further ones are not kept.")
    ] = 256


# --- embedders ------------------------------------------------------------------------------------------------------


class EmbedderSettings(Settings, frozen=True, tag_field="type"):
    """What every embedder has."""

    timeout: Annotated[Duration, Meta(description="Time budget of one embedding; later is a miss.")] = Duration(1.0)
    queue: Annotated[int, Meta(ge=1, le=100_000, description="Texts waiting at once; further ones are misses.")] = 256
    cache: Annotated[int, Meta(ge=0, le=10_000_000, description="Recent texts whose vectors are remembered.")] = 4096


class OnnxEmbedder(EmbedderSettings, frozen=True, tag="onnx"):
    """A local ONNX model run by onnxruntime, one text at a time on one thread."""

    model: Annotated[
        str,
        Meta(description="`all-MiniLM-L6-v2` (shipped), a folder with `model.onnx` and `tokenizer.json`, or a hub id."),
    ] = "all-MiniLM-L6-v2"
    window: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="Most tokens of a text; default: the model's own.")
    ] = None


class SentenceTransformersEmbedder(EmbedderSettings, frozen=True, tag="sentence-transformers", kw_only=True):
    """Any sentence-transformers model (needs the `sentence-transformers` extra)."""

    model: Annotated[str, Meta(description="Hub id or folder.")]
    device: Annotated[str, Meta(description="torch device.")] = "cpu"
    window: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="Most tokens of a text; default: the model's own.")
    ] = None


class OpenAIEmbedder(EmbedderSettings, frozen=True, tag="openai", kw_only=True):
    """Any OpenAI-compatible `/embeddings` endpoint: OpenAI, Ollama, vLLM, TEI."""

    model: Annotated[str, Meta(description="Model name as the endpoint knows it.")]
    base_url: Annotated[str, Meta(description="Base URL, usually ending in `/v1`.")] = "https://api.openai.com/v1"
    api_key: Annotated[str, Meta(description="Bearer key; may be empty for local servers.")] = ""
    dimensions: Annotated[
        Annotated[int, Meta(ge=1, le=4000)] | None, Meta(description="Ask for shortened vectors.")
    ] = None
    window: Annotated[int, Meta(ge=1, description="Most tokens of a text.")] = 8191
    connections: Annotated[int, Meta(ge=1, le=1000, description="Calls in flight at once.")] = 16


class VoyageEmbedder(EmbedderSettings, frozen=True, tag="voyage", kw_only=True):
    """Voyage AI's API, through its own client."""

    model: Annotated[str, Meta(description="Model name.")]
    api_key: Annotated[str, Meta(description="API key.")]
    base_url: Annotated[str, Meta(description="Base URL; empty: the one that the key belongs to.")] = ""
    dimensions: Annotated[
        Annotated[int, Meta(ge=1, le=4000)] | None, Meta(description="Ask for shortened vectors.")
    ] = None
    window: Annotated[int, Meta(ge=1, description="Most tokens of a text.")] = 32000
    connections: Annotated[int, Meta(ge=1, le=1000, description="Calls in flight at once.")] = 16


class CohereEmbedder(EmbedderSettings, frozen=True, tag="cohere", kw_only=True):
    """Cohere's `/v2/embed`."""

    model: Annotated[str, Meta(description="Model name.")]
    api_key: Annotated[str, Meta(description="API key.")]
    base_url: Annotated[str, Meta(description="Base URL, for a proxy or a test server.")] = "https://api.cohere.com"
    dimensions: Annotated[
        Annotated[int, Meta(ge=1, le=4000)] | None, Meta(description="Ask for shortened vectors.")
    ] = None
    window: Annotated[int, Meta(ge=1, description="Most tokens of a text.")] = 128000
    connections: Annotated[int, Meta(ge=1, le=1000, description="Calls in flight at once.")] = 16


class PythonEmbedder(EmbedderSettings, frozen=True, tag="python", kw_only=True):
    """A class of your own: `Class(**options)` with `embed(text) -> sequence of floats`, sync or async."""

    cls: Annotated[str, Meta(description="`package.module:Class`, importable by the gateway.")] = field(name="class")
    options: Annotated[
        dict[str, str | int | float | bool | None], Meta(description="Keyword arguments of the class.")
    ] = field(default_factory=dict)


Embedder: TypeAlias = (
    OnnxEmbedder | SentenceTransformersEmbedder | OpenAIEmbedder | VoyageEmbedder | CohereEmbedder | PythonEmbedder
)


# --- upstreams ------------------------------------------------------------------------------------------------------


class UpstreamTimeout(Settings, frozen=True):
    connect: Annotated[Duration, Meta(description="Until the connection stands.")] = Duration(5.0)
    first_byte: Annotated[Duration, Meta(description="From the request's end to the answer's head.")] = Duration(60.0)
    idle: Annotated[Duration, Meta(description="Between two pieces of the answer's body.")] = Duration(60.0)


class Retry(Settings, frozen=True):
    """Further tries before the first byte of an answer. Only a request whose body was read whole is tried again."""

    attempts: Annotated[int, Meta(ge=1, le=10, description="Tries in all; 1: none beyond the first.")] = 1
    on: Annotated[
        tuple[
            Annotated[
                str,
                Meta(
                    pattern="^(connect|timeout|4[0-9][0-9]|5[0-9][0-9])$",
                    extra={"wants": "`connect`, `timeout` or a status from 400 to 599"},
                ),
            ]
            | Annotated[int, Meta(ge=400, le=599)],
            ...,
        ],
        Meta(min_length=1, description="`connect`, `timeout` (no head in time), and statuses."),
    ] = ("connect", "502", "503", "504")


class Fallback(Settings, frozen=True):
    upstream: Annotated[Name, Meta(description="Name of the upstream to try next.")]
    equivalent: Annotated[bool, Meta(description="Its answers may be kept as the first one's.")] = False


class UpstreamTls(Settings, frozen=True):
    ca: Annotated[str, Meta(description="PEM file of the certificate authority to trust; empty: the system's.")] = ""
    verify: Annotated[bool, Meta(description="Check the certificate and host name.")] = True


class Respond(Settings, frozen=True):
    """A fixed answer, no network: for trying semgate out, and for maintenance pages."""

    status: Annotated[int, Meta(ge=200, le=599, description="HTTP status.")] = 200
    headers: Annotated[dict[str, str], Meta(description="Headers of the answer.")] = field(
        default_factory=lambda: {"content-type": "application/json"}
    )
    body: Annotated[str, Meta(description="The body.")] = ""


class Upstream(Settings, frozen=True, kw_only=True):
    """Where requests go: a `url`, or a fixed `respond`."""

    url: Annotated[str, Meta(description="`http://` or `https://` URL; a path in it is put before the request's.")] = ""
    respond: Annotated[Respond | None, Meta(description="A fixed answer instead of a URL.")] = None
    headers: Annotated[
        dict[str, str],
        Meta(
            description="Headers set on every request. One whose `${VARIABLE}` parts are all empty is not set: the client's own passes."
        ),
    ] = field(default_factory=dict)
    timeout: Annotated[UpstreamTimeout, Meta(description="Time limits.")] = field(default_factory=UpstreamTimeout)
    retry: Annotated[Retry, Meta(description="Further tries before the first byte.")] = field(default_factory=Retry)
    fallback: Annotated[tuple[Fallback, ...], Meta(description="Upstreams to try in order when this one fails.")] = ()
    tls: Annotated[UpstreamTls, Meta(description="How to trust it.")] = field(default_factory=UpstreamTls)
    proxy: Annotated[str, Meta(description="HTTP proxy to go through; empty: none.")] = ""
    connections: Annotated[int, Meta(ge=1, le=100_000, description="Open connections per worker.")] = 512


# --- routes ---------------------------------------------------------------------------------------------------------


class Vary(Settings, frozen=True):
    """What else must be equal, and what need not."""

    ignore: Annotated[
        tuple[str, ...], Meta(description="JSONPaths of body members that do not change the answer.")
    ] = ()
    headers: Annotated[
        tuple[str, ...], Meta(description="Request headers that must be equal; added to the preset's.")
    ] = ()


class Thresholds(Settings, frozen=True):
    """Cosine similarity, 0 to 1, higher is closer."""

    hit: Annotated[Ratio, Meta(description="Served at or above this.")] = 0.95


class Keep(Settings, frozen=True):
    """What an answer must be to be stored."""

    status: Annotated[
        tuple[
            Annotated[
                str,
                Meta(
                    pattern="^[2-5]([0-9][0-9]|xx)$",
                    extra={"wants": "a status like `200` or a class like `2xx`"},
                ),
            ]
            | Annotated[int, Meta(ge=200, le=599)],
            ...,
        ],
        Meta(min_length=1, description="Statuses or classes (`2xx`)."),
    ] = ("2xx",)
    max_body: Annotated[Size, Meta(description="A larger answer passes, and is not kept.")] = Size(10 << 20)
    require: Annotated[tuple[str, ...], Meta(description="JSONPaths that must be there.")] = ()
    reject: Annotated[
        tuple[str, ...], Meta(description="JSONPaths that must not be there (null counts as absent).")
    ] = ()
    cookies: Annotated[
        tuple[str, ...],
        Meta(
            description="Names of `Set-Cookie` cookies that do not make an answer private (a CDN's own); they are never replayed."
        ),
    ] = ()


class Usage(Settings, frozen=True):
    """Where an answer says what it cost; what a hit saves is counted by it."""

    prompt: Annotated[str, Meta(description="JSONPath of the tokens read; empty: not counted.")] = ""
    completion: Annotated[str, Meta(description="JSONPath of the tokens written; empty: not counted.")] = ""


class Limits(Settings, frozen=True):
    max_entries: Annotated[int, Meta(ge=1, description="Most entries of the route; the longest unused go first.")] = (
        1_000_000
    )
    max_bytes: Annotated[Size, Meta(description="Most bytes of the route's entries.")] = Size(10 << 30)


class AllowThreshold(Settings, frozen=True):
    min: Annotated[Ratio, Meta(description="`X-Cache-Threshold` values below are taken as this.")] = 0.0


class AllowTtl(Settings, frozen=True):
    max: Annotated[Duration, Meta(description="`X-Cache-TTL` values above are taken as this.")]


class Allow(Settings, frozen=True):
    """Which wishes of the client are honoured. What is not allowed is ignored."""

    cache_control: Annotated[
        tuple[Literal["no-cache", "no-store", "max-age", "only-if-cached"], ...],
        Meta(description="Request `Cache-Control` directives."),
    ] = field(default=("no-cache", "no-store", "max-age", "only-if-cached"), name="cache-control")
    threshold: Annotated[
        AllowThreshold | None, Meta(description="`X-Cache-Threshold`: it can only raise the route's.")
    ] = None
    ttl: Annotated[AllowTtl | None, Meta(description="`X-Cache-TTL`.")] = None


class Response(Settings, frozen=True):
    miss: Annotated[
        Literal["tee", "buffer"],
        Meta(
            description="`tee`: bytes pass as they arrive. `buffer`: a JSON answer is stored before it is sent, so `stored` is known."
        ),
    ] = "tee"
    expose: Annotated[
        Literal["all", "status", "none"],
        Meta(description="`all` cache headers, `Cache-Status` and `Age` only, or none."),
    ] = "all"
    headers: Annotated[dict[str, str], Meta(description="Headers added to every answer of the route.")] = field(
        default_factory=dict
    )


class RouteSettings(Settings, frozen=True):
    """What a route and a preset can both say; what a route writes wins, member by member in `vary` and `keep`."""

    methods: Annotated[
        tuple[Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], ...],
        Meta(min_length=1, description="Methods of the path."),
    ] = ("POST",)
    match: Annotated[Literal["semantic", "exact"], Meta(description="`exact`: the same words only.")] = "semantic"
    query: Annotated[
        Extractor, Meta(description="The text that may differ in wording. Required, here or by the preset.")
    ] = ()
    model: Annotated[Extractor, Meta(description="The model asked for; always equal between question and answer.")] = ()
    role: Annotated[
        Extractor, Meta(description="Who speaks the text: anything but `user` (or nothing) is exact-only.")
    ] = ()
    stream: Annotated[Extractor, Meta(description="A member that asks for a stream when true.")] = ()
    stream_default: Annotated[bool, Meta(description="What it means when `stream` is absent.")] = False
    vary: Annotated[Vary, Meta(description="What else must be equal, and what need not.")] = field(default_factory=Vary)
    bypass: Annotated[
        tuple[str, ...],
        Meta(description="Extractors; any of these present (not null or false): forwarded, not cached."),
    ] = ()
    exact_if: Annotated[
        tuple[str, ...],
        Meta(description="Extractors; any of these present (not null or false): the same words or nothing."),
    ] = ()
    keep: Annotated[Keep, Meta(description="What an answer must be to be stored.")] = field(default_factory=Keep)
    usage: Annotated[Usage, Meta(description="Where an answer says what it cost.")] = field(default_factory=Usage)


class Route(RouteSettings, frozen=True, kw_only=True):
    """One path of the gateway and how it is cached."""

    name: Annotated[Name, Meta(description="Unique name: part of every key, and a metric label.")]
    path: Annotated[
        str,
        Meta(
            description="Exact (`/v1/chat/completions`), with `{name}` within a segment, or ending in `/*`. The most specific wins."
        ),
    ]
    upstream: Annotated[Name, Meta(description="Name of an upstream.")]
    scope: Annotated[
        Extractor,
        Meta(
            description="Who may share answers: an extractor, `client`, or `public`. Required.",
            extra={
                "missing": "who may share answers? `scope: client` (each caller its own), an extractor such as "
                "`scope: header:X-Tenant` (all who send the same value), or `scope: public` (everybody)"
            },
        ),
    ]
    models: Annotated[
        tuple[str, ...],
        Meta(description="Model name patterns (`gpt-*`); routes may share a path, the first that matches wins."),
    ] = ()
    preset: Annotated[str | None, Meta(description="Name of a preset that fills in what is not written here.")] = None
    upstream_path: Annotated[
        str | None, Meta(description="Path to ask the upstream for, instead of the client's; may use `{name}`.")
    ] = None
    strip_prefix: Annotated[str | None, Meta(description="Prefix to take off the client's path.")] = None
    embedder: Annotated[Name | None, Meta(description="Name of an embedder; default: `defaults.embedder`.")] = None
    thresholds: Annotated[Thresholds, Meta(description="How near is near enough.")] = field(default_factory=Thresholds)
    top_k: Annotated[int, Meta(ge=1, le=100, description="Candidates looked at.")] = 5
    max_body: Annotated[Size, Meta(description="A larger request is forwarded, not cached.")] = Size(1 << 20)
    limits: Annotated[Limits, Meta(description="Bounds of what is stored.")] = field(default_factory=Limits)
    allow: Annotated[Allow, Meta(description="Which wishes of the client are honoured.")] = field(default_factory=Allow)
    ttl: Annotated[Duration | None, Meta(description="How long an answer is kept; default: `defaults.ttl`.")] = None
    response: Annotated[Response, Meta(description="How answers are sent.")] = field(default_factory=Response)
    at_rest: Annotated[
        Literal["sealed", "readable"], Meta(description="Question text and answer in the stores: encrypted or not.")
    ] = "sealed"
    mode: Annotated[Literal["serve", "off"], Meta(description="`off`: forward everything.")] = "serve"


class Defaults(Settings, frozen=True):
    embedder: Annotated[Name, Meta(description="Embedder of routes that name none.")] = "default"
    ttl: Annotated[Duration, Meta(description="Time to live of routes that name none.")] = Duration(86400.0)


class File(Settings, frozen=True, kw_only=True):
    """A routes file."""

    version: Annotated[Literal[1], Meta(description="Version of this format.")]
    upstreams: Annotated[dict[Name, Upstream], Meta(min_length=1, description="Where requests go, by name.")]
    routes: Annotated[tuple[Route, ...], Meta(min_length=1, description="The paths of the gateway.")]
    server: Annotated[Server, Meta(description="Where semgate listens and what belongs to the process.")] = field(
        default_factory=Server
    )
    clients: Annotated[
        tuple[Client, ...], Meta(description="Who may use the gateway at all. Empty: anybody who reaches it.")
    ] = ()
    stores: Annotated[Stores, Meta(description="Where entries are kept.")] = field(default_factory=Stores)
    embedders: Annotated[
        dict[Name, Embedder],
        Meta(description="Text to vector, by name. `default`, the local model, is there unless declared otherwise."),
    ] = field(default_factory=lambda: {"default": OnnxEmbedder()})
    defaults: Annotated[Defaults, Meta(description="What routes fall back on.")] = field(default_factory=Defaults)


class Preset(Settings, frozen=True, kw_only=True):
    """A preset file: what a well-known API's route says, with a version that is part of every key."""

    name: Name
    version: Annotated[int, Meta(ge=1, description="Part of every key: raise it when the rule of extraction changes.")]
    description: str
    source: Annotated[str, Meta(description="Where the API is documented.")]
    path: Annotated[str, Meta(description="The API's own path, as a route would write it.")]
    llm: Annotated[bool, Meta(description="An LLM API: a `public` route is warned about.")]
    route: RouteSettings
