"""The engine: one daemon thread with one event loop a process, in which the caches of doors without a loop of their own run.

It begins at its first use, so a server that forks before that has none to inherit. A child of a fork cannot use its
parent's: the thread is not there, and its selector and sockets are the parent's still. So a child begins one of its
own, and keeps the old objects without ever touching or closing them. At the end of the process everything is closed,
within a bound.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import gc
import logging
import os
import threading
from collections.abc import Callable, Coroutine, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar
from weakref import WeakSet

from gateway.core.asgi import Receive, Scope, Send
from gateway.fronts.conversation import EngineClosed
from gateway.stores.embedded import watch_forks

# Seconds for what is under way at the end of the process (answers being stored), and for closing what was opened.
FINISHING = 5.0
CLOSING = 15.0
# Threads for what blocks: files, a PostgreSQL that starts or stops, large bodies.
WORKERS = 8
# Seconds that a fork waits for what is just being opened.
FORKING = 10.0
# Seconds for the thread to begin.
BEGINNING = 10.0
# Caches that stay open though nobody is left who used them: a client may be made anew for each question, and a test program
# makes its application for each test. What is beyond that is closed, the oldest first: each has its own model and connections.
UNUSED = 2

LOG = logging.getLogger("semgate")

P = ParamSpec("P")
T = TypeVar("T")


class Openable(Protocol):
    """A cache that the engine runs: an ASGI app with a beginning and an end, both in the engine's loop."""

    async def open(self) -> None:
        """Raises ConfigError."""

    async def close(self) -> None: ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


Opened = TypeVar("Opened", bound=Openable)


