"""The supervisor of the embedded PostgreSQL: what it takes for dead, and what becomes of it at the end and in a fork."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.core.events import Event, Restarted, Trouble
from gateway.stores.embedded import EmbeddedPostgres
from gateway.stores.postmaster import Deadline
from gateway.stores.supervisor import Supervisor


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sg-sup-", dir="/tmp") as made:
        yield Path(made)


@contextmanager
def supervised(folder: Path) -> Iterator[tuple[EmbeddedPostgres, list[Event]]]:
    """A share that is supervised, and what was told of it."""
    told: list[Event] = []
    postgres = EmbeddedPostgres(folder)
    postgres.start()
    supervisor = Supervisor(postgres, told.append)
    supervisor.begin()
    try:
        yield postgres, told
    finally:
        supervisor.end()
        postgres.stop()


def pid_of(folder: Path) -> int:
    return int((folder / "postgres" / "postmaster.pid").read_text().split()[0])


def until_told(told: list[Event], kind: type[Event]) -> None:
    deadline = time.monotonic() + 30
    while not any(isinstance(event, kind) for event in told):
        assert time.monotonic() < deadline, told
        time.sleep(0.02)


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "semgate postgres"]


def test_a_server_that_does_not_answer_is_not_dead(folder: Path) -> None:
    with supervised(folder) as (_postgres, told):
        pid = pid_of(folder)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(2.5)
        os.kill(pid, signal.SIGCONT)
        assert pid_of(folder) == pid
    assert not told
    assert not (folder / "postgres" / "postmaster.pid").exists()


def test_who_leaves_waits_neither_for_a_start_under_way_nor_for_others(folder: Path) -> None:
    """One who is starting the server does not come to an end."""
    told: list[Event] = []
    postgres, other = EmbeddedPostgres(folder), EmbeddedPostgres(folder)
    postgres.start()
    supervisor = Supervisor(postgres, told.append)
    supervisor.begin()
    with other._exclusively(Deadline(5.0)):
        os.kill(pid_of(folder), signal.SIGKILL)
        until_told(told, Trouble)
        time.sleep(0.2)
        began = time.monotonic()
        supervisor.end()
        assert time.monotonic() - began < 5, "0.01 s on an idle machine"
        assert not threads()
        postgres.stop()
        assert time.monotonic() - began < 20
    assert len(told) == 1
    other.start()
    other.stop()
    assert not (folder / "postgres" / "postmaster.pid").exists(), "the one who left has no share any more"


def test_data_that_are_gone_are_not_begun_anew(folder: Path) -> None:
    with supervised(folder) as (_postgres, told):
        pid = pid_of(folder)
        (folder / "postgres").rename(folder / "elsewhere")
        os.kill(pid, signal.SIGKILL)
        until_told(told, Trouble)
        time.sleep(1.5)
        assert not (folder / "postgres").exists()
        (folder / "elsewhere").rename(folder / "postgres")
        until_told(told, Restarted)
    assert not (folder / "postgres" / "postmaster.pid").exists()


PROGRAM = """
import os, signal, sys, threading, time
from pathlib import Path
from gateway.core.events import Restarted
from gateway.stores.embedded import EmbeddedPostgres
from gateway.stores.supervisor import Supervisor

folder = Path(sys.argv[1])
pid_file = folder / "postgres" / "postmaster.pid"

def supervised():
    told = []
    postgres = EmbeddedPostgres(folder)
    postgres.start()
    supervisor = Supervisor(postgres, told.append)
    supervisor.begin()
    return postgres, supervisor, told

def killed():
    os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)

def back(told):
    until = time.monotonic() + 30
    while not any(isinstance(event, Restarted) for event in told):
        assert time.monotonic() < until, told
        time.sleep(0.02)

postgres, supervisor, told = supervised()
killed()
children = []
while not told or not isinstance(told[-1], Restarted):  # forked at any moment of it
    child = os.fork()
    if child == 0:
        try:
            supervisor.end()
            postgres.stop()
            os._exit(0)
        finally:
            os._exit(1)
    children.append(child)
    time.sleep(0.01)
assert pid_file.exists(), "the children had no share to give back"
for child in children:
    assert os.waitpid(child, 0)[1] == 0

supervisor.end()  # so that nobody but the child starts it
child = os.fork()
if child == 0:
    try:
        own, mine, heard = supervised()
        killed()
        back(heard)
        mine.end()
        own.stop()
        os._exit(0)
    finally:
        os._exit(1)
assert os.waitpid(child, 0)[1] == 0
assert pid_file.exists(), "the parent uses it"
postgres.stop()
assert not pid_file.exists()
assert threading.active_count() == 1
"""


def test_a_fork_leaves_it_to_the_parent(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
