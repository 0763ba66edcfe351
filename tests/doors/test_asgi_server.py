"""Under a real server, uvicorn: streams arrive piece by piece, clients leave, and other middleware stands around and inside."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import litestar
import pytest
import uvicorn
from apps import config, outcome, question, said
from litestar.middleware import DefineMiddleware
from litestar.testing import TestClient as LitestarClient
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, StreamingResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from gateway import SemanticCacheMiddleware

STREAMED = {**question(), "stream": True}


@contextmanager
def served(app: Any, **options: Any) -> Iterator[str]:
    """The URL of the app under uvicorn, in a thread."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", **options))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            deadline = time.monotonic() + 30
            while not server.started and thread.is_alive() and time.monotonic() < deadline:
                time.sleep(0.01)
            assert server.started
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)


class Kitchen:
    """What the served app does: `go` lets its second event out, `calls` counts what reached it, `finished` those that came
    to their end."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.calls = 0
        self.finished = 0

    async def stream(self, _request: Request) -> StreamingResponse:
        self.calls += 1

        async def events() -> AsyncIterator[bytes]:
            yield b'data: {"piece": 1}\n\n'
            while not self.go.is_set():
                await asyncio.sleep(0.005)
            yield b"data: [DONE]\n\n"
            self.finished += 1

        return StreamingResponse(events(), media_type="text/event-stream")

    async def ask(self, request: Request) -> JSONResponse:
        self.calls += 1
        return JSONResponse({"answer": self.calls, "asked": (await request.json())["query"]})


def site(kitchen: Kitchen, *middleware: Middleware, **more: Any) -> Starlette:
    routes = [Route("/stream", kitchen.stream, methods=["POST"]), Route("/ask", kitchen.ask, methods=["POST"])]
    return Starlette(routes=routes, middleware=middleware, **more)


def cache(settings: Any) -> Middleware:
    return Middleware(SemanticCacheMiddleware, config=settings)


def test_the_first_event_arrives_before_the_second_is_made(data_dir: Path) -> None:
    kitchen = Kitchen()
    with served(site(kitchen, cache(config(data_dir)))) as url, httpx.Client(base_url=url, timeout=10) as http:
        with http.stream("POST", "/stream", json=STREAMED) as answered:
            pieces = answered.iter_raw()
            assert next(pieces) == b'data: {"piece": 1}\n\n'
            kitchen.go.set()
            rest = b"".join(pieces)
        again = http.post("/stream", json=STREAMED)
    assert (outcome(answered), outcome(again), kitchen.calls) == ("MISS", "HIT", 1)
    assert again.content == b'data: {"piece": 1}\n\n' + rest


@pytest.mark.parametrize("beside", ["alone", "within BaseHTTPMiddleware", "around BaseHTTPMiddleware"])
def test_a_client_that_leaves_a_stream_leaves_an_answer_for_the_next(beside: str, data_dir: Path) -> None:
    kitchen = Kitchen()

    async def passing(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    other = Middleware(BaseHTTPMiddleware, dispatch=passing)
    stack = {
        "alone": [cache(config(data_dir))],
        "within BaseHTTPMiddleware": [other, cache(config(data_dir))],
        "around BaseHTTPMiddleware": [cache(config(data_dir)), other],
    }[beside]
    with served(site(kitchen, *stack)) as url, httpx.Client(base_url=url, timeout=10) as http:
        with http.stream("POST", "/stream", json=STREAMED) as answered:
            next(answered.iter_raw())
        time.sleep(0.05)
        kitchen.go.set()
        deadline = time.monotonic() + 5
        while not kitchen.finished and time.monotonic() < deadline:
            time.sleep(0.01)
        assert outcome(http.post("/stream", json=STREAMED)) == "HIT"


def test_followers_of_a_stream_go_along_with_it(data_dir: Path) -> None:
    kitchen = Kitchen()

    async def ask(url: str) -> list[bytes]:
        async with httpx.AsyncClient(base_url=url, timeout=10) as http:
            asking = [asyncio.create_task(http.post("/stream", json=STREAMED)) for _ in range(4)]
            await asyncio.sleep(0.1)
            kitchen.go.set()
            return [(await each).content for each in asking]

    with served(site(kitchen, cache(config(data_dir)))) as url:
        assert set(asyncio.run(ask(url))) == {b'data: {"piece": 1}\n\ndata: [DONE]\n\n'}
    assert kitchen.calls == 1


def test_compression_around_the_cache(data_dir: Path) -> None:
    kitchen = Kitchen()
    app = site(kitchen, Middleware(GZipMiddleware, minimum_size=10), cache(config(data_dir)))
    with TestClient(app) as client:
        first, again = (client.post("/ask", json=question(), headers={"accept-encoding": "gzip"}) for _ in range(2))
    assert (outcome(first), outcome(again)) == ("MISS", "HIT")
    assert first.headers["content-encoding"] == again.headers["content-encoding"] == "gzip"
    assert said(first) == said(again)


def test_what_stands_around_adds_its_headers_to_hits_too(data_dir: Path) -> None:
    kitchen = Kitchen()
    around = Middleware(CORSMiddleware, allow_origins=["https://page.example"])
    with TestClient(site(kitchen, around, cache(config(data_dir)))) as client:
        for expected in ("MISS", "HIT"):
            answered = client.post("/ask", json=question(), headers={"origin": "https://page.example"})
            assert outcome(answered) == expected
            assert answered.headers["access-control-allow-origin"] == "https://page.example"


def test_an_answer_with_a_session_of_its_own_is_nobody_elses(data_dir: Path) -> None:
    async def log_in(request: Request) -> JSONResponse:
        request.session["user"] = "alice"
        return JSONResponse({"answer": "hello"})

    app = Starlette(
        routes=[Route("/ask", log_in, methods=["POST"])],
        middleware=[cache(config(data_dir)), Middleware(SessionMiddleware, secret_key="k")],
    )
    with TestClient(app) as client:
        outcomes = []
        for _ in range(2):
            client.cookies.clear()
            outcomes.append(outcome(client.post("/ask", json=question())))
    assert outcomes == ["MISS", "MISS"]


def test_in_a_mounted_app_its_own_paths_count(data_dir: Path) -> None:
    kitchen = Kitchen()
    inner = site(kitchen, cache(config(data_dir, path="/ask")))
    with TestClient(Starlette(routes=[Mount("/v1", inner), Mount("/v2", inner)])) as client:
        asked = [outcome(client.post(path, json=question())) for path in ("/v1/ask", "/v1/ask", "/v2/ask")]
    assert asked == ["MISS", "HIT", "MISS"]


def test_in_litestars_own_list_of_middleware(data_dir: Path) -> None:
    calls: list[int] = []

    @litestar.post("/ask", status_code=200)
    async def ask() -> dict[str, int]:
        calls.append(1)
        return {"answer": len(calls)}

    middleware = [DefineMiddleware(SemanticCacheMiddleware, config=config(data_dir, path="/ask"))]
    app = litestar.Litestar([ask], middleware=middleware, logging_config=None)
    with LitestarClient(app) as client:
        assert [outcome(client.post("/ask", json=question())) for _ in range(2)] == ["MISS", "HIT"]


def test_a_file_that_an_app_sends_by_its_path_is_sent_and_seen(data_dir: Path, tmp_path: Path) -> None:
    """Servers may send a file themselves; then the answer would pass the cache by."""
    (tmp_path / "answer.json").write_text('{"answer": 1}')
    scopes: list[Any] = []

    async def ask(request: Request) -> FileResponse:
        scopes.append(request.scope)
        return FileResponse(tmp_path / "answer.json")

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        yield

    app = Starlette(
        routes=[Route("/ask", ask, methods=["POST"])], middleware=[cache(config(data_dir))], lifespan=lifespan
    )

    async def can_send_files(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope["extensions"] = {**scope.get("extensions", {}), "http.response.pathsend": {}}
        await app(scope, receive, send)

    with TestClient(can_send_files) as client:
        first, again = (client.post("/ask", json=question()) for _ in range(2))
    assert (outcome(first), outcome(again)) == ("MISS", "HIT")
    assert said(first) == said(again) == {"answer": 1}
    beside = [TestClient(can_send_files).post("/ask", json=question(2)) for _ in range(2)]  # without a lifespan
    assert [outcome(each) for each in beside] == ["MISS", "HIT"]


def test_a_root_path_of_the_server_is_no_part_of_a_routes_path(data_dir: Path) -> None:
    kitchen = Kitchen()
    app = site(kitchen, cache(config(data_dir, path="/ask")))
    with served(app, root_path="/behind") as url, httpx.Client(base_url=url, timeout=10) as http:
        assert [outcome(http.post("/ask", json=question())) for _ in range(2)] == ["MISS", "HIT"]
