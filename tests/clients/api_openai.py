"""OpenAI's Chat Completions and legacy Completions: https://platform.openai.com/docs/api-reference/chat.

Chunks are as `/chat-streaming` has them: the role first, then content or pieces of tool calls, the finish reason in an
empty delta, and with `stream_options.include_usage` a last chunk without choices (all others then say `usage: null`).
"""

from __future__ import annotations

from typing import Any

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

SSE = "text/event-stream; charset=utf-8"


def headers(call: Call) -> dict[str, str]:
    return {
        "x-request-id": f"req_{call.nth:032x}",
        "openai-organization": "user-of-the-first-question",
        "openai-processing-ms": str(300 + call.nth),
        "openai-version": "2020-10-01",
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-remaining-requests": str(9999 - call.nth),
        "x-ratelimit-remaining-tokens": str(199_000 - call.nth),
        "x-ratelimit-reset-requests": "6ms",
        **cloudflare(call),
    }


def problem(call: Call) -> Failure | None:
    if not call.key:
        text = "You didn't provide an API key."
        error = {"message": text, "type": "invalid_request_error", "param": None, "code": None}
        return Failure("401 Unauthorized", {"error": error}, headers(call))
    if call.model == UNKNOWN_MODEL:
        text = f"The model `{call.model}` does not exist (request {call.nth})."
        error = {"message": text, "type": "invalid_request_error", "param": None, "code": "model_not_found"}
        return Failure("404 Not Found", {"error": error}, headers(call))
    return None


def chat(call: Call) -> Reply:
    failure = problem(call)
    if failure:
        return failure
    choices = range(call.body.get("n") or 1)
    if call.body.get("stream"):
        return Stream(SSE, [*map(sse, chat_chunks(call, choices)), sse("[DONE]")], headers(call))
    document = {
        "id": f"chatcmpl-{call.nth:029}",
        "object": "chat.completion",
        "created": call.created,
        "model": f"{call.model}-2025-06-01",
        "choices": [choice(call, index) for index in choices],
        "usage": usage(call),
        "service_tier": "default",
        "system_fingerprint": f"fp_{call.nth:010x}",
    }
    return Single(document, headers(call))


def wants_tool(call: Call) -> bool:
    """The model calls a tool when it is asked something, and says what came of it when it is told."""
    return bool(call.body.get("tools")) and call.body["messages"][-1]["role"] == "user"


def tool_call(call: Call, position: int, text: str) -> Json:
    name = call.body["tools"][0]["function"]["name"]
    return {"id": f"call_{position}{call.nth:023}", "type": "function", "function": {"name": name, "arguments": text}}


def choice(call: Call, index: int) -> Json:
    message: Json = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
    if wants_tool(call):
        message["tool_calls"] = [tool_call(call, place, dumps(told)) for place, told in enumerate(arguments(call))]
    else:
        message["content"] = "".join(words(call, index))
    return {
        "index": index,
        "message": message,
        "logprobs": logprobs(call, words(call, index)),
        "finish_reason": finish(call),
    }


def finish(call: Call) -> str:
    return "tool_calls" if wants_tool(call) else "stop"


def logprobs(call: Call, tokens: list[str]) -> Json | None:
    if not call.body.get("logprobs") or wants_tool(call):
        return None
    content = [{"token": t, "logprob": -0.25, "bytes": list(t.encode()), "top_logprobs": []} for t in tokens]
    return {"content": content, "refusal": None}


def usage(call: Call) -> Json:
    details = {
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    }
    return {
        "prompt_tokens": 19,
        "completion_tokens": 100 + call.nth,
        "total_tokens": 119 + call.nth,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": details,
    }


def tells_usage(call: Call) -> bool:
    return bool((call.body.get("stream_options") or {}).get("include_usage"))


def chat_chunks(call: Call, choices: range) -> list[Json]:
    head = {
        "id": f"chatcmpl-{call.nth:029}",
        "object": "chat.completion.chunk",
        "created": call.created,
        "model": f"{call.model}-2025-06-01",
        "service_tier": "default",
        "system_fingerprint": f"fp_{call.nth:010x}",
    }
    tail = {"usage": None} if tells_usage(call) else {}

    def chunk(index: int, delta: Json, *, reason: str | None = None, logs: Any = None) -> Json:
        part = {"index": index, "delta": delta, "logprobs": logs, "finish_reason": reason}
        return {**head, "choices": [part], **tail}

    chunks = []
    for index in choices:
        if wants_tool(call):
            head_of_message: Json = {"role": "assistant", "content": None, "refusal": None}
            for place, told in enumerate(arguments(call)):
                begun = {"index": place, **tool_call(call, place, "")}
                chunks.append(chunk(index, {**(head_of_message if place == 0 else {}), "tool_calls": [begun]}))
                for piece in cut(dumps(told)):
                    chunks.append(chunk(index, {"tool_calls": [{"index": place, "function": {"arguments": piece}}]}))
        else:
            chunks.append(chunk(index, {"role": "assistant", "content": "", "refusal": None}))
            for token in words(call, index):
                chunks.append(chunk(index, {"content": token}, logs=logprobs(call, [token])))
    chunks += [chunk(index, {}, reason=finish(call)) for index in choices]
    if tells_usage(call):
        chunks.append({**head, "choices": [], "usage": usage(call)})
    return chunks


def completion(call: Call) -> Reply:
    failure = problem(call)
    if failure:
        return failure
    head = {"id": f"cmpl-{call.nth:029}", "object": "text_completion", "created": call.created, "model": call.model}
    if not call.body.get("stream"):
        whole = {"text": "".join(words(call)), "index": 0, "logprobs": None, "finish_reason": "stop"}
        return Single({**head, "choices": [whole], "usage": usage(call)}, headers(call))
    tail = {"usage": None} if tells_usage(call) else {}
    parts = [{"text": token, "index": 0, "logprobs": None, "finish_reason": None} for token in words(call)]
    parts.append({"text": "", "index": 0, "logprobs": None, "finish_reason": "stop"})
    chunks = [{**head, "choices": [part], **tail} for part in parts]
    if tells_usage(call):
        chunks.append({**head, "choices": [], "usage": usage(call)})
    return Stream(SSE, [*map(sse, chunks), sse("[DONE]")], headers(call))
