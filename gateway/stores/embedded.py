"""The embedded PostgreSQL: one server process per data folder, shared by every gateway that names the folder.

Who uses it is known by kernel locks, not by a list of pids: each user holds a shared lock on `postgres.users` and a
`kill -9` lets go of it, so there is never a stale user to count. Starting and stopping happen under `postgres.lock`;
whoever leaves last (gets `postgres.users` exclusively) stops the server. A server that outlived its gateway is found by
its `postmaster.pid` and taken over. How a server process is made and found is in `postmaster`; `supervisor` starts one again.

A lock belongs to an open file, which a fork would share: so a child closes the files that it inherited, and takes a share
of its own when it starts.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import ConfigError, StoreError
from gateway.stores import cluster, postmaster

if TYPE_CHECKING:
    from collections.abc import Iterator

START_TIMEOUT = 60.0
STOP_TIMEOUT = 30.0
# Seconds that one who leaves waits for others who are starting or stopping the server.
LEAVE_TIMEOUT = 5.0


class _Occupied(StoreError):
    """Another process is starting or stopping the server."""


class EmbeddedPostgres:
    """A share in the PostgreSQL that lives in `data_dir/postgres`.

    `start` is idempotent: called again it restarts a server that died. Both methods block (tens of milliseconds; about
    0.6 s the first time ever): call them outside the event loop or in a thread. `opened_up` lists the folders that
    everybody may pass through since then (never list), because PostgreSQL does not run as root; empty for others.
    """

    def __init__(self, data_dir: str | Path, *, max_connections: int = 100) -> None:
        """`max_connections` bounds the server's connections: workers x pool, and some for operators."""
        self.data_dir = Path(data_dir).expanduser().resolve()
        self._pgdata = self.data_dir / "postgres"
        self._max_connections = max_connections
        self.opened_up: list[Path] = []
        self._share: int | None = None
        self._process: postmaster.Process | None = None
        watch_forks()
        _all.add(self)

    @property
    def url(self) -> str:
        """Where the server is once it runs."""
        return postmaster.url(self._pgdata)

    def start(self, deadline: postmaster.Deadline | None = None) -> str:
        """The server's URL, once it answers. Raises ConfigError for a data folder that cannot be used, and StoreError
        when the server does not come up."""
        deadline = deadline or postmaster.Deadline(START_TIMEOUT)
        owner = cluster.prepare_folder(self.data_dir)
        self.opened_up += cluster.let_server_reach(self.data_dir)
        with self._exclusively(deadline):
            if self._process is not None and self._process.has_ended():
                self._let_go_of_process()
            # Data that were there and are gone (a volume that is not mounted any more) are not begun anew.
            fresh = self._share is None and cluster.initialise(self._pgdata, owner)
            url = postmaster.find(self._pgdata, deadline)
            if url is None:
                url, self._process = postmaster.launch(
                    self._pgdata, owner, fresh=fresh, max_connections=self._max_connections, deadline=deadline
                )
            if self._share is None:
                self._share = _open_lock(self.data_dir / "postgres.users")
                fcntl.flock(self._share, fcntl.LOCK_SH)
            return url

    def is_running(self) -> bool:
        """Is there a share, and does the server's process live, perhaps still starting? Quick, and asks no lock."""
        if self._share is None:
            return False
        if self._process is not None:
            return not self._process.has_ended()
        return postmaster.is_running(self._pgdata)

    def stop(self) -> None:
        """Give the share back; the server stops if nobody else has one. Raises StoreError if it does not stop."""
        share, self._share = self._share, None
        if share is None:
            return
        try:
            with self._exclusively(postmaster.Deadline(LEAVE_TIMEOUT)):
                if _gives_back_last(share):
                    postmaster.shut_down(self._pgdata, STOP_TIMEOUT)
                    self._let_go_of_process()
                else:
                    self._leave_process()
        except _Occupied:
            # Nobody stops the server while there is this share, so it is being started: who does that stops it, too.
            _close_lock(share)
            self._leave_process()

    def _leave_to_parent(self) -> None:
        """In the child of a fork: the share and the server process are the parent's."""
        self._share = None
        self._leave_process()

    def _leave_process(self) -> None:
        if self._process is not None:
            self._process.leave_running()
            self._process = None

    def _let_go_of_process(self) -> None:
        if self._process is not None:
            self._process.reap()
            self._process = None

    @contextmanager
    def _exclusively(self, deadline: postmaster.Deadline) -> Iterator[None]:
        """Hold the start/stop lock; another gateway may be initialising the folder, which takes a second or two."""
        lock = _open_lock(self.data_dir / "postgres.lock")
        try:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if deadline.passed():
                        raise _Occupied(
                            f"embedded postgres: {self.data_dir}: another process is still starting or stopping it"
                        ) from None
                    deadline.pause(0.01)
            yield
        finally:
            _close_lock(lock)


_all: weakref.WeakSet[EmbeddedPostgres] = weakref.WeakSet()
_locks: set[int] = set()
"""File descriptors of locks, held or not. None may be open without being in here while the process is forked."""


def _open_lock(path: Path) -> int:
    try:
        with cluster.forking:
            lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            _locks.add(lock)
    except OSError as error:
        raise ConfigError(f"server.data_dir: {path.parent} cannot be written: {error.strerror}") from error
    return lock


def _gives_back_last(share: int) -> bool:
    """Close it; was it the only one?"""
    try:
        fcntl.flock(share, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        _close_lock(share)
    return True


def _close_lock(lock: int) -> None:
    with cluster.forking:
        if lock in _locks:  # else it was closed after a fork
            _locks.remove(lock)
            os.close(lock)


def _in_child() -> None:
    for lock in _locks:
        os.close(lock)
    _locks.clear()
    for each in _all:
        each._leave_to_parent()
    cluster.forking.release()


@cache
def watch_forks() -> None:
    """From now on children of a fork let go of what is their parent's. Hooks that are to be called before a fork while
    servers may still start must be registered after this."""
    forking = cluster.forking
    os.register_at_fork(before=forking.acquire, after_in_parent=forking.release, after_in_child=_in_child)
