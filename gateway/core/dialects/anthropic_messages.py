"""Anthropic's Messages API. Source: https://docs.anthropic.com/en/docs/build-with-claude/streaming.

A stream is the message with nothing in it, then each block of its content with what is added to it, then how it ended.
Its usage is told at both ends, as totals: what the end says stands. Unknown members of the message and of its blocks are
theirs; what an event says beside them has no place in a single answer, and no client of the API gives it one.
"""

from __future__ import annotations

import msgspec

from gateway.core.dialects.base import Assembled
from gateway.core.dialects.wire import DONE, encode, kind_of, objects, pieces, read, renew_id, write_event
from gateway.core.messages import Form, Reason
from gateway.core.streams import Event

# What each event may say; more is something that a single answer has no place for.
_MEMBERS = {
    "message_start": frozenset({"type", "message"}),
    "content_block_start": frozenset({"type", "index", "content_block"}),
    "content_block_delta": frozenset({"type", "index", "delta"}),
    "content_block_stop": frozenset({"type", "index"}),
    "message_delta": frozenset({"type", "delta", "usage", "context_management", "input_transformations"}),
    "message_stop": frozenset({"type"}),
}
# Known at the end only: null at first, then in the delta of the message.
_LATE = ("stop_reason", "stop_sequence", "stop_details", "container")
# Said by other events.
_NEVER_LATE = frozenset({"content", "usage"})
# Totals that the end tells again, and those that it alone tells.
_RETOLD = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
_TOLD_LATE = ("server_tool_use", "output_tokens_details", "iterations", "fallback_credit")
# Blocks whose input comes as pieces of JSON. Other blocks with an input come whole, as results of tools do.
_CALLS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
# By the member of a block that grows: the type of the deltas that it grows by, and the member that holds a piece.
_ADDED = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "input": ("input_json_delta", "partial_json"),
}


class AnthropicMessages:
    name = "anthropic-messages"
    form = Form.SSE
    stream_type = b"text/event-stream; charset=utf-8"
    single_type = b"application/json"
    usage_option: tuple[str, ...] = ()

    def assemble(self, events: list[Event]) -> Assembled | Reason:
        message = _Message()
        ended = False
        for event in events:
            if not event.data or (ended and event.data == DONE):  # DONE is not of this API, but some gateways send it
                continue
            if event.name == b"error":
                return Reason.REJECTED
            payload = read(event)
            if payload is None:
                return Reason.INCOMPLETE if event.data == DONE else Reason.NOT_JSON
            kind = kind_of(payload)
            if kind == "error" or payload.get("error"):
                return Reason.REJECTED
            if kind == "ping":
                continue
            if ended:
                return Reason.INCOMPLETE
            ended = kind == "message_stop"
            message.hear(kind, payload)
        return (message.whole() if ended else None) or Reason.INCOMPLETE

    def render(self, document: object, *, usage: bool) -> bytes | None:
        if not isinstance(document, dict) or document.get("type") != "message":
            return None
        blocks, total = objects(document.get("content")), document.get("usage")
        if blocks is None or not all(isinstance(block.get("type"), str) for block in blocks):
            return None
        if not isinstance(total, dict) or not isinstance(written := total.get("output_tokens"), int):
            return None
        late = {name: document[name] for name in _LATE if name in document}
        totals = {name: total[name] for name in (*_RETOLD, *_TOLD_LATE) if total.get(name) is not None}
        end: dict[str, object] = {"delta": late, "usage": totals}
        early = {name: value for name, value in total.items() if name not in _TOLD_LATE or value is None}
        early["output_tokens"] = min(1, written)  # the API has written about one token when it says this
        begun = {**document, "content": [], "usage": early, **dict.fromkeys(late)}
        if document.get("context_management") is not None:
            begun["context_management"] = None
            end["context_management"] = document["context_management"]
        stream = [_event("message_start", message=begun)]
        for index, block in enumerate(blocks):
            stream += _render_block(index, block)
        stream += [_event("message_delta", **end), _event("message_stop")]
        return b"".join(stream)

    def adapt(self, events: list[Event], *, usage: bool) -> bytes | None:
        return b"".join([event.raw for event in events])

    def renew(self, payload: dict[str, object], token: str, now: float) -> None:
        match payload:
            case {"type": "message"}:
                renew_id(payload, token)
            case {"type": "message_start", "message": dict(message)}:
                renew_id(message, token)


