"""Slow, leaving and late clients, failing upstreams, big answers: nobody hangs for another, nobody gets half an answer."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import Any, ClassVar

import pytest
from raw_upstream import always as behave_always
from running import Exchange, Gateway, RawUpstream, chat, completion, events, http_answer, serve, stream, until
from test_coalescing import PLAIN, Asking, Held, always

CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: {namespace}}}
upstreams:
  llm: {{url: "{url}", timeout: {{first_byte: 20s, idle: 20s}}, breaker: {{failures: 0}}}}
  two: {{url: "{url}", breaker: {{failures: 0}}, retry: {{attempts: 1}}, fallback: [{{upstream: backup}}]}}
  backup: {{respond: {{status: 200, headers: {{content-type: text/event-stream}}, body: "data: {{}}\\n\\ndata: [DONE]\\n\\n"}}}}
defaults: {{ttl: 1h}}
routes:
  - {{name: ask, path: /ask, upstream: llm, preset: json-query, scope: public, max_body: 4KiB, thresholds: {{hit: 0.999}}}}
  - {{name: abort, path: /abort, upstream: llm, preset: json-query, scope: public, on_disconnect: abort}}
  - {{name: alone, path: /alone, upstream: llm, preset: json-query, scope: public, coalesce: {{followers: 0}}}}
  - {{name: chat, path: /v1/chat/completions, upstream: llm, preset: openai-chat, scope: public}}
  - {{name: soon, path: /soon, upstream: llm, preset: json-query, scope: public, match: exact, ttl: 300ms, stale_while_revalidate: 700ms}}
  - {{name: while, path: /while, upstream: llm, preset: json-query, scope: public, ttl: 300ms, stale_while_revalidate: 1h}}
  - {{name: while-alone, path: /while-alone, upstream: llm, preset: json-query, scope: public, ttl: 300ms, stale_while_revalidate: 1h, coalesce: {{followers: 0}}}}
  - {{name: wishes, path: /wishes, upstream: llm, preset: json-query, scope: public, allow: {{ttl: {{max: 1h}}}}}}
  - {{name: two, path: /two, upstream: two, preset: json-query, scope: public}}
  - {{name: get, path: /get, upstream: llm, methods: [GET, HEAD], query: "query:q", scope: public}}
  - {{name: later, path: /later, upstream: llm, preset: json-query, scope: public, match: exact, ttl: 4s, stale_while_revalidate: 1h}}
  - {{name: error, path: /error, upstream: llm, preset: json-query, scope: public, ttl: 300ms, stale_if_error: 1h}}
"""

# More than the sockets between a gateway and a client who does not read can hold, and less than a route keeps.
MUCH = 9 << 20
BIG_STREAM = [*[b"data: " + b"x" * (1 << 20) + b"\n\n"] * 9, PLAIN[2]]
numbers = itertools.count()


@pytest.fixture(scope="module")
def gateway(upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = CONFIG.format(data=data_dir, url=upstream.url, namespace="adversity")
    with serve(tmp_path_factory.mktemp("adversity"), config) as running:
        yield running


@pytest.fixture(autouse=True)
def closed_connections() -> Iterator[None]:
    yield
    while Asking.opened:
        Asking.opened.pop().close()
    while Reader.opened:
        Reader.opened.pop().close()


class Reader:
    """A client that has asked, with a small window, and reads when it likes."""

    opened: ClassVar[list[socket.socket | HTTPResponse]] = []

    def __init__(
        self,
        gateway: Gateway,
        path: str,
        body: dict[str, Any],
        *headers: str,
        version: str = "1.1",
        method: str = "POST",
    ) -> None:
        self._method = method
        self.socket = socket.socket()
        self.opened.append(self.socket)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", gateway.port))
        data = json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/{version}", "Host: x", "Content-Type: application/json", *headers]
        head = "\r\n".join([*lines, f"Content-Length: {len(data)}"])
        self.socket.sendall(head.encode() + b"\r\n\r\n" + data)

    def answer(self) -> HTTPResponse:
        response = HTTPResponse(self.socket, method=self._method)
        self.opened.append(response)
        response.begin()
        return response

    def close(self) -> None:
        self.socket.close()


def one(gateway: Gateway, path: str, body: dict[str, Any], *headers: str) -> HTTPResponse:
    return Reader(gateway, path, body, *headers).answer()


def kept(gateway: Gateway, upstream: RawUpstream, path: str, text: str, answer: bytes) -> None:
    upstream.behaviour = behave_always(answer)
    assert one(gateway, path, {"query": text}).read() == answer.partition(b"\r\n\r\n")[2]


def big_json() -> bytes:
    return http_answer({"a": "x" * MUCH})


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
    upstream.behaviour = behave_always(http_answer({"a": 2}))
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
    upstream.behaviour = behave_always(http_answer({"a": 1}))
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
    upstream.behaviour = behave_always(http_answer({"a": 1}))
    began = time.monotonic()
    for _ in range(20):
        gateway.ask("/ask", {"query": f"another thing number {next(numbers)} altogether", "stream": True})
    assert time.monotonic() - began < 4, "20 waits for the slow client are 5 s"
