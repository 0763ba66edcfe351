"""One PostgreSQL server process on one data folder: launch, find, shut down. The folder itself is `cluster`'s.

It listens on a unix socket only, in a folder that nobody else may enter, so it needs no password. What runs is told by
`postmaster.pid` and the socket, never believed without looking: a crash leaves both behind, and a pid gets used again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
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


class Running(NamedTuple):
    pid: int
    url: str


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


def find(pgdata: Path) -> Running | None:
    """The server that runs on this folder, waiting for one that is just coming up or recovering."""
    deadline = time.monotonic() + 60
    while (state := _read_pid_file(pgdata)) is not None:
        if not _lives(state, pgdata):
            # PostgreSQL itself passes over files of a process that is gone, not over those whose pid is in use again.
            if _is_alive(state.pid):
                (pgdata / "postmaster.pid").unlink(missing_ok=True)
                Path(state.socket_folder, f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
            _remove_socket_folder(state.socket_folder)
            return None
        if state.status == "ready":
            return Running(state.pid, state.url)
        if time.monotonic() > deadline:
            raise StoreError(
                f"embedded postgres: the server of {pgdata} is still '{state.status}' after 60 s; see its log"
            )
        time.sleep(0.01)
    return None


class _PidFile(NamedTuple):
    """What `postmaster.pid` says; PostgreSQL writes it line by line while it starts."""

    pid: int
    socket_folder: str
    status: str

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={quote(self.socket_folder, safe='/')}&port={PORT}"


def _read_pid_file(pgdata: Path) -> _PidFile | None:
    try:
        lines = [line.strip() for line in (pgdata / "postmaster.pid").read_text().splitlines()]
    except FileNotFoundError:
        return None
    if not lines or not lines[0].isdigit():
        return None
    lines += [""] * (8 - len(lines))
    return _PidFile(int(lines[0]), lines[4], lines[7] or "starting")


def _lives(state: _PidFile, pgdata: Path) -> bool:
    """Whether the server that wrote this pid file still runs, perhaps in another container that shares the folder."""
    if state.socket_folder:
        with socket.socket(socket.AF_UNIX) as door:
            try:
                door.connect(f"{state.socket_folder}/.s.PGSQL.{PORT}")
            except OSError:
                pass
            else:
                return True
    return _is_server(state.pid, pgdata)


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
    pgdata: Path, account: cluster.Account, *, fresh: bool, max_connections: int, timeout: float
) -> tuple[Running, Process]:
    """Start the server and wait until it accepts connections. Raises StoreError with the log's last line. A `fresh`
    cluster is synced to disk beside it."""
    binaries, _version = cluster.binaries()
    socket_folder = _socket_folder(pgdata, account)
    settings = SETTINGS | {"max_connections": str(max_connections), "unix_socket_directories": str(socket_folder)}
    command = [str(binaries / "postgres"), "-D", str(pgdata), "-p", str(PORT)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    log = pgdata.with_name("postgres.log")
    if log.exists() and log.stat().st_size > LOG_KEPT_BYTES:
        log.replace(log.with_name("postgres.log.1"))
    deadline = time.monotonic() + timeout
    while True:
        popen = _spawn(command, account, log)
        running = _wait_until_ready(popen, pgdata, deadline)
        if running is not None:
            return running, Process(popen, _sync(pgdata, binaries, account) if fresh else None)
        said = _last_lines(log)
        # A server that was killed alone: its children notice and go within moments, and until then block the next one.
        if "still in use" not in said or time.monotonic() > deadline:
            _remove_socket_folder(str(socket_folder))
            raise StoreError(f"embedded postgres: the server did not start: {said} (see {log})")
        time.sleep(0.05)


def _spawn(command: list[str], account: cluster.Account, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603
            command,
            env=cluster.environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A session of its own: the terminal's Ctrl-C stops the gateway, which then stops the server.
            start_new_session=True,
            user=account.uid,
            group=account.gid,
            extra_groups=None if account.uid is None else [],
        )


def _wait_until_ready(popen: subprocess.Popen[bytes], pgdata: Path, deadline: float) -> Running | None:
    """None when it ended, or was ended for being late."""
    while popen.poll() is None:
        state = _read_pid_file(pgdata)
        if state is not None and state.pid == popen.pid and state.status == "ready":
            return Running(popen.pid, state.url)
        if time.monotonic() > deadline:
            popen.terminate()
            popen.wait()
        time.sleep(0.002)
    return None


def _sync(pgdata: Path, binaries: Path, account: cluster.Account) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        [str(binaries / "initdb"), "--sync-only", "--pgdata", str(pgdata)],
        env=cluster.environment(),
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        user=account.uid,
        group=account.gid,
        extra_groups=None if account.uid is None else [],
    )


def _socket_folder(pgdata: Path, account: cluster.Account) -> Path:
    # A comma or quote would end the path in PostgreSQL's list of folders and in URLs.
    if len(os.fsencode(pgdata / f".s.PGSQL.{PORT}")) <= LONGEST_SOCKET_PATH and not set(str(pgdata)) & set(",\"'"):
        return pgdata
    folder = Path(tempfile.mkdtemp(prefix=SOCKET_FOLDER_PREFIX, dir="/tmp"))
    if account.uid is not None and account.gid is not None:
        os.chown(folder, account.uid, account.gid)
    return folder


def _remove_socket_folder(folder: str) -> None:
    if Path(folder).name.startswith(SOCKET_FOLDER_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def _last_lines(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
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
