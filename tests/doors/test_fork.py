"""Processes that fork: parent and children each have an engine of their own, and find each other's answers in PostgreSQL."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = """
import io, itertools, multiprocessing, os, sys, threading, time
from gateway import SemanticCacheWSGIMiddleware
from gateway.doors.engine import engine

numbers = itertools.count(1)

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [b'{"pid": %d, "call": %d}' % (os.getpid(), next(numbers))]

config = {"server": {"data_dir": sys.argv[1], "namespace": sys.argv[2]}, "stores": {"postgres": {"timeout": "5s"}}, "routes": [
    {"name": "a", "path": "/*", "preset": "json-query", "match": "exact", "scope": "public"}]}
middleware = SemanticCacheWSGIMiddleware(app, config)

def ask(text):
    "What X-Cache says, and the answer."
    body = b'{"query": "%s"}' % text.encode()
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/a", "wsgi.url_scheme": "http", "HTTP_HOST": "a",
        "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    heads = []
    answer = middleware(environ, lambda *head: heads.append(dict(head[1])))
    try:
        return heads[0]["x-cache"], b"".join(answer)
    finally:
        answer.close()

def settled(text, outcome):
    "An answer may be stored a moment after it was given."
    until = time.monotonic() + 5
    while (found := ask(text)[0]) != outcome and time.monotonic() < until:
        time.sleep(0.01)
    assert found == outcome, (text, found)

def in_child(work):
    "Runs it in a child; its exit code says whether all was well."
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            engine().close()  # what is being stored would be lost with a process that ends like this
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    return child

def ends_well(child):
    assert os.waitpid(child, 0)[1] == 0
"""


def run(data_dir: Path, name: str, story: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM + story, str(data_dir), f"fork-{name}"],
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert not done.stderr, done.stderr
    assert done.returncode == 0


def test_parent_and_children_go_on_and_find_each_others_answers(data_dir: Path) -> None:
    story = """
assert ask("before")[0] == "MISS"
settled("before", "HIT")
mine = engine()

def work():
    assert engine() is not mine
    assert ask("before")[0] == "HIT"
    assert ask("from the child")[0] == "MISS"
    settled("from the child", "HIT")

children = [in_child(work)]
ends_well(children[0])
assert engine() is mine and mine.is_alive()
assert ask("from the child")[0] == "HIT"
assert ask("after")[0] == "MISS"
settled("after", "HIT")

def together():
    for number in range(20):
        ask(f"together {number % 5}")
    settled("after", "HIT")

children = [in_child(together) for _ in range(3)]
together()
for child in children:
    ends_well(child)
settled("together 1", "HIT")

def grandchild():
    ask("first in the child")
    ends_well(in_child(lambda: settled("first in the child", "HIT")))
    settled("first in the child", "HIT")

ends_well(in_child(grandchild))
"""
    run(data_dir, "together", story)


def test_children_of_multiprocessing_end_as_they_should(data_dir: Path) -> None:
    story = """
def work(connection):
    connection.send(ask("asked before")[0])
    ask("asked in the child")

ask("asked before")
settled("asked before", "HIT")
context = multiprocessing.get_context("fork")
here, there = context.Pipe()
process = context.Process(target=work, args=(there,))
process.start()
process.join(30)
assert process.exitcode == 0
assert here.recv() == "HIT"
assert ask("asked in the child")[0] == "HIT", "what was under way at its end was finished"
with context.Pool(2) as pool:
    assert set(pool.map(ask_outcome, ["asked before"] * 4)) == {"HIT"}
"""
    run(data_dir, "multiprocessing", "def ask_outcome(text):\n    return ask(text)[0]\n" + story)


def test_a_fork_while_other_threads_are_in_the_middle_of_it_leaves_the_child_able_to_go_on(data_dir: Path) -> None:
    story = """
from gateway.doors import engine as doors
stop = threading.Event()

def busy(number):
    while not stop.is_set():
        ask(f"busy {number} {time.monotonic_ns() % 7}")

threads = [threading.Thread(target=busy, args=(number,)) for number in range(3)]
for thread in threads:
    thread.start()
children = []
for number in range(5):
    time.sleep(0.02)
    children.append(in_child(lambda: settled(f"of child {number}", "HIT")))
with doors._beginning, doors.engine()._lock:
    children.append(in_child(lambda: settled("of the last", "HIT")))
for child in children:
    ends_well(child)
stop.set()
for thread in threads:
    thread.join(10)
settled("of the last", "HIT")
"""
    run(data_dir, "busy", story)


def test_a_fork_waits_until_what_is_being_opened_is_open(data_dir: Path) -> None:
    story = """
from gateway.runtime.inside import Inside
a_librarys, began, open_it = threading.Lock(), threading.Event(), Inside.open

async def opening(self):
    with a_librarys:
        began.set()
        await open_it(self)

Inside.open = opening
asking = threading.Thread(target=ask, args=("asked by a thread",))
asking.start()
began.wait(10)
child = in_child(lambda: settled("asked by the child", "HIT"))
ends_well(child)
asking.join(10)
assert ask("asked by the child")[0] == "HIT"
"""
    run(data_dir, "opening", story)


@pytest.fixture
def served(data_dir: Path, tmp_path: Path) -> Iterator[int]:
    """The port of gunicorn with two workers, forked from a master that had the app loaded, and asked, already."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    (tmp_path / "answering.py").write_text(
        PROGRAM.replace("sys.argv[1]", repr(str(data_dir))).replace("sys.argv[2]", repr("fork-gunicorn"))
        + '\nassert ask("asked by the master")[0] == "MISS"\nsettled("asked by the master", "HIT")\n'
    )
    log = (tmp_path / "log").open("w")
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--threads", "2", "--no-control-socket"]
    server = subprocess.Popen(
        [*command, "--bind", f"127.0.0.1:{port}", "answering:middleware"], cwd=tmp_path, stderr=log, stdout=log
    )
    try:
        yield port
    finally:
        server.send_signal(signal.SIGTERM)
        code = server.wait(30)
        log.close()
        text = (tmp_path / "log").read_text()
        assert (code, "Traceback" in text, "[ERROR]" in text) == (0, False, False), text


def test_a_server_that_loads_the_app_and_then_forks_serves_from_every_worker(served: int) -> None:
    def ask(text: str) -> tuple[str, int]:
        connection = http.client.HTTPConnection("127.0.0.1", served, timeout=20)
        connection.request("POST", "/a", json.dumps({"query": text}), {"content-type": "application/json", "host": "a"})
        response = connection.getresponse()
        outcome, pid = response.headers["x-cache"], json.loads(response.read())["pid"]
        connection.close()
        return outcome, pid

    until = time.monotonic() + 30
    while True:
        try:
            assert ask("asked by the master")[0] == "HIT"
            break
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.02)
    first = ask("asked of a worker")
    assert first[0] == "MISS"
    time.sleep(0.05)
    got = [ask("asked of a worker") for _ in range(20)]
    assert got == [("HIT", first[1])] * 20
    pids = {ask(f"who are you? {number}")[1] for number in range(60)}
    assert len(pids) == 2
