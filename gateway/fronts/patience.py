"""Waiting for the next piece of a request body, bounded, for all requests of a worker by one timer.

A timer for each request would cost a hit a tenth of its time, and nearly every body is there at once. So who waits is
noted, and somebody looks every now and then who has waited too long.
"""

from __future__ import annotations

import asyncio

from gateway.core.asgi import Message, Receive
from gateway.errors import RequestTimeout

LOOKS = 4  # within the time that is allowed, which a request may so exceed by a quarter


class Patience:
    """`seconds` is the longest pause between two pieces."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._look_number = 0
        self._waiting: dict[asyncio.Task[object], int] = {}  # and the last look before they began
        self._overdue: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def until_whole(self, receive: Receive) -> Receive:
        """`receive` with this patience until the body is whole: from then on it waits for the client to leave."""
        whole = False

        async def next_message() -> Message:
            nonlocal whole
            message = await (receive() if whole else self.receive(receive))
            whole = whole or not message.get("more_body", False)
            return message

        return next_message

    async def receive(self, receive: Receive) -> Message:
        """The next message. Raises RequestTimeout."""
        task = asyncio.current_task()
        assert task is not None
        self._waiting[task] = self._look_number
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._seconds / LOOKS, self._look, loop)
        try:
            return await receive()
        except asyncio.CancelledError:
            if task in self._overdue and task.uncancel() == 0:
                detail = f"no more of the request body for {self._seconds:g} s (server.body_timeout)"
                raise RequestTimeout(detail) from None
            raise
        finally:
            del self._waiting[task]
            self._overdue.discard(task)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        self._look_number += 1
        for task, since in self._waiting.items():
            # The first look may come at once, so it takes one more.
            if self._look_number - since > LOOKS and task not in self._overdue:
                self._overdue.add(task)
                task.cancel()
        if self._waiting:
            self._timer = loop.call_later(self._seconds / LOOKS, self._look, loop)
