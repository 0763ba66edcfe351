"""What happens when an upstream fails before its answer's head: tries, fallbacks, and the words the client gets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import pytest
from raw_client import MakeProxy, Proxied, until
from raw_upstream import Exchange, RawUpstream, always, answer_json, in_turn

BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\nX-Nth: one\r\n\r\nbusy"
BUSY_AGAIN = b"HTTP/1.1 503 Busy\r\nContent-Length: 5\r\nX-Nth: two\r\n\r\nbusy!"
POST = {"method": b"POST", "body": b"body"}
LENGTH = b"Content-Length: 4"


async def hang_up(exchange: Exchange) -> None:
    exchange.close()


async def say_nothing(exchange: Exchange) -> None:
    await exchange.peer_closed()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, and that stays ours."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose backlog is full: connecting to it gets no answer."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        fillers = [socket.socket() for _ in range(8)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield port
        for filler in fillers:
            filler.close()


def test_a_refused_connection_is_a_502_that_names_the_upstream(make_proxy: MakeProxy, closed_port: int) -> None:
    answer = make_proxy({"url": f"http://127.0.0.1:{closed_port}"}).raw(b"/")
    assert answer.status == 502
    assert b"upstream 'primary': no connection: 127.0.0.1" in answer.body


def test_an_unknown_host_is_a_502(make_proxy: MakeProxy) -> None:
    answer = make_proxy({"url": "http://no-such-host.invalid"}).raw(b"/")
    assert answer.status == 502
    assert b"no connection: no-such-host.invalid" in answer.body


def test_a_connection_that_takes_too_long_is_a_504(make_proxy: MakeProxy, full_port: int) -> None:
    answer = make_proxy({"url": f"http://127.0.0.1:{full_port}", "connect_timeout": 0.2}).raw(b"/")
    assert answer.status == 504
    assert b"no connection within 0.2 s (timeout.connect)" in answer.body


def test_a_head_that_takes_too_long_is_a_504(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    upstream.behaviour = say_nothing
    answer = make_proxy({"url": upstream.url, "first_byte_timeout": 0.2, "idle_timeout": 30}).raw(b"/", LENGTH, **POST)
    assert answer.status == 504
    assert b"no answer within 0.2 s (timeout.first_byte)" in answer.body


def test_the_first_byte_timeout_does_not_limit_the_body(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    async def behave(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        await asyncio.sleep(1.5)
        await exchange.send(b"k")

    upstream.behaviour = behave
    answer = make_proxy({"url": upstream.url, "first_byte_timeout": 0.5, "idle_timeout": 30}).raw(b"/")
    assert (answer.status, answer.body) == (200, b"ok")


@pytest.mark.parametrize("size", [70_000, 8_000_000])
@pytest.mark.parametrize("buffer", [False, True])
def test_an_upstream_that_does_not_read_a_large_body_is_given_up(
    size: int, buffer: bool, make_proxy: MakeProxy, upstream: RawUpstream
) -> None:
    async def never_read(exchange: Exchange) -> None:
        await asyncio.sleep(60)

    upstream.read_bodies = False
    upstream.behaviour = never_read
    proxy = make_proxy({"url": upstream.url, "first_byte_timeout": 0.3, "idle_timeout": 0.3}, buffer=buffer)
    client = proxy.client()
    client.send(proxy.head(b"/", b"Content-Length: %d" % size, method=b"POST"))
    client.socket.settimeout(30)
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        client.send(bytes(size))
    until(lambda: proxy.log() and proxy.log()[0]["error"], "the call never ends")
    client.close()
    assert "UpstreamTimeout" in proxy.log()[0]["error"]


def test_a_client_that_stops_sending_its_body_is_told(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    proxy = make_proxy({"url": upstream.url, "idle_timeout": 0.3})
    client = proxy.client()
    client.send(proxy.head(b"/", b"Content-Length: 100000", method=b"POST") + b"x" * 70_000)
    until(lambda: proxy.log() and proxy.log()[0]["error"], "the call never ends")
    client.close()
    assert proxy.log()[0]["error"] == "RequestTimeout: the request body stopped arriving"


@pytest.mark.parametrize(
    "garbage",
    [b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b"HTTP/1.1 2 OK\r\n\r\n"],
)
def test_an_answer_that_is_not_http_is_a_502(garbage: bytes, proxy: Proxied, upstream: RawUpstream) -> None:
    upstream.behaviour = always(garbage)
    answer = proxy.raw(b"/", LENGTH, **POST)
    assert answer.status == 502
    assert b"its answer is not valid HTTP" in answer.body


def test_an_upstream_that_hangs_up_is_a_502(proxy: Proxied, upstream: RawUpstream) -> None:
    upstream.behaviour = hang_up
    answer = proxy.raw(b"/", LENGTH, **POST)
    assert answer.status == 502
    assert b"closed the connection before its answer" in answer.body
    assert len(upstream.seen) == 1, "a POST was sent twice without being asked to"


def test_without_retries_an_error_answer_passes(proxy: Proxied, upstream: RawUpstream) -> None:
    upstream.behaviour = always(BUSY)
    answer = proxy.raw(b"/")
    assert (answer.status, answer.body) == (503, b"busy")
    assert len(upstream.seen) == 1


def test_a_second_try_may_succeed(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    upstream.behaviour = in_turn(always(BUSY), answer_json)
    answer = make_proxy({"url": upstream.url, "attempts": 2}).raw(b"/", LENGTH, **POST)
    assert answer.status == 200
    assert [exchange.body for exchange in upstream.seen] == [b"body", b"body"]


def test_attempts_count_all_tries_and_the_last_answer_is_the_clients(
    make_proxy: MakeProxy, upstream: RawUpstream
) -> None:
    upstream.behaviour = in_turn(always(BUSY), always(BUSY), always(BUSY_AGAIN))
    answer = make_proxy({"url": upstream.url, "attempts": 3}).raw(b"/", LENGTH, **POST)
    assert (answer.status, answer.body, answer.values(b"x-nth")) == (503, b"busy!", [b"two"])
    assert len(upstream.seen) == 3


def test_an_answer_is_better_than_the_failure_that_came_after_it(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    upstream.behaviour = in_turn(always(BUSY), hang_up)
    proxy = make_proxy({"url": upstream.url, "attempts": 2, "connections": 1})
    answer = proxy.raw(b"/", LENGTH, **POST)
    assert (answer.status, answer.body, answer.values(b"x-nth")) == (503, b"busy", [b"one"])
    assert proxy.log()[0]["upstream"] == "primary"


def test_a_broken_error_answer_is_no_answer(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    async def break_off(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbusy\r\n")
        exchange.close()

    upstream.behaviour = in_turn(break_off, hang_up)
    answer = make_proxy({"url": upstream.url, "attempts": 2}).raw(b"/", LENGTH, **POST)
    assert answer.status == 502


def test_an_error_answer_too_large_to_be_held_passes_at_once(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    body = b"e" * 200_000
    upstream.behaviour = always(b"HTTP/1.1 503 Busy\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    answer = make_proxy({"url": upstream.url, "attempts": 2}).raw(b"/")
    assert (answer.status, answer.body) == (503, body)
    assert len(upstream.seen) == 1


def test_an_error_answer_too_slow_to_be_held_passes_as_it_comes(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    async def dawdle(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbu")
        await asyncio.sleep(1.5)
        await exchange.send(b"sy")

    upstream.behaviour = dawdle
    answer = make_proxy({"url": upstream.url, "attempts": 2}).raw(b"/")
    assert (answer.status, answer.body) == (503, b"busy")
    assert len(upstream.seen) == 1


def test_what_is_not_listed_is_not_tried_again(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    proxy = make_proxy({"url": upstream.url, "attempts": 3, "retry_on": [429]})
    upstream.behaviour = always(BUSY)
    assert proxy.raw(b"/").status == 503
    upstream.behaviour = hang_up
    assert proxy.raw(b"/", LENGTH, **POST).status == 502
    assert len(upstream.seen) == 2


def test_a_timeout_is_tried_again_only_where_that_is_listed(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    slow = {"url": upstream.url, "attempts": 2, "first_byte_timeout": 0.3, "idle_timeout": 30}
    upstream.behaviour = say_nothing
    assert make_proxy(slow).raw(b"/").status == 504
    assert len(upstream.seen) == 1
    upstream.behaviour = in_turn(say_nothing, answer_json)
    assert make_proxy(slow | {"retry_on": ["timeout"]}).raw(b"/").status == 200
    assert len(upstream.seen) == 3


def test_a_body_that_was_streamed_is_not_sent_again(
    make_proxy: MakeProxy, upstream: RawUpstream, other_upstream: RawUpstream
) -> None:
    upstream.behaviour = always(BUSY)
    proxy = make_proxy({"url": upstream.url, "attempts": 3}, {"url": other_upstream.url, "name": "second"})
    chunked = {"method": b"POST", "body": b"4\r\nbody\r\n0\r\n\r\n"}
    assert proxy.raw(b"/", b"Transfer-Encoding: chunked", **chunked).status == 503
    upstream.behaviour = hang_up
    assert proxy.raw(b"/", b"Transfer-Encoding: chunked", **chunked).status == 502
    assert len(upstream.seen) == 2
    assert not other_upstream.seen


def test_a_streamed_body_may_go_elsewhere_while_nothing_of_it_was_sent(
    make_proxy: MakeProxy, upstream: RawUpstream, closed_port: int
) -> None:
    proxy = make_proxy(
        {"url": f"http://127.0.0.1:{closed_port}", "attempts": 2}, {"url": upstream.url, "name": "second"}
    )
    body = b"x" * 300_000
    answer = proxy.raw(b"/", b"Content-Length: 300000", method=b"POST", body=body)
    assert answer.status == 200
    assert upstream.seen[0].body == body


def test_when_every_upstream_fails_the_last_answer_there_was_is_the_clients(
    make_proxy: MakeProxy, upstream: RawUpstream, closed_port: int
) -> None:
    upstream.behaviour = always(BUSY)
    proxy = make_proxy({"url": upstream.url}, {"url": f"http://127.0.0.1:{closed_port}", "name": "second"})
    answer = proxy.raw(b"/")
    assert (answer.status, answer.body) == (503, b"busy")
    assert proxy.log()[0]["upstream"] == "primary"


def test_a_fixed_answer_needs_no_network_and_may_be_the_last_resort(make_proxy: MakeProxy, closed_port: int) -> None:
    page = {"name": "page", "status": 203, "headers": [["x-page", "1"]], "body": "sorry"}
    for proxy in (make_proxy(page), make_proxy({"url": f"http://127.0.0.1:{closed_port}"}, page)):
        answer = proxy.raw(b"/", LENGTH, **POST)
        assert (answer.status, answer.body, answer.values(b"x-page")) == (203, b"sorry", [b"1"])
        assert proxy.log()[0]["upstream"] == "page"
        head = proxy.raw(b"/", method=b"HEAD")
        assert (head.status, head.body, head.values(b"content-length")) == (203, b"", [b"5"])
