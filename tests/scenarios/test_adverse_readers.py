"""Clients that read slowly, not at all, or leave: nobody hangs for another, nobody gets half an answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.client import IncompleteRead
from pathlib import Path

import pytest
from adversity import BIG_STREAM, MUCH, Reader, adverse_gateway, big_json, close_all, numbers, one
from asking import Asking, Held
from raw_upstream import always
from running import Exchange, Gateway, RawUpstream, http_answer, stream, until
from streamed import PLAIN


@pytest.fixture(scope="module")
def gateway(upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with adverse_gateway(upstream, data_dir, tmp_path_factory.mktemp("readers")) as running:
        yield running


@pytest.fixture(autouse=True)
def closed_connections() -> Iterator[None]:
    yield
    close_all()


def test_a_leader_who_stopped_reading_holds_up_nobody_who_comes_later(gateway: Gateway, upstream: RawUpstream):
    piece = b"data: " + b"x" * (1 << 20) + b"\n\n"
    sent: list[bytes] = []

    async def count(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for each in [*[piece] * 8, PLAIN[2]]:
            await exchange.send(b"%x\r\n%s\r\n" % (len(each), each))
            sent.append(each)
        await exchange.send(b"0\r\n\r\n")

    held = Held(upstream, count)
    held.go()
    asked = {"query": held.text, "stream": True}
    stalled = Reader(gateway, "/ask", asked)
    until(lambda: len(sent) >= 2, "the stream has begun")
    time.sleep(1.5)  # until the gateway cannot hand over any more
    follower = Reader(gateway, "/ask", asked)
    assert follower.answer().read() == piece * 8 + PLAIN[2]
    assert stalled.answer().read() == piece * 8 + PLAIN[2]


def test_a_leader_who_does_not_read_a_single_answer_holds_up_nobody(gateway: Gateway, upstream: RawUpstream):
    held = Held(upstream, always(big_json()))
    held.go()
    Reader(gateway, "/ask", {"query": held.text})
    until(lambda: held.calls == 1, "the call")
    time.sleep(1.0)
    assert len(one(gateway, "/ask", {"query": held.text}).read()) > MUCH


def test_a_leader_who_reads_slowly_does_not_slow_its_followers(gateway: Gateway, upstream: RawUpstream):
    piece = b"data: " + b"x" * (1 << 17) + b"\n\n"
    pieces = [*[piece] * 68, PLAIN[2]]
    held = Held(upstream, stream(pieces))
    asked = {"query": held.text, "stream": True}
    leader = Reader(gateway, "/ask", asked)
    Asking(gateway).settle()
    follower = Reader(gateway, "/ask", asked)
    Asking(gateway).settle()
    held.go()
    answer = leader.answer()
    got: list[int] = []

    def trickle() -> None:
        while data := answer.read(1 << 16):
            got.append(len(data))
            time.sleep(0.1)

    reading = threading.Thread(target=trickle)
    reading.start()
    whole = follower.answer().read()
    led = sum(got)
    reading.join()
    assert whole == b"".join(pieces)
    assert sum(got) == len(whole)
    assert led < len(whole) // 4, "the follower was done long before"


def test_a_released_follower_that_leaves_lets_its_call_go(gateway: Gateway, upstream: RawUpstream):
    gone: list[Exchange] = []

    async def wait(exchange: Exchange) -> None:
        await exchange.peer_closed()
        gone.append(exchange)

    held = Held(upstream, always(http_answer({"a": 1}, status="500 Oops")), wait)
    asked = {"query": held.text}
    asking = Asking(gateway)
    asking.send("/abort", asked)
    asking.settle()
    follower = Reader(gateway, "/abort", asked)
    asking.settle()
    held.go()
    until(lambda: held.calls == 2, "its own call")
    time.sleep(0.2)
    follower.close()
    until(lambda: gone, "the upstream sees it leave", 5)


def test_a_leader_that_lags_and_leaves_costs_its_followers_nothing(gateway: Gateway, upstream: RawUpstream):
    piece = b"data: " + b"x" * (1 << 20) + b"\n\n"
    held = Held(upstream, stream([*[piece] * 8, PLAIN[2]], pause=0.1))
    asked = {"query": held.text, "stream": True}
    leader = Reader(gateway, "/ask", asked)
    Asking(gateway).settle()
    follower = Reader(gateway, "/ask", asked)
    Asking(gateway).settle()
    held.go()
    answer = follower.answer()
    start = answer.read(5 << 20)
    leader.close()
    assert start + answer.read() == piece * 8 + PLAIN[2]
    assert one(gateway, "/ask", asked).getheader("x-cache") == "HIT"


def test_a_leader_that_lags_too_far_is_cut_off_and_nobody_else(gateway: Gateway, upstream: RawUpstream):
    piece = b"data: " + b"x" * (1 << 20) + b"\n\n"
    pieces = [*[piece] * 30, PLAIN[2]]
    held = Held(upstream, stream(pieces, pause=0.02))
    asked = {"query": held.text, "stream": True}
    leader = Reader(gateway, "/ask", asked)
    asking = Asking(gateway)
    asking.settle()
    asking.send("/ask", asked)
    asking.settle()
    held.go()
    assert asking.answers()[0].read() == b"".join(pieces)
    with pytest.raises((IncompleteRead, ConnectionError)):
        leader.answer().read()


def test_a_leader_that_stopped_reading_and_left_leaves_nothing_behind(gateway: Gateway, upstream: RawUpstream):
    held = Held(upstream, stream(BIG_STREAM))
    held.go()
    asked = {"query": held.text, "stream": True}
    stalled = Reader(gateway, "/ask", asked)
    until(lambda: held.calls == 1, "the call")
    time.sleep(1.0)
    stalled.close()
    answer = one(gateway, "/ask", asked)
    assert answer.read() == b"".join(BIG_STREAM)
    assert held.calls == 1, "the answer was paid for"


def test_who_leaves_does_not_end_coalescing_for_others(gateway: Gateway, upstream: RawUpstream):
    async def wait(exchange: Exchange) -> None:
        await exchange.peer_closed()

    held = Held(upstream, wait, always(http_answer({"a": 1})))
    held.go()
    asked = {"query": held.text}
    leaving = Reader(gateway, "/abort", asked)
    until(lambda: held.calls == 1, "the call")
    time.sleep(0.2)
    leaving.close()
    time.sleep(0.2)
    again = Held(upstream, always(http_answer({"a": 1})))
    again.text = held.text
    asking = Asking(gateway)
    for _ in range(4):
        asking.send("/abort", asked)
    asking.settle()
    again.go()
    assert [each.read() for each in asking.answers()] == [b'{"a": 1}'] * 4
    assert again.calls == 1


def test_a_client_that_reads_slowly_delays_no_other_question(gateway: Gateway, upstream: RawUpstream):
    held = Held(upstream, stream(BIG_STREAM))
    asked = {"query": held.text, "stream": True}
    Reader(gateway, "/ask", asked)
    asking = Asking(gateway)
    asking.settle()
    asking.send("/ask", asked)
    asking.settle()
    held.go()
    assert asking.answers()[0].read() == b"".join(BIG_STREAM)
    upstream.behaviour = always(http_answer({"a": 1}))
    began = time.monotonic()
    for _ in range(20):
        gateway.ask("/ask", {"query": f"another thing number {next(numbers)} altogether", "stream": True})
    assert time.monotonic() - began < 4, "20 waits for the slow client are 5 s"
