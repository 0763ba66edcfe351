"""What the tests ask of every client, and what they want to hear of it: a Question in, Heard out.

`parsed` is what the client made of the answer, in its own shape: one document, or one for each event. `said` is what the
answer means, however it came, so that a stream and a single answer can be compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from api_common import Call, Json, Reply

TOOL: Json = {
    "name": "weather",
    "description": "The weather of a city on some days.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "array", "items": {"type": "integer"}}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
CHAT_TOOL: Json = {"type": "function", "function": TOOL}
QUESTION = "How do I reset my password?"
OTHER_WORDS = "What is the way to reset my password?"
MODEL = "model-1"


@dataclass(frozen=True)
class Question:
    """`stream`: as a stream, with its usage where that has to be asked for. `tools`: the model may call a tool.
    `choices`: so many answers at once."""

    text: str = QUESTION
    stream: bool = False
    tools: bool = False
    choices: int = 1
    usage: bool = True
    model: str = MODEL

    def as_chat(self) -> Json:
        """As the body of a chat completion."""
        body: Json = {"model": self.model, "messages": [{"role": "user", "content": self.text}]}
        if self.stream:
            body["stream"] = True
        if self.stream and self.usage:
            body["stream_options"] = {"include_usage": True}
        if self.tools:
            body["tools"] = [CHAT_TOOL]
        if self.choices > 1:
            body["n"] = self.choices
        return body


class ToolUse(NamedTuple):
    """`id` is None where the API gives none."""

    id: str | None
    name: str
    arguments: Any


@dataclass(frozen=True)
class Said:
    """The texts and ends of all choices, the calls of tools, and tokens in and out."""

    texts: list[str]
    calls: list[ToolUse]
    ends: list[str]
    usage: tuple[int, int] | None


@dataclass(frozen=True)
class Heard:
    headers: Mapping[str, str]
    """Names in lower case."""
    parsed: list[Any]
    said: Said

    @property
    def cache(self) -> str | None:
        return self.headers.get("x-cache")


Ask: TypeAlias = Callable[[str, str, Question], Heard]
"""The client asks at this URL, with this API key."""


@dataclass(frozen=True)
class Speaker:
    """A client. `api` is the answer of the API that it speaks, `private` the headers that are about the one who asked.
    One that runs in a process of its own asks `through` the fixture that `worker` names."""

    name: str
    api: Callable[[Call], Reply]
    ask: Ask | None = None
    private: frozenset[str] = frozenset()
    tools: bool = True
    choices: bool = False
    worker: str = ""
    through: Callable[..., Heard] | None = None


def lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def chat_said(parsed: list[Json]) -> Said:
    """Of a chat completion, or of its chunks."""
    if "message" in (parsed[0]["choices"] or [{}])[0]:
        choices = parsed[0]["choices"]
        calls = [call for choice in choices for call in choice["message"].get("tool_calls") or []]
        return Said(
            [choice["message"].get("content") or "" for choice in choices],
            [
                ToolUse(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
                for call in calls
            ],
            [choice["finish_reason"] for choice in choices],
            tokens(parsed),
        )
    texts: dict[int, str] = {}
    ends: dict[int, str] = {}
    begun: dict[tuple[int, int], list[Any]] = {}
    for choice in (choice for chunk in parsed for choice in chunk["choices"]):
        index, delta = choice["index"], choice["delta"]
        texts[index] = texts.get(index, "") + (delta.get("content") or "")
        if choice.get("finish_reason"):
            ends[index] = choice["finish_reason"]
        for call in delta.get("tool_calls") or []:
            assert isinstance(call["index"], int), "clients tell calls apart by their index"
            use = begun.setdefault((index, call["index"]), [call.get("id"), call["function"].get("name"), ""])
            use[2] += call["function"].get("arguments") or ""
    return Said(
        [texts[index] for index in sorted(texts)],
        [ToolUse(begun[place][0], begun[place][1], json.loads(begun[place][2])) for place in sorted(begun)],
        [ends[index] for index in sorted(ends)],
        tokens(parsed),
    )


def tokens(parsed: list[Json]) -> tuple[int, int] | None:
    """In and out, as the last that tells them says; None where nobody does."""
    told = [document["usage"] for document in parsed if document.get("usage")]
    return (told[-1]["prompt_tokens"], told[-1]["completion_tokens"]) if told else None
