"""The load: keep-alive connections that ask, wait for the answer, and ask again. One process on uvloop, one job.

`drive(job)` starts this file as a process of its own, pinned to the others' core, and returns what it saw. Every answer
is checked: a status other than 2xx or a head without what the job expects is counted as wrong, never as an answer.
Bodies may have Content-Length or be chunked; as nothing is pipelined, an answer ends where the data ends.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import cast

import msgspec

# In a request: replaced by a running number of eight digits, so that no two requests are the same.
NUMBER = b"#NUMBER#"
# How long an answer may be outstanding after the end of the measurement.
PATIENCE = 10.0


class Job(msgspec.Struct, kw_only=True):
    """Ask `requests` (whole HTTP requests, as bytes) in turn over `connections`, for `seconds` after `warm_up` seconds
    or, where `count` is given, so many times in all. `expect` must stand in each answer's head (in lower case)."""

    port: int
    requests: list[bytes]
    connections: int = 1
    seconds: float = 0.0
    warm_up: float = 0.2
    count: int = 0
    pause: float = 0.0
    expect: bytes = b""
    first_number: int = 0


class Seen(msgspec.Struct, kw_only=True):
    """`latencies` in nanoseconds, of the right answers within the measured `seconds`; `asked` counts all requests that
    were sent, warm-up included, `right` those that were answered rightly; `cpu` is the share of a core it took."""

    latencies: list[int]
    seconds: float
    asked: int
    right: int
    wrong: dict[str, int]
    cpu: float

    @property
    def rate(self) -> float:
        """Right answers per second."""
        return len(self.latencies) / self.seconds

    def p50(self) -> float:
        """Milliseconds."""
        return median(self.latencies) / 1e6


def drive(job: Job, cores: set[int]) -> Seen:
    """Run a job in a process of its own on these cores."""
    return start(job, cores)()


class start:  # noqa: N801 - reads as the verb that it is
    """Start a job and go on; call it for what was seen."""

    def __init__(self, job: Job, cores: set[int]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.msgpack.encode(job))
        self._process.stdin.close()

    def __call__(self) -> Seen:
        assert self._process.stdout is not None
        told = self._process.stdout.read()
        if self._process.wait() != 0:
            raise RuntimeError("the load generator failed")
        return msgspec.msgpack.decode(told, type=Seen)


class Run:
    """One job under way, shared by its connections."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.asked = self.right = self.open = 0
        self.wrong: Counter[str] = Counter()
        self.latencies: list[int] = []
        now = time.perf_counter_ns()
        self.begin = now if job.count else now + int(job.warm_up * 1e9)
        self.end = sys.maxsize if job.count else self.begin + int(job.seconds * 1e9)
        self.last = now
        self.over = asyncio.get_running_loop().create_future()
        self._numbered = any(NUMBER in request for request in job.requests)

    def next_request(self) -> bytes | None:
        """None when the job is done."""
        job = self.job
        if self.asked >= job.count if job.count else time.perf_counter_ns() >= self.end:
            return None
        number = self.asked
        self.asked += 1
        request = job.requests[number % len(job.requests)]
        if self._numbered:
            request = request.replace(NUMBER, b"%08d" % (job.first_number + number))
        return request

    def answered(self, sent: int, head: bytes) -> None:
        now = time.perf_counter_ns()
        if head[9:10] != b"2":
            self.wrong[f"status {head[9:12].decode()}"] += 1
        elif self.job.expect not in head:
            self.wrong[f"{value_of(head, b'x-cache')} where {self.job.expect.strip().decode()!r} was expected"] += 1
        else:
            self.right += 1
            if self.begin <= now <= self.end:
                self.last = now
                self.latencies.append(now - sent)

    def closed(self) -> None:
        self.open -= 1
        if not self.open and not self.over.done():
            self.over.set_result(None)


class Connection(asyncio.Protocol):
    def __init__(self, run: Run) -> None:
        self._run = run
        self._buffer = b""
        self._waiting = False
        self._sent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._run.open += 1
        self.ask()

    def ask(self) -> None:
        request = self._run.next_request()
        if request is None or self._transport.is_closing():
            self._transport.close()
            return
        self._waiting = True
        self._sent = time.perf_counter_ns()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        end = data.find(b"\r\n\r\n")
        if end < 0 or not is_whole(head := data[: end + 2].lower(), data, end + 4):
            self._buffer = data
            return
        self._buffer = b""
        self._waiting = False
        self._run.answered(self._sent, head)
        if self._run.job.pause:
            asyncio.get_running_loop().call_later(self._run.job.pause, self.ask)
        else:
            self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting:
            self._run.wrong["connection closed before the answer"] += 1
        self._run.closed()


def is_whole(head: bytes, data: bytes, start: int) -> bool:
    """Has the body, which begins at `start`, arrived to its end?"""
    place = head.find(b"\r\ncontent-length:")
    if place >= 0:
        return len(data) >= start + int(head[place + 17 : head.index(b"\r\n", place + 2)])
    if b"\r\ntransfer-encoding: chunked\r\n" not in head:
        return True  # no body: 204, 304
    while True:
        line = data.find(b"\r\n", start)
        if line < 0:
            return False
        size = int(data[start:line].split(b";")[0], 16)
        start = line + 2 + size + 2
        if len(data) < start:
            return False
        if size == 0:
            return True


def value_of(head: bytes, name: bytes) -> str:
    for line in head.split(b"\r\n"):
        if line.startswith(name + b":"):
            return line.decode()
    return f"no {name.decode()}"


async def carry_out(job: Job) -> Seen:
    loop = asyncio.get_running_loop()
    run = Run(job)
    for _ in range(job.connections):
        await loop.create_connection(lambda: Connection(run), "127.0.0.1", job.port)
    limit = None if job.count else job.warm_up + job.seconds + PATIENCE
    try:
        await asyncio.wait_for(run.over, limit)
    except TimeoutError:
        run.wrong["no answer"] += run.open
    wall = (run.last - run.begin) / 1e9 if job.count else job.seconds
    return Seen(
        latencies=run.latencies,
        seconds=max(wall, 1e-9),
        asked=run.asked,
        right=run.right,
        wrong=dict(run.wrong),
        cpu=0.0,
    )


def main() -> None:
    import uvloop

    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Job)
    wall, cpu = time.perf_counter(), time.process_time()
    seen = uvloop.run(carry_out(job))
    seen.cpu = (time.process_time() - cpu) / (time.perf_counter() - wall)
    sys.stdout.buffer.write(msgspec.msgpack.encode(seen))


if __name__ == "__main__":
    main()
