"""The supervisor of an embedded PostgreSQL: a thread that looks whether the server runs, and starts it where it does not.

Each process with a share has one, whoever launched the server: any of them may be killed as well. They do not get into each
other's way, as `start` works under a lock and finds what another one has started. A server that does not come up, or that ends
again and again, is left alone for longer and longer.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from gateway.core.events import Restarted, Trouble
from gateway.errors import SemgateError
from gateway.stores.postmaster import Deadline

if TYPE_CHECKING:
    from gateway.core.ports import Emit
    from gateway.stores.embedded import EmbeddedPostgres

PART = "postgres"

# How often it looks.
LOOK_SECONDS = 1.0
# Seconds from one try to start to the next: at first, and at most.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
# Seconds after which a server that runs counts as one that came up for good.
STEADY_SECONDS = 60.0
# Seconds for a try: what was written since the last checkpoint is read again, and a try that is cut off begins that anew.
RECOVERY_TIMEOUT = 600.0


class Supervisor:
    """Of one share. `emit` is called in the supervisor's thread.

    A share that could not be had at first (`start` failed) is taken as soon as the server comes up.
    """

    def __init__(self, postgres: EmbeddedPostgres, emit: Emit) -> None:
        self._postgres = postgres
        self._emit = emit
        self._ended = threading.Event()
        # A program that ends without a word must not wait for it.
        self._thread = threading.Thread(target=self._supervise, name="semgate postgres", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Look no more, and call off what is being tried: what ends from now on stays so. Then the thread has ended."""
        if self._thread.is_alive():  # not so in the child of a fork
            self._ended.set()
            self._thread.join()

    def _supervise(self) -> None:
        runs_since, next_try, pause = time.monotonic(), 0.0, FIRST_PAUSE
        while not self._ended.wait(LOOK_SECONDS):
            if self._postgres.is_running():
                continue
            if time.monotonic() - runs_since >= STEADY_SECONDS:
                pause = FIRST_PAUSE
            self._emit(Trouble(PART, "the embedded server does not run; it is started again"))
            while not self._ended.wait(max(0.0, next_try - time.monotonic())):
                trouble = self._try()
                runs_since, next_try = time.monotonic(), time.monotonic() + pause
                if trouble is None:
                    self._emit(Restarted(PART, "the embedded server answers again"))
                elif not self._ended.is_set():
                    self._emit(Trouble(PART, f"{trouble}; tried again in {pause:g} s"))
                pause = min(2 * pause, LONGEST_PAUSE)
                if trouble is None:
                    break

    def _try(self) -> str | None:
        """Why it does not start."""
        try:
            self._postgres.start(Deadline(RECOVERY_TIMEOUT, self._ended))
        except (SemgateError, OSError) as error:
            return str(error)
        return None
