"""SemanticCacheWSGIMiddleware by the letter of PEP 3333: what an app sees of a request through it, and what a server does."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from wsgi_calls import JSON, TEXT, Counting, ask, cached, config

from gateway import SemanticCacheWSGIMiddleware

pytestmark = pytest.mark.usefixtures("one_engine")


def test_a_question_is_answered_from_the_cache_the_second_time(data_dir: Path) -> None:
    inner = Counting()
    app = cached(inner, data_dir)
    first, body = ask(app, "what is it?")
    assert (first.line, body, first.headers["x-cache"]) == ("200 OK", b'{"call": 1}', "MISS")
    second, body = ask(app, "what is it?")
    assert (second.line, body, second.headers["x-cache"]) == ("200 OK", b'{"call": 1}', "HIT")
    assert second.headers["content-type"] == "application/json"
    assert ask(app, "what else?")[1] == b'{"call": 2}'
    assert inner.bodies[0] == b'{"query": "what is it?"}'
    assert inner.closed == 2


def test_what_no_route_takes_reaches_the_app_untouched(data_dir: Path) -> None:
    seen: list[Any] = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        seen.append((environ, start_response))
        start_response("200 OK", list(TEXT))
        return answer

    answer = [b"x"]
    middleware = SemanticCacheWSGIMiddleware(app, config(data_dir, path="/ask"))
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/ask",
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "a",
        "wsgi.input": None,
    }

    def start_response(*_: Any) -> None:
        return

    assert middleware(environ, start_response) is answer
    assert middleware({**environ, "REQUEST_METHOD": "POST", "PATH_INFO": "/else"}, start_response) is answer
    assert seen[0] == (environ, start_response)


def test_a_body_whose_end_nobody_knows_is_not_read(data_dir: Path) -> None:
    inner = Counting()
    app = cached(inner, data_dir)
    for _ in range(2):
        given, _ = ask(app, "chunked", HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="")
        assert "x-cache" not in given.headers
    assert len(inner.calls) == 2


def test_a_body_without_length_is_read_to_the_end_of_the_input_where_that_ends(data_dir: Path) -> None:
    bodies: list[bytes] = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        bodies.append(environ["wsgi.input"].read(1000))
        start_response("200 OK", list(JSON))
        return [b"{}"]

    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    middleware = cached(app, data_dir)
    assert [ask(middleware, "chunked", **chunked)[0].headers["x-cache"] for _ in range(2)] == ["MISS", "HIT"]
    assert bodies == [b'{"query": "chunked"}']


def test_the_app_reads_the_body_as_it_likes(data_dir: Path) -> None:
    lines: list[Any] = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        given = environ["wsgi.input"]
        lines.extend([given.readline(), given.read(3), list(given)])
        start_response("200 OK", list(JSON))
        return [b"{}"]

    ask(cached(app, data_dir), b'{"query":\n"a",\n"b":\n1}')
    assert lines == [b'{"query":\n', b'"a"', [b",\n", b'"b":\n', b"1}"]]


class Slow(io.RawIOBase):
    """An input that counts what was read of it, and fails where more is asked for than there is."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        assert 0 <= size <= self.size - self.taken, "read past the end of the body"
        self.taken += size
        return b"x" * size


def test_a_body_too_large_for_the_route_streams_to_the_app(data_dir: Path) -> None:
    sizes: list[int] = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        while piece := environ["wsgi.input"].read(70_000):
            sizes.append(len(piece))
        start_response("200 OK", list(TEXT))
        return [b"ok"]

    middleware = cached(app, data_dir, max_body="100KiB")
    source = Slow(1_000_000)
    declared, _ = ask(middleware, b"", **{"wsgi.input": Plain(source, 1_000_000), "CONTENT_LENGTH": "1000000"})
    assert sum(sizes) == 1_000_000
    assert declared.headers["x-cache"] == "BYPASS"
    sizes.clear()
    undeclared = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    given, _ = ask(middleware, b"", **{"wsgi.input": Plain(Slow(1_000_000), 1_000_000), **undeclared})
    assert given.headers["x-cache"] == "BYPASS"
    assert sum(sizes) == 1_000_000


class Plain:
    """A server's input: it ends, or (with a length) must not be read further."""

    def __init__(self, source: Slow, size: int) -> None:
        self.source = source
        self.left = size

    def read(self, size: int = -1) -> bytes:
        size = min(size, self.left)
        self.left -= size
        return self.source.read(size)

    def readline(self, size: int = -1) -> bytes:
        raise AssertionError

    def readlines(self, hint: int = -1) -> list[bytes]:
        raise AssertionError

    def __iter__(self) -> Iterator[bytes]:
        raise AssertionError


def test_half_a_body_is_the_apps_to_judge_and_nothing_is_stored(data_dir: Path) -> None:
    inner = Counting()
    app = cached(inner, data_dir)
    for _ in range(2):
        given, _ = ask(app, b'{"query": "hal', CONTENT_LENGTH="100")
        assert given.headers["x-cache"] == "BYPASS"
    assert inner.bodies == [b'{"query": "hal'] * 2
