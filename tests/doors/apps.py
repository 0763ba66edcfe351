"""The same small site in five frameworks, with the cache in it as each framework's own documentation would put it there.

Every site answers POST /ask with how many questions reached it, POST /stream with two events, has authentication around
the cache that fills `state`, and exception handling and compression inside.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import django_site
import httpx
import litestar
import msgspec
import quart
from fastapi import FastAPI
from litestar.config.compression import CompressionConfig
from litestar.response import Stream
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from gateway import SemanticCacheMiddleware

_numbers = itertools.count()

USERS = {"Bearer alice-key": "alice", "Bearer bob-key": "bob"}


class Refused(Exception):
    """What each site's own exception handling makes a 409 of."""


class Site(msgspec.Struct):
    """An ASGI app and the bodies of the requests that reached its views."""

    app: Any
    calls: list[dict[str, Any]]
    life: list[str]


def config(data_dir: Path, **route: Any) -> dict[str, Any]:
    """Settings of one route, with a namespace of their own. Nothing is embedded unless the route asks for it."""
    return {
        "server": {"data_dir": str(data_dir), "namespace": f"test-{next(_numbers)}"},
        "routes": [
            {"name": "ask", "path": "/*", "preset": "json-query", "match": "exact", "scope": "public", **route},
        ],
    }


class Authentication:
    """As an app's own: who calls, by a token, is put into `scope["state"]`; strangers go no further."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            token = dict(scope["headers"]).get(b"authorization", b"").decode()
            if token not in USERS:
                await send({"type": "http.response.start", "status": 401, "headers": []})
                await send({"type": "http.response.body", "body": b"who are you?"})
                return
            scope["state"] = {**scope.get("state", {}), "user": {"id": USERS[token]}}
        await self.app(scope, receive, send)


async def answer(calls: list[dict[str, Any]], body: dict[str, Any]) -> dict[str, Any]:
    calls.append(body)
    if body.get("refuse"):
        raise Refused("refused")
    if body.get("crash"):
        raise RuntimeError("crashed")
    return {"answer": len(calls), "padding": "words " * 100}


async def events() -> AsyncIterator[bytes]:
    yield b'data: {"piece": 1}\n\n'
    yield b"data: [DONE]\n\n"


def fastapi_site(settings: Any) -> Site:
    calls, life = [], []

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        life.append("up")
        yield {"made": "at startup"}
        life.append("down")

    app = FastAPI(lifespan=lifespan)
    app.add_middleware(GZipMiddleware, minimum_size=100)
    app.add_middleware(SemanticCacheMiddleware, config=settings)
    app.add_middleware(Authentication)

    @app.post("/ask")
    async def ask(body: dict[str, Any], request: Request) -> dict[str, Any]:
        assert request.state.made == "at startup"
        return await answer(calls, body)

    @app.post("/stream")
    async def stream(body: dict[str, Any]) -> StreamingResponse:
        calls.append(body)
        return StreamingResponse(events(), media_type="text/event-stream")

    @app.exception_handler(Refused)
    async def refused(_request: Request, error: Refused) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 409)

    return Site(app, calls, life)


def starlette_site(settings: Any) -> Site:
    calls, life = [], []

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        life.append("up")
        yield
        life.append("down")

    async def ask(request: Request) -> JSONResponse:
        return JSONResponse(await answer(calls, await request.json()))

    async def stream(request: Request) -> StreamingResponse:
        calls.append(await request.json())
        return StreamingResponse(events(), media_type="text/event-stream")

    async def refused(_request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 409)

    app = Starlette(
        routes=[Route("/ask", ask, methods=["POST"]), Route("/stream", stream, methods=["POST"])],
        middleware=[
            Middleware(Authentication),
            Middleware(SemanticCacheMiddleware, config=settings),
            Middleware(GZipMiddleware, minimum_size=100),
        ],
        exception_handlers={Refused: refused},
        lifespan=lifespan,
    )
    return Site(app, calls, life)


def litestar_site(settings: Any) -> Site:
    calls, life = [], []

    @litestar.post("/ask", status_code=200)
    async def ask(request: litestar.Request[Any, Any, Any]) -> dict[str, Any]:
        return await answer(calls, await request.json())

    @litestar.post("/stream", status_code=200)
    async def stream(request: litestar.Request[Any, Any, Any]) -> Stream:
        calls.append(await request.json())
        return Stream(events(), media_type="text/event-stream")

    def refused(_request: litestar.Request[Any, Any, Any], error: Refused) -> litestar.Response[Any]:
        return litestar.Response({"error": str(error)}, status_code=409)

    app = litestar.Litestar(
        [ask, stream],
        compression_config=CompressionConfig(backend="gzip", minimum_size=100),
        exception_handlers={Refused: refused},
        on_startup=[lambda: life.append("up")],
        on_shutdown=[lambda: life.append("down")],
        logging_config=None,
    )
    return Site(Authentication(SemanticCacheMiddleware(app, settings)), calls, life)


def quart_site(settings: Any) -> Site:
    calls, life = [], []
    app = quart.Quart("site")
    app.config["PROPAGATE_EXCEPTIONS"] = True

    @app.before_serving
    async def up() -> None:
        life.append("up")

    @app.after_serving
    async def down() -> None:
        life.append("down")

    @app.post("/ask")
    async def ask() -> Any:
        return quart.jsonify(await answer(calls, await quart.request.get_json()))

    @app.post("/stream")
    async def stream() -> Any:
        calls.append(await quart.request.get_json())
        return quart.Response(events(), mimetype="text/event-stream")

    @app.errorhandler(Refused)
    async def refused(error: Refused) -> Any:
        return quart.jsonify({"error": str(error)}), 409

    app.asgi_app = Authentication(  # type: ignore[method-assign]
        SemanticCacheMiddleware(GZipMiddleware(app.asgi_app, minimum_size=100), settings)
    )
    return Site(app, calls, life)


def django_asgi_site(settings: Any) -> Site:
    django_site.prepared()
    from django.core.asgi import get_asgi_application

    django_site.CALLS.clear()
    app = Authentication(SemanticCacheMiddleware(get_asgi_application(), settings))
    return Site(app, django_site.CALLS, [])


SITES: dict[str, Callable[[Any], Site]] = {
    "fastapi": fastapi_site,
    "starlette": starlette_site,
    "litestar": litestar_site,
    "quart": quart_site,
    "django": django_asgi_site,
}


@asynccontextmanager
async def living(app: Any) -> AsyncIterator[dict[str, Any]]:
    """The app's lifespan, as a server runs it; the state that it made."""
    state: dict[str, Any] = {}
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}
    task = asyncio.create_task(app(scope, heard.get, said.put))
    await heard.put({"type": "lifespan.startup"})
    assert await _next(said, task) == "lifespan.startup.complete"
    yield state
    await heard.put({"type": "lifespan.shutdown"})
    assert await _next(said, task) == "lifespan.shutdown.complete"
    await task


