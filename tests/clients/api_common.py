"""What the imitated APIs share: the request as they read it, the three kinds of answer, and what the model says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

UNKNOWN_MODEL = "no-such-model"


@dataclass(frozen=True)
class Call:
    """One request. `nth` counts from 1 over all APIs."""

    path: bytes
    key: str
    body: Json
    nth: int
    takes_gzip: bool = False

    @property
    def model(self) -> str:
        return str(self.body.get("model"))

    @property
    def created(self) -> int:
        """Seconds; another second for each call, however fast they come."""
        return 1_750_000_000 + self.nth


@dataclass(frozen=True)
class Single:
    document: Json
    headers: dict[str, str]


@dataclass(frozen=True)
class Failure:
    status: str
    document: Json
    headers: dict[str, str]


@dataclass(frozen=True)
class Stream:
    kind: str
    events: list[bytes]
    headers: dict[str, str]


Reply: TypeAlias = Single | Failure | Stream


def words(call: Call, choice: int = 0) -> list[str]:
    """The tokens of what the model says. Some are characters of two and of four bytes."""
    tokens = [
        "Gr",
        "üß",
        "e",
        ",",
        " answer",
        f" {call.nth}",
        f" of choice {choice}",
        ":",
        " the Eiffel tower",
        " 🗼",
        ".",
    ]
    return [*tokens, "\n", "It stands", " in Paris", "."]


def arguments(call: Call) -> list[Json]:
    """With what the model calls a tool: twice, in parallel."""
    return [{"city": city, "days": [1, 2], "call": call.nth} for city in ("Zürich", "Genève")]


def cut(text: str) -> list[str]:
    """In pieces that begin and end anywhere."""
    return [text[begin : begin + 7] for begin in range(0, len(text), 7)]


def dumps(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def sse(document: Any, name: str = "") -> bytes:
    data = document if isinstance(document, str) else dumps(document)
    return (f"event: {name}\n" if name else "").encode() + f"data: {data}\n\n".encode()


def cloudflare(call: Call) -> dict[str, str]:
    """What the network in front of OpenAI and Anthropic adds; the cookie is about the machine that asks."""
    return {
        "CF-RAY": f"{call.nth:016x}-ZRH",
        "Set-Cookie": f"__cf_bm=machine{call.nth}; path=/; HttpOnly; Secure; SameSite=None",
        "Date": f"Mon, 16 Jun 2025 00:00:{call.nth % 60:02} GMT",
        "Server": "cloudflare",
    }
