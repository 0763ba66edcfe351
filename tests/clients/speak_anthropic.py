"""The anthropic Python SDK, sync and async."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anthropic
import api_anthropic
from api_common import Call, Json
from speaking import TOOL, Heard, Question, Said, Speaker, ToolUse, lower

PRIVATE = frozenset(name.lower() for name in api_anthropic.headers(Call(b"", "", {}, 1))) - {"date", "server"}


def message(url: str, key: str, question: Question) -> Heard:
    with anthropic.Anthropic(base_url=url, api_key=key, max_retries=0) as client:
        raw: Any = client.messages.with_raw_response.create(**body(question))
        answer = raw.parse()
        return heard(raw.headers, list(answer) if question.stream else [answer])


def message_async(url: str, key: str, question: Question) -> Heard:
    async def ask() -> Heard:
        async with anthropic.AsyncAnthropic(base_url=url, api_key=key, max_retries=0) as client:
            raw: Any = await client.messages.with_raw_response.create(**body(question))
            answer = await parsed if asyncio.iscoroutine(parsed := raw.parse()) else parsed
            return heard(raw.headers, [event async for event in answer] if question.stream else [answer])

    return asyncio.run(ask())


def body(question: Question) -> Json:
    asked: Json = {
        "model": question.model,
        "max_tokens": 1024,
        "messages": [{"role": "user", "content": question.text}],
        "stream": question.stream,
    }
    if question.tools:
        parameters = TOOL["parameters"]
        asked["tools"] = [{"name": TOOL["name"], "description": TOOL["description"], "input_schema": parameters}]
    return asked


def heard(headers: Any, answers: list[Any]) -> Heard:
    parsed = [answer.model_dump() for answer in answers]
    return Heard(lower(headers), parsed, said(parsed))


def said(parsed: list[Json]) -> Said:
    """Of a message, or of its events."""
    if parsed[0]["type"] == "message":
        whole = parsed[0]
        text = "".join(block["text"] for block in whole["content"] if block["type"] == "text")
        uses = [_use(block, block["input"]) for block in whole["content"] if block["type"] == "tool_use"]
        return Said([text], uses, [whole["stop_reason"]], _tokens(whole["usage"]))
    deltas = [event for event in parsed if event["type"] == "content_block_delta"]
    text = "".join(event["delta"].get("text") or "" for event in deltas)
    uses = []
    for event in parsed:
        if event["type"] == "content_block_start" and event["content_block"]["type"] == "tool_use":
            mine = [each["delta"]["partial_json"] for each in deltas if each["index"] == event["index"]]
            uses.append(_use(event["content_block"], json.loads("".join(mine))))
    end = next(event for event in parsed if event["type"] == "message_delta")
    return Said([text], uses, [end["delta"]["stop_reason"]], _tokens(end["usage"]))


def _use(block: Json, arguments: Any) -> ToolUse:
    return ToolUse(block["id"], block["name"], arguments)


def _tokens(usage: Json) -> tuple[int, int]:
    return usage["input_tokens"], usage["output_tokens"]


SPEAKERS = [
    Speaker("anthropic", api_anthropic.message, message, PRIVATE),
    Speaker("anthropic async", api_anthropic.message, message_async, PRIVATE),
]
