"""Answers of Anthropic's Messages API and its events, for tests."""

from __future__ import annotations

import json

from gateway.core.dialects.anthropic_messages import AnthropicMessages
from gateway.core.messages import Form
from gateway.core.streams import split

DIALECT = AnthropicMessages()


PING = {"type": "ping"}


STOP = {"type": "message_stop"}


def message(*content, **members):
    return {
        "id": "msg_01XyZ",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": list(content),
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 21,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 64,
            "service_tier": "standard",
        },
        **members,
    }


def start(**members):
    begun = message(stop_reason=None, **members)
    begun["usage"] = {**begun["usage"], "output_tokens": 2}
    return {"type": "message_start", "message": begun}


def begin(index, **block):
    return {"type": "content_block_start", "index": index, "content_block": block}


def add(index, kind, **delta):
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **delta}}


def close(index):
    return {"type": "content_block_stop", "index": index}


def end(reason="end_turn", usage=None, **members):
    delta = {"stop_reason": reason, "stop_sequence": None}
    return {"type": "message_delta", "delta": delta, "usage": usage or {"output_tokens": 64}, **members}


def sse(*payloads):
    return b"".join(b"event: %s\ndata: %s\n\n" % (p["type"].encode(), json.dumps(p).encode()) for p in payloads)


def assembled(*payloads):
    return DIALECT.assemble(split(sse(*payloads), Form.SSE))


def told(body):
    return [json.loads(event.data) for event in split(body, Form.SSE)]


HELLO = [begin(0, type="text", text=""), PING, add(0, "text_delta", text="Hel"), add(0, "text_delta", text="lo 🌊")]


WHOLE = [start(), *HELLO, close(0), end(), STOP]


CITATION = {"type": "char_location", "cited_text": "Tides", "document_index": 0, "start_char_index": 0}


THINKING = {"type": "thinking", "thinking": "The moon pulls.", "signature": "EqQBCgIYAg=="}


TEXT_BLOCK = {"type": "text", "text": "Twice a day.", "citations": [CITATION, {**CITATION, "start_char_index": 9}]}


CALL = {"type": "tool_use", "id": "toolu_1", "name": "tide", "input": {"place": "Brest", "days": [1, 2]}}


EMPTY_CALL = {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}}


SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "tides"}}


FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [
        {"type": "web_search_result", "url": "https://example.org/", "title": "Tides", "encrypted_content": "E"}
    ],
}


REDACTED = {"type": "redacted_thinking", "data": "EmwKAhgB"}


FULL = message(
    THINKING,
    REDACTED,
    {"type": "text", "text": "I will look."},
    SEARCH,
    FOUND,
    TEXT_BLOCK,
    CALL,
    EMPTY_CALL,
    stop_reason="tool_use",
    container={"id": "container_1", "expires_at": "2026-01-01T00:00:00Z"},
    stop_details=None,
)


FULL["usage"] |= {
    "cache_read_input_tokens": 7,
    "server_tool_use": {"web_search_requests": 1},
    "output_tokens_details": {"thinking_tokens": 30},
}
