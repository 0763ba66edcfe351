"""The LiteLLM client, sync and async, as a client of an API that is like OpenAI's."""

from __future__ import annotations

import api_openai
from speak_openai import PRIVATE, chat_heard
from speaking import Heard, Question, Speaker
from workers import Worker


def chat(worker: Worker, url: str, key: str, question: Question) -> Heard:
    return ask(worker, url, key, question, is_async=False)


def chat_async(worker: Worker, url: str, key: str, question: Question) -> Heard:
    return ask(worker, url, key, question, is_async=True)


def ask(worker: Worker, url: str, key: str, question: Question, *, is_async: bool) -> Heard:
    body = {**question.as_chat(), "model": f"openai/{question.model}", "max_retries": 0}
    told = worker.tell({"api_base": f"{url}/v1", "api_key": key, "async": is_async, **body})
    if question.stream:
        for chunk in told["parsed"]:
            del chunk["created"]  # by LiteLLM's own clock
    return chat_heard(told["headers"], told["parsed"])


# Not asked for several choices: of a stream of them LiteLLM tells one end only.
SPEAKERS = [
    Speaker("litellm", api_openai.chat, None, PRIVATE, worker="litellm", through=chat),
    Speaker("litellm async", api_openai.chat, None, PRIVATE, worker="litellm", through=chat_async),
]
