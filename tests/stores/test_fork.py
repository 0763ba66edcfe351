"""The embedded PostgreSQL and os.fork: parent and child are two users, whoever leaves first."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = """
import fcntl, os, sys, threading
from pathlib import Path
from gateway.stores import embedded
from gateway.stores.embedded import EmbeddedPostgres
from gateway.stores.postmaster import Deadline

folder = Path(sys.argv[1])
runs = lambda: (folder / "postgres" / "postmaster.pid").exists()
server = EmbeddedPostgres(folder)
url = server.start()

def in_child(work):
    "Runs in a child; returns what ends it, having waited until its work is done."
    done, goes_on = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            end = work()
            os.write(done[1], b"x")
            os.read(goes_on[0], 1)
            if end is not None:
                end()
            code = 0
        finally:
            os._exit(code)
    assert os.read(done[0], 1) == b"x"
    def let_go():
        os.write(goes_on[1], b"x")
        assert os.waitpid(child, 0)[1] == 0
    return let_go
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sg-fork-", dir="/tmp") as made:
        yield Path(made)


def run(folder: Path, story: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM + story, str(folder)], capture_output=True, text=True, timeout=60
    )
    assert not done.stderr, done.stderr
    assert done.returncode == 0


def test_a_child_that_does_not_use_the_server_does_not_keep_it(folder: Path) -> None:
    story = """
other = EmbeddedPostgres(folder)
other.start()
let_go = in_child(lambda: None)
server.stop()
assert runs(), "there is another user"
other.stop()
assert not runs(), "the child must hold no share"
let_go()
"""
    run(folder, story)


def test_a_child_that_uses_the_server_has_a_share_of_its_own(folder: Path) -> None:
    story = """
def work():
    assert server.start() == url
    return server.stop

let_go = in_child(work)
server.stop()
assert runs(), "the child uses it"
let_go()
assert not runs(), "the last user has left"

url = server.start()
let_go = in_child(work)
let_go()
assert runs(), "the parent uses it"
server.stop()
assert not runs()
"""
    run(folder, story)


def test_a_child_does_not_go_on_holding_the_lock_under_which_its_parent_was_starting(folder: Path) -> None:
    story = """
with server._exclusively(Deadline(5.0)):
    let_go = in_child(lambda: None)
other = EmbeddedPostgres(folder)
embedded.START_TIMEOUT = 2.0
assert other.start() == url
other.stop()
server.stop()
let_go()
"""
    run(folder, story)
