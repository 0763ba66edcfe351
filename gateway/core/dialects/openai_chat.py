"""OpenAI's Chat Completions: a message, and a stream of deltas that add up to it.

Source: https://platform.openai.com/docs/api-reference/chat/object and /chat-streaming. A delta is shaped as the message
is, but each tool call carries the `index` it grows at. Reasoning (`reasoning_content` of DeepSeek and vLLM, `reasoning`
of OpenRouter) is text like the content; what else a message may have goes whole with the first delta.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.core.dialects.merge import Members, merge_deltas
from gateway.core.dialects.openai_chunks import ChunkStream, Share, steps
from gateway.core.dialects.wire import objects, pieces

# In the order in which a model says them.
_REASONING = ("reasoning_content", "reasoning")
_SAID = ("content", "refusal")
# Of these there is a message without content.
_INSTEAD = ("refusal", "tool_calls", "function_call", "audio")


class OpenAIChat(ChunkStream):
    name = "openai-chat"
    single_object = "chat.completion"
    chunk_object = "chat.completion.chunk"
    part = "delta"
    empty_part: object = {}
    whole = "message"

    def join(self, parts: list[object], doubts: list[str]) -> object:
        deltas = [part for part in parts if isinstance(part, dict)]
        if len(deltas) < len(parts):
            doubts.append(self.part)
        message = merge_deltas(deltas, doubts)
        calls = objects(message.get("tool_calls"))
        if calls:
            message["tool_calls"] = [_without_index(call) for call in calls]
        return self.settle(message)

    def settle(self, whole: object) -> object:
        """A message is the assistant's, with content or null; "" says no more than null where something else is said. A
        call's place in the list is its index."""
        if not isinstance(whole, dict):
            return whole
        message = {**whole, "role": whole.get("role") or "assistant", "content": whole.get("content")}
        if message["content"] == "" and any(message.get(name) for name in _INSTEAD):
            message["content"] = None
        calls = objects(message.get("tool_calls"))
        if calls:
            message["tool_calls"] = [
                _without_index(call) if call.get("index") == position else call for position, call in enumerate(calls)
            ]
        return message

    def take_apart(self, whole: object, logprobs: object) -> Iterator[Share]:
        if not isinstance(whole, dict):
            return
        calls = objects(whole.get("tool_calls")) or []
        function = whole.get("function_call")
        in_pieces = {name for name in (*_REASONING, *_SAID) if isinstance(whole.get(name), str)}
        opening: Members = {"role": whole.get("role") or "assistant", "content": None}
        for name, value in whole.items():
            if name in in_pieces:
                # OpenAI begins content with "" and a refusal with null. What stays empty is said here or nowhere.
                opening[name] = "" if name == "content" or not value else None
            elif not (
                name == "role"
                or (name == "tool_calls" and calls)
                or (name == "function_call" and isinstance(function, dict))
            ):
                opening[name] = value
        texts = {name: text for name in (*_REASONING, *_SAID) if (text := _text(whole, name))}
        speaker = next((name for name in _SAID if name in texts), None)
        yield opening, None if speaker else logprobs
        for name, text in texts.items():
            if name == speaker:
                for piece, share in steps(text, logprobs, _tokens(logprobs, name)):
                    yield {name: piece}, share
            else:
                yield from (({name: piece}, None) for piece in pieces(text))
        for position, call in enumerate(calls):
            for delta in _grow(call):
                yield {"tool_calls": [{"index": position, **_without_index(delta)}]}, None
        if isinstance(function, dict):
            for delta in _grow({"function": function}):
                yield {"function_call": delta["function"]}, None


def _grow(call: Members) -> Iterator[Members]:
    """A call, without its arguments at first."""
    function = call.get("function")
    arguments = function.get("arguments") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(arguments, str):
        yield call
        return
    yield {**call, "function": {**function, "arguments": ""}}
    for piece in pieces(arguments):
        yield {"function": {"arguments": piece}}


def _without_index(call: Members) -> Members:
    return {name: value for name, value in call.items() if name != "index"}


def _text(message: Members, name: str) -> str:
    value = message.get(name)
    return value if isinstance(value, str) else ""


def _tokens(logprobs: object, name: str) -> list[object]:
    entries = objects(logprobs.get(name)) if isinstance(logprobs, dict) else None
    return [entry.get("token") for entry in entries or []]
