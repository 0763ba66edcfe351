"""Ollama's own two APIs, chat and generate. Source: https://github.com/ollama/ollama/blob/main/docs/api.md.

A stream is one object per line. Its single answer is the last of them with the text, the calls and the log
probabilities of all, which is also how the server makes one. The two APIs differ in where the text stands.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TypeAlias

from gateway.core.dialects.base import Assembled
from gateway.core.dialects.wire import pieces, read, write_line
from gateway.core.messages import Form, Reason
from gateway.core.streams import Event

_Object: TypeAlias = dict[str, object]

# What a chunk says about its own moment, or about all that came before it: the last one stands.
_LAST_STANDS = frozenset(
    (
        *("created_at", "done", "done_reason", "context", "total_duration", "load_duration"),
        *("prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration"),
    )
)
_LISTS = frozenset({"tool_calls", "logprobs"})
_THINKING = "thinking"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d+))?(?:Z|[+-]\d\d:\d\d)")


class _Ollama(ABC):
    """Both APIs. Inside is what belongs to the text (`_text` names the text itself), outside is the rest of a chunk."""

    name: str
    form = Form.NDJSON
    stream_type = b"application/x-ndjson"
    single_type = b"application/json; charset=utf-8"
    usage_option: tuple[str, ...] = ()
    _text: str

    @abstractmethod
    def _apart(self, chunk: _Object) -> tuple[_Object, _Object | None]:
        """A chunk (or a single answer) -> outside, inside (None where it is not what it should be); copies."""

    @abstractmethod
    def _joined(self, outside: _Object, inside: _Object) -> _Object:
        """The reverse."""

    def assemble(self, events: list[Event]) -> Assembled | Reason:
        chunks: list[_Object] = []
        ended = False
        for event in events:
            if not event.data:
                continue
            chunk = read(event)
            if chunk is None:
                return Reason.NOT_JSON
            if chunk.get("error"):
                return Reason.REJECTED
            if ended:
                return Reason.INCOMPLETE
            ended = chunk.get("done") is True
            chunks.append(chunk)
        return self._together(chunks) if ended else Reason.INCOMPLETE

    def _together(self, chunks: list[_Object]) -> Assembled:
        parts = [self._apart(chunk) for chunk in chunks]
        outside, sure = _merge([outer for outer, _ in parts], texts=())
        inside, also_sure = _merge([inner for _, inner in parts if inner is not None], texts=(self._text, _THINKING))
        whole = self._joined(outside, inside)
        understood = sure and also_sure and all(inner is not None for _, inner in parts)
        return Assembled(_in_order_of(chunks[-1], whole), understood)

    def render(self, document: object, *, usage: bool) -> bytes | None:
        if not isinstance(document, dict) or document.get("done") is not True or document.get("error"):
            return None
        outside, inside = self._apart(document)
        if inside is None:
            return None
        text, thinking = inside.get(self._text), inside.get(_THINKING)
        if not isinstance(text, str | None) or not isinstance(thinking, str | None):
            return None
        if not all(isinstance(each, list | None) for each in (inside.get("tool_calls"), outside.get("logprobs"))):
            return None
        around: _Object = {name: outside[name] for name in ("model", "created_at") if name in outside}
        beside: _Object = {name: inside[name] for name in ("role",) if name in inside}
        if text is not None:
            beside[self._text] = inside[self._text] = ""  # every chunk of the API says it
        steps: list[tuple[_Object, _Object]] = []
        if thinking:
            del inside[_THINKING]
            steps += [({}, {_THINKING: piece}) for piece in pieces(thinking)]
        if text and outside.get("logprobs"):  # they stand with the text that they are about, so that stays together
            steps.append(({"logprobs": outside.pop("logprobs")}, {self._text: text}))
        elif text:
            steps += [({}, {self._text: piece}) for piece in pieces(text)]
        if inside.get("tool_calls"):
            steps.append(({}, {"tool_calls": inside.pop("tool_calls")}))
        lines = [write_line({**self._joined(around, beside | inner), "done": False, **outer}) for outer, inner in steps]
        lines.append(write_line(_in_order_of(document, self._joined(outside, inside))))
        return b"".join(lines)

    def adapt(self, events: list[Event], *, usage: bool) -> bytes | None:
        return b"".join([event.raw for event in events])

    def renew(self, payload: _Object, token: str, now: float) -> None:
        created = payload.get("created_at")
        shape = _TIME.fullmatch(created) if isinstance(created, str) else None
        if shape is not None:
            payload["created_at"] = _rfc3339(now, digits=len(shape[1] or ""))


class OllamaChat(_Ollama):
    name = "ollama-chat"
    _text = "content"

    def _apart(self, chunk: _Object) -> tuple[_Object, _Object | None]:
        outside = dict(chunk)
        inside = outside.pop("message", None)
        return outside, dict(inside) if isinstance(inside, dict) else None

    def _joined(self, outside: _Object, inside: _Object) -> _Object:
        return {**outside, "message": inside}


class OllamaGenerate(_Ollama):
    name = "ollama-generate"
    _text = "response"

    def _apart(self, chunk: _Object) -> tuple[_Object, _Object | None]:
        outside = dict(chunk)
        return outside, {name: outside.pop(name) for name in ("response", _THINKING, "tool_calls") if name in outside}

    def _joined(self, outside: _Object, inside: _Object) -> _Object:
        return {**outside, **inside}


def _merge(parts: list[_Object], texts: tuple[str, ...]) -> tuple[_Object, bool]:
    """What the parts add up to, and whether that is sure: of members that are not known to grow or to change, one value
    can stand for all only where they are the same."""
    whole: _Object = {}
    said: dict[str, list[str]] = {}
    listed: dict[str, list[object]] = {}
    sure = True
    for part in parts:
        for name, value in part.items():
            if name in texts and isinstance(value, str):
                said.setdefault(name, []).append(value)
            elif name in _LISTS and isinstance(value, list):
                listed.setdefault(name, []).extend(value)
            elif name in _LAST_STANDS or whole.get(name) is None:
                whole[name] = value
            elif value is not None:
                sure = sure and value == whole[name]
                whole[name] = value
    grown = {**{name: "".join(each) for name, each in said.items()}, **listed}
    return {**whole, **grown}, sure and all(whole.get(name) is None for name in grown)


def _in_order_of(model: _Object, members: _Object) -> _Object:
    return {name: members[name] for name in (*model, *members) if name in members}


def _rfc3339(at: float, *, digits: int) -> str:
    """A Unix time as RFC 3339 in UTC with so many digits after the point. The core has no calendar, as that is where the
    clock lives."""
    days, second = divmod(int(at), 86_400)
    # Years counted from 1 March end with their leap day; 1 March of the year 0 was 719,468 days before 1970.
    era, day = divmod(days + 719_468, 146_097)  # 400 years each
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    year += 400 * era + (month >= 10)
    fraction = f".{int(at % 1 * 10**digits):0{digits}d}" if digits else ""
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}{fraction}"
    return f"{year:04d}-{(month + 2) % 12 + 1:02d}-{day + 1:02d}T{clock}Z"
