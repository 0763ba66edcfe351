"""Answers of Ollama's two APIs, line by line, for tests."""

from __future__ import annotations

import json

import pytest

from gateway.core.dialects.ollama import OllamaChat, OllamaGenerate
from gateway.core.messages import Form
from gateway.core.streams import split

CHAT, GENERATE = OllamaChat(), OllamaGenerate()


BOTH = pytest.mark.parametrize("dialect", [CHAT, GENERATE], ids=["chat", "generate"])


STATISTICS = {
    "done_reason": "stop",
    "total_duration": 4883583458,
    "load_duration": 1334875,
    "prompt_eval_count": 26,
    "prompt_eval_duration": 342546000,
    "eval_count": 282,
    "eval_duration": 4535599000,
}


CALL = {"function": {"name": "tide", "arguments": {"place": "Brest", "days": [1, 2]}}}


LOGPROBS = [
    {"token": "Twice", "logprob": -0.1, "bytes": [84], "top_logprobs": [{"token": "Twice", "logprob": -0.1}]},
    {"token": " a day.", "logprob": -0.25},
]


def created(second):
    return f"2025-11-20T08:15:{second:02d}.123456789Z"


def chat_chunk(second=0, *, done=False, outside=None, **message):
    beside = {**(outside or {}), **(STATISTICS if done else {})}
    message = {"role": "assistant", "content": "", **message}
    return {"model": "qwen3", "created_at": created(second), "message": message, "done": done, **beside}


def generate_chunk(second=0, *, done=False, outside=None, content="", **inside):
    beside = {**(outside or {}), **({**STATISTICS, "context": [128006, 882]} if done else {})}
    return {"model": "qwen3", "created_at": created(second), "response": content, **inside, "done": done, **beside}


def chunk(dialect, *arguments, **members):
    return (chat_chunk if dialect is CHAT else generate_chunk)(*arguments, **members)


def lines(*chunks):
    return b"".join(json.dumps(each).encode() + b"\n" for each in chunks)


def assembled(dialect, *chunks):
    return dialect.assemble(split(lines(*chunks), Form.NDJSON))


def told(body):
    return [json.loads(line) for line in body.splitlines()]


def hello(dialect):
    return [chunk(dialect, 1, content="Hel"), chunk(dialect, 2, content="lo 🌊"), chunk(dialect, 3, done=True)]
