"""The way to one client. While others follow its answer, a client that reads slowly must not hold them up.

Usually a message is sent when the client has room for it. With followers, what a client does not take within a moment
waits here, bounded; beyond the bound the client is given up: it gets no end of its answer, so the connection is cut.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from gateway.core.asgi import Message, Send

# Seconds that a client may keep its followers waiting, once.
PATIENCE = 0.5


class Outlet:
    """`followed` tells whether anybody waits behind this client, `limit` bounds the bytes that wait for it."""

    def __init__(self, send: Send, followed: Callable[[], bool], limit: int) -> None:
        self._send = send
        self._followed = followed
        self._limit = limit
        self._waiting: deque[Message] = deque()
        self._size = 0
        self._draining: asyncio.Task[None] | None = None
        self._given_up = False

    async def send(self, message: Message) -> None:
        if self._given_up:
            return
        if self._draining is not None:
            self._put(message)
        elif self._followed():
            sending = asyncio.ensure_future(self._send(message))
            done, _ = await asyncio.wait({sending}, timeout=PATIENCE)
            if not done:
                self._draining = asyncio.create_task(self._drain(sending))
            else:
                sending.result()
        else:
            await self._send(message)

    async def drained(self) -> None:
        """Everything was handed over, or the client given up."""
        if self._draining is not None and not self._given_up:
            await self._draining

    def close(self) -> None:
        """Nothing more will be sent."""
        if self._draining is not None:
            self._draining.cancel()

    def _put(self, message: Message) -> None:
        self._waiting.append(message)
        self._size += len(message.get("body", b""))
        if self._size > self._limit:
            self._given_up = True
            self._waiting.clear()
            self.close()

    async def _drain(self, sending: asyncio.Future[None]) -> None:
        await sending
        while self._waiting:
            message = self._waiting.popleft()
            self._size -= len(message.get("body", b""))
            await self._send(message)
        self._draining = None
