"""What requests and answers of well-known APIs look like, for presets whose answer has one usual form.

The request is the plainest that a client of the API sends; whoever sends more (a system prompt, a temperature) gives a
template of their own, as all of it must be equal for a hit. The answers satisfy the presets' `keep`, and their dialects
can make streams of them.
"""

from __future__ import annotations

import time

import click
import msgspec

_QUESTION, _ANSWER = "{question}", "{answer}"
# What most examples of the API send; it is part of the request, so a client must send the same.
ANTHROPIC_MAX_TOKENS = 1024
ANTHROPIC_VERSION = "2023-06-01"


class Form(msgspec.Struct, frozen=True):
    """Templates of a request and of its answer, and headers of the request that must be equal."""

    request: dict[str, object]
    response: dict[str, object]
    headers: dict[str, str] = {}


def form_of(preset: str, model: str | None) -> Form | None:
    """None for presets without a usual form. Raises UsageError where the form needs a model and none is given."""
    if preset == "json-query":
        asked: dict[str, object] = {"query": _QUESTION} if model is None else {"model": model, "query": _QUESTION}
        return Form(asked, {"answer": _ANSWER})
    build = _FORMS.get(preset)
    if build is None:
        return None
    if model is None:
        raise click.UsageError(f"--model is needed: requests of {preset} name one (or give --request and --response)")
    return build(model)


def _openai_chat(model: str) -> Form:
    message = {"role": "assistant", "content": _ANSWER}
    return Form(
        {"model": model, "messages": [{"role": "user", "content": _QUESTION}]},
        {
            "id": "chatcmpl-imported",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        },
    )


def _anthropic_messages(model: str) -> Form:
    return Form(
        {
            "model": model,
            "max_tokens": ANTHROPIC_MAX_TOKENS,
            "messages": [{"role": "user", "content": _QUESTION}],
        },
        {
            "id": "msg_imported",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "text", "text": _ANSWER}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        },
        {"anthropic-version": ANTHROPIC_VERSION},
    )


def _ollama_chat(model: str) -> Form:
    message = {"role": "assistant", "content": _ANSWER}
    return Form(
        {"model": model, "messages": [{"role": "user", "content": _QUESTION}]},
        {"model": model, "created_at": _now(), "message": message, "done": True, "done_reason": "stop"},
    )


def _ollama_generate(model: str) -> Form:
    return Form(
        {"model": model, "prompt": _QUESTION},
        {"model": model, "created_at": _now(), "response": _ANSWER, "done": True, "done_reason": "stop"},
    )


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


_FORMS = {
    "openai-chat": _openai_chat,
    "anthropic-messages": _anthropic_messages,
    "ollama-chat": _ollama_chat,
    "ollama-generate": _ollama_generate,
}
