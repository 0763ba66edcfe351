"""What a routes file says of verifiers: one struct for each `type`, in one tagged union. `pairwise` is built in, and has
nothing to set.

Shapes, defaults and descriptions only; rules across settings are in `rules_verify`.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, field

from gateway.config.model_values import Dollars, Duration, Settings


class VerifierSettings(Settings, frozen=True, tag_field="type"):
    """What every verifier has."""

    queue: Annotated[
        int, Meta(ge=1, le=100_000, description="Requests waiting for an opinion at once; further ones are misses.")
    ] = 64


class CrossEncoderVerifier(VerifierSettings, frozen=True, tag="cross-encoder", kw_only=True):
    """A published pair model: ONNX run by onnxruntime, or sentence-transformers' CrossEncoder (needs the extra)."""

    model: Annotated[str, Meta(description="Hub id or folder.")]
    backend: Annotated[
        Literal["auto", "onnx", "torch"], Meta(description="`auto`: ONNX where the model has a graph, else torch.")
    ] = "auto"
    device: Annotated[str, Meta(description="torch device; ONNX models run on the CPU.")] = "cpu"
    threads: Annotated[int, Meta(ge=1, le=64, description="Cores that one opinion may use.")] = 1
    window: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="Most tokens of a pair, special ones included; a longer one is not accepted. Default: the model's."
        ),
    ] = None
    label: Annotated[
        str | Annotated[int, Meta(ge=0)] | None,
        Meta(
            description='Of a model with several outputs, the name or number of the one that means "same"; default: the '
            "second of two, `entailment` of more."
        ),
    ] = None
    scale: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="The model's output lies between 0 and this (a probability: 1); default: it is a logit."),
    ] = None
    weight: Annotated[
        float,
        Meta(ge=0, le=1000, description="score = sigmoid(logit + weight x (similarity - middle)); 0: the model alone."),
    ] = 20.0
    middle: Annotated[float, Meta(ge=0, le=1, description="The similarity that speaks neither for nor against.")] = 0.85
    batch: Annotated[
        int, Meta(ge=1, le=1000, description="Candidates judged at once, nearest first, until one is accepted.")
    ] = 5
    timeout: Annotated[Duration, Meta(description="Time budget of one look-up's opinions; later is a miss.")] = (
        Duration(0.3)
    )


class LlmBudget(Settings, frozen=True):
    """What a judge may cost, for each worker process; beyond it every opinion is a miss."""

    calls_per_minute: Annotated[int, Meta(ge=1, le=1_000_000, description="Calls in any 60 seconds.")] = 60
    dollars_per_day: Annotated[
        Dollars | None,
        Meta(description="US dollars in a UTC day, at the model's price in `prices`; default: no such limit."),
    ] = None


class LlmVerifier(VerifierSettings, frozen=True, tag="llm", kw_only=True):
    """A yes or no from an OpenAI-compatible chat endpoint: OpenAI, Ollama, vLLM."""

    model: Annotated[str, Meta(description="Model name as the endpoint knows it.")]
    base_url: Annotated[str, Meta(description="Base URL, usually ending in `/v1`.")] = "https://api.openai.com/v1"
    api_key: Annotated[str, Meta(description="Bearer key; may be empty for local servers.")] = ""
    prompt: Annotated[
        str,
        Meta(description="Instructions instead of the shipped ones, for example `${file:judge.txt}`; empty: those."),
    ] = ""
    max_tokens: Annotated[
        int, Meta(ge=1, le=100_000, description="Longest answer; a model that thinks aloud needs more.")
    ] = 8
    logprobs: Annotated[bool, Meta(description="Ask how sure the model is of its yes; else a yes counts as 1.")] = False
    options: Annotated[
        dict[str, str | int | float | bool | None],
        Meta(description="Further members of the request body; null leaves one out that is sent otherwise."),
    ] = field(default_factory=dict)
    connections: Annotated[int, Meta(ge=1, le=1000, description="Calls in flight at once.")] = 8
    budget: Annotated[LlmBudget, Meta(description="What it may cost.")] = LlmBudget()
    remember: Annotated[int, Meta(ge=0, le=10_000_000, description="Verdicts kept in memory.")] = 10_000
    keep: Annotated[Duration, Meta(description="How long a verdict is kept.")] = Duration(30 * 86_400.0)
    timeout: Annotated[Duration, Meta(description="Time budget of one call; later is a miss.")] = Duration(2.0)


Verifier: TypeAlias = CrossEncoderVerifier | LlmVerifier
