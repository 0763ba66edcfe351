"""OpenAI's Responses API: https://platform.openai.com/docs/api-reference/responses-streaming.

A stream announces the response, then each item and part with its pieces, says each of them once more whole, and ends
with the whole response. Every event is numbered.
"""

from __future__ import annotations

from itertools import count

from api_common import Call, Json, Reply, Single, Stream, arguments, cut, dumps, sse, words
from api_openai import SSE, headers, problem


def response(call: Call) -> Reply:
    failure = problem(call)
    if failure:
        return failure
    output = items(call)
    if not call.body.get("stream"):
        return Single(document(call, "completed", output), headers(call))
    opened = document(call, "in_progress", [])
    told: list[Json] = [
        {"type": "response.created", "response": opened},
        {"type": "response.in_progress", "response": opened},
        *(event for index, item in enumerate(output) for event in item_events(call, index, item)),
        {"type": "response.completed", "response": document(call, "completed", output)},
    ]
    numbers = count()
    return Stream(
        SSE, [sse({**event, "sequence_number": next(numbers)}, event["type"]) for event in told], headers(call)
    )


def wants_tool(call: Call) -> bool:
    """As in `api_openai`; the input is a text, or a list of items."""
    told = call.body["input"][-1]
    return bool(call.body.get("tools")) and not (isinstance(told, dict) and told.get("type") == "function_call_output")


def document(call: Call, status: str, output: list[Json]) -> Json:
    ended = status == "completed"
    usage = {
        "input_tokens": 19,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 100 + call.nth,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 119 + call.nth,
    }
    return {
        "id": f"resp_{call.nth:048x}",
        "object": "response",
        "created_at": call.created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "model": f"{call.model}-2025-06-01",
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default" if ended else "auto",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [{"strict": True, **tool} for tool in call.body.get("tools") or []],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage if ended else None,
        "user": None,
        "metadata": {},
    }


def items(call: Call) -> list[Json]:
    """The output: a message, or calls."""
    if not wants_tool(call):
        done = {"id": f"msg_{call.nth:048x}", "type": "message", "status": "completed", "role": "assistant"}
        return [{**done, "content": [part("".join(words(call)))]}]
    return [
        {
            "id": f"fc_{place}{call.nth:047x}",
            "type": "function_call",
            "status": "completed",
            "arguments": dumps(told),
            "call_id": f"call_{place}{call.nth:023}",
            "name": call.body["tools"][0]["name"],
        }
        for place, told in enumerate(arguments(call))
    ]


def part(text: str) -> Json:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def item_events(call: Call, index: int, item: Json) -> list[Json]:
    where = {"item_id": item["id"], "output_index": index}
    is_text = item["type"] == "message"
    nothing: Json = {"content": []} if is_text else {"arguments": ""}
    begun = {**item, "status": "in_progress", **nothing}
    return [
        {"type": "response.output_item.added", "output_index": index, "item": begun},
        *(text_events(call, where) if is_text else call_events(item, where)),
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def text_events(call: Call, where: Json) -> list[Json]:
    text = "".join(words(call))
    where = {**where, "content_index": 0}
    deltas = [
        {"type": "response.output_text.delta", **where, "delta": token, "logprobs": [], "obfuscation": "x" * (nth % 5)}
        for nth, token in enumerate(words(call))
    ]
    return [
        {"type": "response.content_part.added", **where, "part": part("")},
        *deltas,
        {"type": "response.output_text.done", **where, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **where, "part": part(text)},
    ]


def call_events(item: Json, where: Json) -> list[Json]:
    kind = "response.function_call_arguments"
    text = item["arguments"]
    deltas = [{"type": f"{kind}.delta", **where, "delta": piece} for piece in cut(text)]
    return [*deltas, {"type": f"{kind}.done", **where, "arguments": text}]
