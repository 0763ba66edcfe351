"""The engine: one thread and one loop a process, what is opened in it once, and its end."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, wait
from pathlib import Path
from typing import Any

import pytest

from gateway.doors.engine import UNUSED, Engine, engine
from gateway.errors import ConfigError
from gateway.fronts.conversation import EngineClosed
from gateway.runtime.inside import CONNECTIONS


@pytest.fixture
def own() -> Iterator[Engine]:
    made = Engine()
    yield made
    made.close()


class Opening:
    """Something to open: as slow as it is told, and counted."""

    def __init__(self, error: BaseException | None = None, slow: float = 0.0) -> None:
        self.error = error
        self.slow = slow
        self.opened = 0
        self.closed = 0

    async def open(self) -> None:
        self.opened += 1
        await asyncio.sleep(self.slow)
        if self.error is not None:
            raise self.error

    async def close(self) -> None:
        self.closed += 1

    async def __call__(self, _scope: Any, _receive: Any, _send: Any) -> None:
        return


def test_equal_settings_are_opened_once_however_many_ask_at_once(own: Engine) -> None:
    made = [Opening(slow=0.02) for _ in range(2)]
    got: list[Future[Opening]] = []
    threads = [
        threading.Thread(target=lambda number=number: got.append(own.opened(number % 2, lambda: made[number % 2])))
        for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    wait(got, timeout=10)
    assert {id(future.result()) for future in got} == {id(each) for each in made}
    assert [each.opened for each in made] == [1, 1]


def test_what_goes_wrong_with_opening_reaches_all_who_wait_and_the_next_one_tries_again(own: Engine) -> None:
    wrong = Opening(ConfigError("wrong"), slow=0.02)
    futures = [own.opened("key", lambda: wrong) for _ in range(5)]
    for future in futures:
        with pytest.raises(ConfigError, match="wrong"):
            future.result(10)
    assert wrong.opened == 1
    right = Opening()
    assert own.opened("key", lambda: right).result(10) is right


def test_what_nobody_uses_any_more_is_closed_but_for_the_last_few(own: Engine) -> None:
    class User:
        pass

    lasting, of_lasting, made = User(), Opening(), [Opening() for _ in range(UNUSED + 12)]
    own.opened("lasting", lambda: of_lasting, lasting).result(10)
    for number, each in enumerate(made):
        own.opened(number, lambda each=each: each, User()).result(10)
    last = Opening()
    own.opened("last", lambda: last, lasting).result(10)
    own.submit(asyncio.sleep, 0).result(10)
    assert [each.closed for each in made] == [1] * 12 + [0] * UNUSED
    assert of_lasting.closed == last.closed == 0
    assert own.opened("lasting", Opening, lasting).result(10) is of_lasting
    again = Opening()
    assert own.opened(0, lambda: again, lasting).result(10) is again


def test_who_waits_in_another_loop_and_is_cancelled_cancels_nobody_elses_opening(own: Engine) -> None:
    slow = Opening(slow=0.05)

    async def impatient() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.wrap_future(own.opened("key", lambda: slow))

    asyncio.run(impatient())
    assert own.opened("key", lambda: Opening()).result(10) is slow


def test_what_is_opened_keeps_nothing_of_who_asked_first(own: Engine) -> None:
    variable = contextvars.ContextVar("variable", default="nobody's")
    variable.set("the first one's")
    seen: list[str] = []

    class Looking(Opening):
        async def open(self) -> None:
            seen.append(variable.get())

    async def look() -> str:
        return variable.get()

    own.opened("key", Looking).result(10)
    assert seen == ["nobody's"]
    assert own.submit(look).result(10) == "the first one's"


def test_work_is_done_and_its_errors_come_back(own: Engine) -> None:
    async def work(value: int) -> int:
        if value < 0:
            raise ValueError(value)
        return value + 1

    assert own.submit(work, 1).result(10) == 2
    with pytest.raises(ValueError, match="-1"):
        own.submit(work, -1).result(10)


def test_at_the_end_what_is_under_way_is_finished_and_all_is_closed(own: Engine) -> None:
    opened = Opening()
    own.opened("key", lambda: opened).result(10)
    done: list[int] = []

    async def slow() -> None:
        await asyncio.sleep(0.05)
        done.append(1)

    own.submit(slow)
    own.close()
    assert (done, opened.closed) == ([1], 1)
    assert not own.is_alive()
    with pytest.raises(EngineClosed):
        own.submit(slow)
    own.close()


def test_what_does_not_end_is_ended(own: Engine) -> None:
    async def stubborn() -> None:
        await asyncio.sleep(60)

    future = own.submit(stubborn)
    own.close(finishing=0.01)
    with pytest.raises((CancelledError, asyncio.CancelledError)):
        future.result(10)
    assert not own.is_alive()


def test_after_its_end_the_next_use_begins_a_new_one() -> None:
    first = engine()
    first.close()
    second = engine()
    assert second is not first
    assert second.is_alive()
    assert engine() is second


def test_importing_the_doors_begins_no_thread() -> None:
    program = """
import threading
import gateway.doors.wsgi, gateway.doors.asgi
assert threading.active_count() == 1, threading.enumerate()
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)


def test_a_program_that_just_ends_leaves_nothing_running_and_says_nothing(tmp_path: Path) -> None:
    program = """
import io, json, sys
from gateway import SemanticCacheWSGIMiddleware

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [b"{}"]

config = {"server": {"data_dir": sys.argv[1]}, "routes": [
    {"name": "a", "path": "/*", "preset": "json-query", "match": "exact", "scope": "public"}]}
middleware = SemanticCacheWSGIMiddleware(app, config)
body = b'{"query": "x"}'
environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/a", "wsgi.url_scheme": "http", "HTTP_HOST": "a",
    "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
heads = []
answer = middleware(environ, lambda *head: heads.append(head))
print(b"".join(answer), dict(heads[0][1])["x-cache"])
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "b'{}' MISS\n")
    assert not (tmp_path / "postgres" / "postmaster.pid").exists()
    # Enough for the workers of a large server: each has some of its own.
    assert f"max_connections={CONNECTIONS}" in (tmp_path / "postgres" / "postmaster.opts").read_text()
