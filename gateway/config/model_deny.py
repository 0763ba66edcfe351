"""What a routes file says of denied questions, on one route or on all.

Shapes, defaults and descriptions only; files of questions are read in `deny_files`, rules across settings are in `rules_deny`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.model_values import Name, Ratio, Settings

DENIED_AT_LEAST = 0.9


class Deny(Settings, frozen=True, kw_only=True):
    """Questions that are never answered from the cache: forwarded and not kept, or refused."""

    text: Annotated[str | None, Meta(description="The question.")] = None
    file: Annotated[
        str | None,
        Meta(
            description="Instead: a file of questions, one on each line (blank lines and those that begin with `#` are passed "
            "over), from this file's folder on. The gateway reloads when it changes."
        ),
    ] = None
    at_least: Annotated[
        Ratio | None,
        Meta(
            description="Cosine similarity from which other words mean it too, measured by the route's embedder; 1: the same words "
            f"only. Default: {DENIED_AT_LEAST:g}. Where the route has a verifier, it must agree as well."
        ),
    ] = None
    verify: Annotated[
        bool, Meta(description="`false`: the route's verifier is not asked, similarity alone decides. Denies more.")
    ] = True
    then: Annotated[
        Literal["forward", "refuse"],
        Meta(
            description="`forward` to the upstream, and keep nothing; or `refuse` with status 403, asking no upstream."
        ),
    ] = "forward"
    name: Annotated[
        Name | None,
        Meta(
            description="What it is called in look-ups, and towards a refused client; default: its place in this file."
        ),
    ] = None
    answer: Annotated[
        str | None, Meta(description="What a refused client is told, as the `detail` of problem+json (RFC 9457).")
    ] = None
