"""The openai SDK for Node: Chat Completions and Responses."""

from __future__ import annotations

import api_openai
import api_responses
from speak_openai import PRIVATE, as_response, chat_heard, response_heard
from speaking import Heard, Question, Speaker
from workers import Worker


def chat(worker: Worker, url: str, key: str, question: Question) -> Heard:
    told = worker.tell({"url": url, "key": key, "api": "chat", "body": question.as_chat()})
    return chat_heard(told["headers"], told["parsed"])


def response(worker: Worker, url: str, key: str, question: Question) -> Heard:
    told = worker.tell({"url": url, "key": key, "api": "responses", "body": as_response(question)})
    return response_heard(told["headers"], told["parsed"])


SPEAKERS = [
    Speaker("node chat", api_openai.chat, None, PRIVATE, choices=True, worker="node", through=chat),
    Speaker("node responses", api_responses.response, None, PRIVATE, worker="node", through=response),
]
