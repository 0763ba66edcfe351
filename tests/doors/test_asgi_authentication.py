"""Each framework's own authentication, around the cache and inside it: what is shared, and with whom."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import django_site
import httpx
import litestar
import pytest
import quart
from apps import config, outcome, question
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult, DefineMiddleware
from litestar.testing import TestClient as LitestarClient
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from gateway import Request as Asked
from gateway import SemanticCacheMiddleware
from gateway.doors.engine import engine

USERS = {"alice-key": "alice", "alice-other-key": "alice", "bob-key": "bob"}
# Who asks, what is said of the answer: two keys of one user share, another user does not, a stranger is told nothing.
SHARED_BY_USER = [
    ("alice-key", "MISS"),
    ("alice-other-key", "HIT"),
    ("bob-key", "MISS"),
    ("bob-key", "HIT"),
    ("no-key", "none"),
]
# The same where only the key is known before the app is asked.
SHARED_BY_KEY = [
    ("alice-key", "MISS"),
    ("alice-key", "HIT"),
    ("alice-other-key", "MISS"),
    ("no-key", "MISS"),
    ("no-key", "MISS"),
]


@pytest.fixture(scope="module", autouse=True)
def closed_engine() -> Iterator[None]:
    yield
    engine().close()


def user_of(authorization: str) -> str | None:
    return USERS.get(authorization.removeprefix("Bearer "))


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def ask(client: Any, expected: list[tuple[str, str]]) -> None:
    for key, said in expected:
        answered = client.post("/ask", json=question(), headers=bearer(key))
        assert (outcome(answered), answered.status_code) == (said, 401 if key == "no-key" else 200), key


class Backend(AuthenticationBackend):
    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser]:
        user = user_of(conn.headers.get("authorization", ""))
        if user is None:
            raise AuthenticationError("who are you?")
        return AuthCredentials(["asks"]), SimpleUser(user)


def user_in_scope(request: Asked) -> str:
    """Where Starlette's and Litestar's authentication put who asks."""
    user = request.scope["user"]
    return user if isinstance(user, str) else str(user.display_name)


def test_starlettes_around_it(data_dir: Path) -> None:
    async def answer(request: Request) -> JSONResponse:
        return JSONResponse({"answer": request.user.display_name})

    app = Starlette(
        routes=[Route("/ask", answer, methods=["POST"])],
        middleware=[
            Middleware(
                AuthenticationMiddleware,
                backend=Backend(),
                on_error=lambda _request, error: JSONResponse({"error": str(error)}, 401),
            ),
            Middleware(SemanticCacheMiddleware, config=config(data_dir, scope=user_in_scope)),
        ],
    )
    with TestClient(app) as client:
        ask(client, SHARED_BY_USER)


def authenticated(given: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> str:
    user = USERS.get(given.credentials)
    if user is None:
        raise HTTPException(401, "who are you?")
    return user


def test_fastapis_dependencies_inside_it(data_dir: Path) -> None:
    app = FastAPI()
    app.add_middleware(SemanticCacheMiddleware, config=config(data_dir, scope="client"))

    @app.post("/ask")
    async def answer(user: Annotated[str, Depends(authenticated)]) -> dict[str, str]:
        return {"answer": user}

    with TestClient(app) as client:
        ask(client, SHARED_BY_KEY)


class LitestarAuthentication(AbstractAuthenticationMiddleware):
    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        user = user_of(connection.headers.get("authorization", ""))
        if user is None:
            raise NotAuthorizedException
        return AuthenticationResult(user=user, auth=None)


def test_litestars_around_it(data_dir: Path) -> None:
    @litestar.post("/ask", status_code=200)
    async def answer(request: litestar.Request[str, None, Any]) -> dict[str, str]:
        return {"answer": request.user}

    cache = DefineMiddleware(SemanticCacheMiddleware, config=config(data_dir, scope=user_in_scope))
    app = litestar.Litestar([answer], middleware=[LitestarAuthentication, cache], logging_config=None)
    with LitestarClient(app) as client:
        ask(client, SHARED_BY_USER)


def test_quarts_inside_it(data_dir: Path) -> None:
    app = quart.Quart("site")

    @app.before_request
    async def authenticate() -> Any:
        return None if user_of(quart.request.headers.get("authorization", "")) else ({"error": "who are you?"}, 401)

    @app.post("/ask")
    async def answer() -> Any:
        return {"answer": user_of(quart.request.headers["authorization"])}

    app.asgi_app = SemanticCacheMiddleware(app.asgi_app, config(data_dir, scope="client"))  # type: ignore[method-assign]

    async def scenario() -> None:
        async with app.test_app() as running:
            client = running.test_client()
            for key, said in SHARED_BY_KEY:
                answered = await client.post("/ask", json=question(), headers=bearer(key))
                assert (answered.headers["x-cache"], answered.status_code) == (said, 401 if key == "no-key" else 200)

    asyncio.run(scenario())


def test_djangos_inside_it(data_dir: Path) -> None:
    django_site.prepared()
    from django.core.asgi import get_asgi_application

    app = SemanticCacheMiddleware(get_asgi_application(), config(data_dir, scope="client"))

    async def scenario() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://site") as http:
            for key, said in SHARED_BY_KEY:
                answered = await http.post("/private", json=question(), headers=bearer(key))
                assert (outcome(answered), answered.status_code) == (said, 401 if key == "no-key" else 200)

    asyncio.run(scenario())
