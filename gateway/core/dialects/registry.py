"""The dialects by the names that routes files and presets use. One instance of each: they hold no state."""

from __future__ import annotations

from gateway.core.dialects.anthropic_messages import AnthropicMessages
from gateway.core.dialects.base import Dialect
from gateway.core.dialects.ollama import OllamaChat, OllamaGenerate
from gateway.core.dialects.openai_chat import OpenAIChat
from gateway.core.dialects.openai_completions import OpenAICompletions
from gateway.core.dialects.openai_responses import OpenAIResponses

_DIALECTS: tuple[Dialect, ...] = (
    OpenAIChat(),
    OpenAIResponses(),
    OpenAICompletions(),
    AnthropicMessages(),
    OllamaChat(),
    OllamaGenerate(),
)
_BY_NAME = {dialect.name: dialect for dialect in _DIALECTS}


def by_name(name: str) -> Dialect:
    """The dialect of this name, which is one of `DialectName` in the settings; KeyError for any other."""
    return _BY_NAME[name]
