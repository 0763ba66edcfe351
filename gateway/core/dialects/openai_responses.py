"""OpenAI's Responses API. Source: https://platform.openai.com/docs/api-reference/responses-streaming.

Its stream ends with the whole single answer, in `response.completed`: that is the answer, if what was streamed before
agrees with it. Events that are not known here say nothing that the answer does not say, so they are passed over.
"""

from __future__ import annotations

import msgspec

from gateway.core.dialects.base import Assembled
from gateway.core.dialects.wire import DONE, kind_of, objects, pieces, read, renew_id, write_event
from gateway.core.messages import Form, Reason
from gateway.core.streams import Event

_ENDS_BADLY = frozenset({"error", "response.failed", "response.incomplete", "response.cancelled"})


class _Parts(msgspec.Struct, frozen=True):
    """How the parts in one list of an item are streamed: the list's member, the name of a part's index, its events."""

    member: str
    name: str
    events: str


class _Text(msgspec.Struct, frozen=True):
    """Where streamed text belongs: in a part of one of the item's lists, or (`parts` None) in the item itself."""

    parts: _Parts | None
    member: str
    events: str


_CONTENT = _Parts("content", "content_index", "response.content_part")
_SUMMARY = _Parts("summary", "summary_index", "response.reasoning_summary_part")
# By the type of the part, or of the item.
_PART_TEXTS = {
    "output_text": _Text(_CONTENT, "text", "response.output_text"),
    "refusal": _Text(_CONTENT, "refusal", "response.refusal"),
    "reasoning_text": _Text(_CONTENT, "text", "response.reasoning_text"),
    "summary_text": _Text(_SUMMARY, "text", "response.reasoning_summary_text"),
}
_ITEM_TEXTS = {
    "function_call": _Text(None, "arguments", "response.function_call_arguments"),
    "custom_tool_call": _Text(None, "input", "response.custom_tool_call_input"),
}
_ITEM_LISTS = {"message": (_CONTENT,), "reasoning": (_SUMMARY, _CONTENT)}
# Streamed by the API, but by hosted tools, which are given whole here: their items come with events of their own.
_HOSTED_TEXTS = (
    _Text(None, "arguments", "response.mcp_call_arguments"),
    _Text(None, "code", "response.code_interpreter_call_code"),
)
_DELTAS = {f"{text.events}.delta": text for text in (*_PART_TEXTS.values(), *_ITEM_TEXTS.values(), *_HOSTED_TEXTS)}


class OpenAIResponses:
    name = "openai-responses"
    form = Form.SSE
    stream_type = b"text/event-stream; charset=utf-8"
    single_type = b"application/json"
    usage_option: tuple[str, ...] = ()

    def assemble(self, events: list[Event]) -> Assembled | Reason:
        told = _Told()
        response: object = None
        ended = False
        for event in events:
            if not event.data:
                continue
            if event.data == DONE and ended:  # not of this API, but some servers send it as they do elsewhere
                continue
            payload = read(event)
            if payload is None:
                return Reason.INCOMPLETE if event.data == DONE else Reason.NOT_JSON
            kind = kind_of(payload)
            if event.name == b"error" or kind in _ENDS_BADLY or payload.get("error"):
                return Reason.REJECTED
            if ended:
                return Reason.INCOMPLETE
            if kind == "response.completed":
                ended = True
                response = payload.get("response")
            else:
                told.hear(kind, payload)
        if not isinstance(response, dict):
            return Reason.INCOMPLETE
        if response.get("output"):
            return Assembled(response, told.agrees(objects(response["output"])))
        # Several servers leave the list empty at the end though they streamed what belongs there.
        rebuilt = told.items()
        return Assembled({**response, "output": rebuilt} if rebuilt else response, told.agrees(rebuilt))

    def render(self, document: object, *, usage: bool) -> bytes | None:
        if not isinstance(document, dict) or document.get("status") != "completed":
            return None
        items = objects(document.get("output"))
        if items is None or document.get("error") is not None:
            return None
        stream = _Stream()
        begun = {**document, "status": "in_progress", "output": []}
        begun.update({late: None for late in ("completed_at", "usage") if late in document})
        stream.tell("response.created", response=begun)
        stream.tell("response.in_progress", response=begun)
        for at, item in enumerate(items):
            if not _render_item(stream, at, item):
                return None
        stream.tell("response.completed", response=document)
        return stream.whole()

    def adapt(self, events: list[Event], *, usage: bool) -> bytes | None:
        return b"".join([event.raw for event in events])

    def renew(self, payload: dict[str, object], token: str, now: float) -> None:
        response = payload.get("response")
        if not isinstance(response, dict):
            if "type" in payload:  # an event that is not about the whole response
                return
            response = payload
        renew_id(response, token)
        created = response.get("created_at")
        if isinstance(created, (int, float)):
            renewed = type(created)(now)
            response["created_at"] = renewed
            completed = response.get("completed_at")
            if isinstance(completed, (int, float)):  # an answer does not end before it began
                response["completed_at"] = completed + (renewed - created)