class _Message:
    """A message that is being told. `hear` all events, then ask for the `whole`."""

    def __init__(self) -> None:
        self._message: dict[str, object] | None = None
        self._blocks: list[_Block] = []
        self._open: dict[object, _Block] = {}
        self._faithful = True

    def hear(self, kind: str, payload: dict[str, object]) -> None:
        if not (payload.keys() <= _MEMBERS.get(kind, frozenset()) and self._take(kind, payload)):
            self._faithful = False

    def whole(self) -> Assembled | None:
        """None where the message never began."""
        if self._message is None:
            return None
        whole = [block.whole() for block in self._blocks]
        document = {**self._message, "content": [block for block, _ in whole]}
        return Assembled(document, self._faithful and not self._open and all(sure for _, sure in whole))

    def _take(self, kind: str, payload: dict[str, object]) -> bool:
        """Take in one event; False where it does not fit what came before."""
        match payload:
            case {"type": "content_block_delta", "index": int(index), "delta": dict(delta)}:
                block = self._open.get(index)
                return block is not None and block.take(delta)
            case {"type": "content_block_start", "index": int(index), "content_block": dict(given)}:
                fits = index == len(self._blocks)
                self._open[index] = _Block(given)
                self._blocks.append(self._open[index])
                return fits
            case {"type": "content_block_stop", "index": int(index)}:
                return self._open.pop(index, None) is not None
            case {"type": "message_start", "message": dict(message)} if self._message is None:
                self._message = message
                return not message.get("content")
            case {"type": "message_delta", "delta": dict(delta), **more}:
                return self._end(delta, more)
        return kind == "message_stop"

    def _end(self, delta: dict[str, object], more: dict[str, object]) -> bool:
        if self._message is None:
            return False
        usage = more.pop("usage", None)
        if not delta.keys().isdisjoint(_NEVER_LATE):
            return False
        _overwrite(self._message, delta)
        _overwrite(self._message, more)
        if isinstance(usage, dict):
            known = self._message.setdefault("usage", {})
            if not isinstance(known, dict):
                return False
            _overwrite(known, usage)
        return usage is None or isinstance(usage, dict)


def _overwrite(known: dict[str, object], said: dict[str, object]) -> None:
    """What is said later stands; null says nothing, but that there is such a member."""
    for name, value in said.items():
        if value is not None or name not in known:
            known[name] = value


class _Block:
    """A block of content that is being told: what was given at first, and what was added."""

    def __init__(self, given: dict[str, object]) -> None:
        self._given = given
        self._pieces: list[str] = []
        self._citations: list[object] = []
        self._signature: str | None = None
        kind = given.get("type")
        self._member = kind if kind == "text" or kind == "thinking" else "input"
        self._takes, self._piece = _ADDED[self._member]

    def take(self, delta: dict[str, object]) -> bool:
        """Take in what is added; False where it does not belong here."""
        piece = delta.get(self._piece)
        if delta.get("type") == self._takes and isinstance(piece, str):
            self._pieces.append(piece)
            return len(delta) == 2
        match delta:
            case {"type": "citations_delta", "citation": citation} if self._member == "text":
                self._citations.append(citation)
            case {"type": "signature_delta", "signature": str(signature)} if self._member == "thinking":
                if self._signature is not None or self._given.get("signature"):
                    return False
                self._signature = signature
            case _:
                return False
        return len(delta) == 2

    def whole(self) -> tuple[dict[str, object], bool]:
        """The block, and whether it is surely all that was said."""
        block = dict(self._given)
        sure = True
        if self._pieces:
            sure = self._add(block, "".join(self._pieces))
        if self._citations:
            cited = block.get("citations") or []
            block["citations"] = [*cited, *self._citations] if isinstance(cited, list) else self._citations
            sure = sure and isinstance(cited, list)
        if self._signature is not None:
            block["signature"] = self._signature
        return block, sure

    def _add(self, block: dict[str, object], said: str) -> bool:
        first = block.get(self._member)
        if self._member == "input":
            if said:
                try:
                    block["input"] = msgspec.json.decode(said)
                except (ValueError, RecursionError):
                    return False
            return not said or not first
        if not isinstance(first, str | None):
            return False
        block[self._member] = (first or "") + said
        return True


def _event(kind: str, **members: object) -> bytes:
    return write_event(kind, {"type": kind, **members})


def _render_block(index: int, block: dict[str, object]) -> list[bytes]:
    """The events of one block. What is no text, thinking or call of a tool comes whole with its first event."""
    begun = dict(block)
    deltas: list[dict[str, object]] = []
    kind = block["type"]
    if kind in _CALLS and "input" in block:
        begun["input"] = {}
        deltas += [
            {"type": "input_json_delta", "partial_json": piece} for piece in pieces(encode(block["input"]).decode())
        ]
    elif kind == "text" or kind == "thinking":
        said = block.get(kind)
        if isinstance(said, str):
            begun[kind] = ""
            deltas += [{"type": f"{kind}_delta", kind: piece} for piece in pieces(said)]
    if kind == "text" and isinstance(cited := block.get("citations"), list):
        begun["citations"] = []
        deltas += [{"type": "citations_delta", "citation": citation} for citation in cited]
    if kind == "thinking" and isinstance(block.get("signature"), str):
        begun["signature"] = ""
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    return [
        _event("content_block_start", index=index, content_block=begun),
        *(_event("content_block_delta", index=index, delta=delta) for delta in deltas),
        _event("content_block_stop", index=index),
    ]
