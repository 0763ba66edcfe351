"""The last configuration that was served, for a worker that is started again while the file on disk is another one: a bad
one, one whose store cannot be reached, or one that nobody has asked to go over to.

It holds secrets, so it lies in memory that ends with the launcher (memfd_create(2)) and in no file. Workers reach it
through the launcher's own entry in /proc, where only the same user may.
"""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from gateway.config.model import File
from gateway.runtime.environment import LAST_GOOD


class Good(msgspec.Struct, frozen=True):
    """Settings without errors, and their digest; `first` are those that the launcher began with."""

    settings: File
    digest: str
    first: File


def share() -> None:
    """By the launcher: make the place, and tell its workers."""
    descriptor = os.memfd_create("semgate-last-good")
    os.environ[LAST_GOOD] = f"/proc/{os.getpid()}/fd/{descriptor}"


def remember(good: Good) -> None:
    """By a worker, once it serves them. Nothing happens where there is no launcher (any more)."""
    with _opened() as place:
        if place is not None:
            data = pickle.dumps(good)
            os.ftruncate(place, 0)
            os.pwrite(place, data, 0)


def recall() -> Good | None:
    """None if nothing was served yet."""
    with _opened() as place:
        size = 0 if place is None else os.fstat(place).st_size
        if place is None or size == 0:
            return None
        found: Good = pickle.loads(os.pread(place, size, 0))  # noqa: S301 - written by ourselves, in memory of ours
        return found


@contextmanager
def _opened() -> Iterator[int | None]:
    path = os.environ.get(LAST_GOOD)
    if path is None:
        yield None
        return
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:  # the launcher was killed, or may not be looked into
        yield None
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
