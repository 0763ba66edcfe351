"""Single requests, message by message: which of them the cache has a part in, and who shares their answers."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apps import config
from exchanges import App, Exchange, answering, both, run

from gateway import SemanticCacheMiddleware
from gateway.doors.engine import engine
from gateway.errors import ConfigError


@pytest.fixture(scope="module", autouse=True)
def closed_engine() -> Iterator[None]:
    """The caches that were opened for all these tests give their connections back."""
    yield
    engine().close()


@both
def test_a_path_without_raw_path_is_matched(where: Any, data_dir: Path) -> None:
    async def scenario(app: App, _inner: Any) -> None:
        assert (await Exchange(app, path="/a b/ask").over()).outcome == "MISS"
        raw = {"path": "/a b/ask", "raw_path": b"/a%20b/ask"}
        assert (await Exchange(app, **raw).over()).outcome == "HIT"
        assert (await Exchange(app, path="/elsewhere").over()).outcome == "none"

    where(config(data_dir, path="/{any}/ask"), answering, scenario)


@both
def test_where_an_app_is_mounted_its_own_paths_count(where: Any, data_dir: Path) -> None:
    async def scenario(app: App, _inner: Any) -> None:
        mounted = {"path": "/sub/ask", "raw_path": b"/sub/ask", "root_path": "/sub"}
        first, again = [await Exchange(app, **mounted).over() for _ in range(2)]
        assert (first.outcome, again.outcome) == ("MISS", "HIT")
        assert json.loads(again.body)["path"] == "/sub/ask"
        elsewhere = {**mounted, "path": "/other/ask", "raw_path": b"/other/ask", "root_path": "/other"}
        assert (await Exchange(app, **elsewhere).over()).outcome == "MISS"
        assert (await Exchange(app, **{**mounted, "path": "/subask", "raw_path": b"/subask"}).over()).outcome == "none"

    where(config(data_dir, path="/ask"), answering, scenario)


def test_a_path_that_somebody_rewrote_is_matched_as_the_app_sees_it(data_dir: Path) -> None:
    async def scenario(app: App, _inner: Any) -> None:
        first = await Exchange(app, path="/ask", raw_path=b"/one").over()
        other = await Exchange(app, path="/ask", raw_path=b"/two").over()
        assert (first.outcome, other.outcome) == ("MISS", "MISS")
        assert (await Exchange(app, path="/ask", raw_path=b"/two").over()).outcome == "HIT"

    run(config(data_dir, path="/ask"), answering, scenario)


def test_hosts_are_kept_apart(data_dir: Path) -> None:
    async def scenario(app: App, _inner: Any) -> None:
        for host in (b"one.example", b"two.example"):
            assert (await Exchange(app, headers=[(b"host", host)]).over()).outcome == "MISS"

    run(config(data_dir), answering, scenario)


@both
def test_a_body_that_is_too_large_passes_in_its_own_pieces(where: Any, data_dir: Path) -> None:
    received: list[int] = []

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        more = True
        while more:
            message = await receive()
            received.append(len(message["body"]))
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"{}"})

    async def scenario(app: App, _inner: Any) -> None:
        exchange = Exchange(app, {"query": "x" * 3000})
        assert (await exchange.over()).outcome == "BYPASS"

    where(config(data_dir, max_body="1KiB"), counting, scenario)
    assert sum(received) == len(json.dumps({"query": "x" * 3000}))


@both
def test_other_scopes_pass_untouched(where: Any, data_dir: Path) -> None:
    seen: list[Any] = []

    async def socket(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            seen.append(scope)
            await send({"type": "websocket.accept"})

    async def scenario(app: App, _inner: Any) -> None:
        scope = {"type": "websocket", "path": "/ask"}
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        await app(scope, None, send)
        assert seen[0] is scope
        assert sent == [{"type": "websocket.accept"}]

    where(config(data_dir), socket, scenario)


def test_settings_that_are_wrong_are_refused_at_once(data_dir: Path) -> None:
    with pytest.raises(ConfigError, match="unknown key `tll`"):
        SemanticCacheMiddleware(answering, config(data_dir, tll="1h"))


@pytest.mark.parametrize(
    ("scope", "warned"),
    [
        ("header:X-Tenant", True),
        ("$.tenant", True),
        ("query:tenant", True),
        ("header:Authorization", False),
        ("header:Cookie", False),
        ("state:user.id", False),
        ("client", False),
    ],
)
def test_a_scope_that_clients_can_forge_is_warned_about_once(
    scope: str, warned: bool, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(app: App, _inner: Any) -> None:
        for _ in range(2):
            await Exchange(app).over()

    with caplog.at_level(logging.WARNING, "semgate"):
        run(config(data_dir, scope=scope), answering, scenario)
    said = [message for message in caplog.messages if "they can say another's" in message]
    assert len(said) == warned


def test_without_settings_whoever_differs_in_what_they_say_of_themselves_is_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # a namespace of its own
    host = (b"host", b"site")

    async def scenario(app: App, _inner: Any) -> None:
        async def ask(*headers: tuple[bytes, bytes], body: Any = None) -> str:
            return (await Exchange(app, body, headers=[host, *headers]).over()).outcome

        assert await ask() == "MISS"
        assert await ask((b"user-agent", b"other"), (b"x-request-id", b"7"), (b"accept-encoding", b"br")) == "HIT"
        assert (
            await ask((b"sentry-trace", b"7-1"), (b"x-ms-client-request-id", b"7"), (b"x-datadog-trace-id", b"7"))
            == "HIT"
        )
        assert await ask(body={"query": "how can I reset my password"}) == "HIT"
        for header in (
            (b"content-type", b"text/plain"),
            (b"authorization", b"Bearer a"),
            (b"cookie", b"session=1"),
            (b"x-tenant", b"red"),
            (b"accept-language", b"de"),
        ):
            assert await ask(header) == "MISS", header
            assert await ask(header) == "HIT", header
        for query in (
            "{ me { name } }",
            "query Me { me { name } }",
            "mutation { remove(id: 1) }",
            "# hi\nfragment F on T {x}",
            "\ufeffquery Me { me { name } }",
        ):
            assert await ask(body={"query": query}) == "BYPASS"
        assert await ask((b"content-type", b"text/plain; charset=utf-8")) == "HIT"
        got = await Exchange(app, headers=[host], method="GET").over()
        assert got.outcome == "none"

    run(None, answering, scenario)


def test_without_settings_an_answer_may_vary_by_who_calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    async def varying(scope: Any, receive: Any, send: Any) -> None:
        async def say(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"vary", b"Cookie, Origin"))
            await send(message)

        await answering(scope, receive, say)

    async def scenario(app: App, _inner: Any) -> None:
        session = {"headers": [(b"host", b"site"), (b"cookie", b"session=1")]}
        assert [(await Exchange(app, **session).over()).outcome for _ in range(2)] == ["MISS", "HIT"]
        certified = {"extensions": {"tls": {"client_cert_chain": ["one"]}}}
        assert (await Exchange(app, **session, **certified).over()).outcome == "MISS"

    run(None, varying, scenario)


@both
def test_a_question_in_the_query_string(where: Any, data_dir: Path) -> None:
    async def scenario(app: App, _inner: Any) -> None:
        def ask(query_string: bytes) -> Exchange:
            return Exchange(app, method="GET", query_string=query_string)

        for query_string, expected in (
            (b"q=red+shoes&page=1", "MISS"),
            (b"q=red+shoes&page=1", "HIT"),
            (b"q=red+shoes&page=2", "MISS"),
        ):
            assert (await ask(query_string).over()).outcome == expected

    settings = config(data_dir, methods=["GET"], query="query:q")
    del settings["routes"][0]["preset"]
    where(settings, answering, scenario)
