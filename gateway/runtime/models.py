"""The embedder that a routes file describes, its module imported only where it is used; and what models cost."""

from __future__ import annotations

from typing import Protocol

from gateway.config import model
from gateway.core.prices import Prices
from gateway.embedders.queue import Adapter, BoundedEmbedder
from gateway.embedders.remote import OnTokens, unpaid

# Embedders that cost nothing to ask in vain.
LOCAL = (model.OnnxEmbedder, model.SentenceTransformersEmbedder)


def prices_of(settings: model.File) -> Prices:
    """What models cost."""
    return Prices((pattern, price.prompt, price.completion) for pattern, price in settings.prices.items())


def embedder_of(settings: model.File, route: model.Route) -> str:
    """The name of the embedder a route uses; "" where it embeds nothing."""
    if route.mode == "off" or route.match == "exact":
        return ""
    return route.embedder or settings.defaults.embedder


def make_embedder(settings: model.Embedder, on_tokens: OnTokens = unpaid) -> BoundedEmbedder:
    """Not opened yet. `on_tokens` is told what remote ones were paid for."""
    return BoundedEmbedder(_adapter(settings, on_tokens), queue=settings.queue, cache=settings.cache)


def _adapter(settings: model.Embedder, on_tokens: OnTokens) -> Adapter:
    """The adapter of these settings; its module is imported only where it is used."""
    match settings:
        case model.OnnxEmbedder():
            from gateway.embedders.onnx import OnnxEmbedder

            return OnnxEmbedder(model=settings.model, window=settings.window)
        case model.SentenceTransformersEmbedder():
            from gateway.embedders.sentence_transformers import SentenceTransformersEmbedder

            return SentenceTransformersEmbedder(
                model=settings.model,
                device=settings.device,
                window=settings.window,
                prompt=settings.prompt,
                dimensions=settings.dimensions,
            )
        case model.OpenAIEmbedder() | model.VoyageEmbedder() | model.CohereEmbedder():
            return _remote(settings)(
                model=settings.model,
                base_url=settings.base_url,
                api_key=settings.api_key,
                dimensions=settings.dimensions,
                window=settings.window,
                connections=settings.connections,
                timeout=settings.timeout,
                on_tokens=on_tokens,
            )
        case model.PythonEmbedder():
            from gateway.embedders.python import PythonEmbedder

            return PythonEmbedder(cls=settings.cls, options=settings.options)


class Remote(Protocol):
    """What the classes for remote embedders take; times in seconds."""

    def __call__(
        self,
        *,
        model: str,
        base_url: str,
        api_key: str,
        dimensions: int | None,
        window: int,
        connections: int,
        timeout: float,
        on_tokens: OnTokens,
    ) -> Adapter: ...


def _remote(settings: model.OpenAIEmbedder | model.VoyageEmbedder | model.CohereEmbedder) -> Remote:
    match settings:
        case model.OpenAIEmbedder():
            from gateway.embedders.openai import OpenAIEmbedder

            return OpenAIEmbedder
        case model.VoyageEmbedder():
            from gateway.embedders.voyage import VoyageEmbedder

            return VoyageEmbedder
        case model.CohereEmbedder():
            from gateway.embedders.cohere import CohereEmbedder

            return CohereEmbedder
