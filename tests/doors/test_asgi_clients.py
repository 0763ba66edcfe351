"""The frameworks' own test clients, with a lifespan and without: most of them make a new loop, some for every request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from apps import (
    USERS,
    Authentication,
    config,
    django_asgi_site,
    fastapi_site,
    litestar_site,
    outcome,
    quart_site,
    question,
    said,
    starlette_site,
)
from apps import (
    client as living_client,
)
from asgiref.testing import ApplicationCommunicator
from litestar.testing import TestClient as LitestarClient
from starlette.testclient import TestClient

from gateway import SemanticCacheMiddleware
from gateway.doors.engine import engine


@pytest.fixture(scope="module", autouse=True)
def closed_engine() -> Iterator[None]:
    """The caches that were opened for all these tests give their connections back."""
    yield
    engine().close()


ALICE = {"authorization": next(iter(USERS))}


def test_a_starlette_client_without_lifespan_has_a_loop_for_each_request(data_dir: Path) -> None:
    site = fastapi_site(config(data_dir, path="/stream"))
    client = TestClient(site.app, headers=ALICE)
    first, again = (client.post("/stream", json={**question(), "stream": True}) for _ in range(2))
    assert (outcome(first), outcome(again)) == ("MISS", "HIT")
    assert first.content == again.content
    assert site.life == []


def test_a_starlette_client_with_lifespan(data_dir: Path) -> None:
    site = fastapi_site(config(data_dir))
    for expected in (["MISS", "HIT"], ["HIT", "HIT"]):  # two lives of one app, one after the other
        with TestClient(site.app, headers=ALICE) as client:
            assert [outcome(client.post("/ask", json=question())) for _ in range(2)] == expected
    assert site.life == ["up", "down", "up", "down"]


def test_with_and_without_lifespan_the_same_entries_are_found(data_dir: Path) -> None:
    settings = config(data_dir)
    site = starlette_site(settings)
    assert outcome(TestClient(site.app, headers=ALICE).post("/ask", json=question())) == "MISS"
    with TestClient(site.app, headers=ALICE) as client:
        assert outcome(client.post("/ask", json=question())) == "HIT"


def test_an_exception_of_the_app_reaches_the_test_that_asked(data_dir: Path) -> None:
    site = starlette_site(config(data_dir))
    client = TestClient(site.app, headers=ALICE)
    try:
        client.post("/ask", json={**question(), "crash": True})
    except RuntimeError as error:
        assert str(error) == "crashed"
    else:
        raise AssertionError("the test client was told nothing")
    assert (
        TestClient(site.app, headers=ALICE, raise_server_exceptions=False)
        .post("/ask", json={**question(), "crash": True})
        .status_code
        == 500
    )


def test_litestars_client(data_dir: Path) -> None:
    site = litestar_site(config(data_dir))
    with LitestarClient(site.app, raise_server_exceptions=True) as client:
        outcomes = [outcome(client.post("/ask", json=question(), headers=ALICE)) for _ in range(2)]
    assert outcomes == ["MISS", "HIT"]
    assert site.life == ["up", "down"]


def test_quarts_client_with_and_without_lifespan(data_dir: Path) -> None:
    site = quart_site(config(data_dir))

    async def ask() -> str:
        answered = await site.app.test_client().post("/ask", json=question(), headers=ALICE)
        assert answered.status_code == 200
        return str(answered.headers["x-cache"])

    async def in_life() -> list[str]:
        async with site.app.test_app():
            return [await ask(), await ask()]

    assert asyncio.run(ask()) == "MISS"
    assert asyncio.run(in_life()) == ["HIT", "HIT"]


def test_djangos_application_in_several_loops(data_dir: Path) -> None:
    """Django's own test client asks its views without any ASGI app, so a plain ASGI client asks here."""
    site = django_asgi_site(config(data_dir))

    async def ask() -> list[dict[str, Any]]:
        body = b'{"query": "How do I reset my password?"}'
        headers = [(b"authorization", ALICE["authorization"].encode()), (b"content-length", b"%d" % len(body))]
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/ask"}
        speaker = ApplicationCommunicator(site.app, {**scope, "query_string": b"", "headers": headers})
        await speaker.send_input({"type": "http.request", "body": body})
        said = [await speaker.receive_output(5)]
        while said[-1]["type"] != "http.response.body" or said[-1].get("more_body"):
            said.append(await speaker.receive_output(5))
        await speaker.wait()
        return said

    outcomes = [dict(asyncio.run(ask())[0]["headers"])[b"x-cache"] for _ in range(2)]
    assert outcomes == [b"MISS", b"HIT"]
    assert len(site.calls) == 1


def test_djangos_synchronous_views(data_dir: Path) -> None:
    site = django_asgi_site(config(data_dir))

    async def ask() -> list[str]:
        async with living_client(site.app) as http:
            return [outcome(await http.post("/ask-sync", json=question())) for _ in range(2)]

    assert asyncio.run(ask()) == ["MISS", "HIT"]


def test_httpx_in_several_loops(data_dir: Path) -> None:
    site = starlette_site(config(data_dir))

    async def ask() -> str:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(site.app), base_url="http://site") as http:
            return outcome(await http.post("/ask", json=question(), headers=ALICE))

    assert [asyncio.run(ask()) for _ in range(3)] == ["MISS", "HIT", "HIT"]


def test_a_stream_without_lifespan_is_the_same_for_the_second_asker(data_dir: Path) -> None:
    site = starlette_site(config(data_dir))
    client = TestClient(site.app, headers=ALICE)
    body = {**question(), "stream": True}
    first, again = (client.post("/stream", json=body) for _ in range(2))
    assert (outcome(first), outcome(again)) == ("MISS", "HIT")
    assert first.content == again.content == b'data: {"piece": 1}\n\ndata: [DONE]\n\n'


def test_apps_that_differ_in_settings_do_not_share(data_dir: Path) -> None:
    for settings in (config(data_dir), config(data_dir)):
        client = TestClient(starlette_site(settings).app, headers=ALICE)
        assert outcome(client.post("/ask", json=question())) == "MISS"


def test_an_app_that_cannot_open_its_cache_answers_all_the_same(tmp_path: Path, caplog: Any) -> None:
    (tmp_path / "file").write_text("no folder")
    site = starlette_site(config(tmp_path / "file"))
    client = TestClient(site.app, headers=ALICE)
    for _ in range(2):
        answered = client.post("/ask", json=question())
        assert (answered.status_code, outcome(answered)) == (200, "none")
    assert [record.message.partition(":")[0] for record in caplog.records] == ["requests go on without the cache"]
    assert said(answered)["answer"] == 2


def test_nobody_waits_long_for_a_cache_that_opens(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.doors.opening.OPENING", 0.0)
    site = starlette_site(config(data_dir))
    client = TestClient(site.app, headers=ALICE)
    outcomes = [outcome(client.post("/ask", json=question()))]
    while outcomes[-1] == "none":
        outcomes.append(outcome(client.post("/ask", json=question())))
    assert outcomes[0] == "none"
    assert outcomes[-1] == "MISS"
    assert outcome(client.post("/ask", json=question())) == "HIT"


def test_an_app_that_cannot_open_its_cache_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    middleware = Authentication(
        SemanticCacheMiddleware(starlette_site(config(tmp_path)).app, config(tmp_path / "file"))
    )
    sent: list[dict[str, Any]] = []

    async def start() -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "lifespan.startup"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await middleware({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)

    asyncio.run(start())
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "server.data_dir" in sent[0]["message"]
