"""A further try is made only where it is safe, and not before the upstream wants it."""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_client import MakeProxy, until
from raw_upstream import Behaviour, Exchange, RawUpstream, always, answer_json, in_turn

from gateway.proxy.headers import retry_after

POST = {"method": b"POST", "body": b"body"}
LENGTH = b"Content-Length: 4"


async def hang_up(exchange: Exchange) -> None:
    exchange.close()


async def say_nothing(exchange: Exchange) -> None:
    await exchange.peer_closed()


def busy(code: int, *lines: bytes) -> Behaviour:
    extra = b"".join(line + b"\r\n" for line in lines)
    return always(b"HTTP/1.1 %d Busy\r\nContent-Length: 4\r\n%b\r\nbusy" % (code, extra))


@pytest.mark.parametrize("method", [b"POST", b"PATCH"])
def test_a_request_that_may_have_been_acted_on_is_not_sent_again(
    method: bytes, make_proxy: MakeProxy, upstream: RawUpstream
) -> None:
    upstream.behaviour = in_turn(hang_up, answer_json)
    proxy = make_proxy({"url": upstream.url, "attempts": 3, "retry_on": ["connect", 502, 503]})
    answer = proxy.raw(b"/", LENGTH, method=method, body=b"body")
    assert answer.status == 502
    assert len(upstream.seen) == 1


