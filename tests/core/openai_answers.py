"""Answers of OpenAI's chat and completions and their chunks, for tests."""

from __future__ import annotations

import json

from gateway.core.dialects.base import Assembled
from gateway.core.dialects.registry import by_name
from gateway.core.messages import Form
from gateway.core.streams import split

CHAT, COMPLETIONS = by_name("openai-chat"), by_name("openai-completions")


HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}


TEXT_HEAD = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m"}


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


DONE = b"data: [DONE]\n\n"


def events_of(*chunks):
    """Chunks (objects, or bytes as they are) as events of a stream that ends as it should."""
    sent = (each if isinstance(each, bytes) else b"data: " + json.dumps(each).encode() + b"\n\n" for each in chunks)
    return split(b"".join([*sent, DONE]), Form.SSE)


def chunk(delta=None, finish=None, index=0, head=HEAD, top=(), **more):
    choice = {"index": index, "delta": {} if delta is None else delta, "finish_reason": finish, **more}
    return {**head, "choices": [choice], **dict(top)}


def text_chunk(text, finish=None, index=0, **more):
    return {**TEXT_HEAD, "choices": [{"index": index, "text": text, "finish_reason": finish, **more}]}


def assembled(*chunks, dialect=CHAT):
    answer = dialect.assemble(events_of(*chunks))
    assert isinstance(answer, Assembled), answer
    return answer


def data_of(stream):
    return [json.loads(event.data) for event in split(stream, Form.SSE) if event.data and event.data != b"[DONE]"]
