"""What a routes file says of a route and its clients: which of their wishes count, how they are answered, who waits for whom."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from gateway.config.model_values import Duration, Ratio, Settings


class AllowThreshold(Settings, frozen=True):
    min: Annotated[Ratio, Meta(description="`X-Cache-Threshold` values below are taken as this.")] = 0.0


class AllowTtl(Settings, frozen=True):
    max: Annotated[Duration, Meta(description="`X-Cache-TTL` values above are taken as this.")]


class Allow(Settings, frozen=True):
    """Which wishes of the client are honoured. What is not allowed is ignored."""

    cache_control: Annotated[
        tuple[Literal["no-cache", "no-store", "max-age", "only-if-cached", "stale-if-error"], ...],
        Meta(description="Request `Cache-Control` directives."),
    ] = field(default=("no-cache", "no-store", "max-age", "only-if-cached", "stale-if-error"), name="cache-control")
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
    hit: Annotated[
        Literal["auto", "single", "stream"],
        Meta(
            description="Which requests are answered from the cache: `auto` those for a single answer and those for a stream, each "
            "in its form (one entry serves both where the route has a `dialect`); `single` or `stream` only those, the others "
            "are forwarded."
        ),
    ] = "auto"
    pace: Annotated[
        Literal["instant", "recorded"],
        Meta(description="A stream from the cache: at once, or with the pauses that it had."),
    ] = "instant"
    fresh_ids: Annotated[
        bool, Meta(description="Hits get an `id` and a time of creation of their own. Needs a `dialect`.")
    ] = False
    expose: Annotated[
        Literal["all", "status", "none"],
        Meta(description="`all` cache headers, `Cache-Status` and `Age` only, or none."),
    ] = "all"
    headers: Annotated[dict[str, str], Meta(description="Headers added to every answer of the route.")] = field(
        default_factory=dict
    )


class Coalesce(Settings, frozen=True):
    """Identical requests in flight make one upstream call; the others follow it."""

    followers: Annotated[
        int,
        Meta(ge=0, le=100_000, description="Most followers of one call; further ones go upstream. 0: no coalescing."),
    ] = 1000
    release: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Followers per second that are let go upstream where the call's answer cannot be shared.",
        ),
    ] = 500
    uncacheable: Annotated[
        Duration,
        Meta(
            description="How long it is remembered that an answer could not be shared; nobody waits for another then."
        ),
    ] = Duration(10.0)
    lock: Annotated[
        Literal["none", "redis", "postgres"],
        Meta(
            description="Coalesce across workers and replicas too, by a short lock there, held no longer than the upstream's `timeout.first_byte`."
        ),
    ] = "none"
