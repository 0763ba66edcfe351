"""The openai Python SDK, sync and async: Chat Completions, Responses and legacy Completions."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import api_openai
import api_responses
import openai
from api_common import Call, Json
from speaking import TOOL, Heard, Question, Said, Speaker, ToolUse, chat_said, lower, tokens

PRIVATE = frozenset(name.lower() for name in api_openai.headers(Call(b"", "", {}, 1))) - {"date", "server"}


def chat(url: str, key: str, question: Question) -> Heard:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        return chat_heard(*_sync(client.chat.completions, question.as_chat()))


def chat_async(url: str, key: str, question: Question) -> Heard:
    async def ask() -> Heard:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
            return chat_heard(*await _async(client.chat.completions, question.as_chat()))

    return asyncio.run(ask())


def response(url: str, key: str, question: Question) -> Heard:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        return response_heard(*_sync(client.responses, as_response(question)))


def response_async(url: str, key: str, question: Question) -> Heard:
    async def ask() -> Heard:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
            return response_heard(*await _async(client.responses, as_response(question)))

    return asyncio.run(ask())


def completion(url: str, key: str, question: Question) -> Heard:
    body: Json = {"model": question.model, "prompt": question.text}
    if question.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        headers, parsed = _sync(client.completions, body)
    parts = [choice for each in parsed for choice in each["choices"]]
    ends = [part["finish_reason"] for part in parts if part["finish_reason"]]
    return Heard(headers, parsed, Said(["".join(part["text"] for part in parts)], [], ends, tokens(parsed)))


def as_response(question: Question) -> Json:
    body: Json = {"model": question.model, "input": question.text}
    if question.stream:
        body["stream"] = True
    if question.tools:
        body["tools"] = [{"type": "function", "strict": True, **TOOL}]
    return body


def _sync(resource: Any, body: Json) -> tuple[dict[str, str], list[Json]]:
    raw = resource.with_raw_response.create(**body)
    answer = raw.parse()
    events = list(answer) if body.get("stream") else [answer]
    return lower(raw.headers), [event.model_dump() for event in events]


async def _async(resource: Any, body: Json) -> tuple[dict[str, str], list[Json]]:
    raw = await resource.with_raw_response.create(**body)
    answer = raw.parse()
    events = [event async for event in answer] if body.get("stream") else [answer]
    return lower(raw.headers), [event.model_dump() for event in events]


def chat_heard(headers: dict[str, str], parsed: list[Json]) -> Heard:
    return Heard(headers, parsed, chat_said(parsed))


def response_heard(headers: dict[str, str], parsed: list[Json]) -> Heard:
    return Heard(headers, parsed, response_said(parsed))


def response_said(parsed: list[Json]) -> Said:
    """Of a response, or of its events: then what the deltas say, not what the last event repeats."""
    final = parsed[-1].get("response") or parsed[-1]
    usage = final["usage"]["input_tokens"], final["usage"]["output_tokens"]
    ends = [final["status"]]
    if "response" not in parsed[-1]:
        texts = [part["text"] for item in final["output"] for part in item.get("content") or []]
        return Said(texts or [""], [_use(item, item["arguments"]) for item in _calls(final["output"])], ends, usage)
    text = "".join(event["delta"] for event in parsed if event["type"] == "response.output_text.delta")
    added = [event["item"] for event in parsed if event["type"] == "response.output_item.added"]
    told = [event for event in parsed if event["type"] == "response.function_call_arguments.delta"]
    calls = [
        _use(item, "".join(event["delta"] for event in told if event["item_id"] == item["id"]))
        for item in _calls(added)
    ]
    return Said([text], calls, ends, usage)


def _calls(items: list[Json]) -> list[Json]:
    return [item for item in items if item["type"] == "function_call"]


def _use(item: Json, arguments: str) -> ToolUse:
    return ToolUse(item["call_id"], item["name"], json.loads(arguments))


SPEAKERS = [
    Speaker("openai chat", api_openai.chat, chat, PRIVATE, choices=True),
    Speaker("openai chat async", api_openai.chat, chat_async, PRIVATE, choices=True),
    Speaker("openai responses", api_responses.response, response, PRIVATE),
    Speaker("openai responses async", api_responses.response, response_async, PRIVATE),
    Speaker("openai completions", api_openai.completion, completion, PRIVATE, tools=False),
]
