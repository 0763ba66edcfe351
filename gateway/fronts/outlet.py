"""The way to one client, behind which others may follow: how slowly it reads must not be their trouble.

A short answer is sent as it is made: what little it is fits into the sockets between. Of a longer one the rest waits
here, sent by a task of its own as the client takes it. Who makes the answer waits for a slow client only as long as
nobody follows; with followers it goes on, and a client that lags behind by more than the bound is given up: it gets no
end of its answer, so the connection is cut.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from gateway.core.asgi import Message, Send

# Bytes that are sent without a task: less than the sockets between always take.
AT_ONCE = 1 << 14
# Bytes that wait for a client whom nobody follows.
HELD = 1 << 18
# Seconds between two looks at whether somebody follows a client that does not read.
LOOK = 0.1


class Outlet:
    """`followed` tells whether anybody waits behind this client, `limit` bounds the bytes that wait for it then.
    `direct`: what is sent is taken at once, so nothing waits here."""

    def __init__(self, send: Send, followed: Callable[[], bool], limit: int, *, direct: bool = False) -> None:
        self._send = send
        self._followed = followed
        self._limit = limit
        self._direct = direct
        self._sent = 0
        self._waiting: deque[Message] = deque()
        self._size = 0
        self._more = asyncio.Event()
        self._room = asyncio.Event()
        self._over = False
        self._draining: asyncio.Task[None] | None = None
        self._given_up = False

    async def send(self, message: Message) -> None:
        if self._direct:
            await self._send(message)
            return
        self._sent += len(message.get("body", b""))
        if self._given_up:
            return
        if self._draining is None and self._sent <= AT_ONCE:
            await self._send(message)
            return
        self._put(message)
        if self._size <= HELD:
            # So that the client gets its last byte before anybody begins to look at the answer.
            await asyncio.sleep(0)
        while self._size > HELD and not self._followed() and not self._broken():
            self._room.clear()
            try:
                async with asyncio.timeout(LOOK):
                    await self._room.wait()
            except TimeoutError:
                continue
        if self._size > self._limit:
            self._given_up = True
            self._forget()

    async def drained(self) -> None:
        """No more will come: returns when everything was handed over, or the client given up."""
        self._over = True
        self._more.set()
        if self._draining is not None and not self._given_up:
            await self._draining

    def close(self) -> None:
        """Nothing more is sent."""
        if self._draining is not None:
            self._draining.cancel()
            self._draining = None  # its traceback leads back here: a ring that only the collector could break

    def _put(self, message: Message) -> None:
        self._waiting.append(message)
        self._size += len(message.get("body", b""))
        self._more.set()
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain())

    def _forget(self) -> None:
        self._waiting.clear()
        self._size = 0
        self.close()

    def _broken(self) -> bool:
        """Raises what sending raised."""
        if self._draining is not None and self._draining.done():
            self._draining.result()
        return self._given_up

    async def _drain(self) -> None:
        while True:
            while self._waiting:
                message = self._waiting.popleft()
                await self._send(message)
                self._size -= len(message.get("body", b""))
                self._room.set()
            if self._over:
                return
            self._more.clear()
            await self._more.wait()
