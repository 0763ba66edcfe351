"""What several workers counted, read as one: the files of prometheus_client's multiprocess mode, and those of the dead.

A worker counts in memory that is mapped to its files, so what it had counted outlives even `kill -9`. Of a dead worker its
levels (entries in its memory, requests in flight) are forgotten, its counts are kept: as they are for a few, and put
together into one file beyond that, or a worker that dies every minute would fill the disk. Readers and whoever tidies up
take turns by a lock on the folder.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import mark_process_dead

from gateway.observe.merging import Merger

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's own variable; it reads it once, when it is imported."""
KEPT_DEAD = 8
"""Dead workers whose files are left alone."""
GRAVE = 0
"""Stands for all dead workers in the names of files; no process has this number."""
SUMMED = ("counter", "histogram")


class SharedFolder:
    """The folder of one gateway's workers. `kept_dead` as KEPT_DEAD."""

    def __init__(self, folder: Path, kept_dead: int = KEPT_DEAD) -> None:
        self._folder = folder
        self._kept_dead = kept_dead
        self._merger = Merger()

    @classmethod
    def of_this_process(cls) -> SharedFolder | None:
        """None where this process is the only worker."""
        named = os.environ.get(FOLDER)
        return cls(Path(named)) if named else None

    def read(self) -> list[Metric]:
        """What all workers counted, the dead included. Raises OSError where the folder is gone."""
        self._bury()
        with self._locked(fcntl.LOCK_SH):
            return self._merger.merge(sorted(self._folder.glob("*.db")))

    def _bury(self) -> None:
        dead = [pid for pid in self._workers() if not _lives(pid)]
        if not dead:
            return
        for pid in dead:
            mark_process_dead(pid, str(self._folder))  # type: ignore[no-untyped-call]
        if len(dead) > self._kept_dead:
            with self._locked(fcntl.LOCK_EX):
                for pid in dead:
                    self._put_together(pid)

    def _put_together(self, pid: int) -> None:
        for kind in SUMMED:
            file = self._folder / f"{kind}_{pid}.db"
            if not file.exists():  # another worker was here before us
                continue
            grave = MmapedDict(str(self._folder / f"{kind}_{GRAVE}.db"))  # type: ignore[no-untyped-call]
            for key, value, *_ in MmapedDict.read_all_values_from_file(str(file)):  # type: ignore[no-untyped-call]
                before, _ = grave.read_value(key)  # type: ignore[no-untyped-call]
                grave.write_value(key, before + value, 0.0)  # type: ignore[no-untyped-call]
            grave.close()  # type: ignore[no-untyped-call]
            file.unlink()
        self._put_together_least(pid)

    def _put_together_least(self, pid: int) -> None:
        """Of when the gateway started, the least counts."""
        file = self._folder / f"gauge_min_{pid}.db"
        if not file.exists():
            return
        grave = MmapedDict(str(self._folder / f"gauge_min_{GRAVE}.db"))  # type: ignore[no-untyped-call]
        for key, value, *_ in MmapedDict.read_all_values_from_file(str(file)):  # type: ignore[no-untyped-call]
            before, _ = grave.read_value(key)  # type: ignore[no-untyped-call]
            grave.write_value(key, min(before, value) if before else value, 0.0)  # type: ignore[no-untyped-call]
        grave.close()  # type: ignore[no-untyped-call]
        file.unlink()

    def _workers(self) -> set[int]:
        pids = (file.stem.rpartition("_")[2] for file in self._folder.glob("*.db"))
        return {int(pid) for pid in pids if pid.isdigit()} - {GRAVE}

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        with (self._folder / "lock").open("ab") as lock:
            fcntl.flock(lock, how)
            yield


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
