"""Anthropic's Messages API: https://docs.anthropic.com/en/docs/build-with-claude/streaming.

A stream is the message with nothing in it, each block with its deltas, a ping somewhere, how it ended, and the end. A
tool is called after a word about it, so an answer with two calls has three blocks.
"""

from __future__ import annotations

from api_common import (
    UNKNOWN_MODEL,
    Call,
    Failure,
    Json,
    Reply,
    Single,
    Stream,
    arguments,
    cloudflare,
    cut,
    dumps,
    sse,
    words,
)


def headers(call: Call) -> dict[str, str]:
    return {
        "request-id": f"req_{call.nth:024x}",
        "anthropic-organization-id": "organization-of-the-first-question",
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": str(49 - call.nth % 49),
        "anthropic-ratelimit-requests-reset": "2025-06-16T00:00:06Z",
        **cloudflare(call),
    }


def message(call: Call) -> Reply:
    if not call.key:
        return failure(call, "401 Unauthorized", "authentication_error", "x-api-key header is required")
    if call.model == UNKNOWN_MODEL:
        return failure(call, "404 Not Found", "not_found_error", f"model: {call.model}")
    if call.body.get("stream"):
        events = [sse(event, event["type"]) for event in message_events(call)]
        return Stream("text/event-stream; charset=utf-8", events, {"Cache-Control": "no-cache", **headers(call)})
    return Single(document(call, blocks(call), stop_reason(call), 100 + call.nth), headers(call))


def failure(call: Call, status: str, kind: str, text: str) -> Failure:
    error = {"type": kind, "message": text}
    return Failure(status, {"type": "error", "error": error, "request_id": f"req_{call.nth:024x}"}, headers(call))


def wants_tool(call: Call) -> bool:
    """As in `api_openai`; results of tools are blocks of a message of the user's."""
    told = call.body["messages"][-1]["content"][-1]
    return bool(call.body.get("tools")) and not (isinstance(told, dict) and told.get("type") == "tool_result")


def stop_reason(call: Call) -> str:
    return "tool_use" if wants_tool(call) else "end_turn"


def usage(output_tokens: int) -> Json:
    return {
        "input_tokens": 19,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }


def document(call: Call, content: list[Json], reason: str | None, output_tokens: int) -> Json:
    return {
        "model": call.model,
        "id": f"msg_{call.nth:024}",
        "type": "message",
        "role": "assistant",
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": usage(output_tokens),
    }


def blocks(call: Call) -> list[Json]:
    text = {"type": "text", "text": "".join(words(call))}
    if not wants_tool(call):
        return [text]
    name = call.body["tools"][0]["name"]
    uses = [
        {"type": "tool_use", "id": f"toolu_{place}{call.nth:023}", "name": name, "input": told}
        for place, told in enumerate(arguments(call))
    ]
    return [text, *uses]


def message_events(call: Call) -> list[Json]:
    events: list[Json] = [{"type": "message_start", "message": document(call, [], None, 1)}]
    for index, block in enumerate(blocks(call)):
        is_text = block["type"] == "text"
        begun = {**block, "text": ""} if is_text else {**block, "input": {}}
        events.append({"type": "content_block_start", "index": index, "content_block": begun})
        if index == 0:
            events.append({"type": "ping"})
        deltas: list[Json] = (
            [{"type": "text_delta", "text": token} for token in words(call)]
            if is_text
            else [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *cut(dumps(block["input"]))]]
        )
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    end = {"stop_reason": stop_reason(call), "stop_sequence": None}
    totals = {"input_tokens": 19, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    totals["output_tokens"] = 100 + call.nth
    return [*events, {"type": "message_delta", "delta": end, "usage": totals}, {"type": "message_stop"}]
