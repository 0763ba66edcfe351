"""What a routes file says of one route: what is extracted, what must be equal, what is kept, and how it is sent.

`RouteSettings` is what presets can say as well. Shapes, defaults and descriptions only; rules across settings are in
`rules_route`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from gateway.config.model_deny import Deny
from gateway.config.model_query import Ask
from gateway.config.model_serving import Allow, Coalesce, Response
from gateway.config.model_synthesis import Synthesis
from gateway.config.model_values import DialectName, Duration, Extractor, Name, Ratio, Settings, Share, Size

PAIRWISE = "pairwise"
"""The name of the verifier that is always there."""
NO_VERIFIER = "none"
# docs/quality.md shows what is right and wrong at this setting, and `make quality` measures it anew.
CANDIDATE = 0.6
AT_LEAST_PAIRWISE = 0.85
AT_LEAST = 0.5


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

    hit: Annotated[
        Ratio,
        Meta(
            description="Without a second opinion: served at or above this. Where a route writes it and no `verify`, it asks for "
            "none, whatever its preset says."
        ),
    ] = 0.95
    candidate: Annotated[
        Ratio | None,
        Meta(description=f"With a second opinion (`verify`): asked for at or above this; default: {CANDIDATE:g}."),
    ] = None


class Verify(Settings, frozen=True, kw_only=True):
    """A second opinion on each candidate."""

    by: Annotated[Name, Meta(description="`pairwise`, which is built in, or the name of one of the `verifiers`.")] = (
        field(name="with")
    )
    at_least: Annotated[
        Ratio | None,
        Meta(
            description="Served at this score or above, 0 to 1; default: "
            f"{AT_LEAST_PAIRWISE:g} for `pairwise`, {AT_LEAST:g} for others."
        ),
    ] = None


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
    terminal: Annotated[
        tuple[str, ...],
        Meta(
            description="What the last event of a whole stream is, on a route without `dialect`: its data (`[DONE]`), its name "
            "(`event:end`), or a JSONPath that finds something in it (not null or false). Empty: no stream is kept."
        ),
    ] = ("[DONE]", "$.done")
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
    stream: Annotated[
        Extractor, Meta(description="A member, header or query parameter that asks for a stream when true.")
    ] = ()
    stream_default: Annotated[bool, Meta(description="What it means when `stream` is absent.")] = False
    dialect: Annotated[
        DialectName | None,
        Meta(
            description="The API whose single answers and streams are turned into each other, so that one entry serves both; "
            "it also says how a stream ends."
        ),
    ] = None
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
    verify: Annotated[
        Name | Verify,
        Meta(
            description="A second opinion on each candidate, by this verifier: `none`, `pairwise`, or one of the `verifiers`; "
            "a mapping says at which score it is served."
        ),
    ] = NO_VERIFIER
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
    kind: Annotated[
        Literal["proxy", "cache", "query"],
        Meta(
            description="`proxy`: requests go to `upstream` where the cache has no answer. `cache`: a REST cache that programs put "
            "questions and answers into and search themselves, with no upstream. `query`: questions in the small form `{query}`, answered by `upstream` on a miss."
        ),
    ] = "proxy"
    upstream: Annotated[Name, Meta(description="Name of an upstream. Required, but for `kind: cache`.")] = ""
    ask: Annotated[
        Ask | None, Meta(description="How the upstream is asked on a route of `kind: query`, which needs it.")
    ] = None
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
    tags: Annotated[
        Extractor,
        Meta(
            description="What an entry can be purged by, besides the upstream's `Cache-Tag` header: every value found is a tag. "
            "With more than 64 tags, or one above 256 bytes, an answer is not kept."
        ),
    ] = ()
    allow: Annotated[Allow, Meta(description="Which wishes of the client are honoured.")] = field(default_factory=Allow)
    ttl: Annotated[Duration | None, Meta(description="How long an answer is kept; default: `defaults.ttl`.")] = None
    stale_if_error: Annotated[
        Duration | None,
        Meta(
            description="How long past its ttl an answer may stand in for an upstream that fails (RFC 5861): no answer, 500, 502, 503 or 504."
        ),
    ] = None
    stale_while_revalidate: Annotated[
        Duration | None,
        Meta(
            description="How long past its ttl an answer is served while a new one is fetched in the background (RFC 5861)."
        ),
    ] = None
    coalesce: Annotated[Coalesce, Meta(description="Identical requests in flight make one upstream call.")] = field(
        default_factory=Coalesce
    )
    on_disconnect: Annotated[
        Literal["finish", "abort"],
        Meta(
            description="The client leaves before its answer is whole: read it to the end and keep it (it is paid for), or break off."
        ),
    ] = "finish"
    response: Annotated[Response, Meta(description="How answers are sent.")] = field(default_factory=Response)
    at_rest: Annotated[
        Literal["sealed", "readable"], Meta(description="Question text and answer in the stores: encrypted or not.")
    ] = "sealed"
    mode: Annotated[
        Literal["serve", "shadow", "off"],
        Meta(
            description="`shadow`: look up, forward all the same, compare the answers and report what would have been served and "
            "how often it would have been wrong. `off`: forward everything."
        ),
    ] = "serve"
    audit: Annotated[
        Share,
        Meta(
            description="Of so many hits on other words the upstream is asked as well, after the client has its answer, and the two "
            "answers are compared. An entry found wrong is evicted, and its pair of questions not served again."
        ),
    ] = Share(0.0)
    max_error: Annotated[
        Share | None,
        Meta(
            description="Serve other words' answers only where audits, shadow mode and feedback show with 95 % confidence that no more "
            "than this share of them is wrong; else forward, and learn from the answer."
        ),
    ] = None
    compare: Annotated[
        Name | None,
        Meta(
            description="A verifier of type `llm` that compares answers in prose, in shadow mode, audits and under `max_error`; "
            "default: the one of `verify` where it is of that type, else what is built in."
        ),
    ] = None
    deny: Annotated[
        tuple[Deny, ...],
        Meta(
            description="Questions that are never answered from the cache here, besides those that the file denies on all routes."
        ),
    ] = ()
    synthesis: Annotated[
        Synthesis | None,
        Meta(
            description="Where nothing kept is near enough to be served, a cheap model may answer from what is nearest; default: no."
        ),
    ] = None
