"""Clients that read streams: how late each event comes. One process on uvloop, plain sockets, no HTTP library.

`listen(job, cores)` starts this file as a process of its own and returns what it heard. The events are those of
`floors/upstream.py`, which say when they were due and when they were written. Every stream is checked: a status other
than 200, a head without what the job expects, an event that is missing, doubled or out of order, a stream without its
last event or its last chunk is counted as wrong.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Literal, cast

import msgspec

# In a request: replaced by a running number, so that no two requests are the same.
from load import NUMBER, value_of

# How long the last stream may take beyond its own time.
PATIENCE = 15.0
EVENT = re.compile(rb'"content":"(\d+) (\d+) (\d+) "')
LAST = b"data: [DONE]\n\n"
COLLAPSED = b"; collapsed"


class Listening(msgspec.Struct, kw_only=True):
    """Read `streams` streams at once, of `events` events `gap_ms` apart, each asked for by `request`. They begin evenly
    over `spread` seconds; `leader`: the others begin when the first one's head is there. Lateness is counted `since` an
    event was due, or was written; events that were due before their stream was asked for, and the first `skipped` ones,
    are read and not counted. `expect` must stand in each answer's head (in lower case)."""

    port: int
    request: bytes
    streams: int
    events: int
    gap_ms: int
    since: Literal["due", "written"]
    spread: float = 0.0
    leader: bool = False
    skipped: int = 0
    expect: bytes = b""
    first_number: int = 0


class Heard(msgspec.Struct, kw_only=True):
    """`late` in nanoseconds, sorted; `whole` streams came to their end, `collapsed` ones went along with another's."""

    late: list[int]
    whole: int
    collapsed: int
    wrong: dict[str, int]

    def late_ms(self, share: float) -> float:
        """So many of the events (0 to 1) were not later than this, in milliseconds."""
        if not self.late:
            return float("nan")
        return self.late[min(len(self.late) - 1, int(share * len(self.late)))] / 1e6


def listen(job: Listening, cores: set[int]) -> Heard:
    """Carry a job out in a process of its own on these cores."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__))],
        input=msgspec.msgpack.encode(job),
        stdout=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    if done.returncode != 0:
        raise RuntimeError("the listening clients failed")
    return msgspec.msgpack.decode(done.stdout, type=Heard)


class Room:
    """One job under way, shared by its listeners."""

    def __init__(self, job: Listening) -> None:
        self.job = job
        self.late: list[int] = []
        self.wrong: Counter[str] = Counter()
        self.whole = self.collapsed = self.ended = 0
        loop = asyncio.get_running_loop()
        self.led: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()

    def begun(self, head: bytes) -> None:
        """A stream's head came."""
        if COLLAPSED in head:
            self.collapsed += 1
        if not self.led.done():
            self.led.set_result(None)

    def end(self, fault: str | None) -> None:
        """A stream is over, one way or the other."""
        if fault is None:
            self.whole += 1
        else:
            self.wrong[fault] += 1
        self.ended += 1
        for future in (self.led, self.over) if self.ended == self.job.streams else (self.led,):
            if not future.done():
                future.set_result(None)


class Listener(asyncio.Protocol):
    """Reads one stream, then leaves."""

    def __init__(self, room: Room, request: bytes) -> None:
        self._room = room
        self._request = request
        self._asked = 0
        self._data = b""
        self._text = b""
        self._next = 0
        self._in_body = False
        self._done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._asked = time.monotonic_ns()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if self._done:
            return
        if self._data:
            data = self._data + data
        if not self._in_body:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._data = data
                return
            if not self._read_head(data[: end + 2].lower()):
                return
            data = data[end + 4 :]
        payload, self._data, ended = dechunk(data)
        fault = self._read(payload, now)
        if fault is None and ended:
            whole = self._next == self._room.job.events and self._text == LAST
            fault = None if whole else "a stream ended too early"
        if fault is not None or ended:
            self._leave(fault)

    def _read_head(self, head: bytes) -> bool:
        expect = self._room.job.expect
        fault = None
        if head[9:12] != b"200":
            fault = f"status {head[9:12].decode()}"
        elif expect not in head:
            fault = f"{value_of(head, b'x-cache')} where {expect.strip().decode()!r} was expected"
        elif b"\r\ntransfer-encoding: chunked\r\n" not in head:
            fault = "an answer that is not chunked"
        if fault is not None:
            self._leave(fault)
            return False
        self._in_body = True
        self._room.begun(head)
        return True

    def _read(self, payload: bytes, now: int) -> str | None:
        """Count what is whole of the events so far; what is wrong with them, if anything."""
        job = self._room.job
        text = self._text + payload
        end = text.rfind(b"\n\n") + 2
        if end < 2:
            self._text = text
            return None
        for found in EVENT.finditer(text, 0, end):
            number, due, written = map(int, found.groups())
            if number != self._next:
                return "an event out of order"
            self._next += 1
            if number >= job.skipped and due >= self._asked:
                self._room.late.append(now - (due if job.since == "due" else written))
        self._text = LAST if text.endswith(LAST) else text[end:]
        return None

    def _leave(self, fault: str | None) -> None:
        self._done = True
        self._room.end(fault)
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done:
            self._done = True
            self._room.end("a stream was cut")


def dechunk(data: bytes) -> tuple[bytes, bytes, bool]:
    """Of a chunked body that begins with a chunk: the bytes of its whole chunks, the rest, and whether it ended."""
    payload: list[bytes] = []
    start = 0
    while (line := data.find(b"\r\n", start)) >= 0:
        size = int(data[start:line].split(b";")[0], 16)
        end = line + 2 + size
        if len(data) < end + 2:
            break
        if size == 0:
            return b"".join(payload), data[end + 2 :], True
        payload.append(data[line + 2 : end])
        start = end + 2
    return b"".join(payload), data[start:], False


async def carry_out(job: Listening) -> Heard:
    loop = asyncio.get_running_loop()
    room = Room(job)
    begun = loop.time()
    for nth in range(job.streams):
        request = job.request.replace(NUMBER, b"%08d" % (job.first_number + nth))
        await loop.create_connection(lambda request=request: Listener(room, request), "127.0.0.1", job.port)  # type: ignore[misc]
        if nth == 0 and job.leader:
            await room.led
            begun = loop.time()
        await asyncio.sleep(max(0.0, begun + (nth + 1) * job.spread / job.streams - loop.time()))
    try:
        await asyncio.wait_for(asyncio.shield(room.over), job.events * job.gap_ms / 1000 + PATIENCE)
    except TimeoutError:
        room.wrong["a stream did not end"] += job.streams - room.ended
    return Heard(late=sorted(room.late), whole=room.whole, collapsed=room.collapsed, wrong=dict(room.wrong))


def main() -> None:
    import uvloop

    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Listening)
    sys.stdout.buffer.write(msgspec.msgpack.encode(uvloop.run(carry_out(job))))


if __name__ == "__main__":
    main()
