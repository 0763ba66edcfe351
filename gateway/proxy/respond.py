"""A fixed answer instead of an upstream: for trying the gateway out without a network, and as a last fallback."""

from __future__ import annotations

from gateway.proxy.answer import Answer
from gateway.proxy.breaker import Breaker
from gateway.proxy.upstream import Call, Failure


class Respond:
    """Answers every call with the same status, headers (lower-case names) and body."""

    attempts = 1
    retry_on: frozenset[str | int] = frozenset()
    max_wait = 0.0
    breaker = Breaker(failures=0)

    def __init__(self, name: str, status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes) -> None:
        self.name = name
        self._status = status
        self._headers = [*headers, (b"content-length", b"%d" % len(body))]
        self._body = body

    async def ask(self, call: Call) -> Answer | Failure:
        body = b"" if call.method == "HEAD" else self._body
        return Answer(self.name, self._status, list(self._headers), body)

    async def close(self) -> None:
        return
