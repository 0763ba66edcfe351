"""The cache in real FastAPI, Starlette, Litestar, Quart and Django apps, with their own middleware around it and inside."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from apps import SITES, Site, client, config, outcome, question, said

ALL = pytest.mark.parametrize("framework", SITES)


def visit(site: Site, scenario: Callable[[httpx.AsyncClient], Awaitable[None]], **more: Any) -> None:
    async def run() -> None:
        async with client(site.app, **more) as http:
            await scenario(http)

    asyncio.run(run())


@ALL
def test_a_question_is_answered_once_by_the_app_and_then_from_the_cache(framework: str, data_dir: Path) -> None:
    site = SITES[framework](config(data_dir))

    async def scenario(http: httpx.AsyncClient) -> None:
        first = await http.post("/ask", json=question())
        again = await http.post("/ask", json=question())
        assert (outcome(first), outcome(again)) == ("MISS", "HIT")
        assert said(again) == said(first) == {"answer": 1, "padding": "words " * 100}
        assert again.headers["content-type"] == first.headers["content-type"]

    visit(site, scenario)
    assert site.calls == [question()]


@ALL
def test_the_app_has_its_own_startup_and_shutdown(framework: str, data_dir: Path) -> None:
    site = SITES[framework](config(data_dir))

    async def scenario(http: httpx.AsyncClient) -> None:
        assert site.life == ([] if framework == "django" else ["up"])
        assert (await http.post("/ask", json=question())).status_code == 200

    visit(site, scenario)
    assert site.life == ([] if framework == "django" else ["up", "down"])


@ALL
def test_authentication_around_the_cache_keeps_users_apart(framework: str, data_dir: Path) -> None:
    site = SITES[framework](config(data_dir, scope="state:user.id"))

    async def scenario(http: httpx.AsyncClient) -> None:
        assert outcome(await http.post("/ask", json=question())) == "MISS"
        assert outcome(await http.post("/ask", json=question())) == "HIT"
        other = {"authorization": "Bearer bob-key"}
        assert outcome(await http.post("/ask", json=question(), headers=other)) == "MISS"
        stranger = await http.post("/ask", json=question(), headers={"authorization": "Bearer no-key"})
        assert (stranger.status_code, outcome(stranger)) == (401, "none")

    visit(site, scenario)


@ALL
def test_the_apps_own_exception_handling_answers_and_its_answer_is_not_kept(framework: str, data_dir: Path) -> None:
    site = SITES[framework](config(data_dir))

    async def scenario(http: httpx.AsyncClient) -> None:
        for _ in range(2):
            refused = await http.post("/ask", json={**question(), "refuse": True})
            assert (refused.status_code, said(refused)) == (409, {"error": "refused"})
            assert outcome(refused) == "MISS"

    visit(site, scenario)
    assert len(site.calls) == 2


@ALL
def test_what_the_app_does_not_handle_becomes_its_own_500(framework: str, data_dir: Path) -> None:
    site = SITES[framework](config(data_dir))

    async def scenario(http: httpx.AsyncClient) -> None:
        try:
            crashed = await http.post("/ask", json={**question(), "crash": True})
        except RuntimeError as error:
            assert str(error) == "crashed"  # as it reaches a server that logs it
        else:
            assert crashed.status_code == 500
        assert outcome(await http.post("/ask", json=question())) == "MISS"

    visit(site, scenario, raises=framework in ("fastapi", "starlette"))


@ALL
def test_compression_inside_is_undone_for_a_client_that_takes_none(framework: str, data_dir: Path) -> None:
    site = SITES[framework](config(data_dir))

    async def scenario(http: httpx.AsyncClient) -> None:
        first = await http.post("/ask", json=question(), headers={"accept-encoding": "gzip"})
        assert (first.headers["content-encoding"], outcome(first)) == ("gzip", "MISS")
        plain = await http.post("/ask", json=question(), headers={"accept-encoding": "identity"})
        assert ("content-encoding" in plain.headers, outcome(plain)) == (False, "HIT")
        packed = await http.post("/ask", json=question(), headers={"accept-encoding": "gzip"})
        assert (packed.headers["content-encoding"], outcome(packed)) == ("gzip", "HIT")
        assert said(first) == said(plain) == said(packed)

    visit(site, scenario)


@ALL
def test_a_stream_comes_from_the_cache_as_the_same_events(framework: str, data_dir: Path) -> None:
    site = SITES[framework](config(data_dir))

    async def scenario(http: httpx.AsyncClient) -> None:
        body = {**question(), "stream": True}
        headers = {"accept-encoding": "identity"}
        first = await http.post("/stream", json=body, headers=headers)
        again = await http.post("/stream", json=body, headers=headers)
        assert (outcome(first), outcome(again)) == ("MISS", "HIT")
        assert again.content == first.content == b'data: {"piece": 1}\n\ndata: [DONE]\n\n'

    visit(site, scenario)
    assert len(site.calls) == 1


@ALL
def test_what_no_route_takes_reaches_the_app_untouched(framework: str, data_dir: Path) -> None:
    site = SITES[framework](config(data_dir, path="/stream"))

    async def scenario(http: httpx.AsyncClient) -> None:
        for _ in range(2):
            answered = await http.post("/ask", json=question())
            assert (answered.status_code, outcome(answered)) == (200, "none")
        assert (await http.get("/stream")).status_code == 405 if framework != "django" else True

    visit(site, scenario)
    assert len(site.calls) >= 2
