"""The cache in real Flask and Django (WSGI) apps, with their own middleware around it and inside, by their own clients."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import django_site
import flask
import pytest
from wsgi_calls import config

from gateway import SemanticCacheWSGIMiddleware

pytestmark = pytest.mark.usefixtures("one_engine")

USERS = {"Bearer alice-key": "alice", "Bearer bob-key": "bob"}


class Authentication:
    """As an app's own, around the cache: who calls is left in the environ; strangers go no further."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        user = USERS.get(environ.get("HTTP_AUTHORIZATION", ""))
        if user is None:
            start_response("401 Unauthorized", [("Content-Type", "text/plain")])
            return [b"who are you?"]
        environ["site.user"] = {"id": user}
        return self.app(environ, start_response)


class GZip:
    """As a compressing middleware does, inside or around the cache: answers in one piece, for who takes gzip."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if "gzip" not in environ.get("HTTP_ACCEPT_ENCODING", ""):
            return self.app(environ, start_response)
        said: list[Any] = []
        answer = self.app(environ, lambda *args: said.append(args))
        try:
            body = b"".join(answer)
        finally:
            if hasattr(answer, "close"):
                answer.close()
        status, headers = said[0][:2]
        if any(name.lower() == "content-encoding" for name, _ in headers):
            start_response(status, headers)
            return [body]
        body = gzip.compress(body)
        kept = [pair for pair in headers if pair[0].lower() != "content-length"]
        start_response(status, [*kept, ("Content-Encoding", "gzip"), ("Content-Length", str(len(body)))])
        return [body]


class Site:
    """A framework's app with the cache in it, its test client's `post`, and the bodies that reached its views."""

    def __init__(self, calls: list[dict[str, Any]], post: Callable[..., Any]) -> None:
        self.calls = calls
        self.post = post


def flask_site(settings: Any, around: Callable[[Any], Any] = Authentication, inside: Any = GZip) -> Site:
    calls: list[dict[str, Any]] = []
    app = flask.Flask("site")

    class Refused(Exception):
        pass

    @app.errorhandler(Refused)
    def refused(_error: Refused) -> Any:
        return {"error": "refused"}, 409

    @app.post("/ask")
    def ask() -> Any:
        body = flask.request.get_json()
        calls.append(body)
        if body.get("refuse"):
            raise Refused
        if body.get("crash"):
            raise RuntimeError("crashed")
        return {"answer": len(calls), "padding": "words " * 100}

    @app.post("/stream")
    def stream() -> Any:
        calls.append(flask.request.get_json())

        @flask.stream_with_context
        def events() -> Iterator[bytes]:
            yield b'data: {"path": "%s"}\n\n' % flask.request.path.encode()
            yield b"data: [DONE]\n\n"

        return flask.Response(events(), mimetype="text/event-stream")

    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.wsgi_app = around(SemanticCacheWSGIMiddleware(inside(app.wsgi_app), settings))  # type: ignore[method-assign]
    client = app.test_client()

    def post(path: str, body: dict[str, Any], **headers: str) -> Any:
        return client.post(path, json=body, buffered=True, headers={"authorization": "Bearer alice-key", **headers})

    return Site(calls, post)


def django_wsgi_site(settings: Any, around: Callable[[Any], Any] = Authentication, inside: Any = GZip) -> Site:
    django_site.prepared()
    from django.core.handlers.wsgi import WSGIHandler
    from django.test import Client
    from django.test.client import ClientHandler

    class Handler(ClientHandler):
        """Django's test client calls the handler inside its app; here the way leads through the WSGI app, as it is served."""

        def __call__(self, environ: dict[str, Any]) -> Any:
            return through(environ)

    app = around(SemanticCacheWSGIMiddleware(inside(WSGIHandler()), settings))

    def through(environ: dict[str, Any]) -> Any:
        from django.http import HttpResponse

        said: list[Any] = []
        answer = app(environ, lambda *args: said.append(args))
        try:
            body = b"".join(answer)
        finally:
            if hasattr(answer, "close"):
                answer.close()
        status, headers = said[0][:2]
        response = HttpResponse(body, status=int(status.split()[0]))
        for name, value in headers:
            response[name] = value
        response.wsgi_request = None
        return response

    django_site.CALLS.clear()
    client = Client(raise_request_exception=False)
    client.handler = Handler()

    def post(path: str, body: dict[str, Any], **headers: str) -> Any:
        sent = {
            "authorization": "Bearer alice-key",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return client.post(path, json.dumps(body), content_type="application/json", headers=sent)

    return Site(django_site.CALLS, post)


SITES = {"flask": flask_site, "django": django_wsgi_site}
ALL = pytest.mark.parametrize("framework", SITES)
_numbers = itertools.count()


def question() -> dict[str, Any]:
    return {"query": f"How do I reset my password, {next(_numbers)}?"}


def outcome(response: Any) -> str:
    return str(response.headers.get("x-cache", "none"))


def body_of(response: Any) -> bytes:
    return bytes(response.data if hasattr(response, "data") else response.content)


@ALL
def test_a_question_is_answered_once_by_the_app_and_then_from_the_cache(framework: str, data_dir: Path) -> None:
    site = SITES[framework](config(data_dir))
    asked = question()
    first, again = site.post("/ask", asked), site.post("/ask", asked)
    assert (outcome(first), outcome(again)) == ("MISS", "HIT")
    assert body_of(first) == body_of(again)
    assert json.loads(body_of(again)) == {"answer": 1, "padding": "words " * 100}
    assert again.headers["content-type"] == first.headers["content-type"] == "application/json"
    assert site.calls == [asked]


@ALL
def test_authentication_around_the_cache_keeps_users_apart(framework: str, data_dir: Path) -> None:
    site = SITES[framework](config(data_dir, scope="state:site.user.id"))
    asked = question()
    assert [outcome(site.post("/ask", asked)) for _ in range(2)] == ["MISS", "HIT"]
    assert outcome(site.post("/ask", asked, authorization="Bearer bob-key")) == "MISS"
    stranger = site.post("/ask", asked, authorization="Bearer no-key")
    assert (stranger.status_code, outcome(stranger)) == (401, "none")


@ALL
def test_the_apps_own_exception_handling_answers_and_its_answer_is_not_kept(framework: str, data_dir: Path) -> None:
    site = SITES[framework](config(data_dir))
    asked = {**question(), "refuse": True}
    for _ in range(2):
        refused = site.post("/ask", asked)
        assert (refused.status_code, json.loads(body_of(refused))) == (409, {"error": "refused"})
        assert outcome(refused) == "MISS"
    assert len(site.calls) == 2


def test_what_an_app_raises_reaches_whoever_wraps_it(data_dir: Path) -> None:
    site = flask_site(config(data_dir))
    with pytest.raises(RuntimeError, match="crashed") as raised:
        site.post("/ask", {**question(), "crash": True})
    assert raised.traceback[-1].name == "ask"


@ALL
def test_a_stream_comes_from_the_cache_as_the_same_events(framework: str, data_dir: Path) -> None:
    site = SITES[framework](config(data_dir))
    asked = {**question(), "stream": True}
    path = "/stream-sync" if framework == "django" else "/stream"
    first, again = site.post(path, asked), site.post(path, asked)
    assert (outcome(first), outcome(again)) == ("MISS", "HIT")
    assert body_of(first) == body_of(again)
    assert body_of(again).endswith(b"data: [DONE]\n\n")


@ALL
@pytest.mark.parametrize("where", ["inside", "around"])
def test_compression_inside_or_around_makes_no_difference_to_what_a_client_reads(
    framework: str, where: str, data_dir: Path
) -> None:
    def plain(app: Any) -> Any:
        return Authentication(app)

    def around(app: Any) -> Any:
        return Authentication(GZip(app))

    site = (
        SITES[framework](config(data_dir), plain, GZip)
        if where == "inside"
        else SITES[framework](config(data_dir), around, lambda app: app)
    )
    asked = question()
    got = [
        site.post("/ask", asked, **{"accept-encoding": "gzip"}),
        site.post("/ask", asked, **{"accept-encoding": "gzip"}),
        site.post("/ask", asked),
    ]
    assert [outcome(response) for response in got] == ["MISS", "HIT", "HIT"]
    bodies = [
        gzip.decompress(body_of(each)) if each.headers.get("content-encoding") == "gzip" else body_of(each)
        for each in got
    ]
    assert bodies[0] == bodies[1] == bodies[2]
    assert got[2].headers.get("content-encoding") is None
    assert len(site.calls) == 1
