"""Identical requests in flight make one upstream call; nobody waits in vain, and nobody is answered for another."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import Any, ClassVar

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "stores"))

from running import (
    Exchange,
    Gateway,
    RawUpstream,
    chat,
    completion,
    events,
    free_port,
    http_answer,
    serve,
    stream,
    until,
)
from servers import RedisServer

CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: coalescing}}
upstreams:
  llm: {{url: "{url}", timeout: {{first_byte: 20s, idle: 20s}}, breaker: {{failures: 0}}}}
routes:
  - {{name: ask, path: /ask, upstream: llm, preset: json-query, scope: public}}
  - {{name: own, path: /own, upstream: llm, preset: json-query, scope: "header:X-Tenant"}}
  - {{name: alone, path: /alone, upstream: llm, preset: json-query, scope: public, coalesce: {{followers: 0}}}}
  - {{name: chat, path: /v1/chat/completions, upstream: llm, preset: openai-chat, scope: public}}
  - {{name: far, path: /far, upstream: llm, preset: json-query, scope: public, coalesce: {{lock: postgres}}}}
"""

PLAIN = [b'data: {"a": 1}\n\n', b'data: {"a": 2}\n\n', b"data: [DONE]\n\n"]
numbers = itertools.count()


@pytest.fixture(scope="module")
def gateway(upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serve(tmp_path_factory.mktemp("coalescing"), CONFIG.format(data=data_dir, url=upstream.url)) as running:
        yield running


@pytest.fixture(autouse=True)
def closed_connections() -> Iterator[None]:
    yield
    while Asking.opened:
        Asking.opened.pop().close()


class Held:
    """An upstream that answers its first request when told to, and counts all of those with one question in them."""

    def __init__(
        self, upstream: RawUpstream, answer: Callable[[Exchange], Any], then: Callable[[Exchange], Any] | None = None
    ):
        self.text = f"question number {next(numbers)} of this kind"
        self._upstream = upstream
        self._go = asyncio.Event()
        self._answer = answer
        self._then = then or answer
        self.calls = 0
        upstream.behaviour = self._behave

    async def _behave(self, exchange: Exchange) -> None:
        if self.text.encode() not in exchange.body:
            await exchange.send(http_answer({"a": "barrier"}))
            return
        self.calls += 1
        if self.calls > 1:
            await self._then(exchange)
            return
        await self._go.wait()
        await self._answer(exchange)

    def go(self) -> None:
        self._upstream.call(self._go.set)


class Asking:
    """Requests on connections of their own, all sent before any answer is read."""

    opened: ClassVar[list[HTTPConnection]] = []

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._connections: list[HTTPConnection] = []

    def send(self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> HTTPConnection:
        connection = HTTPConnection("127.0.0.1", self._gateway.port, timeout=30)
        given = {"content-type": "application/json", **(headers or {})}
        connection.request("POST", path, json.dumps(body).encode(), given)
        self._connections.append(connection)
        self.opened.append(connection)
        return connection

    def settle(self) -> None:
        """Requests that came later have been answered: the earlier ones are on their way upstream, or follow."""
        for _ in range(3):
            self._gateway.ask("/alone", {"query": f"barrier {next(numbers)}"})

    def answers(self) -> list[HTTPResponse]:
        return [connection.getresponse() for connection in self._connections]


def always(answer: bytes) -> Callable[[Exchange], Any]:
    async def behave(exchange: Exchange) -> None:
        await exchange.send(answer)

    return behave


def statuses(answers: list[HTTPResponse]) -> list[str]:
    return sorted(str(answer.getheader("cache-status")) for answer in answers)


def test_many_who_ask_the_same_make_one_call(gateway: Gateway, upstream: RawUpstream):
    held = Held(upstream, always(http_answer({"a": 1}, "X-Request-Id: mine")))
    asking = Asking(gateway)
    for _ in range(10):
        asking.send("/ask", {"query": held.text})
    asking.settle()
    held.go()
    answers = asking.answers()
    assert [answer.read() for answer in answers] == [b'{"a": 1}'] * 10
    assert held.calls == 1
    assert statuses(answers) == ["semgate; fwd=miss"] + ["semgate; fwd=miss; collapsed"] * 9
    assert sum(answer.getheader("x-request-id") is not None for answer in answers) == 1, "ids are the leader's own"
    assert {answer.getheader("x-cache") for answer in answers} == {"MISS"}
    assert gateway.metric("semgate_requests_total", route="ask", outcome="collapsed") >= 9


def test_other_scopes_words_and_settings_never_share_a_call(gateway: Gateway, upstream: RawUpstream):
    held = Held(upstream, always(http_answer({"a": 1})))
    asking = Asking(gateway)
    asking.send("/own", {"query": held.text}, {"x-tenant": "a"})
    asking.settle()
    asking.send("/own", {"query": held.text}, {"x-tenant": "b"})
    asking.send("/own", {"query": held.text, "temperature": 1}, {"x-tenant": "a"})
    asking.send("/own", {"query": held.text + "?"}, {"x-tenant": "a"})
    until(lambda: held.calls == 4, "four calls")
    held.go()
    assert statuses(asking.answers()) == ["semgate; fwd=miss"] * 4


@pytest.mark.parametrize("wish", ["no-cache", "no-store"])
def test_who_asks_for_a_new_answer_makes_a_call(gateway: Gateway, upstream: RawUpstream, wish: str):
    held = Held(upstream, always(http_answer({"a": 1})))
    asking = Asking(gateway)
    asking.send("/ask", {"query": held.text})
    asking.settle()
    asking.send("/ask", {"query": held.text}, {"cache-control": wish})
    until(lambda: held.calls == 2, "a call of its own")
    held.go()
    asking.answers()


def test_coalescing_can_be_turned_off(gateway: Gateway, upstream: RawUpstream):
    held = Held(upstream, always(http_answer({"a": 1}, "Cache-Control: no-store")))
    asking = Asking(gateway)
    for _ in range(3):
        asking.send("/alone", {"query": held.text})
    until(lambda: held.calls == 3, "three calls")
    held.go()
    asking.answers()


@pytest.mark.parametrize(
    "answer",
    [
        http_answer({"a": 1}, status="500 Oops"),
        http_answer({"a": 1}, "Set-Cookie: session=1"),
        http_answer({"a": 1}, "Cache-Control: private"),
        http_answer({"error": {"message": "no"}}),
        http_answer(b"not json"),
    ],
    ids=["status", "cookie", "private", "rejected", "not json"],
)
def test_what_cannot_be_shared_is_asked_for_by_everybody(gateway: Gateway, upstream: RawUpstream, answer: bytes):
    held = Held(upstream, always(answer), always(http_answer({"a": 2})))
    asking = Asking(gateway)
    asking.send("/ask", {"query": held.text})
    asking.settle()
    for _ in range(4):
        asking.send("/ask", {"query": held.text})
    asking.settle()
    assert held.calls == 1
    held.go()
    first, *others = asking.answers()
    assert answer.endswith(first.read())
    assert [other.read() for other in others] == [b'{"a": 2}'] * 4
    assert all(other.getheader("set-cookie") is None for other in others)
    assert 2 <= held.calls <= 5, "those who are let go later may find what the first of them got"


def test_followers_of_a_call_that_fails_go_by_themselves(gateway: Gateway, upstream: RawUpstream):
    async def reset(exchange: Exchange) -> None:
        exchange.reset()

    held = Held(upstream, reset, always(http_answer({"a": 2})))
    asking = Asking(gateway)
    asking.send("/ask", {"query": held.text})
    asking.settle()
    asking.send("/ask", {"query": held.text})
    asking.settle()
    held.go()
    first, second = asking.answers()
    assert first.status == 502
    assert (second.status, second.read()) == (200, b'{"a": 2}')


def test_a_leader_that_leaves_takes_nobody_along(gateway: Gateway, upstream: RawUpstream):
    held = Held(upstream, always(http_answer({"a": 1})))
    asking = Asking(gateway)
    leader = asking.send("/ask", {"query": held.text})
    asking.settle()
    follower = Asking(gateway)
    follower.send("/ask", {"query": held.text})
    follower.settle()
    leader.close()
    time.sleep(0.2)  # the gateway looks for leaving clients from 50 ms on; sooner would prove nothing
    held.go()
    assert follower.answers()[0].read() == b'{"a": 1}'
    assert held.calls == 1


def test_followers_of_a_stream_go_along(gateway: Gateway, upstream: RawUpstream):
    go_on = asyncio.Event()

    async def in_two_parts(exchange: Exchange) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Request-Id: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
        await exchange.send(head + b"%x\r\n%s\r\n" % (len(PLAIN[0]), PLAIN[0]))
        await go_on.wait()
        rest = PLAIN[1] + PLAIN[2]
        await exchange.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(rest), rest))

    held = Held(upstream, in_two_parts)
    asking = Asking(gateway)
    asking.send("/ask", {"query": held.text, "stream": True})
    asking.settle()
    asking.send("/ask", {"query": held.text, "stream": True})
    asking.settle()
    held.go()
    leader, early = asking.answers()
    assert leader.read1() == early.read1() == PLAIN[0]
    joining = Asking(gateway)
    joining.send("/ask", {"query": held.text, "stream": True})
    late = joining.answers()[0]
    assert late.read1() == PLAIN[0], "from its start"
    upstream.call(go_on.set)
    assert leader.read() == early.read() == late.read() == PLAIN[1] + PLAIN[2]
    assert held.calls == 1
    assert early.getheader("cache-status") == late.getheader("cache-status") == "semgate; fwd=miss; collapsed"
    assert early.getheader("x-request-id") is None
    assert early.getheader("content-type") == "text/event-stream"


