"""SemanticCacheWSGIMiddleware by the letter of PEP 3333: what a server sees of an app's answer through it, and an app of its client."""

from __future__ import annotations

import contextvars
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from wsgi_calls import EVENTS, JSON, TEXT, Counting, Given, Oops, ask, begin, cached, config

from gateway import SemanticCacheWSGIMiddleware

pytestmark = pytest.mark.usefixtures("one_engine")


def test_each_piece_is_out_before_the_next_is_made(data_dir: Path) -> None:
    story: list[str] = []

    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", list(EVENTS))
        for number in range(3):
            story.append(f"made {number}")
            yield b"data: %d\n\n" % number
        yield b"data: [DONE]\n\n"

    middleware = cached(app, data_dir)
    given = begin(middleware, "stream", stream=True)
    for number, piece in enumerate(given):
        if number < 3:
            assert piece == b"data: %d\n\n" % number
            story.append(f"got {number}")
    given.close()
    assert story == ["made 0", "got 0", "made 1", "got 1", "made 2", "got 2"]
    again, body = ask(middleware, "stream", stream=True)
    assert again.headers["x-cache"] == "HIT"
    assert body == b"data: 0\n\ndata: 1\n\ndata: 2\n\ndata: [DONE]\n\n"


def test_the_app_runs_in_the_thread_and_context_of_its_server(data_dir: Path) -> None:
    variable = contextvars.ContextVar("variable", default="nobody's")
    variable.set("server's")
    seen: list[Any] = []

    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        seen.append((threading.current_thread(), variable.get()))
        start_response("200 OK", list(TEXT))
        yield b"x"
        seen.append((threading.current_thread(), variable.get()))

    ask(cached(app, data_dir), "where am I?")
    assert seen == [(threading.current_thread(), "server's")] * 2


def test_an_error_of_the_app_is_the_servers_as_it_is_and_nothing_is_stored(data_dir: Path) -> None:
    error = Oops()
    calls: list[int] = []

    def app(_environ: dict[str, Any], _start_response: Callable[..., Any]) -> Any:
        calls.append(1)
        raise error

    middleware = cached(app, data_dir)
    for _ in range(2):
        with pytest.raises(Oops) as raised:
            begin(middleware, "trouble")
        assert raised.value is error
        assert raised.traceback[-1].name == "app"
    assert len(calls) == 2


def test_an_error_in_the_middle_of_an_answer_is_the_servers_and_nothing_is_stored(data_dir: Path) -> None:
    error = Oops()
    closed: list[int] = []

    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", list(EVENTS))
        try:
            yield b"data: 1\n\n"
            raise error
        finally:
            closed.append(1)

    middleware = cached(app, data_dir)
    for _ in range(2):
        given = begin(middleware, "half")
        pieces = iter(given)
        assert next(pieces) == b"data: 1\n\n"
        with pytest.raises(Oops) as raised:
            next(pieces)
        assert raised.value is error
        given.close()
    assert len(closed) == 2


def test_an_app_may_take_its_head_back_until_its_first_piece(data_dir: Path) -> None:
    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", list(TEXT))
        yield b""
        try:
            raise Oops
        except Oops:
            start_response("503 Away", list(TEXT), sys.exc_info())
        yield b"sorry"

    given, body = ask(cached(app, data_dir), "take it back")
    assert (given.line, body) == ("503 Away", b"sorry")


def test_an_app_that_would_take_its_head_back_later_gets_its_error_again(data_dir: Path) -> None:
    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", list(TEXT))
        yield b"a"
        try:
            raise Oops
        except Oops:
            start_response("503 Away", list(TEXT), sys.exc_info())
        yield b"never"

    given = begin(cached(app, data_dir), "too late")
    pieces = iter(given)
    assert next(pieces) == b"a"
    with pytest.raises(Oops):
        next(pieces)
    given.close()


def test_what_an_app_writes_is_out_before_it_goes_on(data_dir: Path) -> None:
    story: list[Any] = []

    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        write = start_response("200 Fine", list(JSON))
        write(b"[1")
        story.append(list(given.written))
        write(b",2")
        story.append(list(given.written))
        return [b"]"]

    middleware = cached(app, data_dir)
    for outcome in ("MISS", "HIT"):
        given = Given()
        begin(middleware, "write", given=given)
        body = given.body()
        assert body == b"[1,2]"
        assert given.headers["x-cache"] == outcome
    assert story == [[b"[1"], [b"[1", b",2"]]
    assert given.status == 200


