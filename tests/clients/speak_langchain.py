"""LangChain's ChatOpenAI: invoke, stream and their async forms. Its chunks add up to a message by themselves."""

from __future__ import annotations

import asyncio
from functools import reduce
from operator import add
from typing import Any

import api_openai
import openai
from api_common import Json
from langchain_openai import ChatOpenAI
from speak_openai import PRIVATE
from speaking import CHAT_TOOL, Heard, Question, Said, Speaker, ToolUse, lower


def chat(url: str, key: str, question: Question) -> Heard:
    with openai.DefaultHttpxClient() as http:
        model = bound(question, base_url=f"{url}/v1", api_key=key, http_client=http)
        return heard(list(model.stream(question.text)) if question.stream else [model.invoke(question.text)])


def chat_async(url: str, key: str, question: Question) -> Heard:
    async def ask() -> Heard:
        async with openai.DefaultAsyncHttpxClient() as http:
            model = bound(question, base_url=f"{url}/v1", api_key=key, http_async_client=http)
            if question.stream:
                return heard([chunk async for chunk in model.astream(question.text)])
            return heard([await model.ainvoke(question.text)])

    return asyncio.run(ask())


def bound(question: Question, **more: Any) -> Any:
    more |= {"max_retries": 0, "include_response_headers": True, "stream_usage": question.usage}
    model = ChatOpenAI(model=question.model, **more)
    return model.bind_tools([CHAT_TOOL]) if question.tools else model


def heard(messages: list[Any]) -> Heard:
    headers = lower(messages[0].response_metadata["headers"])
    return Heard(headers, [plain(message) for message in messages], said(reduce(add, messages)))


def plain(message: Any) -> Json:
    """Without the id, which LangChain makes up for each of its runs, and the headers."""
    parsed: Json = message.model_dump()
    del parsed["id"]
    parsed["response_metadata"].pop("headers", None)
    return parsed


def said(message: Any) -> Said:
    calls = [ToolUse(call["id"], call["name"], call["args"]) for call in message.tool_calls]
    told = message.usage_metadata
    usage = (told["input_tokens"], told["output_tokens"]) if told else None
    return Said([message.content], calls, [message.response_metadata["finish_reason"]], usage)


SPEAKERS = [
    Speaker("langchain", api_openai.chat, chat, PRIVATE),
    Speaker("langchain async", api_openai.chat, chat_async, PRIVATE),
]
