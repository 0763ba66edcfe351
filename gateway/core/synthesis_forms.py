"""A text that is being written -> the answer of the route's API, as one document or as a stream while it is written.

Pure. There is one document for each dialect, with nothing in it but the text; its stream is what the dialect renders of it.
So a stream's events before the text, those that tell a piece, and those after it are taken from a document with a mark in
the text's place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from gateway.core.dialects.base import Dialect
from gateway.core.dialects.wire import encode
from gateway.core.jsonpath import JsonPath
from gateway.core.messages import Entry, Form, Headers, Wanted
from gateway.core.streams import Event, split

_Object: TypeAlias = dict[str, object]
_decode = msgspec.json.Decoder().decode
# No model writes it, and no document has it: it stands for the text until there is one.
_MARK = "\ue000text\ue001"
_SEQUENCE = "sequence_number"


class Told(msgspec.Struct, frozen=True):
    """What an answer tells of itself: `token` makes its ids, `at` is its time (Unix seconds); tokens read and written; `cut`:
    it ended at its longest."""

    model: str
    token: str
    at: float
    prompt: int = 0
    completion: int = 0
    cut: bool = False


class CannotTell(ValueError):
    """This API's stream has no way to say that."""


def single_answer(dialect: Dialect, text: str, told: Told) -> bytes:
    """The whole answer as one document."""
    return encode(_document(dialect, text, told))


def filled_in(entry: Entry, answer: JsonPath, text: str) -> bytes | None:
    """A kept answer of an API without a dialect, with this text in place of its own; None where that has no place in it."""
    try:
        holder: list[object] = [_decode(entry.body)]
        places = answer.places(holder)
    except (ValueError, RecursionError):  # msgspec's own are ValueErrors, and so is broken UTF-8
        return None
    if len(places) != 1:
        return None
    container, key = places[0]
    container[key] = text  # type: ignore[index]
    return encode(holder[0])


def content_type(dialect: Dialect, form: Form) -> Headers:
    return ((b"content-type", dialect.single_type if form is Form.SINGLE else dialect.stream_type),)


class StreamedAnswer:
    """The stream of one answer: `begin`, then a `piece` for each text that comes, then `end`. Raises CannotTell where the
    dialect has no stream for such an answer."""

    def __init__(self, dialect: Dialect, wanted: Wanted, told: Told) -> None:
        self._dialect = dialect
        self._wanted = wanted
        self._told = told
        self._before, self._each, _ = self._parts(told)
        self._count = len(self._before)
        self._said: list[str] = []

    def begin(self) -> bytes:
        return b"".join([event.raw for event in self._before])

    def piece(self, text: str) -> bytes:
        self._said.append(text)
        self._count += 1
        return _written(self._each, text, self._count - 1)

    def end(self, *, prompt: int, completion: int, cut: bool) -> bytes:
        told = msgspec.structs.replace(self._told, prompt=prompt, completion=completion, cut=cut)
        _, _, after = self._parts(told)
        text = "".join(self._said)
        return b"".join([_written(event, text, self._count + nth) for nth, event in enumerate(after)])

    def _parts(self, told: Told) -> tuple[list[Event], Event, list[Event]]:
        """The events before the text, the one that tells it, and those after it."""
        whole = self._dialect.render(_document(self._dialect, _MARK, told), usage=self._wanted.usage)
        if whole is None:
            raise CannotTell(f"{self._dialect.name} has no stream for such an answer")
        events = split(whole, self._dialect.form)
        mark = encode(_MARK)
        first = next(nth for nth, event in enumerate(events) if event.data is not None and mark in event.data)
        return events[:first], events[first], events[first + 1 :]


def _written(event: Event, text: str, place: int) -> bytes:
    """The event with the text in place of the mark, and with its own place in the stream where it tells one."""
    if event.data is None or not event.data.startswith(b"{"):
        return event.raw
    payload = _filled(_decode(event.data), text)
    assert isinstance(payload, dict)
    if _SEQUENCE in payload:
        payload[_SEQUENCE] = place
    return event.raw.replace(event.data, encode(payload))


def _filled(value: object, text: str) -> object:
    match value:
        case dict():
            return {name: _filled(member, text) for name, member in value.items()}
        case list():
            return [_filled(member, text) for member in value]
        case _:
            return text if value == _MARK else value


def _document(dialect: Dialect, text: str, told: Told) -> _Object:
    document = _DOCUMENTS[dialect.name](text, told)
    dialect.renew(document, told.token, told.at)  # it knows how its API writes ids and times
    return document


def _usage(told: Told, prompt: str, completion: str) -> _Object:
    return {prompt: told.prompt, completion: told.completion, "total_tokens": told.prompt + told.completion}


def _chunked(kind: str, prefix: str, part: _Object, told: Told) -> _Object:
    return {
        "id": f"{prefix}-",
        "object": kind,
        "created": int(told.at),
        "model": told.model,
        "choices": [{"index": 0, **part, "logprobs": None, "finish_reason": "length" if told.cut else "stop"}],
        "usage": _usage(told, "prompt_tokens", "completion_tokens"),
    }


def _chat(text: str, told: Told) -> _Object:
    message = {"role": "assistant", "content": text, "refusal": None}
    return _chunked("chat.completion", "chatcmpl", {"message": message}, told)


def _completions(text: str, told: Told) -> _Object:
    return _chunked("text_completion", "cmpl", {"text": text}, told)


def _responses(text: str, told: Told) -> _Object:
    item = {
        "id": f"msg_{told.token}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }
    usage = _usage(told, "input_tokens", "output_tokens")
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    return {
        "id": "resp_",
        "object": "response",
        "created_at": int(told.at),
        "status": "incomplete" if told.cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if told.cut else None,
        "instructions": None,
        "metadata": {},
        "model": told.model,
        "output": [item],
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": usage | details,
    }


def _anthropic(text: str, told: Told) -> _Object:
    return {
        "id": "msg_",
        "type": "message",
        "role": "assistant",
        "model": told.model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "max_tokens" if told.cut else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": told.prompt, "output_tokens": told.completion},
    }


def _ollama(said: _Object, told: Told) -> _Object:
    return {
        "model": told.model,
        "created_at": _EPOCH,
        **said,
        "done": True,
        "done_reason": "length" if told.cut else "stop",
        "prompt_eval_count": told.prompt,
        "eval_count": told.completion,
    }


def _ollama_chat(text: str, told: Told) -> _Object:
    return _ollama({"message": {"role": "assistant", "content": text}}, told)


def _ollama_generate(text: str, told: Told) -> _Object:
    return _ollama({"response": text}, told)


_EPOCH = "1970-01-01T00:00:00.000000Z"

_DOCUMENTS: dict[str, Callable[[str, Told], _Object]] = {
    "openai-chat": _chat,
    "openai-completions": _completions,
    "openai-responses": _responses,
    "anthropic-messages": _anthropic,
    "ollama-chat": _ollama_chat,
    "ollama-generate": _ollama_generate,
}