def test_a_client_that_leaves_ends_the_answer_where_the_route_says_so(data_dir: Path) -> None:
    made: list[int] = []
    closed: list[int] = []

    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", list(EVENTS))
        try:
            for number in range(100):
                made.append(number)
                yield b"data: x\n\n"
        finally:
            closed.append(1)

    given = begin(cached(app, data_dir, on_disconnect="abort"), "leave")
    next(iter(given))
    given.close()
    assert (len(made), closed) == (1, [1])


def test_an_answer_whose_client_left_is_read_to_its_end_and_kept(data_dir: Path) -> None:
    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", list(EVENTS))
        yield b"data: 1\n\n"
        yield b"data: [DONE]\n\n"

    middleware = cached(app, data_dir)
    given = begin(middleware, "leave", stream=True)
    next(iter(given))
    given.close()
    again, body = ask(middleware, "leave", stream=True)
    assert (again.headers["x-cache"], body) == ("HIT", b"data: 1\n\ndata: [DONE]\n\n")


def test_the_apps_own_close_comes_when_the_server_has_all_and_once(data_dir: Path) -> None:
    inner = Counting()
    app = cached(inner, data_dir)
    given = begin(app, "close")
    assert list(given) == [b'{"call": 1}']
    assert inner.closed == 0
    given.close()
    given.close()
    assert inner.closed == 1


def test_a_stale_answer_is_renewed_when_the_server_has_it(data_dir: Path) -> None:
    inner = Counting()
    app = cached(inner, data_dir, ttl="50ms", stale_while_revalidate="1h")
    assert ask(app, "stale")[1] == b'{"call": 1}'
    time.sleep(0.06)
    given = begin(app, "stale")
    assert list(given) == [b'{"call": 1}']
    assert len(inner.calls) == 1
    given.close()
    assert inner.bodies == [b'{"query": "stale"}'] * 2
    assert inner.calls[1] is not inner.calls[0]
    assert inner.closed == 2
    assert ask(app, "stale")[1] == b'{"call": 2}'


def test_duplicate_headers_and_an_unusual_reason_pass(data_dir: Path) -> None:
    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response(
            "299 As It Were", [*TEXT, ("Link", "<a>"), ("Link", "<b>"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
        )
        return [b"x"]

    given, _ = ask(cached(app, data_dir), "headers")
    assert given.line == "299 As It Were"
    assert [value for name, value in given.pairs if name.lower() == "link"] == ["<a>", "<b>"]
    assert [value for name, value in given.pairs if name.lower() == "set-cookie"] == ["a=1", "b=2"]


@pytest.mark.parametrize("empty", [[], [b""], (), iter([])])
def test_an_answer_without_a_body(data_dir: Path, empty: Any) -> None:
    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response("204 No Content", [])
        return empty

    given, body = ask(cached(app, data_dir), "nothing")
    assert (given.status, body) == (204, b"")


def test_head_requests_get_the_head_of_what_is_stored(data_dir: Path) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [*JSON, ("Content-Length", "3")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"123"]

    route = {"methods": ["GET", "HEAD"], "query": "query:q", "preset": None}
    middleware = cached(app, data_dir, **route)
    plain = {"QUERY_STRING": "q=a", "CONTENT_LENGTH": "", "CONTENT_TYPE": ""}
    for outcome in ("MISS", "HIT"):
        given, body = ask(middleware, b"", **plain, REQUEST_METHOD="GET")
        assert (given.headers["x-cache"], body) == (outcome, b"123")
    given, body = ask(middleware, b"", **plain, REQUEST_METHOD="HEAD")
    assert (given.status, given.headers["content-length"], body) == (200, "3", b"")


def test_an_app_that_never_begins_is_told_so(data_dir: Path) -> None:
    def app(_environ: dict[str, Any], _start_response: Callable[..., Any]) -> Any:
        return [b"x"]

    middleware = SemanticCacheWSGIMiddleware(app, config(data_dir))
    with pytest.raises(AssertionError, match="start_response"):
        begin(middleware, "never")
