"""What the transports do where nobody configures them: the well-known APIs, wherever they are, each caller alone.

A path here is the end of a URL's path, as the clouds put different things before it; all of the URL must be equal, so
what one of them answered is never given for another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.core.keys import frame
from gateway.doors.defaults import SERVER, STORES
from gateway.doors.who import HARMLESS, HARMLESS_BEGINNINGS
from gateway.fronts.request import Request

NAMESPACE: Final = "sdk"
"""All programs of one user share what their SDKs were answered."""

# What SDKs add besides: another for each request, or each version of the SDK.
_NOT_WHO = HARMLESS | {"content-type", "idempotency-key", "x-goog-api-client", "x-server-timeout"}
_NOT_WHO_EITHER = (*HARMLESS_BEGINNINGS, "x-fern-")

_GEMINI = "/models/{model}"


def who_asks(request: Request) -> str:
    """Every header that may say who asks, or whom, with its value: proxies before a cloud have names of their own for both.
    Without any, whoever runs the program: a local model wants no key."""
    said = [pair for pair in sorted(request.headers.items()) if _may_say_who(pair[0])]
    return frame(*(text.encode("latin-1") for pair in said for text in pair)).hex()


def _may_say_who(name: str) -> bool:
    return name not in _NOT_WHO and not name.startswith(_NOT_WHO_EITHER)


def _route(name: str, path: str, preset: str) -> dict[str, object]:
    return {"name": name, "path": path, "preset": preset, "scope": who_asks}


DEFAULT: Final[Mapping[str, object]] = {
    "version": 1,
    "server": SERVER,
    # A program has other uses for its memory than a gateway.
    "stores": {**STORES, "memory": {"max_bytes": "64MiB"}},
    "routes": [
        # OpenAI and those who speak its API: Azure, Mistral, Groq, OpenRouter, DeepSeek, Together, vLLM, Ollama's /v1 ...
        _route("openai-chat", "/chat/completions", "openai-chat"),
        _route("openai-responses", "/responses", "openai-responses"),
        _route("openai-embeddings", "/embeddings", "openai-embeddings"),
        # Not everything that ends in /completions: Mistral's for code answer in the shape of a chat.
        _route("openai-completions", "/v1/completions", "openai-completions"),
        _route("azure-completions", "/openai/deployments/{deployment}/completions", "openai-completions"),
        _route("anthropic", "/v1/messages", "anthropic-messages"),
        _route("gemini", f"{_GEMINI}:generateContent", "gemini-generate"),
        _route("gemini-stream", f"{_GEMINI}:streamGenerateContent", "gemini-generate"),
        _route("cohere", "/v2/chat", "cohere-chat"),
        _route("ollama-chat", "/api/chat", "ollama-chat"),
        _route("ollama-generate", "/api/generate", "ollama-generate"),
    ],
}
