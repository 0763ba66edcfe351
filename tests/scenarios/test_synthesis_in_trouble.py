"""A cheap model that is slow, broken, too dear or too busy costs a client nothing but time, and that is bounded."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from running import Exchange, Gateway, RawUpstream, completion, events, http_answer, stream, until
from synthesized import OPEN, SUNDAY, SUNDAY_ANSWER, Asked, Cheap, gateway_of, knowing, route
from tried import Knowing, said

numbers = itertools.count()


@pytest.fixture(scope="module")
def gateway(
    upstream: RawUpstream, cheap_server: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    with gateway_of(
        tmp_path_factory.mktemp("synthesis-trouble"),
        data_dir,
        upstream,
        cheap_server,
        "synthesis-trouble",
        route("chat", first_token="300ms", timeout="500ms"),
        route("few", budget={"calls_per_minute": 2}),
        route("dear", budget={"dollars_per_day": 0.04}),
        route("one", at_once=1),
    ) as running:
        yield running


@pytest.fixture
def llm(upstream: RawUpstream) -> Knowing:
    return knowing(upstream)


def warmed(gateway: Gateway, llm: Knowing, name: str = "chat") -> Asked:
    asked = Asked(gateway, name, f"tenant {next(numbers)}")
    asked.ask(OPEN)
    return asked


async def late(exchange: Exchange) -> None:
    await asyncio.sleep(1)


async def refuses(exchange: Exchange) -> None:
    await exchange.send(http_answer({"error": {"message": "no such model"}}, status="404 Not Found"))


async def closes(exchange: Exchange) -> None:
    exchange.close()


async def no_json(exchange: Exchange) -> None:
    await exchange.send(http_answer(b"<html>busy</html>", "Content-Type: text/html"))


async def calls_a_tool(exchange: Exchange) -> None:
    answer = completion("")
    answer["choices"][0]["message"]["tool_calls"] = [{"id": "1", "type": "function", "function": {}}]
    await exchange.send(http_answer(answer))


async def says_nothing(exchange: Exchange) -> None:
    await stream(events(" ", "\n"))(exchange)


async def is_cut_off(exchange: Exchange) -> None:
    await stream(events("On ", "Sundays ", finish="length"))(exchange)


async def ends_early(exchange: Exchange) -> None:
    await stream(events("On ", "Sundays ")[:-2])(exchange)


async def pauses(exchange: Exchange) -> None:
    await stream(events("On ", "Sundays "), pause=0.4)(exchange)


TROUBLES = [late, refuses, closes, no_json, calls_a_tool, says_nothing, is_cut_off, ends_early, pauses]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
def test_whatever_is_wrong_with_the_model_the_upstream_answers(
    gateway: Gateway, llm: Knowing, cheap: Cheap, trouble: Callable[[Exchange], Any]
) -> None:
    chat = warmed(gateway, llm)
    before = gateway.metric("semgate_synthesis_total", route="chat", result="trouble")
    cheap.answer = trouble
    began = time.monotonic()
    answer = chat.ask(SUNDAY)
    assert (said(answer), answer.headers["cache-status"]) == ("Upstream: at 11.", "semgate; fwd=miss")
    assert time.monotonic() - began < 0.95
    assert gateway.metric("semgate_synthesis_total", route="chat", result="trouble") == before + 1
    assert gateway.metric("semgate_trouble_total", part="routes.chat.synthesis") > 0


def test_beyond_its_calls_a_minute_the_model_is_not_asked(gateway: Gateway, llm: Knowing, cheap: Cheap) -> None:
    few = warmed(gateway, llm, "few")
    words = [few.ask(SUNDAY).headers["x-cache"] for _ in range(3)]
    assert words == ["SYNTHESIS", "SYNTHESIS", "MISS"]
    assert len(cheap.asked) == 2
    assert gateway.metric("semgate_synthesis_total", route="few", result="budget") == 1


def test_beyond_its_dollars_a_day_the_model_is_not_asked(gateway: Gateway, llm: Knowing, cheap: Cheap) -> None:
    """What a call may cost at most is set aside (some 30,000 millionths), and it costs 150."""
    dear = warmed(gateway, llm, "dear")
    assert [dear.ask(SUNDAY).headers["x-cache"] for _ in range(3)] == ["SYNTHESIS"] * 3
    go_on = cheap.hold()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(dear.ask, SUNDAY)
        until(lambda: len(cheap.asked) == 4, "the model is not asked")
        other = dear.ask("When, on Sundays, does the museum open?")
        assert other.headers["x-cache"] == "MISS"
        go_on()
        assert waiting.result(20).headers["x-cache"] == "SYNTHESIS"
    assert gateway.metric("semgate_synthesis_total", route="dear", result="budget") == 1


def test_one_more_than_may_be_under_way_is_a_miss_at_once(gateway: Gateway, llm: Knowing, cheap: Cheap) -> None:
    one = warmed(gateway, llm, "one")
    go_on = cheap.hold()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(one.ask, SUNDAY)
        until(lambda: cheap.asked, "the model is not asked")
        other = one.ask("When, on Sundays, does the museum open?")
        assert other.headers["x-cache"] == "MISS"
        go_on()
        assert said(waiting.result(20)) == SUNDAY_ANSWER
    again = one.ask(SUNDAY)
    assert again.headers["x-cache"] == "SYNTHESIS", "the place is free again"
    assert gateway.metric("semgate_synthesis_total", route="one", result="busy") == 1


def test_a_client_that_leaves_while_the_model_writes_frees_its_place(
    gateway: Gateway, llm: Knowing, cheap: Cheap
) -> None:
    import httpx

    one = warmed(gateway, llm, "one")
    go_on = cheap.hold()
    with pytest.raises(httpx.TimeoutException):
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": SUNDAY}]}
        httpx.post(f"{gateway.url}/one", json=body, headers=one.tenant, timeout=0.3)
    go_on()
    cheap.gate = None
    until(lambda: one.ask(SUNDAY).headers["x-cache"] == "SYNTHESIS", "the place is not free")
