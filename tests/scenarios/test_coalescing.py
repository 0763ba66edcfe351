"""Identical requests in flight make one upstream call; nobody waits in vain, and nobody is answered for another."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "stores"))

from asking import Asking, Held, statuses
from raw_upstream import always
from running import Exchange, Gateway, RawUpstream, free_port, http_answer, serve, until
from servers import RedisServer

CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: coalescing}}
upstreams:
  llm: {{url: "{url}", timeout: {{first_byte: 20s, idle: 20s}}, breaker: {{failures: 0}}}}
routes:
  - {{name: ask, path: /ask, upstream: llm, preset: json-query, scope: public}}
  - {{name: own, path: /own, upstream: llm, preset: json-query, scope: "header:X-Tenant"}}
  - {{name: alone, path: /alone, upstream: llm, preset: json-query, scope: public, coalesce: {{followers: 0}}}}
  - {{name: far, path: /far, upstream: llm, preset: json-query, scope: public, coalesce: {{lock: postgres}}}}
"""


@pytest.fixture(scope="module")
def gateway(upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serve(tmp_path_factory.mktemp("coalescing"), CONFIG.format(data=data_dir, url=upstream.url)) as running:
        yield running


@pytest.fixture(autouse=True)
def closed_connections() -> Iterator[None]:
    yield
    while Asking.opened:
        Asking.opened.pop().close()


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
