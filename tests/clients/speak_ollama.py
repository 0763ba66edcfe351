"""The ollama Python client: chat, sync and async, and generate. It shows no headers, so its HTTP client is listened to."""

from __future__ import annotations

import asyncio
from typing import Any

import api_ollama
import httpx
import ollama
from api_common import Json
from speaking import CHAT_TOOL, Heard, Question, Said, Speaker, ToolUse, lower


def chat(url: str, key: str, question: Question) -> Heard:
    return _sync(url, key, question, "chat", as_chat(question))


def generate(url: str, key: str, question: Question) -> Heard:
    asked: Json = {"model": question.model, "prompt": question.text, "stream": question.stream}
    return _sync(url, key, question, "generate", asked)


def chat_async(url: str, key: str, question: Question) -> Heard:
    seen: list[httpx.Response] = []

    async def note(answer: httpx.Response) -> None:
        seen.append(answer)

    async def ask() -> list[Any]:
        hooks = {"response": [note]}
        async with ollama.AsyncClient(url, headers={"Authorization": f"Bearer {key}"}, event_hooks=hooks) as client:
            answer: Any = await client.chat(**as_chat(question))
            return [part async for part in answer] if question.stream else [answer]

    answers = asyncio.run(ask())
    return heard(seen, answers)


def as_chat(question: Question) -> Json:
    asked: Json = {
        "model": question.model,
        "messages": [{"role": "user", "content": question.text}],
        "stream": question.stream,
    }
    if question.tools:
        asked["tools"] = [CHAT_TOOL]
    return asked


def _sync(url: str, key: str, question: Question, name: str, asked: Json) -> Heard:
    seen: list[httpx.Response] = []
    hooks = {"response": [seen.append]}
    with ollama.Client(url, headers={"Authorization": f"Bearer {key}"}, event_hooks=hooks) as client:
        answer = getattr(client, name)(**asked)
        answers = list(answer) if question.stream else [answer]
    return heard(seen, answers)


def heard(seen: list[httpx.Response], answers: list[Any]) -> Heard:
    parsed = [answer.model_dump() for answer in answers]
    return Heard(lower(seen[-1].headers), parsed, said(parsed))


def said(parsed: list[Json]) -> Said:
    """Of a single answer or of lines, which add up alike."""
    text = "".join(each["response"] if "response" in each else each["message"]["content"] for each in parsed)
    calls = [call["function"] for each in parsed for call in (each.get("message") or {}).get("tool_calls") or []]
    last = parsed[-1]
    uses = [ToolUse(None, call["name"], call["arguments"]) for call in calls]
    return Said([text], uses, [last["done_reason"]], (last["prompt_eval_count"], last["eval_count"]))


SPEAKERS = [
    Speaker("ollama chat", api_ollama.chat, chat),
    Speaker("ollama chat async", api_ollama.chat, chat_async),
    Speaker("ollama generate", api_ollama.generate, generate, tools=False),
]
