"""What an answer says: a stored body reduced to the members that carry its meaning.

Pure. Of an API with a dialect only its texts and calls are meant; of any other document all but the members that differ
from answer to answer whatever was asked (ids, times, counters). The result is plain JSON values, to be compared.
"""

from __future__ import annotations

import re

import msgspec

from gateway.core.body import MAX_DEPTH
from gateway.core.dialects.base import Dialect
from gateway.core.jsonpath import JsonPath, compile_path
from gateway.core.messages import Form, Reason
from gateway.core.streams import Event, split

_decode = msgspec.json.Decoder().decode


def _paths(*texts: str) -> tuple[JsonPath, ...]:
    return tuple(compile_path(text) for text in texts)


_MEANT = {
    "openai-chat": _paths(
        "$.choices[*].message.content",
        "$.choices[*].message.refusal",
        "$.choices[*].message.tool_calls[*].function",
        "$.choices[*].message.function_call",
    ),
    "openai-completions": _paths("$.choices[*].text"),
    "openai-responses": _paths(
        "$.output[*].content[*].text",
        "$.output[*].content[*].refusal",
        "$.output[?@.type == 'function_call'].name",
        "$.output[?@.type == 'function_call'].arguments",
    ),
    "anthropic-messages": _paths(
        "$.content[?@.type == 'text'].text",
        "$.content[?@.type == 'tool_use'].name",
        "$.content[?@.type == 'tool_use'].input",
    ),
    "ollama-chat": _paths("$.message.content", "$.message.tool_calls[*].function"),
    "ollama-generate": _paths("$.response", "$.tool_calls[*].function"),
}
"""By dialect. Reasoning is left out: it is how an answer came about, and no two are alike."""

_NOTHING: tuple[object, ...] = (None, "", [], {})

# Compared in lower case, without `_` and `-`.
_VOLATILE = frozenset(
    [
        "id",
        "uuid",
        "guid",
        "etag",
        "nonce",
        "requestid",
        "responseid",
        "messageid",
        "conversationid",
        "threadid",
        "sessionid",
        "traceid",
        "runid",
        "chatid",
        "callid",
        "created",
        "createdat",
        "updatedat",
        "completedat",
        "generatedat",
        "timestamp",
        "servertime",
        "requesttime",
        "usage",
        "usagemetadata",
        "meta",
        "billedunits",
        "tokens",
        "tokencount",
        "tokensused",
        "tokenspersecond",
        "cost",
        "duration",
        "durationms",
        "totalduration",
        "loadduration",
        "promptevalcount",
        "promptevalduration",
        "evalcount",
        "evalduration",
        "latency",
        "latencyms",
        "elapsed",
        "elapsedms",
        "took",
        "tookms",
        "responsetime",
        "processingtime",
        "processingms",
        "timings",
        "logprobs",
        "avglogprobs",
        "confidence",
        "probability",
        "systemfingerprint",
        "modelversion",
        "servicetier",
        "cached",
    ]
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_FENCE = "```"
_INFO = re.compile(r"[a-zA-Z]*\s*")
"""What may stand behind the opening fence, on its line."""


def read_meaning(dialect: Dialect | None, form: Form, body: bytes, at: JsonPath | None = None) -> object | None:
    """What this stored answer says, at this place of it where one is known; None where it cannot be read."""
    try:
        document = _whole(dialect, form, body)
    except (ValueError, RecursionError):  # msgspec's own are ValueErrors, and so is broken UTF-8
        return None
    if document is None:
        return None
    if at is not None:
        return [_lasting(value, 0) for value in at.values([document])]
    meant = _MEANT.get(dialect.name) if dialect is not None else None
    if meant is None:
        return _lasting(document, 0)
    said = [
        [value for each in path.values([document]) if (value := _lasting(each, 0)) not in _NOTHING] for path in meant
    ]
    # An API's error, or an answer of another kind than is known here: all of it counts then.
    return said if any(said) else _lasting(document, 0)


def read_text(text: str) -> object:
    """A text as what it is: a JSON value where a whole one stands there (in a fence, too), else the text itself."""
    inner = _unfenced(text.strip())
    if not inner.startswith(("{", "[")):
        return text
    try:
        return _lasting(_decode(inner), 0)
    except (ValueError, RecursionError):
        return text


def _unfenced(text: str) -> str:
    """What stands in a fence, if the text is one. No expression for all of it: a model can be asked for a fence of thousands of
    blank lines, and to try all ways to read that takes hours."""
    if len(text) < 2 * len(_FENCE) or not (text.startswith(_FENCE) and text.endswith(_FENCE)):
        return text
    info, _, inner = text.removeprefix(_FENCE).removesuffix(_FENCE).partition("\n")
    return inner.strip() if _INFO.fullmatch(info) else text


def _whole(dialect: Dialect | None, form: Form, body: bytes) -> object | None:
    if form is Form.SINGLE:
        document: object = _decode(body)
        return document
    events = split(body, form)
    if dialect is None:
        return _joined(events)
    assembled = dialect.assemble(events)
    return None if isinstance(assembled, Reason) else assembled.document


def _joined(events: list[Event]) -> dict[str, str]:
    """The texts of a stream that nobody knows how to put together, by where they stand in its events."""
    found: dict[str, list[str]] = {}
    for event in events:
        if event.data is None:
            continue
        try:
            _gather(_lasting(_decode(event.data), 0), event.name.decode("latin-1"), found)
        except (ValueError, RecursionError):
            found.setdefault("", []).append(event.data.decode("utf-8", "replace"))
    return {place: "".join(texts) for place, texts in found.items()}


def _gather(value: object, place: str, found: dict[str, list[str]]) -> None:
    match value:
        case dict():
            for name, member in value.items():
                _gather(member, f"{place}.{name}", found)
        case list():
            for member in value:
                _gather(member, place, found)
        case str():
            found.setdefault(place, []).append(value)
        case _:
            found.setdefault(place, []).append(msgspec.json.encode(value).decode())


def _lasting(value: object, depth: int) -> object:
    """Without what differs in any two answers, and without what says nothing."""
    if depth > MAX_DEPTH:
        return None
    match value:
        case dict():
            members = {
                name: _lasting(member, depth + 1) for name, member in value.items() if not _is_volatile(name, member)
            }
            return {name: member for name, member in members.items() if member not in _NOTHING}
        case list():
            return [_lasting(member, depth + 1) for member in value]
        case _:
            return value


def _is_volatile(name: str, value: object) -> bool:
    plain = name.lower().replace("_", "").replace("-", "")
    return plain in _VOLATILE or (isinstance(value, str) and _UUID.fullmatch(value) is not None)
