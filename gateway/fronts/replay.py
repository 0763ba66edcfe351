"""Sending a stored answer: in a content-coding that the client accepts, a stream with or without its pauses."""

from __future__ import annotations

import asyncio
from typing import Protocol

from gateway.core.asgi import HeaderList, Receive, Send
from gateway.core.messages import Entry, Form, Request
from gateway.core.negotiate import IDENTITY, choose_encoding
from gateway.core.pace import paced
from gateway.fronts.leaving import unless_left

# A stream goes out in pieces of this size: so much is held by a client that reads slowly.
PIECE = 1 << 18


class Encode(Protocol):
    def __call__(self, coding: bytes, body: bytes, /) -> bytes:
        """Body in a content-coding that `choose_encoding` may name."""


class Replayer:
    """One route's way of sending what is stored. `keeps_pace`: a stream goes out with the pauses that it had."""

    def __init__(self, encode: Encode, *, keeps_pace: bool) -> None:
        self._encode = encode
        self._keeps_pace = keeps_pace

    def coding(self, entry: Entry, request: Request) -> bytes | None:
        """The content-coding for this client; None where it accepts none that there is."""
        return choose_encoding(request.headers, entry.compressed)

    async def send(
        self, entry: Entry, coding: bytes, method: str, headers: HeaderList, receive: Receive | None, send: Send
    ) -> None:
        """Send the entry in this coding, with its own headers and these. Raises ClientLeft, where `receive` is given to
        find out."""
        single = entry.form is Form.SINGLE
        body = entry.body
        head = [*entry.headers, *headers]
        if coding != IDENTITY:
            body = await self._coded(coding, body)
            head.append((b"content-encoding", coding))
        if entry.compressed or coding != IDENTITY:
            head.append((b"vary", b"accept-encoding"))
        if single:  # a stream is sent as streams are: its length is not announced
            head.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": entry.status, "headers": head})
        if method == "HEAD":
            body = b""
        if self._keeps_pace and entry.pace and coding == IDENTITY:
            pacing = _send_paced(body, entry.pace, send)
            await (pacing if receive is None else unless_left(receive, pacing))
        elif single or len(body) <= PIECE:
            await send({"type": "http.response.body", "body": body})
        else:
            await _send_pieces(body, send)

    async def _coded(self, coding: bytes, body: bytes) -> bytes:
        """In a thread where it takes a while: nobody else's events shall wait for it."""
        if len(body) > PIECE:
            return await asyncio.to_thread(self._encode, coding, body)
        return self._encode(coding, body)


async def _send_pieces(body: bytes, send: Send) -> None:
    for begin in range(0, len(body), PIECE):
        await send({"type": "http.response.body", "body": body[begin : begin + PIECE], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _send_paced(body: bytes, pace: bytes, send: Send) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for due, piece in paced(body, pace):
        await asyncio.sleep(began + due - loop.time())
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
