"""Reading request bodies: whole and bounded, or played on from where reading stopped; never for longer than a client's
patience, and a little further where an answer would otherwise not be seen.
"""

from __future__ import annotations

import asyncio

from gateway.core.asgi import HeaderList, Message, Receive, Scope
from gateway.errors import RequestBroken, RequestTooLarge
from gateway.fronts.patience import Patience

# How much of a refused body is read, and for how long, before the answer.
DRAIN_BYTES = 16 << 20
DRAIN_SECONDS = 2.0


class Intake:
    """`limit` in bytes: no body may be longer."""

    def __init__(self, limit: int, patience: Patience) -> None:
        self.limit = limit
        self._patience = patience

    def too_large(self) -> RequestTooLarge:
        return RequestTooLarge(f"the request body exceeds server.max_request_body ({self.limit} bytes)")

    async def read(self, receive: Receive, declared: int | None, keep_at_most: int) -> tuple[bytes | None, Receive]:
        """The whole body if it is at most `keep_at_most` bytes, else None and a receive that plays it from its start."""
        message = await self._next(receive)
        body: bytes = message.get("body", b"")
        # A server may announce more even after the last byte; where the length was declared, no need to ask.
        more = message.get("more_body", False) and len(body) != declared
        if not more and len(body) <= keep_at_most:
            return body, receive
        chunks, size = [body], len(body)
        while more and size <= keep_at_most:
            message = await self._next(receive)
            more = message.get("more_body", False) and size + len(message.get("body", b"")) != declared
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
        if size > self.limit:
            await self.drain(receive)
            raise self.too_large()
        if size <= keep_at_most:
            return b"".join(chunks), receive
        return None, self.replay(chunks, more, declared, receive)

    def replay(self, chunks: list[bytes], more: bool, declared: int | None, receive: Receive) -> Receive:
        """Play what was read, then the rest, refusing it beyond the server's bounds. After the body's end whoever receives
        waits for the client to leave, for as long as it likes."""
        size = sum(map(len, chunks))
        ended = not more or size == declared

        async def play() -> Message:
            nonlocal size, ended
            if chunks:
                body = b"".join(chunks)
                chunks.clear()
                return {"type": "http.request", "body": body, "more_body": more}
            if ended:
                return await receive()
            message = await self._next(receive)
            size += len(message.get("body", b""))
            if size > self.limit:
                await self.drain(receive)
                raise self.too_large()
            ended = not message.get("more_body", False) or size == declared
            return message

        return play

    async def drain_announced(self, scope: Scope, headers: HeaderList, receive: Receive) -> None:
        """Of a body that is refused unread. Who expects a word first sends nothing yet."""
        announced = has_body(scope["http_version"], declared_length(headers), headers)
        if announced and not any(name == b"expect" for name, _ in headers):
            await self.drain(receive)

    async def drain(self, receive: Receive) -> None:
        """Read on for a little: a client that is still sending when the connection closes never sees the answer."""
        size = 0
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while size < DRAIN_BYTES:
                    message = await receive()
                    size += len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return
        except TimeoutError:
            return

    async def _next(self, receive: Receive) -> Message:
        message = await self._patience.receive(receive)
        if message["type"] == "http.disconnect":
            raise RequestBroken("the request body ended before it was whole, or its framing cannot be read")
        return message


def has_body(version: str, declared: int | None, headers: HeaderList) -> bool:
    """HTTP/1 announces a body (RFC 9112, 6.3), HTTP/2 need not."""
    if declared is not None:
        return declared > 0
    return version not in ("1.0", "1.1") or any(name == b"transfer-encoding" for name, _ in headers)


def declared_length(headers: HeaderList) -> int | None:
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None
