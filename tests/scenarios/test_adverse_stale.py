"""Stale answers in adverse company: slow and late clients, failing upstreams, renewals that take their time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from adversity import BIG_STREAM, CONFIG, Reader, adverse_gateway, close_all, kept, numbers, one
from asking import Asking, Held
from raw_upstream import always
from running import Exchange, Gateway, RawUpstream, http_answer, serve, stream, until
from streamed import PLAIN


@pytest.fixture(scope="module")
def gateway(upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with adverse_gateway(upstream, data_dir, tmp_path_factory.mktemp("stale")) as running:
        yield running


@pytest.fixture(autouse=True)
def closed_connections() -> Iterator[None]:
    yield
    close_all()


def test_who_does_not_read_a_stale_answer_holds_up_nobody(gateway: Gateway, upstream: RawUpstream):
    asked = {"query": f"question number {next(numbers)} of a slow reader", "stream": True}
    upstream.behaviour = stream(BIG_STREAM)
    one(gateway, "/soon", asked).read()
    until(lambda: one(gateway, "/soon", asked).getheader("x-cache") != "HIT", "it is stale")
    upstream.behaviour = stream(BIG_STREAM)
    one(gateway, "/soon", asked).read()
    time.sleep(0.4)
    stale = Reader(gateway, "/soon", asked)
    time.sleep(1.2)  # now it is too stale for anybody else
    upstream.behaviour = stream(PLAIN)
    assert one(gateway, "/soon", asked).read() == b"".join(PLAIN)
    answer = stale.answer()
    assert (answer.getheader("x-cache"), answer.read()) == ("STALE", b"".join(BIG_STREAM))


def test_without_coalescing_a_stale_answer_is_still_renewed(gateway: Gateway, upstream: RawUpstream):
    text = f"question number {next(numbers)} of nobody else"
    kept(gateway, upstream, "/while-alone", text, http_answer({"a": 1}))
    time.sleep(0.4)
    upstream.behaviour = always(http_answer({"a": 2}))
    assert gateway.ask("/while-alone", {"query": text}).headers["x-cache"] == "STALE"
    until(lambda: gateway.ask("/while-alone", {"query": text}).json() == {"a": 2}, "the new answer is there", 5)


def test_who_asks_in_other_words_while_a_stale_answer_is_renewed_does_not_wait(gateway: Gateway, upstream: RawUpstream):
    kept(gateway, upstream, "/while", "How do I reset the password of my account?", http_answer({"a": 1}))
    time.sleep(0.4)
    go = asyncio.Event()

    async def hold(exchange: Exchange) -> None:
        if b"barrier" not in exchange.body:
            await go.wait()
        await exchange.send(http_answer({"a": 2}))

    upstream.behaviour = hold
    asked = {"query": "How do I reset my account's password?"}
    try:
        assert one(gateway, "/while", asked).getheader("x-cache") == "STALE"
        time.sleep(0.1)
        second = Reader(gateway, "/while", asked)
        second.socket.settimeout(3)
        assert second.answer().getheader("x-cache") == "STALE"
    finally:
        upstream.call(go.set)


def test_a_stale_answer_in_other_words_stands_in_for_followers_too(gateway: Gateway, upstream: RawUpstream):
    kept(gateway, upstream, "/error", "How do I reset the password of my account?", http_answer({"a": 1}))
    time.sleep(0.4)
    held = Held(upstream, always(http_answer({}, status="503 Busy")))
    held.text = "reset my account's password"
    asked = {"query": "How do I reset my account's password?"}
    asking = Asking(gateway)
    asking.send("/error", asked)
    asking.settle()
    asking.send("/error", asked)
    asking.settle()
    held.go()
    assert [each.getheader("x-cache") for each in asking.answers()] == ["STALE", "STALE"]


def test_who_does_not_read_what_stands_in_holds_up_no_follower(gateway: Gateway, upstream: RawUpstream):
    async def reset(exchange: Exchange) -> None:
        exchange.reset()

    held = Held(upstream, reset)
    asked = {"query": held.text, "stream": True}
    upstream.behaviour = stream(BIG_STREAM)
    one(gateway, "/error", asked).read()
    time.sleep(0.4)
    upstream.behaviour = held._behave
    Reader(gateway, "/error", asked)
    until(lambda: held.calls, "the call")
    Asking(gateway).settle()
    follower = Reader(gateway, "/error", asked)
    Asking(gateway).settle()
    held.go()
    answer = follower.answer()
    assert (answer.getheader("x-cache"), answer.read()) == ("STALE", b"".join(BIG_STREAM))


def test_a_stale_answer_does_not_wait_for_the_end_of_an_error(gateway: Gateway, upstream: RawUpstream):
    async def talks_on(exchange: Exchange) -> None:
        await exchange.send(
            b"HTTP/1.1 503 Busy\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
        )
        await exchange.peer_closed()

    text = f"question number {next(numbers)} of a talkative error"
    kept(gateway, upstream, "/error", text, http_answer({"a": 1}))
    time.sleep(0.4)
    upstream.behaviour = talks_on
    assert one(gateway, "/error", {"query": text}).read() == b'{"a": 1}'


def test_who_leaves_a_stale_answer_leaves_nothing_behind(gateway: Gateway, upstream: RawUpstream):
    asked = {"query": f"question number {next(numbers)} of who leaves", "stream": True}
    upstream.behaviour = stream(BIG_STREAM)
    one(gateway, "/soon", asked).read()
    time.sleep(0.4)
    stale = Reader(gateway, "/soon", asked)
    time.sleep(0.3)
    stale.close()
    time.sleep(1.0)
    assert one(gateway, "/soon", asked).read() == b"".join(BIG_STREAM)


def test_what_is_too_stale_while_it_is_renewed_is_asked_for_once(gateway: Gateway, upstream: RawUpstream):
    held = Held(upstream, always(http_answer({"a": 2})))
    go = asyncio.Event()
    calls: list[Exchange] = []
    asked = {"query": held.text}
    upstream.behaviour = always(http_answer({"a": 1}))
    one(gateway, "/soon", asked).read()
    time.sleep(0.4)

    async def hold(exchange: Exchange) -> None:
        if held.text.encode() in exchange.body:
            calls.append(exchange)
            await go.wait()
        await exchange.send(http_answer({"a": 2}))

    upstream.behaviour = hold
    assert one(gateway, "/soon", asked).getheader("x-cache") == "STALE"
    time.sleep(1.0)  # now it is too stale, and still being renewed
    asking = Asking(gateway)
    for _ in range(8):
        asking.send("/soon", asked)
    asking.settle()
    made = len(calls)
    upstream.call(go.set)
    assert [each.read() for each in asking.answers()] == [b'{"a": 2}'] * 8
    assert made <= 2


def test_a_stale_answer_never_takes_the_place_of_its_successor(
    gateway: Gateway, upstream: RawUpstream, data_dir: Path, tmp_path: Path
):
    asked = {"query": f"question number {next(numbers)} of two gateways", "stream": True}
    upstream.behaviour = stream(BIG_STREAM)
    with serve(tmp_path, CONFIG.format(data=data_dir, url=upstream.url, namespace="adversity")) as other:
        one(other, "/later", asked).read()
        until(lambda: other.metric("semgate_kept_total", route="later"), "it is stored")
    time.sleep(4.1)
    upstream.behaviour = stream([b'data: {"a": 2}\n\n', PLAIN[2]])
    slow = Reader(gateway, "/later", asked)
    time.sleep(1.0)  # renewed long since
    assert slow.answer().getheader("x-cache") == "STALE"
    while slow.socket.recv(1 << 20)[-5:] != b"0\r\n\r\n":
        pass
    time.sleep(0.2)
    answer = one(gateway, "/later", asked)
    assert (answer.getheader("x-cache"), answer.read()) == ("HIT", b'data: {"a": 2}\n\n' + PLAIN[2])