def test_a_leader_that_does_not_read_holds_nobody_up(gateway: Gateway, upstream: RawUpstream):
    piece = b"data: " + b"x" * (1 << 20) + b"\n\n"
    held = Held(upstream, stream([*[piece] * 9, PLAIN[2]]))
    asking = Asking(gateway)
    asking.send("/ask", {"query": held.text, "stream": True})
    asking.settle()
    follower = Asking(gateway)
    follower.send("/ask", {"query": held.text, "stream": True})
    follower.settle()
    held.go()
    assert follower.answers()[0].read() == piece * 9 + PLAIN[2]
    assert asking.answers()[0].read() == piece * 9 + PLAIN[2], "what it did not read waited for it"
    assert held.calls == 1


def test_followers_share_the_fate_of_a_stream_that_breaks(gateway: Gateway, upstream: RawUpstream):
    held = Held(upstream, stream(PLAIN[:1], breaks_off=True))
    asking = Asking(gateway)
    asking.send("/ask", {"query": held.text, "stream": True})
    asking.settle()
    asking.send("/ask", {"query": held.text, "stream": True})
    asking.settle()
    held.go()
    for answer in asking.answers():
        with pytest.raises(IncompleteRead):
            answer.read()


def test_who_wants_the_other_form_gets_it_when_the_stream_is_whole(gateway: Gateway, upstream: RawUpstream):
    held = Held(upstream, stream(events("Hel", "lo", usage=True)))
    asking = Asking(gateway)
    asking.send("/v1/chat/completions", chat(held.text, stream=True, stream_options={"include_usage": True}))
    asking.settle()
    asking.send("/v1/chat/completions", chat(held.text))
    asking.send("/v1/chat/completions", chat(held.text, stream=True))
    asking.settle()
    held.go()
    streamed, single, without = asking.answers()
    assert streamed.read() == b"".join(events("Hel", "lo", usage=True))
    assert json.loads(single.read()) == completion("Hello")
    assert without.read() == b"".join(events("Hel", "lo"))
    assert held.calls == 1


