"""One thread that runs one job at a time, in order: where local models compute, so that the event loop never does.

A vector or a score must be a function of its texts alone, and a quantised model's is not when texts share a batch: hence
one thread and no batches. Measured, there and back: 20 us here, 70 us through `loop.run_in_executor`, which makes a
second future and a callback for each job. A job whose waiter has left before its turn is taken out of the line and never
runs.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.errors import CacheTrouble

Argument = TypeVar("Argument")
Result = TypeVar("Result")

CLOSE_WITHIN = 5.0
"""Seconds that `close` waits for a job that is running; after that the (daemon) thread is left behind."""


class Worker:
    """A thread, started by its first job. The line before it is as long as its callers let it grow.

    Args:
        name: of the thread, and of the worker in messages.
        trouble: what is raised once it is closed.
    """

    def __init__(self, name: str, trouble: type[CacheTrouble]) -> None:
        self._name = name
        self._trouble = trouble
        self._thread: threading.Thread | None = None
        self._closed = False
        self._wake = threading.Condition(threading.Lock())
        self._line: OrderedDict[asyncio.Future[Any], Callable[[], object]] = OrderedDict()

    async def run(self, job: Callable[[Argument], Result], argument: Argument) -> Result:
        """`job(argument)`, computed on the thread after all earlier jobs. Raises what the job raises; `trouble` when
        the worker is closed."""
        turn: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        with self._wake:
            if self._closed:
                raise self._trouble(f"{self._name} is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._line[turn] = lambda: job(argument)
            self._wake.notify()
        try:
            return await turn
        except asyncio.CancelledError:
            with self._wake:
                self._line.pop(turn, None)
            raise

    async def close(self) -> None:
        """Refuse new jobs, fail the waiting ones, let the running one end."""
        with self._wake:
            self._closed = True
            waiting, self._line = self._line, OrderedDict()
            self._wake.notify()
        for turn in waiting:
            _settle(turn, None, self._trouble(f"{self._name} is closed"))
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, CLOSE_WITHIN)

    def _work(self) -> None:
        while True:
            with self._wake:
                while not self._line and not self._closed:
                    self._wake.wait()
                if self._closed:
                    return
                turn, job = self._line.popitem(last=False)
            _finish(turn, job)
            del turn, job  # else the last text would stay in memory until the next one comes


def _finish(turn: asyncio.Future[Any], job: Callable[[], object]) -> None:
    value: object = None
    trouble: BaseException | None = None
    try:
        value = job()
    except BaseException as raised:  # carried to the waiter: the thread must outlive whatever a job does
        trouble = raised
    try:
        turn.get_loop().call_soon_threadsafe(_settle, turn, value, trouble)
    except RuntimeError:  # the loop is closed, so nobody waits; another loop may still come
        return


def _settle(turn: asyncio.Future[Any], value: object, trouble: BaseException | None) -> None:
    if turn.done():  # cancelled meanwhile
        return
    if trouble is not None:
        turn.set_exception(trouble)
    else:
        turn.set_result(value)
