"""A Meter watches one upstream answer pass by and reads what it cost: bounded, never in the way.

Of a stream only the events that speak of tokens are read, when they pass; a single answer is held (the same bytes that a
recording holds) and read at its end. Where an answer does not say what it cost, as OpenAI's streams do not unless asked,
or did not come to its end, tokens are estimated: four bytes of text are one. An error costs what it says, else nothing.
"""

from __future__ import annotations

import re

import msgspec

from gateway.core.jsonpath import JsonPath
from gateway.core.messages import Cost, Form
from gateway.core.policy import CachePolicy, answer_form, read_cost
from gateway.core.streams import split
from gateway.engine.tiers import Decode
from gateway.errors import Undecodable

BYTES_PER_TOKEN = 4
# Single answers beyond this are read in a thread: nobody else's events shall wait for them.
READ_IN_PLACE = 1 << 16

# What the covered APIs call text that was read or written, wherever it stands.
_TEXT = re.compile(
    rb'"(?:content|text|delta|input|prompt|system|instructions|query|message|arguments|partial_json|refusal|response|'
    rb'reasoning|reasoning_content|thinking)"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)'
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EVENT_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
# Members of an event that hold a whole answer, or parts of one, which tell usage as a single answer does.
_WITHIN = ("message", "response", "choices")

_decode = msgspec.json.Decoder().decode


class Meter:
    """Of one answer. `policy` says where its route's answers tell tokens, and how large a body may be."""

    def __init__(self, policy: CachePolicy, decode: Decode) -> None:
        self._policy = policy
        self._decode = decode
        self._needles = [_last_name(path) for path in (policy.prompt_tokens, policy.completion_tokens) if path]
        self._limit = policy.keep.max_body
        self._good = False
        self._ended = False
        self._form = Form.SINGLE
        self._codings = b""
        self._in_events = False
        self._begun = False
        self._held: list[bytes] = []
        self._size = 0
        self._prompt = self._completion = self._estimate = 0
        self.model = ""

    @property
    def heavy(self) -> bool:
        """Does reading what is held take a while?"""
        return self._size > READ_IN_PLACE

    def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._good = status // 100 == 2
        self._form = answer_form(headers)
        self._codings = b", ".join(value for name, value in headers if name == b"content-encoding")
        self._in_events = self._form is not Form.SINGLE and not self._codings

    def feed(self, piece: bytes, *, last: bool) -> None:
        """A piece of the body."""
        self._ended = last
        self._held.append(piece)
        self._size += len(piece)
        if self._in_events and (b"\n" in piece or b"\r" in piece):
            self._read_events()
        if self._size > self._limit:  # larger than anything that is kept: what it says of tokens is lost
            self._hold(b"")

    def read(self) -> None:
        """Nothing more will come. Perhaps not quick, if `heavy`."""
        body = b"".join(self._held)
        self._hold(b"")
        if self._codings:
            try:
                body = self._decode(self._codings, body, self._limit)
            except Undecodable:
                return
        if self._form is Form.SINGLE:
            self._tell(body)
            if not self._ended or not (self._prompt or self._completion):
                self._estimate = estimate_tokens(body)
        else:
            self._look_into(body)

    def cost(self, model: str, asked: bytes) -> Cost:
        """After `read`. `asked` is the request's body, if it is known."""
        prompt, completion = self._prompt, self._completion
        told = bool(prompt or completion)
        if self._good and not told:
            prompt = estimate_tokens(asked)
        if self._good and self._policy.completion_tokens is not None and not (told and self._ended):
            completion = max(completion, self._estimate)
        return Cost(model, prompt, completion)

    def _hold(self, rest: bytes) -> None:
        self._held = [rest] if rest else []
        self._size = len(rest)

    def _read_events(self) -> None:
        """Those that are whole."""
        so_far = b"".join(self._held)
        ends = (b"\n",) if self._form is Form.NDJSON else _EVENT_ENDS
        end = max(at + len(each) if (at := so_far.rfind(each)) >= 0 else 0 for each in ends)
        self._hold(so_far[end:])
        if end:
            self._look_into(so_far[:end])

    def _look_into(self, events: bytes) -> None:
        self._estimate += estimate_tokens(events)
        if self._begun and not self._speaks_of_tokens(events):
            return
        for event in split(events, self._form):
            if event.data is not None and (not self._begun or self._speaks_of_tokens(event.data)):
                self._begun = True  # the first names the model, even if none speaks of tokens
                self._tell(event.data)

    def _speaks_of_tokens(self, data: bytes) -> bool:
        return any(needle in data for needle in self._needles)

    def _tell(self, data: bytes) -> None:
        """What was said last stands."""
        try:
            document = _decode(data)
            parts = [document, *_parts(document)]
            costs = [read_cost(self._policy, None, [[each]]) for each in parts]
        except (ValueError, RecursionError):  # no JSON (broken UTF-8 is a ValueError too), or nested beyond all use
            return
        for cost in costs:
            self._prompt = cost.prompt or self._prompt
            self._completion = cost.completion or self._completion
        named = [each.get("model") for each in parts if isinstance(each, dict)]
        self.model = next((model for model in reversed(named) if isinstance(model, str)), self.model)


def estimate_tokens(data: bytes) -> int:
    """About how many tokens the texts in this JSON (or these events) are."""
    texts = [len(text) for text in _TEXT.findall(data)]
    return sum(-(-length // BYTES_PER_TOKEN) for length in texts)


def _parts(document: object) -> list[object]:
    if not isinstance(document, dict):
        return []
    found: list[object] = []
    for name in _WITHIN:
        within = document.get(name)
        found += within if isinstance(within, list) else [within]
    return found


def _last_name(path: JsonPath) -> bytes:
    """The member that a path leads to: what does not have it need not be read."""
    names = _NAME.findall(path.text)
    return b'"%s"' % names[-1].encode() if names else b""
