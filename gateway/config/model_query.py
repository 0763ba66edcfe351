"""What a routes file says of a route of `kind: query`: how a question becomes the upstream's request, and where the answer is.

Shapes, defaults and descriptions only; rules are in `rules_query`, what follows from `model` is in `query`.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from msgspec import Meta

from gateway.config.model_values import Settings

PLACEHOLDER = "{query}"
"""Stands for the question in the texts of `ask.body`."""
Json: TypeAlias = Annotated[Any, Meta(extra={"wants": "any value"})]


class Ask(Settings, frozen=True):
    """How the upstream is asked on a route of `kind: query`: by `model`, or by `body` and `answer`."""

    model: Annotated[
        str,
        Meta(
            description="For upstreams that speak OpenAI's Chat Completions: the question is the one message for this model. "
            "Asked at `/v1/chat/completions` unless the route has an `upstream_path`."
        ),
    ] = ""
    body: Annotated[
        Json,
        Meta(
            description=f"For any other: the JSON body to send. `{PLACEHOLDER}` in its texts, in quotes, stands for the question."
        ),
    ] = None
    answer: Annotated[
        str,
        Meta(
            description="JSONPath of the answer in what the upstream says; several texts are put together. An answer without it is "
            "not kept. Default with `model`: `$.choices[0].message.content`."
        ),
    ] = ""
