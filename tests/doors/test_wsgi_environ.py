"""A WSGI environ as the cache sees it: paths, headers, who calls, and what a client cannot have said itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from wsgi_calls import ask, config

from gateway import Request, SemanticCacheWSGIMiddleware
from gateway.doors.environ import EnvironState, scope_of

pytestmark = pytest.mark.usefixtures("one_engine")

ENVIRON = {
    "REQUEST_METHOD": "POST",
    "SCRIPT_NAME": "/app",
    "PATH_INFO": "/a b/\xc3\xa9",
    "QUERY_STRING": "q=%20",
    "SERVER_NAME": "site",
    "SERVER_PORT": "8000",
    "SERVER_PROTOCOL": "HTTP/1.0",
    "CONTENT_TYPE": "application/json",
    "CONTENT_LENGTH": "",
    "HTTP_X_TENANT": "a, b",
    "HTTP_COOKIE": "s=1",
    "HTTP_CONTENT_TYPE": "forged",
    "REMOTE_USER": "alice",
    "wsgi.url_scheme": "https",
}


def test_a_request_as_asgi_has_it() -> None:
    scope = scope_of(dict(ENVIRON))
    assert scope["path"] == "/app/a b/é"
    assert scope["root_path"] == "/app"
    assert "raw_path" not in scope
    assert (scope["method"], scope["scheme"], scope["http_version"]) == ("POST", "https", "1.0")
    assert scope["query_string"] == b"q=%20"
    assert sorted(scope["headers"]) == [
        (b"content-type", b"application/json"),
        (b"cookie", b"s=1"),
        (b"host", b"site:8000"),
        (b"x-tenant", b"a, b"),
    ]


def test_the_path_as_it_came_is_known_where_the_server_tells() -> None:
    assert scope_of({**ENVIRON, "RAW_URI": "/app/a%20b/%C3%A9?q=%20"})["raw_path"] == b"/app/a%20b/%C3%A9"
    assert scope_of({**ENVIRON, "REQUEST_URI": "/app/a%20b/%c3%a9"})["raw_path"] == b"/app/a%20b/%c3%a9"
    assert "raw_path" not in scope_of({**ENVIRON, "REQUEST_URI": "http://site/app"})


def test_state_is_what_server_and_app_have_said_and_never_the_client() -> None:
    class User:
        id = "alice"

    environ = {
        **ENVIRON,
        "semgate.state": {"team": "sales"},
        "site.user": User(),
        "repoze.who.identity": {"userid": 7},
        "flag": "up",
    }
    state = EnvironState(environ)
    assert state.get("team") == "sales"
    assert state.get("REMOTE_USER") == "alice"
    assert state.get("flag") == "up"
    assert state["site"]["user"] is environ["site.user"]  # type: ignore[index]
    assert state["repoze"]["who"]["identity"] == {"userid": 7}  # type: ignore[index]
    for name in ("HTTP_X_TENANT", "HTTP_COOKIE", "QUERY_STRING", "PATH_INFO", "CONTENT_TYPE", "nothing", "who"):
        assert state.get(name) is None
    assert "REMOTE_USER" in set(state)
    assert "HTTP_COOKIE" not in set(state)
    assert len(state) == len(set(state))
    environ["semgate.state"] = User()
    assert state.get("id") == "alice"


def answering(calls: list[Any]) -> Any:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        calls.append(environ)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b'{"call": %d}' % len(calls)]

    return app


def outcomes(app: Any, *requests: dict[str, Any], text: str = "who am I?") -> list[str]:
    return [ask(app, text, **environ)[0].headers["x-cache"] for environ in requests]


def test_without_settings_callers_who_differ_share_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    app = SemanticCacheWSGIMiddleware(answering([]))
    nobody: dict[str, Any] = {}
    alice, bob = {"REMOTE_USER": "alice"}, {"REMOTE_USER": "bob"}
    forged = {"HTTP_REMOTE_USER": "alice"}
    certified = {"SSL_CLIENT_S_DN": "CN=alice"}
    token = {"HTTP_AUTHORIZATION": "Bearer a"}
    tenant = {"HTTP_X_TENANT": "a"}
    callers = [nobody, alice, bob, forged, certified, token, tenant]
    assert outcomes(app, *callers) == ["MISS"] * 7
    assert outcomes(app, *callers) == ["HIT"] * 7
    assert outcomes(app, {"HTTP_USER_AGENT": "another", "HTTP_X_REQUEST_ID": "1"}) == ["HIT"]
    assert outcomes(app, {"PATH_INFO": "/graphql"}, {"PATH_INFO": "/graphql"}) == ["BYPASS"] * 2


def test_a_trusted_scope_comes_from_what_the_apps_own_middleware_has_set(data_dir: Path) -> None:
    app = SemanticCacheWSGIMiddleware(answering([]), config(data_dir, scope="state:user.team"))
    sales, support = {"semgate.state": {"user": {"team": "sales"}}}, {"semgate.state": {"user": {"team": "support"}}}
    assert outcomes(app, sales, sales, support, {}, {}) == ["MISS", "HIT", "MISS", "BYPASS", "BYPASS"]


def test_functions_in_the_settings_see_the_environ(data_dir: Path) -> None:
    seen: list[Request] = []

    async def scope(request: Request) -> str | None:
        seen.append(request)
        return request.scope.get("REMOTE_USER")

    def keep_if(request: Request) -> bool:
        return "dnt" not in request.headers

    app = SemanticCacheWSGIMiddleware(answering([]), config(data_dir, scope=scope, keep_if=keep_if))
    alice = {"REMOTE_USER": "alice"}
    assert outcomes(app, {**alice, "HTTP_DNT": "1"}, alice, alice, {"REMOTE_USER": "bob"}, {}) == [
        "MISS", "MISS", "HIT", "MISS", "BYPASS",
    ]  # fmt: skip
    assert seen[0].method == "POST"
    assert seen[0].path == "/ask"
    assert seen[0].json() == {"query": "who am I?"}


def test_a_mounted_app_has_its_own_paths(data_dir: Path) -> None:
    app = SemanticCacheWSGIMiddleware(answering([]), config(data_dir, path="/ask"))
    mounted, other = {"SCRIPT_NAME": "/v1"}, {"SCRIPT_NAME": "/v2"}
    assert outcomes(app, mounted, mounted, other) == ["MISS", "HIT", "MISS"]
    given, _ = ask(app, "elsewhere", SCRIPT_NAME="/ask", PATH_INFO="/else")
    assert "x-cache" not in given.headers


def test_a_generator_that_begins_late_is_an_app_like_any_other(data_dir: Path) -> None:
    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("201 Created", [("Content-Type", "application/json")])
        yield b"{}"

    given, body = ask(SemanticCacheWSGIMiddleware(app, config(data_dir)), "late")
    assert (given.line, body) == ("201 Created", b"{}")
