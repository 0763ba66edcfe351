"""What a routes file says of one upstream: where it is, what it is told, and how far semgate goes to get an answer.

Shapes, defaults and descriptions only; rules across settings are in `rules_upstream`.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from gateway.config.model_values import Duration, Name, Settings


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
        Meta(
            min_length=1,
            description="`connect` (no connection, or a kept one that was closed), `timeout` (no head in time), and statuses. A POST "
            "whose connection broke after it was sent is tried again only with `timeout`.",
        ),
    ] = ("connect", "502", "503", "504")
    max_wait: Annotated[
        Duration,
        Meta(
            description="Longest pause that an answer's `Retry-After` may ask for; one that asks for more is not tried again."
        ),
    ] = Duration(2.0)


class Breaker(Settings, frozen=True):
    """When an upstream is left alone for a while: no connection, no head in time, an answer that breaks off, 429, 500, 502,
    503, 504 or 529, again and again. After the pause one request tries whether it is back."""

    failures: Annotated[int, Meta(ge=0, le=1000, description="Failures in a row that open it; 0: never.")] = 25
    pause: Annotated[Duration, Meta(description="First pause; doubled each time the trial fails.")] = Duration(1.0)
    longest: Annotated[Duration, Meta(description="Longest pause, also where `Retry-After` asks for more.")] = Duration(
        15.0
    )


class Fallback(Settings, frozen=True, kw_only=True):
    upstream: Annotated[Name, Meta(description="Name of the upstream to try next.")]
    equivalent: Annotated[bool, Meta(description="Its answers may be kept as the first one's.")] = False
    path: Annotated[
        str | None,
        Meta(
            description="Path (and query) to ask it for, where its API has another; `{name}` parts of the route's path may be used."
        ),
    ] = None


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
    remove_headers: Annotated[
        tuple[str, ...],
        Meta(description="Request headers that this upstream must not see, such as credentials meant for another."),
    ] = ()
    timeout: Annotated[UpstreamTimeout, Meta(description="Time limits.")] = field(default_factory=UpstreamTimeout)
    retry: Annotated[Retry, Meta(description="Further tries before the first byte.")] = field(default_factory=Retry)
    breaker: Annotated[Breaker, Meta(description="When it is left alone for a while.")] = field(default_factory=Breaker)
    fallback: Annotated[
        tuple[Fallback, ...],
        Meta(description="Upstreams to try in order when this one gives no answer, or one that `retry.on` lists."),
    ] = ()
    tls: Annotated[UpstreamTls, Meta(description="How to trust it.")] = field(default_factory=UpstreamTls)
    proxy: Annotated[str, Meta(description="HTTP proxy to go through; empty: none.")] = ""
    connections: Annotated[int, Meta(ge=1, le=100_000, description="Open connections per worker.")] = 512
    keepalive: Annotated[
        Duration,
        Meta(
            description="How long an idle connection is kept. Shorter than the upstream's own patience (5 s is common): a "
            "request that meets a connection being closed is lost, and a POST is not sent twice."
        ),
    ] = Duration(4.0)