class _Told:
    """What a stream said before its last event."""

    def __init__(self) -> None:
        self._begun: set[int] = set()
        self._done: dict[int, dict[str, object]] = {}
        self._texts: dict[tuple[str, int, int], list[str]] = {}
        self._clear = True

    def hear(self, kind: str, payload: dict[str, object]) -> None:
        text = _DELTAS.get(kind)
        if text is not None:
            within = payload.get(text.parts.name) if text.parts else 0
            match payload:
                case {"output_index": int(at), "delta": str(delta)} if isinstance(within, int):
                    self._texts.setdefault((kind, at, within), []).append(delta)
                case _:
                    self._clear = False
        elif kind == "response.output_item.added" or kind == "response.output_item.done":
            match payload:
                case {"output_index": int(at), "item": dict(item)}:
                    self._begun.add(at)
                    if kind == "response.output_item.done":
                        self._done[at] = item
                case {"item": None}:
                    pass  # some servers count an item that they then do not send
                case _:
                    self._clear = False

    def items(self) -> list[dict[str, object]]:
        """The items that were streamed to their end. Their indices may have gaps."""
        return [self._done[at] for at in sorted(self._done)]

    def agrees(self, output: list[dict[str, object]] | None) -> bool:
        """Is everything that was streamed in the output? What is there besides was not streamed, but is the answer's."""
        if output is None or not self._clear:
            return False
        begun = sorted(self._begun)
        places = begun if len(begun) == len(output) else range(len(output))
        items = dict(zip(places, output, strict=True))
        return (
            self._begun <= items.keys()
            and all(items[at].get("type") == item.get("type") for at, item in self._done.items())
            and all(
                _text_in(items.get(at), _DELTAS[kind], within) == "".join(said)
                for (kind, at, within), said in self._texts.items()
            )
        )


def _text_in(item: dict[str, object] | None, text: _Text, within: int) -> object:
    if item is None or text.parts is None:
        return item and item.get(text.member)
    parts = objects(item.get(text.parts.member))
    return parts[within].get(text.member) if parts is not None and 0 <= within < len(parts) else None


class _Stream:
    """Events on their way out, counted."""

    def __init__(self) -> None:
        self._events: list[bytes] = []

    def tell(self, kind: str, **members: object) -> None:
        self._events.append(write_event(kind, {"type": kind, "sequence_number": len(self._events), **members}))

    def whole(self) -> bytes:
        return b"".join(self._events)


def _render_item(stream: _Stream, at: int, item: dict[str, object]) -> bool:
    """Stream one item; False where it cannot be. An item of a type that is not known here comes whole when it is added,
    and again when it is done."""
    kind = kind_of(item)
    text, lists = _ITEM_TEXTS.get(kind), _ITEM_LISTS.get(kind, ())
    parts = [(each, objects(item.get(each.member) or [])) for each in lists]
    said = item.get(text.member) if text is not None else ""
    if not isinstance(said, str) or any(members is None for _, members in parts):
        return False
    begun = item | {each.member: [] for each in lists if item.get(each.member)}
    if text is not None:
        begun[text.member] = ""
    if text is not None or lists:
        if not isinstance(item.get("id"), str):
            return False  # the events between could not say which item they are about
        begun.update({"status": "in_progress"} if "status" in item else {})
    place = {"item_id": item.get("id"), "output_index": at}
    stream.tell("response.output_item.added", output_index=at, item=begun)
    if text is not None:
        _render_text(stream, text, said, {}, place)
    for each, members in parts:
        for index, part in enumerate(members or []):
            _render_part(stream, each, part, {**place, each.name: index})
    stream.tell("response.output_item.done", output_index=at, item=item)
    return True


def _render_part(stream: _Stream, parts: _Parts, part: dict[str, object], place: dict[str, object]) -> None:
    text = _PART_TEXTS.get(kind_of(part))
    said = part.get(text.member) if text is not None else None
    if text is None or text.parts is not parts or not isinstance(said, str):
        stream.tell(f"{parts.events}.added", **place, part=part)
    else:
        begun = {**part, text.member: ""}
        begun.update({late: [] for late in ("annotations", "logprobs") if isinstance(part.get(late), list)})
        stream.tell(f"{parts.events}.added", **place, part=begun)
        _render_text(stream, text, said, part, place)
    stream.tell(f"{parts.events}.done", **place, part=part)


def _render_text(stream: _Stream, text: _Text, said: str, part: dict[str, object], place: dict[str, object]) -> None:
    annotations, logprobs = part.get("annotations"), part.get("logprobs")
    more = {"logprobs": logprobs or []} if text.events == "response.output_text" else {}
    # Log probabilities stand with the text that they are about, so that text stays together.
    for piece in [said] if logprobs else pieces(said):
        stream.tell(f"{text.events}.delta", **place, delta=piece, **more)
    if isinstance(annotations, list):
        for index, annotation in enumerate(annotations):
            stream.tell(f"{text.events}.annotation.added", **place, annotation_index=index, annotation=annotation)
    stream.tell(f"{text.events}.done", **place, **{text.member: said}, **more)