async def _next(said: asyncio.Queue[dict[str, Any]], task: asyncio.Task[None]) -> str:
    """What the app says next; raises what it raises instead."""
    saying = asyncio.create_task(said.get())
    done, _ = await asyncio.wait({saying, task}, return_when=asyncio.FIRST_COMPLETED, timeout=30)
    if saying not in done:
        saying.cancel()
        task.result()
    return str((await saying)["type"])


class Stated:
    """As servers do: each request gets a copy of the state that the lifespan made."""

    def __init__(self, app: Any, state: dict[str, Any]) -> None:
        self._app, self._state = app, state

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["state"] = dict(self._state)
        await self._app(scope, receive, send)


@asynccontextmanager
async def client(app: Any, *, user: str = "alice", raises: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an app whose lifespan runs meanwhile. `raises`: what the app raises reaches the test."""
    async with living(app) as state:
        transport = httpx.ASGITransport(Stated(app, state), raise_app_exceptions=raises)
        headers = {"authorization": f"Bearer {user}-key"}
        async with httpx.AsyncClient(transport=transport, base_url="http://site", headers=headers) as http:
            yield http


def outcome(response: Any) -> str:
    """What X-Cache says."""
    return str(response.headers.get("x-cache", "none"))


def question(number: object = "") -> dict[str, Any]:
    return {"query": f"How do I reset my password? {number}".strip()}


def said(response: Any) -> Any:
    return json.loads(response.content)
