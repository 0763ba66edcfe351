"""The WSGI middleware under real, threaded servers: Werkzeug's, and that of the standard library."""

from __future__ import annotations

import http.client
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
import werkzeug.serving
from wsgi_calls import config

from gateway import SemanticCacheWSGIMiddleware

pytestmark = pytest.mark.usefixtures("one_engine")


class Kitchen:
    """The app that is served: `go` lets the second event of a stream out."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.calls = 0
        self.finished = 0
        self.threads: set[str] = set()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        length = environ.get("CONTENT_LENGTH")
        body = json.loads(environ["wsgi.input"].read(int(length) if length else -1))
        self.calls += 1
        self.threads.add(threading.current_thread().name)
        if body.get("stream"):
            start_response("200 OK", [("Content-Type", "text/event-stream")])
            return self.events()
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b'{"call": %d}' % self.calls]

    def events(self) -> Iterator[bytes]:
        yield b"data: 1\n\n"
        self.go.wait(10)
        for _ in range(100):  # enough for a server to notice that nobody reads
            yield b"data: " + b"x" * 10_000 + b"\n\n"
        yield b"data: [DONE]\n\n"
        self.finished += 1


class Silent(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        return


class Threaded(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        return  # clients that leave


class SilentWerkzeug(werkzeug.serving.WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        return


def standard(app: Any) -> Any:
    return make_server("127.0.0.1", 0, app, Threaded, Silent)


def werkzeugs(app: Any) -> Any:
    return werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True, request_handler=SilentWerkzeug)


class Served:
    def __init__(self, make: Callable[[Any], Any], data_dir: Path, **route: Any) -> None:
        self.kitchen = Kitchen()
        self.server = make(SemanticCacheWSGIMiddleware(self.kitchen, config(data_dir, **route)))
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01} if make is standard else {}
        )
        self.thread.start()

    def ask(self, text: str, *, stream: bool = False, chunked: bool = False) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=20)
        body = json.dumps({"query": text, **({"stream": True} if stream else {})}).encode()
        sent: Any = iter([body[:5], body[5:]]) if chunked else body
        connection.request("POST", "/ask", sent, {"Content-Type": "application/json"}, encode_chunked=chunked)
        return connection.getresponse()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join(10)
        self.server.server_close()


SERVERS = {"standard": standard, "werkzeug": werkzeugs}


@pytest.fixture(params=SERVERS)
def served(request: pytest.FixtureRequest, data_dir: Path) -> Iterator[Served]:
    made = Served(SERVERS[request.param], data_dir)
    yield made
    made.stop()


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_many_clients_at_once_get_what_is_theirs(served: Served) -> None:
    got: dict[tuple[int, int], tuple[str | None, bytes]] = {}

    def work(number: int) -> None:
        for turn in range(3):
            answer = served.ask(f"question {number % 5}")
            got[number, turn] = (answer.headers["x-cache"], answer.read())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(15)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(got) == 45
    assert {got[number, 2][0] for number in range(15)} == {"HIT"}
    for number in range(5):
        mine = {got[each, turn][1] for each in (number, number + 5, number + 10) for turn in range(3)}
        others = {body for (each, _), (_, body) in got.items() if each % 5 != number}
        assert not mine & others
    assert len(served.kitchen.threads) > 1


def test_an_event_is_with_the_client_before_the_next_is_made(served: Served) -> None:
    answer = served.ask("stream", stream=True)
    assert answer.headers["x-cache"] == "MISS"
    assert answer.read(9) == b"data: 1\n\n"
    assert served.kitchen.finished == 0
    served.kitchen.go.set()
    rest = answer.read()
    assert rest.endswith(b"data: [DONE]\n\n")
    again = served.ask("stream", stream=True)
    assert (again.headers["x-cache"], again.read()) == ("HIT", b"data: 1\n\n" + rest)


def test_the_answer_of_a_client_that_left_is_read_to_its_end_and_kept(served: Served) -> None:
    answer = served.ask("leaving", stream=True)
    assert answer.read(9) == b"data: 1\n\n"
    answer.close()
    served.kitchen.go.set()
    until(lambda: served.kitchen.finished == 1)

    def is_kept() -> bool:
        again = served.ask("leaving", stream=True)
        again.read()
        return again.headers["x-cache"] == "HIT"

    until(is_kept)


def test_a_client_that_leaves_before_it_has_sent_its_question_is_no_trouble(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.server.server_port), timeout=5) as half:
        half.sendall(b"POST /ask HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
    assert json.loads(served.ask("still there?").read())["call"] >= 1


def test_a_chunked_question_is_cached_where_the_server_tells_its_end(data_dir: Path) -> None:
    made = Served(werkzeugs, data_dir)
    try:
        outcomes = []
        for _ in range(2):
            answer = made.ask("chunked", chunked=True)
            assert answer.read() == b'{"call": 1}'
            outcomes.append(answer.headers["x-cache"])
        assert outcomes == ["MISS", "HIT"]
    finally:
        made.stop()
