"""Synthesized answers that several ask for, that nobody waits for any more, and that the model takes back."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from running import Exchange, Gateway, RawUpstream, events, until
from synthesized import OPEN, SUNDAY, SUNDAY_ANSWER, Asked, Cheap, gateway_of, knowing, route
from tried import Knowing, said

numbers = itertools.count()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def gateway(
    upstream: RawUpstream, cheap_server: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    with gateway_of(
        tmp_path_factory.mktemp("synthesis-together"),
        data_dir,
        upstream,
        cheap_server,
        "synthesis-together",
        route("chat", "allow: {threshold: {min: 0.1}}"),
        route("kept", keep=True),
    ) as running:
        yield running


@pytest.fixture
def llm(upstream: RawUpstream) -> Knowing:
    return knowing(upstream)


def warmed(gateway: Gateway, name: str = "chat") -> Asked:
    asked = Asked(gateway, name, f"tenant {next(numbers)}")
    asked.ask(OPEN)
    return asked


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("wish", [{"Cache-Control": "max-age=0"}, {"X-Cache-Threshold": "0.98"}], ids=str)
def test_who_wants_it_newer_or_nearer_gets_none_that_was_made_for_somebody_else(
    gateway: Gateway, llm: Knowing, cheap: Cheap, wish: dict[str, str], stream: bool
) -> None:
    chat = warmed(gateway)
    go_on = cheap.hold()
    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(chat.ask, SUNDAY, stream=stream)
        until(lambda: cheap.asked, "the model is not asked")
        follower = pool.submit(chat.ask, SUNDAY, wish)
        until(lambda: gateway.metric("semgate_requests_in_flight") >= 2 or follower.done(), "the other is not there")
        go_on()
        assert leader.result(20).headers["x-cache"] == "SYNTHESIS"
        answer = follower.result(20)
    assert (answer.headers["x-cache"], said(answer)) == ("MISS", "Upstream: at 11.")


@pytest.mark.parametrize("stream", [True, False])
def test_a_model_that_nobody_listens_to_is_asked_no_further(
    gateway: Gateway, llm: Knowing, cheap: Cheap, stream: bool
) -> None:
    chat = warmed(gateway)
    left: list[bool] = []
    pieces = events("On ", "Sundays ", "at ")

    async def answer(exchange: Exchange) -> None:
        await exchange.send(HEAD)
        try:
            for piece in [*pieces[:2], *[pieces[2]] * 100]:
                await exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                await asyncio.sleep(0.05)
        except ConnectionError:
            left.append(True)
            raise

    cheap.answer = answer
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": SUNDAY}], "stream": stream}
    with httpx.Client(timeout=0.3) as client:
        try:
            with client.stream("POST", f"{gateway.url}/chat", json=body, headers=chat.tenant) as opened:
                next(opened.iter_bytes())
        except httpx.ReadTimeout:
            assert not stream
    until(lambda: left, "the model still writes", 4)


def test_a_stream_that_the_model_takes_back_at_its_end_is_not_kept(
    gateway: Gateway, llm: Knowing, cheap: Cheap
) -> None:
    kept = warmed(gateway, "kept")
    cheap.says = "That it is open. NOT_ENOUGH"
    assert kept.ask(SUNDAY, stream=True).headers["x-cache"] == "SYNTHESIS"
    cheap.says = SUNDAY_ANSWER
    assert said(kept.ask(SUNDAY)) == SUNDAY_ANSWER
    assert len(cheap.asked) == 2


def test_a_single_one_that_the_model_takes_back_is_a_miss(gateway: Gateway, llm: Knowing, cheap: Cheap) -> None:
    chat = warmed(gateway)
    cheap.says = "That it is open. NOT_ENOUGH"
    answer = chat.ask(SUNDAY)
    assert (answer.headers["x-cache"], said(answer)) == ("MISS", "Upstream: at 11.")
