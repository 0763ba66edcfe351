"""What a routes file says of embedders: one struct for each `type`, in one tagged union.

Shapes, defaults and descriptions only; rules across settings are in `rules_stores`.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, field

from gateway.config.model_values import Dollars, Duration, Settings


class EmbedderSettings(Settings, frozen=True, tag_field="type"):
    """What every embedder has."""

    timeout: Annotated[Duration, Meta(description="Time budget of one embedding; later is a miss.")] = Duration(1.0)
    queue: Annotated[int, Meta(ge=1, le=100_000, description="Texts waiting at once; further ones are misses.")] = 256
    cache: Annotated[int, Meta(ge=0, le=10_000_000, description="Recent texts whose vectors are remembered.")] = 4096
    price: Annotated[
        Dollars,
        Meta(description="US dollars per million tokens; taken off what hits save. 0: costs nothing, as local models."),
    ] = 0.0


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
    prompt: Annotated[
        str | None,
        Meta(description="Text put before every question; default: the model's own default prompt, where it has one."),
    ] = None
    dimensions: Annotated[
        Annotated[int, Meta(ge=1, le=4000)] | None,
        Meta(description="Keep the first so many numbers of a vector, of models trained for that (Matryoshka)."),
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
