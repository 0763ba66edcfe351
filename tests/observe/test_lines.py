"""Log lines are written by a thread: nobody waits for a reader, nothing that was accepted is lost without being counted."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from gateway.core.events import Outcome, Served
from gateway.core.messages import HitKind, Reason, Source
from gateway.observe.lines import LineWriter
from gateway.observe.logs import JsonFormatter, write_access_line


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        try:
            os.close(end)
        except OSError:
            continue  # the test closed it


def test_lines_arrive_whole_and_in_order(pipe: tuple[int, int]):
    writer = LineWriter(pipe[1], pause=0.01)
    for nth in range(300):
        writer.write(b"%d\n" % nth)
    assert writer.flush(10)
    assert os.read(pipe[0], 65536) == b"".join(b"%d\n" % nth for nth in range(300))


def test_a_reader_that_stopped_holds_nobody_up_and_what_is_lost_is_counted(pipe: tuple[int, int]):
    dropped = 0

    def count() -> None:
        nonlocal dropped
        dropped += 1

    writer = LineWriter(pipe[1], lines=100)
    writer.dropped = count
    line = b"x" * 1023 + b"\n"
    started = time.monotonic()
    for _ in range(5000):
        writer.write(line)
    assert time.monotonic() - started < 5  # without a thread it would wait for ever
    assert not writer.flush(0.05)
    assert dropped >= 5000 - 100 - 256 - 64 - 1
    got = 0
    os.set_blocking(pipe[0], False)
    while not writer.flush(0.01) or got < (5000 - dropped) * 1024:
        try:
            got += len(os.read(pipe[0], 1 << 20))
        except BlockingIOError:
            time.sleep(0.001)
    assert got == (5000 - dropped) * 1024


def test_a_reader_that_has_gone_is_not_missed(pipe: tuple[int, int]):
    lost: list[int] = []
    writer = LineWriter(pipe[1])
    writer.dropped = lambda: lost.append(1)
    os.close(pipe[0])
    writer.write(b"one\n")
    assert writer.flush(10)
    writer.write(b"two\n")
    assert writer.flush(10)
    assert len(lost) == 2


def test_the_child_of_a_fork_writes_its_own_lines():
    """It has no thread of its parent's, and the parent may have begun one."""
    program = """
import os
from gateway.observe.lines import STDERR
STDERR.write(b"parent\\n")
STDERR.flush()
child = os.fork()
if child == 0:
    STDERR.write(b"child\\n")
    os._exit(0 if STDERR.flush() else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "parent\nchild\n")


def test_nothing_written_nothing_to_wait_for(pipe: tuple[int, int]):
    assert LineWriter(pipe[1]).flush(0)


def line_of(event: Served, trace: str | None = None) -> dict[str, object]:
    reading, writing = os.pipe()
    try:
        writer = LineWriter(writing)
        write_access_line(event, trace, writer)
        assert writer.flush(10)
        found: dict[str, object] = json.loads(os.read(reading, 65536))
    finally:
        os.close(reading)
        os.close(writing)
    found.pop("time")
    return found


def test_the_access_line_of_a_hit():
    event = Served(
        "chat",
        Outcome.HIT,
        0.0012345,
        200,
        source=Source.POSTGRES,
        similarity=0.98765432,
        entry="0-1",
        scope=bytes(range(32)),
        kind=HitKind.SEMANTIC,
        client="web",
    )
    assert line_of(event, "ab" * 16) == {
        "event": "request",
        "route": "chat",
        "outcome": "hit",
        "status": 200,
        "ms": 1.234,
        "source": "postgres",
        "kind": "semantic",
        "similarity": 0.9877,
        "entry": "0-1",
        "scope": "0001020304050607",
        "client": "web",
        "trace": "ab" * 16,
    }


def test_the_access_line_of_a_miss_has_what_there_is():
    event = Served("chat", Outcome.MISS, 1.0, 503, reason=Reason.STORE_TROUBLE)
    assert line_of(event) == {
        "event": "request",
        "route": "chat",
        "outcome": "miss",
        "status": 503,
        "ms": 1000.0,
        "reason": "store-trouble",
    }


def test_a_log_record_is_one_line_of_json_whatever_is_in_it():
    record = logging.LogRecord("semgate", logging.WARNING, "", 0, "two\nlines %s", ("é",), None)
    record.fields = {"part": "redis"}
    text = JsonFormatter().format(record)
    assert "\n" not in text
    found = json.loads(text)
    assert (found["event"], found["level"], found["part"]) == ("two\nlines é", "warning", "redis")