@pytest.mark.parametrize("lock", ["postgres", "redis"])
def test_two_gateways_make_one_call(upstream: RawUpstream, data_dir: Path, tmp_path: Path, lock: str):
    with ExitStack() as stack:
        server = RedisServer(tmp_path, free_port())
        server.start()
        stack.callback(server.stop)
        config = f"stores: {{redis: {{url: {server.url!r}}}}}\n" + CONFIG.format(data=data_dir, url=upstream.url)
        config = config.replace("lock: postgres", f"lock: {lock}")
        one, other = (stack.enter_context(serve(tmp_path, config)) for _ in range(2))
        held = Held(upstream, always(http_answer({"a": 1})))
        here, there = Asking(one), Asking(other)
        here.send("/far", {"query": held.text})
        here.settle()
        there.send("/far", {"query": held.text})
        there.settle()
        assert held.calls == 1
        held.go()
        assert [answer.read() for answer in (*here.answers(), *there.answers())] == [b'{"a": 1}'] * 2
        assert held.calls == 1


def test_a_lock_ends_with_the_call_that_held_it(gateway: Gateway, upstream: RawUpstream):
    held = Held(upstream, always(http_answer({"error": "no"})), always(http_answer({"a": 2})))
    held.go()
    assert gateway.ask("/far", {"query": held.text}).json() == {"error": "no"}
    began = time.monotonic()
    assert gateway.ask("/far", {"query": held.text}).json() == {"a": 2}
    assert time.monotonic() - began < 10, "the lock would last 20 s"
