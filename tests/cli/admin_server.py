"""A scripted admin API: a real HTTP server that answers as a gateway does, from what a test put into it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from click.testing import Result

from gateway.fronts.admin.operations import (
    EntriesPage,
    EntryShown,
    EntryWhole,
    Imported,
    Readiness,
    Running,
    RunningRoute,
)

TOKEN = "an-admin-token-for-tests"
Semgate = Callable[..., Result]
"""Runs the command with these arguments."""


class Asked(msgspec.Struct):
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Answer(msgspec.Struct):
    """`cut`: the connection ends before all that was announced has come."""

    status: int
    body: bytes
    content_type: str = "application/json"
    cut: bool = False


def problem(status: int, detail: str, **members: Any) -> Answer:
    body = {"type": "about:blank", "title": "A problem", "status": status, "detail": detail, **members}
    return Answer(status, json.dumps(body).encode(), "application/problem+json")


class AdminServer:
    """`answers` maps `METHOD path` (without `/-/`) to a value to encode, an Answer, or a function of the request."""

    def __init__(self, port: int = 0) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[str, Any] = {}
        self._stopped = False
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                server._handle(self)

            do_GET = do_POST = do_DELETE = handle_one

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._stopped = True
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(10)

    def answer(self, what: str, value: Any) -> None:
        self.answers[what] = value

    def asked_for(self, what: str) -> list[Asked]:
        method, _, path = what.partition(" ")
        return [each for each in self.asked if (each.method, each.path) == (method, path)]

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        length = int(handler.headers.get("content-length") or 0)
        asked = Asked(
            handler.command,
            parts.path.removeprefix("/-/"),
            dict(parse_qsl(parts.query)),
            {name.lower(): value for name, value in handler.headers.items()},
            handler.rfile.read(length),
        )
        if self._stopped:  # on a connection that was kept open
            handler.close_connection = True
            return
        self.asked.append(asked)
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            answer = problem(401, "this is not the admin token (server.admin.token)")
        else:
            answer = self._find(asked)
        handler.send_response(answer.status)
        handler.send_header("Content-Type", answer.content_type)
        handler.send_header("Content-Length", str(len(answer.body) + answer.cut))
        handler.end_headers()
        handler.wfile.write(answer.body)
        handler.close_connection = handler.close_connection or answer.cut

    def _find(self, asked: Asked) -> Answer:
        value = self.answers.get(f"{asked.method} {asked.path}")
        if value is None:
            return problem(404, f"nothing is at {asked.path}")
        if isinstance(value, Callable):
            value = value(asked)
        return value if isinstance(value, Answer) else Answer(200, msgspec.json.encode(value))


def entry(number: int, question: str | None = None, route: str = "chat") -> EntryShown:
    return EntryShown(
        id=f"entry-{number}",
        route=route,
        created_at=1700000000.0 + number,
        expires_at=1800000000.0,
        hits=number,
        bytes=2048,
        tags=["doc-1"],
        question=question if question is not None else f"Question number {number}?",
    )


def whole(number: int, body: str, question: str) -> EntryWhole:
    shown = entry(number, question)
    return EntryWhole(
        **msgspec.structs.asdict(shown), status=200, headers=[("content-type", "application/json")], body=body
    )


def pages(entries: list[EntryShown], largest: int) -> Callable[[Asked], EntriesPage]:
    """The entries in pages, as the gateway gives them: `after` is the place of the next."""

    def answer(asked: Asked) -> EntriesPage:
        begin = int(asked.query.get("after", 0))
        end = begin + min(largest, int(asked.query["limit"]))
        return EntriesPage(entries[begin:end], str(end) if end < len(entries) else None)

    return answer


READY = Readiness("ready", {"postgres": "ok", "default": "ok"})
RUNNING = Running("3f2a" * 16, 1700000000.0, None, [RunningRoute("chat", "/v1/chat/completions", "openai", "serve")])


class ImportedRows:
    """The gateway's side of an import: rows by what they ask; a known one is left."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.batches: list[int] = []

    def __call__(self, asked: Asked) -> Imported:
        lines = asked.body.splitlines()
        self.batches.append(len(lines))
        kept = known = 0
        problems: list[tuple[int, str]] = []
        for number, line in enumerate(lines, 1):
            row = json.loads(line)
            if "body" not in row:
                problems.append((number, "a row has a body"))
                continue
            key = json.dumps(row["body"], sort_keys=True)
            if key in self.rows:
                known += 1
            else:
                kept += 1
                self.rows[key] = row
        return Imported(kept, known, problems)
