"""Questions that nobody asked before, and answers in pieces: what the scenarios of streams ask and get."""

from __future__ import annotations

import itertools
from typing import Any

import httpx

PLAIN = [b'data: {"a": 1}\n\n', b'data: {"a": 2}\n\n', b"data: [DONE]\n\n"]
numbers = itertools.count()


def question() -> str:
    return f"question number {next(numbers)} of this kind"


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"query": text, "stream": True, **more}


def verdict(answer: httpx.Response) -> str:
    found: str = answer.headers["x-cache"]
    return found
