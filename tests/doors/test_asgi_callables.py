"""Python callables in the settings: what they are given, and what becomes of what they give."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from apps import Site, client, config, outcome, question, starlette_site

from gateway import Request

Asking = Callable[[httpx.AsyncClient], Awaitable[None]]


def visit(settings: dict[str, Any], scenario: Asking) -> Site:
    site = starlette_site(settings)

    async def run() -> None:
        async with client(site.app) as http:
            await scenario(http)

    asyncio.run(run())
    return site


def asked(*bodies: dict[str, Any], headers: list[dict[str, str]] | None = None, path: str = "/ask") -> Any:
    """A scenario and what it finds: the outcome of each of these."""
    found: list[str] = []

    async def scenario(http: httpx.AsyncClient) -> None:
        for index, body in enumerate(bodies):
            more = {} if headers is None else headers[index]
            found.append(outcome(await http.post(path, json=body, headers=more)))

    return scenario, found


def test_a_callable_sees_the_request(data_dir: Path) -> None:
    seen: list[Request] = []

    def query(request: Request) -> str:
        seen.append(request)
        return str(request.json()["query"])

    async def scenario(http: httpx.AsyncClient) -> None:
        await http.post("/ask?tone=kind&tone=curt", json=question(), headers={"X-Team": "red"})

    visit(config(data_dir, query=query), scenario)
    (request,) = seen
    assert (request.method, request.path, dict(request.query)) == ("POST", "/ask", {"tone": "kind"})
    assert (request.headers["x-team"], request.headers["X-TEAM"], "X-Nobody" in request.headers) == (
        "red",
        "red",
        False,
    )
    assert request.json() == question()
    assert request.state["user"] == {"id": "alice"}
    assert request.scope["type"] == "http"


def test_async_callables_are_awaited(data_dir: Path) -> None:
    async def scope(request: Request) -> str:
        await asyncio.sleep(0)
        return str(request.state["user"]["id"])

    bob = {"authorization": "Bearer bob-key"}
    scenario, found = asked(question(), question(), question(), headers=[{}, {}, bob])
    visit(config(data_dir, scope=scope), scenario)
    assert found == ["MISS", "HIT", "MISS"]


def test_what_a_query_callable_gives_may_be_worded_otherwise_and_nothing_else(data_dir: Path) -> None:
    def query(request: Request) -> str:
        return str(request.json()["ask"])

    bodies = [
        {"ask": "How do I reset my password?", "n": 1},
        {"ask": "how can I reset my password", "n": 1},
        {"ask": "How do I reset my password?", "n": 2},
    ]
    scenario, found = asked(*bodies)
    settings = config(data_dir, query=query, match="semantic", verify="pairwise")
    del settings["routes"][0]["preset"]
    visit(settings, scenario)
    assert found == ["MISS", "HIT", "MISS"]


@pytest.mark.parametrize("setting", ["query", "model", "scope", "keep_if"])
def test_none_forwards_the_request_as_it_is(setting: str, data_dir: Path) -> None:
    scenario, found = asked(question(), question())
    site = visit(config(data_dir, **{setting: lambda _request: None}), scenario)
    assert found == ["BYPASS", "BYPASS"]
    assert site.calls == [question(), question()]


def test_one_that_never_comes_back_is_given_up(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.fronts.inside.FUNCTION", 0.02)

    async def hanging(_request: Request) -> str:
        await asyncio.Event().wait()
        return "nobody"

    scenario, found = asked(question(), question())
    site = visit(config(data_dir, scope=hanging), scenario)
    assert found == ["BYPASS", "BYPASS"]
    assert site.calls == [question(), question()]


@pytest.mark.parametrize("setting", ["query", "model", "scope", "keep_if"])
def test_one_that_raises_is_logged_and_the_request_is_answered(
    setting: str, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_request: Request) -> str:
        raise KeyError("secret words")

    scenario, found = asked(question())
    with caplog.at_level(logging.WARNING, "semgate"):
        visit(config(data_dir, **{setting: broken}), scenario)
    assert found == ["BYPASS"]
    assert f"route ask: `{setting}` failed with KeyError: not cached" in caplog.messages
    assert "secret words" not in caplog.text


def test_a_query_that_is_no_text_is_a_mistake_and_not_a_question(data_dir: Path) -> None:
    scenario, found = asked(question(), question())
    visit(config(data_dir, query=lambda _request: 7), scenario)
    assert found == ["BYPASS", "BYPASS"]


def test_a_scope_that_cannot_be_compared_is_none(data_dir: Path) -> None:
    scenario, found = asked(question(), question())
    visit(config(data_dir, scope=lambda _request: object()), scenario)
    assert found == ["BYPASS", "BYPASS"]


def test_a_model_that_a_callable_gives_is_always_equal(data_dir: Path) -> None:
    def model(request: Request) -> str:
        return request.headers["x-model"]

    scenario, found = asked(*[question()] * 3, headers=[{"x-model": name} for name in ("small", "large", "small")])
    visit(config(data_dir, model=model), scenario)
    assert found == ["MISS", "MISS", "HIT"]


def test_a_model_callable_chooses_among_routes_of_one_path(data_dir: Path) -> None:
    settings = config(data_dir, model=lambda request: request.headers["x-model"], models=["small"])
    scenario, found = asked(*[question()] * 3, headers=[{"x-model": name} for name in ("small", "large", "small")])
    visit(settings, scenario)
    assert found == ["MISS", "none", "HIT"]


def test_keep_if_says_which_answers_are_kept_and_all_may_be_served(data_dir: Path) -> None:
    def keep_if(request: Request) -> bool:
        return "x-trial" not in request.headers

    trial: dict[str, str] = {"x-trial": "1"}
    scenario, found = asked(*[question()] * 4, headers=[trial, trial, {}, trial])
    visit(config(data_dir, keep_if=keep_if), scenario)
    assert found == ["MISS", "MISS", "MISS", "HIT"]


def test_state_that_cannot_be_read_is_logged_and_the_request_is_answered(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Lazy:
        @property
        def team(self) -> str:
            raise RuntimeError("no database here")

    site = starlette_site(config(data_dir, scope="state:lazy.team"))

    async def leaving_state(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope["state"]["lazy"] = Lazy()
        await site.app(scope, receive, send)

    async def run() -> str:
        async with client(leaving_state) as http:
            return outcome(await http.post("/ask", json=question()))

    assert asyncio.run(run()) == "BYPASS"
    assert "route ask: `state:lazy.team` failed with RuntimeError: not cached" in caplog.messages


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ({"team": {"id": 7}}, ["MISS", "HIT"]),
        ({"team": {"id": None}}, ["BYPASS"] * 2),
        ({"team": None}, ["BYPASS"] * 2),
        ({}, ["BYPASS"] * 2),
    ],
)
def test_state_without_a_value_is_no_scope(state: dict[str, Any], found: list[str], data_dir: Path) -> None:
    site = starlette_site(config(data_dir, scope="state:team.id"))

    async def leaving_state(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope["state"].update(state)
        await site.app(scope, receive, send)

    async def run() -> list[str]:
        async with client(leaving_state) as http:
            return [outcome(await http.post("/ask", json=question())) for _ in range(2)]

    assert asyncio.run(run()) == found


def test_callables_work_without_a_lifespan_too(data_dir: Path) -> None:
    from starlette.testclient import TestClient

    site = starlette_site(config(data_dir, scope=lambda request: request.state["user"]["id"]))
    ask = TestClient(site.app)
    outcomes = [
        outcome(ask.post("/ask", json=question(), headers={"authorization": f"Bearer {user}-key"}))
        for user in ("alice", "alice", "bob")
    ]
    assert outcomes == ["MISS", "HIT", "MISS"]
