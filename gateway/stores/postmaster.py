"""One PostgreSQL server process on one data folder: launch, find, shut down. The folder itself is `cluster`'s.

It listens on a unix socket only, in a folder that nobody else may enter, so it needs no password. What runs is told by
`postmaster.pid` and the socket, never believed without looking: a crash leaves both behind, and a pid gets used again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from gateway.errors import StoreError
from gateway.stores import cluster

PORT = 5432
# sun_path holds 104 bytes on macOS and 108 on Linux, with the final zero.
LONGEST_SOCKET_PATH = 100
SOCKET_FOLDER_PREFIX = "semgate-pg-"
LOG_KEPT_BYTES = 1 << 20
# Seconds for a server that is late to shut down again, before it is killed.
GIVING_UP_SECONDS = 5.0
# Seconds between two tries to start while processes of the killed server still run, at most.
LONGEST_PAUSE = 5.0

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "128MB",
    # A cache may lose its last 200 ms in a power cut; it is never corrupted, because fsync stays on.
    "synchronous_commit": "off",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "log_checkpoints": "off",
    "log_min_error_statement": "panic",
    "timezone": "UTC",
}


class Deadline:
    """So many seconds from now; sooner where it is `called_off`."""

    def __init__(self, seconds: float, called_off: threading.Event | None = None) -> None:
        self._at = time.monotonic() + seconds
        self._called_off = called_off or threading.Event()

    def passed(self) -> bool:
        return time.monotonic() > self._at or self._called_off.is_set()

    def pause(self, seconds: float) -> None:
        """Sleep, but not on where it is called off."""
        self._called_off.wait(seconds)


class Process:
    """A server that this process launched, and so has to reap; `sync` writes a fresh cluster to disk beside it."""

    def __init__(self, server: subprocess.Popen[bytes], sync: subprocess.Popen[bytes] | None) -> None:
        self._server = server
        self._sync = sync

    def has_ended(self) -> bool:
        return self._server.poll() is not None

    def reap(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._server.wait(timeout=10)
        self.leave_running()

    def leave_running(self) -> None:
        """What still runs is not waited for any more (others use the server), and Python need not warn about it."""
        for child in (self._server, self._sync):
            if child is not None and child.poll() is None:
                child.returncode = 0


def is_running(pgdata: Path) -> bool:
    """Is there a server on this folder, perhaps one that is just coming up?"""
    state = _read_pid_file(pgdata)
    return state is not None and _lives(state, pgdata)


def find(pgdata: Path, deadline: Deadline) -> str | None:
    """The URL of the server that runs on this folder, waiting for one that is just coming up or recovering."""
    while (state := _read_pid_file(pgdata)) is not None:
        if not _lives(state, pgdata):
            # PostgreSQL itself passes over files of a process that is gone, not over those whose pid is in use again.
            if _is_alive(state.pid):
                (pgdata / "postmaster.pid").unlink(missing_ok=True)
                Path(state.socket_folder, f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
            _remove_socket_folder(state.socket_folder)
            return None
        if state.status == "ready":
            return _url(state.socket_folder)
        if deadline.passed():
            raise StoreError(f"embedded postgres: the server of {pgdata} is still '{state.status}'; see its log")
        time.sleep(0.01)
    return None


class _PidFile(NamedTuple):
    """What `postmaster.pid` says; PostgreSQL writes it line by line while it starts."""

    pid: int
    socket_folder: str
    status: str


def _url(socket_folder: Path | str) -> str:
    return f"postgresql://postgres@/postgres?host={quote(str(socket_folder), safe='/')}&port={PORT}"


def _read_pid_file(pgdata: Path) -> _PidFile | None:
    try:
        lines = [line.strip() for line in (pgdata / "postmaster.pid").read_text(errors="replace").splitlines()]
    except OSError:  # most often there is none; where it cannot be read, no server can start and its log says why
        return None
    if not lines or not re.fullmatch("[1-9][0-9]{0,8}", lines[0]):
        return None
    lines += [""] * (8 - len(lines))
    return _PidFile(int(lines[0]), lines[4], lines[7] or "starting")


def _lives(state: _PidFile, pgdata: Path) -> bool:
    """Whether the server that wrote this pid file still runs, perhaps in another container that shares the folder."""
    return _is_server(state.pid, pgdata) or (bool(state.socket_folder) and _listens(state.socket_folder))


def _listens(socket_folder: str) -> bool:
    with socket.socket(socket.AF_UNIX) as door:
        door.setblocking(False)
        try:
            door.connect(f"{socket_folder}/.s.PGSQL.{PORT}")
        except BlockingIOError:  # too many wait there already
            return True
        except (OSError, ValueError):  # nobody, or not a path at all
            return False
    return True


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_server(pid: int, pgdata: Path) -> bool:
    if not _is_alive(pid):
        return False
    # After a crash of the whole container the pid may now be any other program's, but a server works inside its folder.
    try:
        return Path(f"/proc/{pid}/cwd").samefile(pgdata)
    except OSError:
        return not Path("/proc/self/cwd").exists()  # macOS has no /proc: believe the pid


def launch(
    pgdata: Path, account: cluster.Account, *, fresh: bool, max_connections: int, deadline: Deadline
) -> tuple[str, Process]:
    """Start the server and wait until it accepts connections; its URL. Raises StoreError with its last words. A `fresh`
    cluster is synced to disk beside it."""
    binaries, _version = cluster.binaries()
    socket_folder = _make_socket_folder(pgdata, account)
    settings = SETTINGS | {"max_connections": str(max_connections), "unix_socket_directories": str(socket_folder)}
    command = [str(binaries / "postgres"), "-D", str(pgdata), "-p", str(PORT)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    log = pgdata.with_name("postgres.log")
    if log.exists() and log.stat().st_size > LOG_KEPT_BYTES:
        log.replace(log.with_name("postgres.log.1"))
    pause = 0.05
    while True:
        with log.open("ab") as output:
            begins = output.tell()
            popen = cluster.spawn(command, account, output=output)
        if _wait_until_ready(popen, pgdata, deadline):
            return _url(socket_folder), Process(popen, _sync(pgdata, binaries, account) if fresh else None)
        said = _last_lines(log, begins)
        # A server that was killed alone: its children notice and go within moments, unless they are at work. Until then they
        # block the next one.
        if "still in use" not in said or deadline.passed():
            _remove_socket_folder(str(socket_folder))
            raise StoreError(f"embedded postgres: the server did not start: {said} (see {log})")
        deadline.pause(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _wait_until_ready(popen: subprocess.Popen[bytes], pgdata: Path, deadline: Deadline) -> bool:
    """False when it ended, or was ended for being late."""
    while popen.poll() is None:
        state = _read_pid_file(pgdata)
        if state is not None and state.pid == popen.pid and state.status == "ready":
            return True
        if deadline.passed():
            popen.send_signal(signal.SIGINT)
            try:
                popen.wait(GIVING_UP_SECONDS)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait()
        time.sleep(0.002)
    return False


def _sync(pgdata: Path, binaries: Path, account: cluster.Account) -> subprocess.Popen[bytes]:
    command = [str(binaries / "initdb"), "--sync-only", "--pgdata", str(pgdata)]
    return cluster.spawn(command, account, output=subprocess.DEVNULL)


def url(pgdata: Path) -> str:
    """Where a server of this folder is once it is launched: at the same place again after each start, as who uses it goes
    on asking there."""
    return _url(_socket_folder(pgdata))


def _socket_folder(pgdata: Path) -> Path:
    # A comma or quote would end the path in PostgreSQL's list of folders and in URLs.
    if len(os.fsencode(pgdata / f".s.PGSQL.{PORT}")) <= LONGEST_SOCKET_PATH and not set(str(pgdata)) & set(",\"'"):
        return pgdata
    name = SOCKET_FOLDER_PREFIX + hashlib.sha256(os.fsencode(pgdata)).hexdigest()[:16]
    return Path("/tmp", name)  # noqa: S108 - whose it is is looked at


def _make_socket_folder(pgdata: Path, account: cluster.Account) -> Path:
    folder = _socket_folder(pgdata)
    if folder == pgdata:
        return folder
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077 or found.st_uid not in (os.geteuid(), account.uid):
            raise StoreError(
                f"embedded postgres: {folder} is somebody else's; a server.data_dir with a shorter name needs no such folder"
            )
        if account.uid is not None and account.gid is not None:
            os.chown(folder, account.uid, account.gid)
    except OSError as error:
        raise StoreError(f"embedded postgres: {folder}: {error.strerror}") from error
    return folder


def _remove_socket_folder(folder: str) -> None:
    if Path(folder).name.startswith(SOCKET_FOLDER_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def _last_lines(log: Path, begins: int) -> str:
    """What a server said that began there. Nothing of earlier ones: that would explain nothing, and may name what is stored."""
    lines = log.read_bytes()[begins:].decode(errors="replace").strip().splitlines()
    return " / ".join(line.partition("] ")[2] or line for line in lines[-3:]) or "no message"


def shut_down(pgdata: Path, timeout: float) -> None:
    """Stop the server of this folder: fast, then (half the time later) at once. Its pid file goes last of all."""
    state = _read_pid_file(pgdata)
    if state is None or not _is_server(state.pid, pgdata):
        return
    for sign in (signal.SIGINT, signal.SIGQUIT):
        with contextlib.suppress(ProcessLookupError):
            os.kill(state.pid, sign)
        deadline = time.monotonic() + timeout / 2
        while time.monotonic() < deadline:
            now = _read_pid_file(pgdata)
            if now is None or now.pid != state.pid:
                _remove_socket_folder(state.socket_folder)
                return
            time.sleep(0.002)
    raise StoreError(f"embedded postgres: the server of {pgdata} does not stop")
