"""Calling WSGI apps as a server does, with the validator of the standard library on both sides of the cache."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from gateway import SemanticCacheWSGIMiddleware

_numbers = itertools.count()

JSON = [("Content-Type", "application/json")]
TEXT = [("Content-Type", "text/plain")]
EVENTS = [("Content-Type", "text/event-stream")]


def config(data_dir: Path, **route: Any) -> dict[str, Any]:
    """Settings of one route, with a namespace of their own. Nothing is embedded unless the route asks for it."""
    return {
        "server": {"data_dir": str(data_dir), "namespace": f"wsgi-{next(_numbers)}"},
        "routes": [
            {"name": "ask", "path": "/*", "preset": "json-query", "match": "exact", "scope": "public", **route},
        ],
    }


def cached(app: Any, data_dir: Path, **route: Any) -> Any:
    """The app with the cache around it, both under the eyes of the validator."""
    return validator(SemanticCacheWSGIMiddleware(validator(app), config(data_dir, **route)))


class Given:
    """What a server got of one call: `status` and `headers` (names in lower case) as of now, `written` what was written
    before the app returned; iterate for the rest."""

    def __init__(self) -> None:
        self.status = 0
        self.line = ""
        self.headers: dict[str, str] = {}
        self.pairs: list[tuple[str, str]] = []
        self.written: list[bytes] = []
        self.pieces: Iterable[bytes] = ()

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        assert not self.line or exc_info, "start_response was called twice"
        self.line, self.status = status, int(status.split()[0])
        self.pairs = list(headers)
        self.headers = {name.lower(): value for name, value in headers}
        return self.written.append

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.pieces)

    def close(self) -> None:
        close = getattr(self.pieces, "close", None)
        if close is not None:
            close()

    def body(self) -> bytes:
        """The rest of it, and the end."""
        try:
            return b"".join([*self.written, *self.pieces])
        finally:
            self.close()


def begin(
    app: Any, question: str | bytes = "", *, stream: bool = False, given: Given | None = None, **environ: Any
) -> Given:
    """Call the app; `question` goes as JSON into a POST unless it is bytes."""
    given = given or Given()
    body = (
        question
        if isinstance(question, bytes)
        else json.dumps({"query": question, **({"stream": True} if stream else {})}).encode()
    )
    made: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/ask",
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    made.update(environ)
    setup_testing_defaults(made)
    given.pieces = app(made, given.start_response)
    return given


def ask(app: Any, question: str | bytes = "", **environ: Any) -> tuple[Given, bytes]:
    """Call the app, and take all of its answer."""
    given = begin(app, question, **environ)
    return given, given.body()


class Counting:
    """An app that answers with the number of its calls, and says what it got."""

    def __init__(self, headers: list[tuple[str, str]] = JSON) -> None:
        self.calls: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.headers = headers
        self.closed = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        self.calls.append(environ)
        self.bodies.append(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        start_response("200 OK", list(self.headers))
        return Closing([b'{"call": %d}' % len(self.calls)], self)


class Closing(list[bytes]):
    def __init__(self, pieces: list[bytes], app: Counting) -> None:
        super().__init__(pieces)
        self.app = app

    def close(self) -> None:
        self.app.closed += 1


class Oops(Exception):
    pass
