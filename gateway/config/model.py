"""What a routes file says, as frozen structs: the one source of the JSON Schema, the reference page and `explain`.

Only shapes, defaults and descriptions live here and in the `model_*` files; cross-field rules are in `check`, reading
text is in `load`. Unknown fields are refused everywhere. Who needs a struct imports it from here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from gateway.config.model_deny import Deny
from gateway.config.model_embedders import (
    CohereEmbedder,
    Embedder,
    EmbedderSettings,
    OnnxEmbedder,
    OpenAIEmbedder,
    PythonEmbedder,
    SentenceTransformersEmbedder,
    VoyageEmbedder,
)
from gateway.config.model_process import (
    EMBEDDED_POSTGRES,
    Admin,
    Client,
    ClientLimits,
    Hnsw,
    Memory,
    PartBreaker,
    Postgres,
    Price,
    Redis,
    Server,
    ServerTls,
    Stores,
    Tracing,
)
from gateway.config.model_query import Ask
from gateway.config.model_routes import (
    Keep,
    Limits,
    Route,
    RouteSettings,
    Thresholds,
    Usage,
    Vary,
    Verify,
)
from gateway.config.model_serving import Allow, AllowThreshold, AllowTtl, Coalesce, Response
from gateway.config.model_synthesis import Synthesis, SynthesisBudget
from gateway.config.model_upstreams import (
    Breaker,
    Fallback,
    Respond,
    Retry,
    Upstream,
    UpstreamTimeout,
    UpstreamTls,
)
from gateway.config.model_values import (
    DialectName,
    Dollars,
    Duration,
    Extractor,
    Interval,
    ModelPattern,
    Name,
    Ratio,
    Settings,
    Share,
    Size,
)
from gateway.config.model_verifiers import CrossEncoderVerifier, LlmVerifier, Verifier

__all__ = [
    "EMBEDDED_POSTGRES",
    "Admin",
    "Allow",
    "AllowThreshold",
    "AllowTtl",
    "Ask",
    "Breaker",
    "Client",
    "ClientLimits",
    "Coalesce",
    "CohereEmbedder",
    "CrossEncoderVerifier",
    "Defaults",
    "Deny",
    "DialectName",
    "Dollars",
    "Duration",
    "Embedder",
    "EmbedderSettings",
    "Extractor",
    "Fallback",
    "File",
    "Hnsw",
    "Interval",
    "Keep",
    "Limits",
    "LlmVerifier",
    "Memory",
    "ModelPattern",
    "Name",
    "OnnxEmbedder",
    "OpenAIEmbedder",
    "PartBreaker",
    "Postgres",
    "Preset",
    "Price",
    "PythonEmbedder",
    "Ratio",
    "Redis",
    "Respond",
    "Response",
    "Retry",
    "Route",
    "RouteSettings",
    "SentenceTransformersEmbedder",
    "Server",
    "ServerTls",
    "Settings",
    "Share",
    "Size",
    "Stores",
    "Synthesis",
    "SynthesisBudget",
    "Thresholds",
    "Tracing",
    "Upstream",
    "UpstreamTimeout",
    "UpstreamTls",
    "Usage",
    "Vary",
    "Verifier",
    "Verify",
    "VoyageEmbedder",
]


class Defaults(Settings, frozen=True):
    embedder: Annotated[Name, Meta(description="Embedder of routes that name none.")] = "default"
    ttl: Annotated[Duration, Meta(description="Time to live of routes that name none.")] = Duration(86400.0)


class File(Settings, frozen=True, kw_only=True):
    """A routes file."""

    version: Annotated[Literal[1], Meta(description="Version of this format.")]
    routes: Annotated[tuple[Route, ...], Meta(min_length=1, description="The paths of the gateway.")]
    upstreams: Annotated[
        dict[Name, Upstream],
        Meta(min_length=1, description="Where requests go, by name. Required where a route has an upstream."),
    ] = field(default_factory=dict)
    include: Annotated[
        tuple[str, ...],
        Meta(
            description="Further files, or patterns of them (`routes.d/*.yaml`), from this file's folder on. Their mappings are merged "
            "into this file's by name, their lists come after its own; anything else may stand in one file only."
        ),
    ] = ()
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
    verifiers: Annotated[
        dict[Name, Verifier],
        Meta(description="Second opinions on pairs of questions, by name. `pairwise` is built in."),
    ] = field(default_factory=dict)
    deny: Annotated[
        tuple[Deny, ...], Meta(description="Questions that no route answers from the cache; a route may have more.")
    ] = ()
    prices: Annotated[
        dict[ModelPattern, Price],
        Meta(
            description="What models cost, by the name that a request gives, or a pattern of it (`gpt-4o*`); the first that matches "
            "counts. Needed for budgets and for the dollars that hits save."
        ),
    ] = field(default_factory=dict)
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
