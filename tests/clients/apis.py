"""The public APIs of OpenAI, Anthropic and Ollama, small but as their documentation has them, for the real clients.

One server speaks all of them. Each answer is new: its number stands in its text, its id, its time and its counters, so
that a test can tell an answer that was kept from one that was asked for again. What each API says is in `api_*.py`;
how it is put on the wire, and what every API sends around it, is here.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import api_anthropic
import api_ollama
import api_openai
import api_responses
from api_common import Call, Failure, Reply, Single, Stream
from running import Exchange, RawUpstream

__all__ = ["Apis", "Call", "answer_to", "wire"]

PATHS: dict[bytes, Callable[[Call], Reply]] = {
    b"/v1/chat/completions": api_openai.chat,
    b"/v1/completions": api_openai.completion,
    b"/v1/responses": api_responses.response,
    b"/v1/messages": api_anthropic.message,
    b"/api/chat": api_ollama.chat,
    b"/api/generate": api_ollama.generate,
}


@dataclass
class Apis:
    """The server. `asked` has the calls of each API key, in order."""

    server: RawUpstream = field(default_factory=RawUpstream)
    asked: dict[str, list[Call]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.server.behaviour = self.behave

    @property
    def url(self) -> str:
        return self.server.url

    def calls(self, key: str) -> int:
        """How many questions came with this key; other requests, such as LiteLLM's for a list of models, are none."""
        return sum(call.path in PATHS for call in self.asked.get(key, []))

    async def behave(self, exchange: Exchange) -> None:
        call = read(exchange)
        self.asked.setdefault(call.key, []).append(call)
        for piece in wire(answer_to(call), zipped=call.takes_gzip):
            await exchange.send(piece)

    def stop(self) -> None:
        self.server.stop()


def read(exchange: Exchange) -> Call:
    path = exchange.request_line.split(b" ")[1].partition(b"?")[0]
    tokens = exchange.values(b"x-api-key") or [
        value.removeprefix(b"Bearer ") for value in exchange.values(b"authorization")
    ]
    codings = b",".join(exchange.values(b"accept-encoding"))
    document = json.loads(exchange.body or b"{}")
    return Call(path, tokens[0].decode() if tokens else "", document, exchange.nth + 1, b"gzip" in codings)


def answer_to(call: Call) -> Reply:
    if call.path not in PATHS:
        return Failure("404 Not Found", {"error": {"message": f"Unknown request URL: {call.path.decode()}"}}, {})
    return PATHS[call.path](call)


def wire(reply: Reply, *, zipped: bool = False) -> list[bytes]:
    """The pieces in which an answer is sent. Single answers are compressed where the client takes it; streams come in
    chunks, an event in each."""
    match reply:
        case Single(document, headers):
            return _whole("200 OK", document, headers, zipped)
        case Failure(status, document, headers):
            return _whole(status, document, headers, zipped)
        case Stream(kind, events, headers):
            head = _head("200 OK", {"Content-Type": kind, "Transfer-Encoding": "chunked", **headers})
            return [head, *(b"%x\r\n%s\r\n" % (len(event), event) for event in events), b"0\r\n\r\n"]


def _whole(status: str, document: Any, headers: dict[str, str], zipped: bool) -> list[bytes]:
    body = json.dumps(document, ensure_ascii=False).encode()
    coding = {}
    if zipped:
        body = gzip.compress(body)
        coding = {"Content-Encoding": "gzip"}
    about = {"Content-Type": "application/json", "Content-Length": str(len(body)), **coding}
    return [_head(status, {**about, **headers}) + body]


def _head(status: str, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"