class Engine:
    """One process's; `engine()` has it. Usable from any thread but its own."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        # Its own, and few: by default there would be one for many jobs, which never come here.
        self._loop.set_default_executor(ThreadPoolExecutor(WORKERS, "semgate worker"))
        self._tasks: set[asyncio.Task[Any]] = set()
        self._opened: dict[Hashable, Future[Any]] = {}
        self._users: dict[Hashable, WeakSet[object]] = {}
        self._lock = threading.Lock()
        self._closed = False
        begun = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(begun,), name="semgate engine", daemon=True)
        self._thread.start()
        if not begun.wait(BEGINNING):
            raise RuntimeError(f"semgate's thread did not begin within {BEGINNING:g} s")

    def is_alive(self) -> bool:
        """Does it run, in this process?"""
        return not self._closed and self._process == os.getpid() and self._thread.is_alive()

    def is_here(self) -> bool:
        """Is this its own thread? Whoever waits for it there waits for ever."""
        return threading.current_thread() is self._thread

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Call it in the loop, soon. Raises EngineClosed where this engine is another process's, or closed."""
        self._call(None, function, *arguments)

    def _call(self, context: Context | None, function: Callable[..., object], *arguments: object) -> None:
        if self._process != os.getpid():
            raise EngineClosed("this began before the process was forked")
        try:
            self._loop.call_soon_threadsafe(function, *arguments, context=context)
        except RuntimeError as error:
            raise EngineClosed("semgate is closed") from error

    def begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run it as a task. Raises EngineClosed as `call` does."""
        self.call(self._begin, work)

    def submit(self, work: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run it as a task, and have its result. Once it has begun it cannot be cancelled. Raises EngineClosed as `call`
        does."""
        result: Future[T] = Future()

        async def run() -> None:
            if not result.set_running_or_notify_cancel():
                return
            try:
                value = await work(*args, **kwargs)
            except BaseException as error:  # whose the future is
                result.set_exception(error)
            else:
                result.set_result(value)

        self.begin(run)
        return result

    def opened(self, key: Hashable, make: Callable[[], Opened], user: object = None) -> Future[Opened]:
        """What `make` makes, opened: once for equal keys, also for many who ask at once. It cannot be cancelled. An
        error reaches all who wait for it; who asks after that has it tried again. Raises EngineClosed as `call` does.

        It stays open as long as a `user` of it lives, and mostly beyond (`UNUSED`); without one until `forget` or the end."""
        with self._lock:
            if self._closed:
                raise EngineClosed("semgate is closed")
            if user is not None:
                self._used(key).add(user)
            known = self._opened.get(key)
            if known is not None and not (known.done() and known.exception() is not None):
                return known
            opening: Future[Opened] = Future()
            opening.set_running_or_notify_cancel()
            self._opened[key] = opening
            crowded = len(self._opened) > UNUSED + 1
        try:
            if crowded:
                self._call(Context(), self._begin, self._close_unused)
            # In no context: what is opened lives longer than whoever happened to ask first, and must not hold what is theirs.
            self._call(Context(), self._begin, partial(_open, make, opening))
        except BaseException as error:
            opening.set_exception(error)
            raise
        return opening

    def _used(self, key: Hashable) -> WeakSet[object]:
        users = self._users.get(key)
        if users is None:
            users = self._users[key] = WeakSet()
        return users

    async def _close_unused(self) -> None:
        gc.collect()  # an application and what is around it hold one another: left to itself, the collector comes late
        with self._lock:
            unused = [key for key, users in self._users.items() if not users and self._is_over(key)][:-UNUSED]
            for key in unused:
                del self._users[key]
            closing = [self._opened.pop(key) for key in unused if key in self._opened]  # nobody finds them any more
        for each in closing:
            await _close(each)

    def _is_over(self, key: Hashable) -> bool:
        """Is nothing being opened under this key?"""
        opening = self._opened.get(key)
        return opening is None or opening.done()

    def known(self, key: Hashable) -> Future[Any] | None:
        """What was `opened` under this key, if anything."""
        with self._lock:
            return self._opened.get(key)

    def settle(self, seconds: float) -> None:
        """Wait until nothing is being opened any more, so many seconds at most."""
        if self.is_alive() and not self.is_here():
            concurrent.futures.wait(list(self._opened.values()), seconds)

    async def forget(self, key: Hashable) -> None:
        """In the loop: close what was opened under this key. Who asks for it after that has it opened anew."""
        with self._lock:
            opened = self._opened.pop(key, None)
        if opened is not None:
            await _close(opened)

    def close(self, finishing: float = FINISHING) -> None:
        """Finish what is under way for so many seconds, close what was opened, end the thread; all within a bound."""
        with self._lock:
            if self._closed or self._process != os.getpid():
                return
            self._closed = True
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._begin, partial(self._end, finishing))
            if not self.is_here():
                self._thread.join(finishing + CLOSING)

    def _run(self, begun: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.call_soon(begun.set)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def _begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A task must be held by somebody."""
        task = self._loop.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self, finishing: float) -> None:
        me = asyncio.current_task()
        under_way = [task for task in self._tasks if task is not me]
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=finishing)
            for task in late:
                task.cancel()
        with self._lock:
            opened = list(self._opened.values())
        closing = [self._loop.create_task(_close(future)) for future in opened]
        if closing:
            await asyncio.wait(closing, timeout=CLOSING - 1)
        left = asyncio.all_tasks(self._loop) - {me}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=1)
        self._loop.stop()


async def _open(make: Callable[[], Openable], opening: Future[Any]) -> None:
    try:
        made = make()
        await made.open()
    except BaseException as error:  # theirs who wait
        opening.set_exception(error)
    else:
        opening.set_result(made)


async def _close(opened: Future[Any]) -> None:
    if not opened.done() or opened.exception() is not None:
        return
    try:
        await opened.result().close()
    except Exception:  # the process ends: what cannot be closed now goes with it
        LOG.warning("not closed", exc_info=True)


_current: Engine | None = None
_forebears: list[Engine] = []
_beginning = threading.Lock()
_ending = False


def engine() -> Engine:
    """This process's, begun at the first use. Raises EngineClosed at the end of the process."""
    global _current
    found = _current
    if found is not None and found.is_alive():
        return found
    with _beginning:
        if _current is None or not _current.is_alive():
            if _ending:
                raise EngineClosed("the process is about to end")
            _leave_behind()
            _current = Engine()
        return _current


def _leave_behind() -> None:
    """What a fork inherited is not touched, and never collected: its file descriptors are the parent's as well."""
    global _current
    if _current is not None and _current._process != os.getpid():
        _forebears.append(_current)
    _current = None


def _before_fork() -> None:
    """What is opened imports libraries and loads models, under locks of theirs. Those would be held in the child for ever."""
    if _current is not None:
        _current.settle(FORKING)


def _after_fork() -> None:
    global _beginning, _ending
    _ending = False
    _beginning = threading.Lock()  # it may have been held
    _leave_behind()


def _close_engine() -> None:
    global _ending
    _ending = True
    if _current is not None:
        _current.close()


watch_forks()  # `before` hooks are called last first, and what is being opened may start a PostgreSQL
os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
# Before the threads are ended in which stores and models close; at `atexit` no job can be given to them any more.
getattr(threading, "_register_atexit", atexit.register)(_close_engine)
