"""The machine under the benchmark: two cores, the processes pinned to them, and what a process holds in memory.

Whatever is measured runs on one core, alone; load, upstream and PostgreSQL share another. A child inherits the core of
the process that starts it, so pinning one process pins all that it will start. Linux only: it reads /proc.
"""

from __future__ import annotations

import http.client
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CORES = sorted(os.sched_getaffinity(0))
SERVER = {CORES[0]}
OTHERS = {CORES[-1]}
STOP_SECONDS = 15


def describe() -> dict[str, str | int | float]:
    """What a reader must know of the machine to judge the figures."""
    model = next((line.partition(":")[2] for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "")
    return {
        "cpu": model.strip() or platform.machine(),
        "cores": len(CORES),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def pin(pid: int, cores: set[int]) -> None:
    """Move a process and all that it started, every thread of them."""
    for process in (pid, *descendants(pid)):
        for task in Path(f"/proc/{process}/task").glob("*"):
            try:
                os.sched_setaffinity(int(task.name), cores)
            except ProcessLookupError:
                continue


def descendants(pid: int) -> list[int]:
    """The running processes that this one started, directly or not."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = list(children.get(pid, []))
    for each in found:
        found += children.get(each, [])
    return found


def cpu_seconds(pid: int) -> float:
    """What a process and all that it started have used of any core so far."""
    ticks = 0
    for process in (pid, *descendants(pid)):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def worker_of(pid: int) -> int:
    """The one worker that a `semgate serve` with this process id has started."""
    return next(child for child in descendants(pid) if "postgres" not in command(child))


def command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")


def memory(pid: int) -> dict[str, float]:
    """Megabytes (10^6 bytes) of one process: `rss` counts shared pages whole, `pss` by their share."""
    sizes = {}
    for line in _lines(f"/proc/{pid}/smaps_rollup"):
        name, _, rest = line.partition(":")
        if name in ("Rss", "Pss"):
            sizes[name.lower()] = int(rest.split()[0]) * 1024 / 1e6
    return sizes


def resident(pid: int) -> float:
    """Megabytes of resident memory, shared pages counted whole; cheap enough to be asked several times a second."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def handles(pid: int) -> int:
    """Files, sockets and pipes that a process has open."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def threads(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())


class Busy:
    """How much of each core was in use between `start` and `stop`, by anybody."""

    def __init__(self) -> None:
        self._before = _ticks()

    def shares(self) -> dict[int, float]:
        shares = {}
        for core, (busy, total) in _ticks().items():
            busy_before, total_before = self._before[core]
            shares[core] = (busy - busy_before) / max(1, total - total_before)
        return shares


def _ticks() -> dict[int, tuple[int, int]]:
    ticks = {}
    for line in _lines("/proc/stat"):
        name, *rest = line.split()
        if name.startswith("cpu") and name != "cpu":
            numbers = [int(number) for number in rest[:8]]
            ticks[int(name[3:])] = (sum(numbers) - numbers[3] - numbers[4], sum(numbers))
    return ticks


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    arguments: list[str], cores: set[int], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process on these cores for as long as the block runs; its output goes to `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            arguments,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, then end it with everything in its session."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def get(port: int, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers=dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def wait_for(process: subprocess.Popen[bytes], port: int, path: str, log: Path, seconds: float = 60.0) -> None:
    """Until a GET is answered, whatever the status. Raises RuntimeError with the end of the process's log."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            get(port, path)
            return
        except (OSError, http.client.HTTPException):
            time.sleep(0.01)
    raise RuntimeError(f"{' '.join(process.args)} did not come up:\n{log.read_text()[-2000:]}")  # type: ignore[arg-type]
