"""What a routes file says of synthesis: which cheap model makes answers of kept ones, of what, and what that may cost.

Shapes, defaults and descriptions only; rules across settings are in `rules_synthesis`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from gateway.config.model_values import Dollars, Duration, Name, Ratio, Settings, Size


class SynthesisBudget(Settings, frozen=True):
    """What synthesis may cost on one route, for each worker process; beyond it every draft is a miss."""

    calls_per_minute: Annotated[int, Meta(ge=1, le=1_000_000, description="Calls in any 60 seconds.")] = 60
    dollars_per_day: Annotated[
        Dollars | None,
        Meta(description="US dollars in a UTC day, at the model's price in `prices`; default: no such limit."),
    ] = None


class Synthesis(Settings, frozen=True, kw_only=True):
    """Where nothing kept is near enough to be served, a cheap model may answer from what is nearest."""

    upstream: Annotated[Name, Meta(description="Name of an upstream that speaks OpenAI's chat API.")]
    model: Annotated[str, Meta(min_length=1, description="The cheap model, as that upstream knows it.")]
    path: Annotated[
        str, Meta(description="Where that upstream's chat API is; a path in the upstream's `url` is put before it.")
    ] = "/v1/chat/completions"
    least: Annotated[
        Ratio, Meta(description="Kept answers are material from this similarity of their questions on.")
    ] = field(default=0.7, name="from")
    top_k: Annotated[int, Meta(ge=1, le=50, description="Most kept answers that the model is shown.")] = 4
    max_material: Annotated[
        Size, Meta(description="Most bytes of kept questions and answers that it is shown; no answer is cut.")
    ] = Size(32 << 10)
    mode: Annotated[
        Literal["auto", "always"],
        Meta(
            description="`auto`: where nothing kept is accepted. `always`: also in place of an answer to other words that would be "
            "served, so that answers fit the question's words; that answer is served where the model declines."
        ),
    ] = "auto"
    answer: Annotated[
        str,
        Meta(
            description="JSONPath of the text in an answer, on a route without `dialect`: the answer is the nearest kept one with "
            "another text there."
        ),
    ] = ""
    prompt: Annotated[
        str,
        Meta(description="Instructions instead of the shipped ones, for example `${file:answer.txt}`; empty: those."),
    ] = ""
    max_tokens: Annotated[int, Meta(ge=1, le=1_000_000, description="Longest answer.")] = 1024
    options: Annotated[
        dict[str, str | int | float | bool | None],
        Meta(description="Further members of the request body; null leaves one out that is sent otherwise."),
    ] = field(default_factory=dict)
    first_token: Annotated[
        Duration, Meta(description="Time budget until it is clear that the model answers; later is a miss.")
    ] = Duration(3.0)
    timeout: Annotated[
        Duration,
        Meta(description="Time budget of the whole answer; later is a miss, or cuts a stream that has begun."),
    ] = Duration(30.0)
    at_once: Annotated[int, Meta(ge=1, le=1000, description="Drafts under way at once; one more is a miss.")] = 8
    budget: Annotated[SynthesisBudget, Meta(description="What it may cost.")] = SynthesisBudget()
    keep: Annotated[
        bool,
        Meta(
            description="Keep such answers, for the same words. They are never material, and never answer other words."
        ),
    ] = False
