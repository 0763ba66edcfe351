"""Followers: each gets what it asked for, whole, and nothing that is another's."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from adversity import CONFIG, MUCH, Reader, adverse_gateway, close_all, kept, numbers
from asking import Asking, Held
from raw_upstream import always
from running import Exchange, Gateway, RawUpstream, chat, completion, events, http_answer, serve, stream
from streamed import PLAIN


@pytest.fixture(scope="module")
def gateway(upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with adverse_gateway(upstream, data_dir, tmp_path_factory.mktemp("followers")) as running:
        yield running


@pytest.fixture(autouse=True)
def closed_connections() -> Iterator[None]:
    yield
    close_all()


def test_who_comes_while_a_stream_is_examined_does_not_get_an_empty_one(gateway: Gateway, upstream: RawUpstream):
    piece = b"".join(b'data: {"a": %d}\n\n' % number for number in range(4000))
    pieces = [piece] * (MUCH // len(piece)) + [b"data: [DONE]\n\n"]
    held = Held(upstream, stream(pieces))
    held.go()
    whole = b"".join(pieces)
    asked = {"query": held.text, "stream": True}
    leader = Asking(gateway)
    leader.send("/ask", asked)
    (first,) = leader.answers()
    assert len(first.read()) == len(whole)
    late = Asking(gateway)
    for _ in range(3):
        late.send("/ask", asked)
    assert [len(answer.read()) for answer in late.answers()] == [len(whole)] * 3


def test_followers_who_want_usage_make_one_call_of_their_own(gateway: Gateway, upstream: RawUpstream):
    held = Held(upstream, stream(events("Hi")), stream(events("Hi", usage=True), pause=0.05))
    leader = Asking(gateway)
    path = "/v1/chat/completions"
    leader.send(path, chat(held.text, stream=True))
    leader.settle()
    others = Asking(gateway)
    for _ in range(8):
        others.send(path, chat(held.text, stream=True, stream_options={"include_usage": True}))
    others.settle()
    held.go()
    assert leader.answers()[0].read() == b"".join(events("Hi"))
    assert [each.read() for each in others.answers()] == [b"".join(events("Hi", usage=True))] * 8
    assert held.calls == 2


def test_a_follower_of_a_stream_gets_its_head_before_the_first_event(gateway: Gateway, upstream: RawUpstream):
    go_on = asyncio.Event()

    async def slow_to_begin(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        await go_on.wait()
        whole = b"".join(PLAIN)
        await exchange.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(whole), whole))

    held = Held(upstream, slow_to_begin)
    asked = {"query": held.text, "stream": True}
    leader = Reader(gateway, "/ask", asked)
    Asking(gateway).settle()
    follower = Reader(gateway, "/ask", asked)
    Asking(gateway).settle()
    held.go()
    try:
        first = leader.answer()
        follower.socket.settimeout(3)
        second = follower.answer()
    finally:
        upstream.call(go_on.set)
    assert first.read() == second.read() == b"".join(PLAIN)


def test_a_follower_gets_the_form_that_it_asked_for(gateway: Gateway, upstream: RawUpstream):
    held = Held(upstream, stream(events("Hi", usage=True)))
    asking = Asking(gateway)
    asking.send("/v1/chat/completions", chat(held.text))
    asking.settle()
    asking.send("/v1/chat/completions", chat(held.text))
    asking.settle()
    held.go()
    leader, follower = asking.answers()
    assert leader.read() == b"".join(events("Hi", usage=True)), "a miss passes what the upstream says"
    assert follower.getheader("content-type") == "application/json"
    assert json.loads(follower.read()) == completion("Hi")


def test_only_if_cached_never_asks_the_upstream(gateway: Gateway, upstream: RawUpstream):
    text = f"question number {next(numbers)} of who wants it stored"
    kept(gateway, upstream, "/ask", text, http_answer({"a": 1}))
    seen = len(upstream.seen)
    only = {"cache-control": "only-if-cached"}
    unreadable = gateway.ask("/ask", {"query": text}, headers={**only, "accept-encoding": "identity;q=0"})
    large = gateway.ask("/ask", {"query": "x" * 8000}, headers=only)
    bypassed = gateway.ask("/ask", {"query": ["x"]}, headers=only)
    assert ([unreadable.status_code, large.status_code, bypassed.status_code], len(upstream.seen) - seen) == (
        [504] * 3,
        0,
    )


def test_a_follower_who_reads_no_gzip_gets_it_plain(gateway: Gateway, upstream: RawUpstream):
    packed = gzip.compress(b"".join(PLAIN))
    held = Held(upstream, stream([packed[:10], packed[10:]], "Content-Encoding: gzip"))
    asked = {"query": held.text, "stream": True}
    reads = Reader(gateway, "/ask", asked, "Accept-Encoding: gzip")
    Asking(gateway).settle()
    also = Reader(gateway, "/ask", asked, "Accept-Encoding: gzip")
    plain = Reader(gateway, "/ask", asked)
    Asking(gateway).settle()
    held.go()
    assert reads.answer().read() == also.answer().read() == packed
    answer = plain.answer()
    assert (answer.getheader("content-encoding"), answer.read()) == (None, b"".join(PLAIN))
    assert held.calls == 1


def test_streams_with_followers_end_whole_when_the_gateway_is_told_to_stop(
    upstream: RawUpstream, data_dir: Path, tmp_path: Path
):
    go_on = asyncio.Event()

    async def in_two_parts(exchange: Exchange) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        await exchange.send(head + b"%x\r\n%s\r\n" % (len(PLAIN[0]), PLAIN[0]))
        await go_on.wait()
        rest = PLAIN[1] + PLAIN[2]
        await exchange.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(rest), rest))

    with serve(tmp_path, CONFIG.format(data=data_dir, url=upstream.url, namespace="stopping")) as stopping:
        held = Held(upstream, in_two_parts)
        asked = {"query": held.text, "stream": True}
        held.go()
        leader = Reader(stopping, "/ask", asked).answer()
        assert leader.read1() == PLAIN[0]
        follower = Reader(stopping, "/ask", asked).answer()
        assert follower.read1() == PLAIN[0]
        stopping.process.terminate()
        time.sleep(1)
        upstream.call(go_on.set)
        assert leader.read() == follower.read() == PLAIN[1] + PLAIN[2]
        assert stopping.process.wait(30) == 0
        assert "Traceback" not in stopping.logged()


def test_an_old_client_reads_a_stream_and_follows_one(gateway: Gateway, upstream: RawUpstream):
    held = Held(upstream, stream(PLAIN))
    asked = {"query": held.text, "stream": True}
    leader = Reader(gateway, "/ask", asked, version="1.0")
    Asking(gateway).settle()
    follower = Reader(gateway, "/ask", asked, version="1.0")
    Asking(gateway).settle()
    held.go()
    assert leader.answer().read() == follower.answer().read() == b"".join(PLAIN)
    assert Reader(gateway, "/ask", asked, version="1.0").answer().read() == b"".join(PLAIN)


def test_a_wish_for_no_time_at_all_is_nobody_elses(gateway: Gateway, upstream: RawUpstream):
    async def in_a_while(exchange: Exchange) -> None:
        await asyncio.sleep(0.5)
        await exchange.send(http_answer({"a": 1}))

    held = Held(upstream, always(http_answer({"a": 1})), in_a_while)
    asked = {"query": held.text}
    leader = Reader(gateway, "/wishes", asked, "X-Cache-TTL: 0")
    Asking(gateway).settle()
    followers = [Reader(gateway, "/wishes", asked) for _ in range(4)]
    Asking(gateway).settle()
    held.go()
    assert [each.answer().read() for each in (leader, *followers)] == [b'{"a": 1}'] * 5
    assert held.calls <= 2


def test_followers_get_nothing_of_the_leaders_own(gateway: Gateway, upstream: RawUpstream):
    own = ["Set-Cookie: __cf_bm=1", "X-Request-Id: 1", "X-RateLimit-Remaining: 7", "Openai-Organization: o", "Age: 3"]
    held = Held(upstream, stream(events("Hi"), *own))
    asking = Asking(gateway)
    asking.send("/v1/chat/completions", chat(held.text, stream=True))
    asking.settle()
    asking.send("/v1/chat/completions", chat(held.text, stream=True))
    asking.send("/v1/chat/completions", chat(held.text))
    asking.settle()
    held.go()
    leader, *followers = asking.answers()
    names = {line.partition(":")[0].lower() for line in own}
    assert names <= {name.lower() for name, _ in leader.getheaders()}
    for follower in followers:
        assert not names & {name.lower() for name, _ in follower.getheaders()}
        assert follower.read()
    assert held.calls == 1


def test_the_answer_of_a_stand_in_that_is_not_equivalent_is_nobody_elses(gateway: Gateway, upstream: RawUpstream):
    busy = http_answer({"error": "busy"}, status="503 Busy")
    held = Held(upstream, always(busy), stream(PLAIN))
    asked = {"query": held.text, "stream": True}
    asking = Asking(gateway)
    asking.send("/two", asked)
    asking.settle()
    asking.send("/two", asked)
    asking.settle()
    held.go()
    leader, follower = asking.answers()
    assert leader.read() == b"data: {}\n\ndata: [DONE]\n\n"
    assert follower.read() == b"".join(PLAIN)


def test_connections_that_followed_are_used_again(gateway: Gateway, upstream: RawUpstream):
    asking = Asking(gateway)
    connections: list[HTTPConnection] = []
    for nth in range(12):
        answer = always(http_answer({"a": nth}, status="500 Oops" if nth % 3 == 2 else "200 OK"))
        held = Held(upstream, stream(PLAIN) if nth % 3 == 1 else answer)
        body = json.dumps({"query": held.text, "stream": nth % 3 == 1})
        for place in range(5):
            if len(connections) <= place:
                connections.append(asking.send("/ask", {"query": held.text}))
            else:
                connections[place].request("POST", "/ask", body, {"content-type": "application/json"})
            if not place:
                asking.settle()
        asking.settle()
        held.go()
        answers = [connection.getresponse() for connection in connections]
        assert len({each.read() for each in answers}) == 1
        assert held.calls == (5 if nth % 3 == 2 else 1)


def test_who_asks_for_a_head_only_never_feeds_those_who_want_it_all(gateway: Gateway, upstream: RawUpstream):
    async def headed(exchange: Exchange) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        if exchange.request_line.startswith(b"HEAD"):
            await exchange.send(head + b"\r\n")
        else:
            await exchange.send(
                head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(PLAIN[2]), PLAIN[2])
            )

    upstream.behaviour = headed
    path = f"/get?q=number+{next(numbers)}+of+the+heads"
    for method, body, outcome in (
        ("HEAD", b"", "MISS"),
        ("HEAD", b"", "MISS"),
        ("GET", PLAIN[2], "MISS"),
        ("GET", PLAIN[2], "HIT"),
        ("HEAD", b"", "MISS"),
    ):
        answer = Reader(gateway, path, {}, method=method).answer()
        assert (answer.getheader("x-cache"), answer.read()) == (outcome, body)
