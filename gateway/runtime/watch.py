"""Have files changed since they were read? Told by looking at them, which works wherever they are mounted.

Notifications of the kernel do not cross network file systems and bind mounts, and a Kubernetes ConfigMap changes by a
symlink two folders up; what a path leads to, when it was changed and how long it is, tells all of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

# A file that is being written changes again within this time; who saves twice means the second.
SETTLES = 0.1
# Whoever writes for longer than this is read in the middle, and again at the end.
LONGEST_SETTLING = 2.0
# File systems keep times by a clock of a few milliseconds.
CLOCK_NS = 20_000_000

State: TypeAlias = tuple[tuple[int, ...] | None, ...]


class Watched:
    """The files that the running configuration came from."""

    def __init__(self) -> None:
        self._paths: tuple[Path, ...] = ()
        self._seen: State | None = ()

    def read(self, paths: Iterable[Path], began_ns: int) -> None:
        """They were read, from this time on (`time.time_ns`). What changed since then is a change."""
        self._paths = tuple(dict.fromkeys(paths))
        state = _state(self._paths)
        # A time that is yet to come says nothing: it was set so, or the clock went back.
        since, until = began_ns - CLOCK_NS, time.time_ns() + CLOCK_NS
        touched = any(since < changed <= until for file in state if file is not None for changed in file[-2:])
        self._seen = None if touched else state

    async def changed(self) -> bool:
        """Is anything other than it was? If so, waits for the writer to come to rest."""
        state = await asyncio.to_thread(_state, self._paths)
        if state == self._seen:
            return False
        until = time.monotonic() + LONGEST_SETTLING
        while time.monotonic() < until:
            await asyncio.sleep(SETTLES)
            later = await asyncio.to_thread(_state, self._paths)
            if later == state:
                break
            state = later
        return True


def _state(paths: tuple[Path, ...]) -> State:
    return tuple(_look(path) for path in paths)


def _look(path: Path) -> tuple[int, ...] | None:
    """Which file this path leads to, its size and its times; None: there is none that can be seen."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