@pytest.mark.parametrize("method", [b"PUT", b"DELETE", b"GET"])
def test_one_that_may_be_done_twice_is(method: bytes, make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    # aiohttp repeats such a request once by itself when its connection breaks.
    upstream.behaviour = in_turn(hang_up, hang_up, answer_json)
    proxy = make_proxy({"url": upstream.url, "attempts": 2})
    assert proxy.raw(b"/", LENGTH, method=method, body=b"body").status == 200
    assert {exchange.body for exchange in upstream.seen} == {b"body"}


def test_where_timeouts_are_tried_again_so_is_what_broke_after_it_was_sent(
    make_proxy: MakeProxy, upstream: RawUpstream
) -> None:
    upstream.behaviour = in_turn(hang_up, answer_json)
    proxy = make_proxy({"url": upstream.url, "attempts": 2, "retry_on": ["connect", "timeout"]})
    assert proxy.raw(b"/", LENGTH, **POST).status == 200
    assert [exchange.body for exchange in upstream.seen] == [b"body", b"body"]


def test_a_request_lost_with_a_kept_connection_is_sent_again(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    upstream.behaviour = in_turn(answer_json, hang_up, answer_json)
    proxy = make_proxy({"url": upstream.url, "attempts": 2})
    assert [proxy.raw(b"/", LENGTH, **POST).status for _ in range(2)] == [200, 200]
    assert [exchange.connection for exchange in upstream.seen] == [0, 0, 1]


@pytest.mark.parametrize("ends", [Exchange.close, Exchange.reset])
@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n", b"HTTP/1.1 20"])
def test_but_not_once_a_byte_of_an_answer_came(
    make_proxy: MakeProxy, upstream: RawUpstream, said: bytes, ends: Callable[[Exchange], None]
) -> None:
    async def begin_and_end(exchange: Exchange) -> None:
        await exchange.send(said)
        await asyncio.sleep(0.02)  # the bytes go ahead of the end
        ends(exchange)

    upstream.behaviour = in_turn(answer_json, begin_and_end, answer_json)
    proxy = make_proxy({"url": upstream.url, "attempts": 3})
    assert [proxy.raw(b"/", LENGTH, **POST).status for _ in range(2)] == [200, 502]
    assert len(upstream.seen) == 2


def test_but_not_without_further_tries(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    upstream.behaviour = in_turn(answer_json, hang_up)
    proxy = make_proxy({"url": upstream.url})
    assert [proxy.raw(b"/", LENGTH, **POST).status for _ in range(2)] == [200, 502]
    assert len(upstream.seen) == 2


def test_a_kept_connection_that_breaks_late_was_not_stale(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    async def work_and_hang_up(exchange: Exchange) -> None:
        await asyncio.sleep(0.5)  # longer than the news of a close can be on its way
        exchange.close()

    upstream.behaviour = in_turn(answer_json, work_and_hang_up, answer_json)
    proxy = make_proxy({"url": upstream.url, "attempts": 2})
    assert [proxy.raw(b"/", LENGTH, **POST).status for _ in range(2)] == [200, 502]
    assert len(upstream.seen) == 2


def test_an_answer_that_is_not_http_is_not_asked_for_again(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    upstream.behaviour = in_turn(always(b"SSH-2.0-x\r\n\r\n"), answer_json)
    proxy = make_proxy({"url": upstream.url, "attempts": 3, "retry_on": ["connect", "timeout", 502]})
    assert proxy.raw(b"/", LENGTH, **POST).status == 502
    assert len(upstream.seen) == 1


@pytest.mark.parametrize("first", [hang_up, say_nothing, always(b"SSH-2.0-x\r\n\r\n")])
def test_a_stand_in_is_asked_after_any_failure(
    first: Behaviour, make_proxy: MakeProxy, upstream: RawUpstream, other_upstream: RawUpstream
) -> None:
    upstream.behaviour = first
    proxy = make_proxy(
        {"url": upstream.url, "first_byte_timeout": 0.3, "idle_timeout": 9},
        {"url": other_upstream.url, "name": "second"},
    )
    assert proxy.raw(b"/", LENGTH, **POST).status == 200
    assert [exchange.body for exchange in upstream.seen + other_upstream.seen] == [b"body", b"body"]


@pytest.mark.parametrize("code", [429, 503])
def test_the_next_try_waits_as_long_as_the_answer_asks(code: int, make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    upstream.behaviour = in_turn(busy(code, b"Retry-After: 1"), answer_json)
    proxy = make_proxy({"url": upstream.url, "attempts": 2, "retry_on": [code], "max_wait": 1.0})
    before = time.monotonic()
    assert proxy.raw(b"/", LENGTH, **POST).status == 200
    assert time.monotonic() - before >= 1.0


def test_a_date_is_waited_for_as_well(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    date = email.utils.formatdate(time.time() + 3600, usegmt=True).encode()
    upstream.behaviour = in_turn(busy(503, b"Retry-After: " + date), answer_json)
    proxy = make_proxy({"url": upstream.url, "attempts": 2, "max_wait": 60})
    answer = proxy.raw(b"/", LENGTH, **POST)
    assert (answer.status, answer.values(b"retry-after")) == (503, [date])
    past = email.utils.formatdate(time.time() - 3600, usegmt=True).encode()
    upstream.behaviour = in_turn(busy(503, b"Retry-After: " + past), answer_json)
    assert proxy.raw(b"/", LENGTH, **POST).status == 200


def test_who_asks_for_too_long_is_not_tried_again_and_the_client_is_told(
    make_proxy: MakeProxy, upstream: RawUpstream
) -> None:
    upstream.behaviour = in_turn(busy(429, b"Retry-After: 3"), answer_json)
    proxy = make_proxy({"url": upstream.url, "attempts": 3, "retry_on": [429], "max_wait": 2.0})
    answer = proxy.raw(b"/", LENGTH, **POST)
    assert (answer.status, answer.body, answer.values(b"retry-after")) == (429, b"busy", [b"3"])
    assert len(upstream.seen) == 1


def test_who_asks_for_too_long_is_stood_in_for_at_once(
    make_proxy: MakeProxy, upstream: RawUpstream, other_upstream: RawUpstream
) -> None:
    upstream.behaviour = busy(429, b"Retry-After: 3600")
    proxy = make_proxy(
        {"url": upstream.url, "attempts": 3, "retry_on": [429]}, {"url": other_upstream.url, "name": "second"}
    )
    assert proxy.raw(b"/", LENGTH, **POST).status == 200
    assert (len(upstream.seen), len(other_upstream.seen)) == (1, 1)


def test_the_wait_ends_when_the_client_leaves(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    upstream.behaviour = busy(503, b"Retry-After: 3600")
    proxy = make_proxy({"url": upstream.url, "attempts": 2, "max_wait": 7200})
    client = proxy.client()
    client.send(proxy.head(b"/", LENGTH, method=b"POST") + b"body")
    until(lambda: proxy.events("UpstreamTried"), "the upstream is not asked")
    client.close()
    until(lambda: proxy.log()[0]["returned"], "the call does not end")
    assert proxy.log()[0]["error"] is None
    assert len(upstream.seen) == 1


@given(st.integers(0, 10**9 - 1), st.floats(0, 4e9))
def test_seconds_are_seconds(seconds: int, now: float) -> None:
    assert retry_after([(b"x", b"y"), (b"retry-after", b" %d " % seconds)], now) == seconds


@given(st.integers(0, 4 * 10**9), st.integers(0, 4 * 10**9))
def test_a_date_is_the_time_until_it_and_never_negative(date: int, now: int) -> None:
    written = email.utils.formatdate(date, usegmt=True).encode()
    assert retry_after([(b"retry-after", written)], float(now)) == max(0, date - now)


@given(st.one_of(st.binary(max_size=40), st.text("0123456789 :,+-MonJanGMT", max_size=40).map(str.encode)))
def test_what_cannot_be_read_asks_for_nothing_or_for_a_time(value: bytes) -> None:
    asked = retry_after([(b"retry-after", value)], 1e9)
    assert asked is None or asked >= 0


@pytest.mark.parametrize(
    "value", [b"", b"-1", b"1.5", b"soon", b"1e9", b"12, 13", b"9" * 20, b"Mon, 99 Foo 2024 00:00:00 GMT"]
)
def test_what_is_neither_seconds_nor_a_date_asks_for_nothing(value: bytes) -> None:
    assert retry_after([(b"retry-after", value)], 0.0) is None
