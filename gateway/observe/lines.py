"""Lines to a file descriptor, without ever waiting for whoever reads them.

A pipe whose reader has stopped is full soon, and a write into it waits for ever: so a thread writes, and a bounded number
of lines waits for it. What is too much then is dropped and counted. The thread begins with the first line.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from multiprocessing.util import Finalize

LINES = 10_000
"""Lines that may wait."""
AT_ONCE = 256
"""Lines put together for one write."""
LAST_WORDS = 1.0
"""Seconds that a process which ends waits for its last lines to be read."""


class LineWriter:
    """`pause` is how long (seconds) lines are gathered before a write: one wake-up of the thread for many of them.
    `dropped` is called for every line that is not written."""

    def __init__(self, descriptor: int, *, pause: float = 0.0, lines: int = LINES) -> None:
        self.dropped: Callable[[], None] = _nothing
        self._descriptor = descriptor
        self._pause = pause
        self._most = lines
        self._lines: deque[bytes] = deque()
        self._wake = threading.Event()
        self._writing = False
        self._thread: threading.Thread | None = None

    def write(self, line: bytes) -> None:
        """`line` with its line break. Any thread may call it; it never waits."""
        if len(self._lines) >= self._most:
            self.dropped()
            return
        self._lines.append(line)
        if not self._wake.is_set():
            self._wake.set()
        if self._thread is None:
            self._begin()

    def flush(self, seconds: float = LAST_WORDS) -> bool:
        """Wait until all is written, so long at most. False: it is not."""
        deadline = time.monotonic() + seconds
        while self._lines or self._writing:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.002)
        return True

    def leave_to_parent(self) -> None:
        """In the child of a fork: the thread is the parent's, and so are the lines that wait."""
        self._lines.clear()
        self._wake = threading.Event()
        self._writing = False
        self._thread = None

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._work, name="semgate lines", daemon=True)
        self._thread.start()
        atexit.register(self.flush)
        Finalize(None, self.flush, exitpriority=1)  # a process of multiprocessing's ends without atexit

    def _work(self) -> None:
        while True:
            self._wake.wait()
            if self._pause:
                time.sleep(self._pause)
            self._wake.clear()
            self._writing = True
            while self._lines:
                self._put([self._lines.popleft() for _ in range(min(AT_ONCE, len(self._lines)))])
            self._writing = False

    def _put(self, lines: list[bytes]) -> None:
        left = memoryview(b"".join(lines))
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except OSError:  # nobody reads any more, or the disk is full: the lines are lost, the gateway is not
                for _ in lines:
                    self.dropped()
                return


def _nothing() -> None:
    return


STDOUT = LineWriter(1, pause=0.02)
"""The access log's. Gathering costs it a moment, and saves the requests one."""
STDERR = LineWriter(2)
"""Everybody else's."""

for _writer in (STDOUT, STDERR):
    os.register_at_fork(after_in_child=_writer.leave_to_parent)
