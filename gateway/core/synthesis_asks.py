"""Does a request ask for a text and nothing else? Only such a one can be answered by another model than it asked for.

Pure. Each API's members are listed here, those that do not change what kind of answer there is; any other, also one that is
not known yet, means no.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from gateway.core.dialects.base import Dialect
from gateway.core.messages import TextOnly

_Test: TypeAlias = Callable[[object], bool]


def read_text_only(dialect: Dialect | None, holder: list[object] | None) -> TextOnly | None:
    """What is left of the request, its text and what is ignored taken out; None where it asks for more than a text. On a
    route without a dialect the operator says what an answer is, and all of the request is equal anyway."""
    if dialect is None:
        return TextOnly()
    root = holder[0] if holder else None
    rules = _RULES.get(dialect.name)
    if rules is None or not isinstance(root, dict):
        return None
    for name, value in root.items():
        if value is not None and name not in _LENGTHS and not rules.get(name, _no)(value):
            return None
    options = root.get("options")
    lengths = [root.get(name) for name in _LENGTHS] + [
        options.get("num_predict") if isinstance(options, dict) else None
    ]
    named = [length for length in lengths if type(length) is int and length > 0]
    return TextOnly(min(named, default=None))


def _no(_value: object) -> bool:
    return False


def _any(_value: object) -> bool:
    return True


def _empty(value: object) -> bool:
    return not value


def _one(value: object) -> bool:
    return value == 1


def _is_text(value: object) -> bool:
    """`response_format`, or `text.format`."""
    return isinstance(value, dict) and value.get("type") == "text"


def _says_text(value: object) -> bool:
    return isinstance(value, dict) and all(
        name == "verbosity" or (name == "format" and (member is None or _is_text(member)))
        for name, member in value.items()
    )


def _only_text(value: object) -> bool:
    return value == ["text"]


def _is_disabled(value: object) -> bool:
    return isinstance(value, dict) and value.get("type") == "disabled"


def _samples(value: object) -> bool:
    """Ollama's options: how it samples, and where it runs."""
    return isinstance(value, dict) and all(name != "stop" or not member for name, member in value.items())


# Where requests say how long an answer may be; the cheap model is told as well.
_LENGTHS = frozenset({"max_tokens", "max_completion_tokens", "max_output_tokens"})


def _free(*names: str) -> dict[str, _Test]:
    return dict.fromkeys(names, _any)


_OPENAI = _free("model", "stream", "stream_options", "temperature", "top_p", "seed", "presence_penalty")
_OPENAI |= _free("frequency_penalty", "service_tier", "user")
_TOOLS: dict[str, _Test] = {"tools": _empty, "tool_choice": _any, "parallel_tool_calls": _any}

_RULES: Mapping[str, Mapping[str, _Test]] = {
    "openai-chat": _OPENAI
    | _TOOLS
    | _free("messages", "reasoning_effort", "verbosity", "store")
    | {"n": _one, "logprobs": _empty, "response_format": _is_text, "modalities": _only_text, "functions": _empty}
    | {"stop": _empty, "logit_bias": _empty},
    "openai-completions": _OPENAI
    | _free("prompt")
    | {"n": _one, "best_of": _one, "echo": _empty, "suffix": _empty, "stop": _empty, "logit_bias": _empty},
    "openai-responses": _OPENAI
    | _TOOLS
    | _free("input", "instructions", "reasoning", "truncation", "store")
    | {"text": _says_text, "include": _empty},
    "anthropic-messages": _free(
        "model", "messages", "system", "stream", "temperature", "top_p", "top_k", "service_tier"
    )
    | {"tools": _empty, "tool_choice": _any, "stop_sequences": _empty, "thinking": _is_disabled},
    "ollama-chat": _free("model", "messages", "stream", "keep_alive")
    | {"options": _samples, "tools": _empty, "format": _empty, "think": _empty, "logprobs": _empty},
    "ollama-generate": _free("model", "prompt", "system", "context", "stream", "keep_alive")
    | {"options": _samples, "format": _empty, "think": _empty, "raw": _empty, "images": _empty, "suffix": _empty}
    | {"logprobs": _empty},
}
