"""Ollama's own chat and generate APIs: https://github.com/ollama/ollama/blob/main/docs/api.md.

Both stream unless told otherwise: one object per line, the last one with the counts. A tool call comes whole, each in
a line of its own. There is nothing but a content type and a date in the head.
"""

from __future__ import annotations

from api_common import UNKNOWN_MODEL, Call, Failure, Json, Reply, Single, Stream, arguments, dumps, words


def chat(call: Call) -> Reply:
    if wants_tool(call):
        name = call.body["tools"][0]["function"]["name"]
        uses = [{"function": {"name": name, "arguments": told}} for told in arguments(call)]
        said: list[Json] = [{"content": "", "tool_calls": [use]} for use in uses]
        whole: Json = {"content": "", "tool_calls": uses}
    else:
        said = [{"content": token} for token in words(call)]
        whole = {"content": "".join(words(call))}
    lines = [{"message": {"role": "assistant", **each}} for each in said]
    return reply(
        call, lines, {"message": {"role": "assistant", "content": ""}}, {"message": {"role": "assistant", **whole}}
    )


def generate(call: Call) -> Reply:
    lines: list[Json] = [{"response": token} for token in words(call)]
    context = {"context": [1, 2, call.nth]}
    return reply(call, lines, {"response": "", **context}, {"response": "".join(words(call)), **context})


def wants_tool(call: Call) -> bool:
    return bool(call.body.get("tools")) and call.body["messages"][-1]["role"] == "user"


def reply(call: Call, lines: list[Json], last: Json, whole: Json) -> Reply:
    if call.model == UNKNOWN_MODEL:
        return Failure("404 Not Found", {"error": f"model '{call.model}' not found"}, headers(call))
    if call.body.get("stream", True):
        told = [{**begin(call, moment), **line, "done": False} for moment, line in enumerate(lines)]
        told.append({**begin(call, len(lines)), **last, **end(call)})
        return Stream("application/x-ndjson", [f"{dumps(each)}\n".encode() for each in told], headers(call))
    return Single({**begin(call, 0), **whole, **end(call)}, headers(call))


def headers(call: Call) -> dict[str, str]:
    return {"Date": f"Mon, 16 Jun 2025 00:00:{call.nth % 60:02} GMT"}


def begin(call: Call, moment: int) -> Json:
    created = f"2025-06-16T{call.nth // 60 % 24:02}:{call.nth % 60:02}:00.{moment:06}Z"
    return {"model": call.model, "created_at": created}


def end(call: Call) -> Json:
    return {
        "done": True,
        "done_reason": "stop",
        "total_duration": 5_000_000 + call.nth,
        "load_duration": 3_000_000,
        "prompt_eval_count": 19,
        "prompt_eval_duration": 400_000,
        "eval_count": 100 + call.nth,
        "eval_duration": 800_000,
    }
