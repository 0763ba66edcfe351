"""Calls that a client does not see: audits, and new answers in place of stale ones. A few at a time, beside its own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any
from weakref import WeakKeyDictionary

# Calls at a time for each transport: beyond, an audit is not made, and a stale answer stays for the next to refresh.
AT_A_TIME = 4


class Threads:
    """For sync clients: a daemon thread for each call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way = 0
        self._process = os.getpid()
        self._closing: Callable[[], None] | None = None

    def __call__(self, work: Callable[[], None]) -> bool:
        """Begin it; False: it will not be done."""
        if self._process != os.getpid():  # the parent's threads are not here, and one may have held the lock
            self._lock, self._under_way, self._process = threading.Lock(), 0, os.getpid()
        with self._lock:
            if self._closing is not None or self._under_way >= AT_A_TIME:
                return False
            self._under_way += 1
        try:
            threading.Thread(target=self._do, args=(work,), name="semgate beside", daemon=True).start()
        except RuntimeError:  # the process is ending
            self._end()
            return False
        return True

    def close(self, closing: Callable[[], None]) -> None:
        """Begin no more. What is under way may open a connection yet: `closing` is called when it has ended."""
        self._closing = closing

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            self._end()

    def _end(self) -> None:
        with self._lock:
            self._under_way -= 1
        if self._closing is not None:
            self._closing()


class Tasks:
    """For async clients: tasks of the client's loop."""

    def __init__(self) -> None:
        self._under_way: WeakKeyDictionary[asyncio.AbstractEventLoop, set[asyncio.Task[None]]] = WeakKeyDictionary()
        self._closed = False

    def __call__(self, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Begin it; False: it will not be done. In the client's loop."""
        loop = asyncio.get_running_loop()
        tasks = self._under_way.setdefault(loop, set())
        if self._closed or len(tasks) >= AT_A_TIME:
            return False
        task = loop.create_task(work())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return True

    async def close(self) -> None:
        """Begin no more, and end those of this loop."""
        self._closed = True
        if not self._under_way:
            return  # also where there is no loop of asyncio's
        tasks = list(self._under_way.get(asyncio.get_running_loop(), ()))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
