"""Notices that the client has left while its answer is still being made or sent.

A server's `send` need not raise then (Granian's does not): only `receive` tells. Listening costs a task, so it begins
after a moment: answers that come at once never pay for it. Others may still want the answer that the client left behind;
they too may leave, which nothing tells, so they are asked about again and again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.core.asgi import Receive
from gateway.proxy.body import RequestBody

BEGIN_AFTER = 0.05
LOOK_AGAIN_AFTER = 0.25


class Departure:
    """Calls `cut` when the client goes, unless `stop` came first, and again every 0.25 s until it says True: the call is
    over. `receive` is nobody else's meanwhile."""

    def __init__(self, receive: Receive, body: RequestBody, cut: Callable[[], bool]) -> None:
        self._receive = receive
        self._body = body
        self._cut = cut
        self._task: asyncio.Task[None] | None = None
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(BEGIN_AFTER, self._begin, loop)

    def stop(self) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            self._task = None  # its traceback leads back here: a ring that only the collector could break

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._task = loop.create_task(self._listen())

    async def _listen(self) -> None:
        await self._body.wait_until_read()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._look(asyncio.get_running_loop())

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._cut():
            self._timer = loop.call_later(LOOK_AGAIN_AFTER, self._look, loop)
