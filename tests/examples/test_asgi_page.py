"""The programs of docs/asgi.md that have settings of their own do what the page says."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sites import ASGI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from gateway import SemanticCacheMiddleware


def test_the_program_with_settings_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMGATE_DATA", str(folder))
    program = next(each for each in ASGI.programs() if "CONFIG: Config" in each)
    module = ModuleType("program")
    monkeypatch.setitem(sys.modules, "program", module)
    exec(program.replace("~/.local/share/semgate", str(folder)), module.__dict__)
    with TestClient(module.app) as client:
        headers = {"authorization": "Bearer a"}
        asked = [
            client.post(f"/v1/{product}/ask", json={"question": "How do I log in?"}, headers=headers).headers["x-cache"]
            for product in ("mail", "mail", "web")
        ]
        assert asked == ["MISS", "HIT", "MISS"]
        assert client.post("/v1/mail/ask", json={"question": "How do I log in?"}).headers["x-cache"] == "BYPASS"


def test_the_functions_of_the_page_do_what_it_says(folder: Path) -> None:
    module: dict[str, Any] = {}
    exec(next(each for each in ASGI.programs() if "ROUTE: Route" in each), module)

    async def chat(_request: Request) -> JSONResponse:
        return JSONResponse({"answer": 1})

    class User:
        team = "sales"

    async def authenticated(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope["state"] = {"user": User}
        await cached(scope, receive, send)

    app = Starlette(routes=[Route("/chat", chat, methods=["POST"])])
    settings = {"server": {"data_dir": str(folder), "namespace": "page"}, "routes": [module["ROUTE"]]}
    cached = SemanticCacheMiddleware(app, settings)
    turns = {"turns": [{"by": "user", "text": "How do I log in?"}]}
    with TestClient(authenticated) as client:
        trial = client.post("/chat", json=turns, headers={"x-experiment": "1"})
        asked = [client.post("/chat", json=turns) for _ in range(2)]
        reply = client.post("/chat", json={"turns": [{"by": "desk", "text": "Hello"}]})
    assert [each.headers["x-cache"] for each in (trial, *asked, reply)] == ["MISS", "MISS", "HIT", "BYPASS"]
