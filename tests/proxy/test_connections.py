"""The pool: connections are kept, bounded, and never the reason why a request is lost or sent twice unasked."""

from __future__ import annotations

import asyncio

from raw_client import MakeProxy, Proxied, until
from raw_upstream import JSON_ANSWER, Exchange, RawUpstream, answer_json, in_turn

LENGTH = b"Content-Length: 4"


async def hang_up(exchange: Exchange) -> None:
    exchange.close()


def test_connections_are_kept_and_used_again(proxy: Proxied, upstream: RawUpstream) -> None:
    for _ in range(5):
        proxy.raw(b"/", b"Content-Length: 4", method=b"POST", body=b"body")
    assert upstream.connections == 1


def test_waiting_for_a_free_connection_is_bounded(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    release = asyncio.Event()

    async def wait(exchange: Exchange) -> None:
        await release.wait()
        await exchange.send(JSON_ANSWER)

    upstream.behaviour = wait
    proxy = make_proxy({"url": upstream.url, "connections": 1, "connect_timeout": 0.3})
    first = proxy.client()
    first.send(proxy.head(b"/"))
    until(lambda: upstream.seen, "the upstream is not asked")
    assert proxy.raw(b"/").status == 504
    upstream.call(release.set)
    assert first.until_closed().status == 200
    first.close()
    assert upstream.connections == 1


def test_a_kept_connection_that_the_upstream_closed_is_not_used(proxy: Proxied, upstream: RawUpstream) -> None:
    async def answer_and_close(exchange: Exchange) -> None:
        await exchange.send(JSON_ANSWER)
        exchange.close()

    upstream.behaviour = answer_and_close
    for nth in range(5):
        assert proxy.raw(b"/", LENGTH, method=b"POST", body=b"body").status == 200
        assert upstream.connections == nth + 1


def test_a_get_on_a_connection_that_dies_under_it_is_sent_again_at_once(proxy: Proxied, upstream: RawUpstream) -> None:
    upstream.behaviour = in_turn(answer_json, hang_up, answer_json)
    assert proxy.raw(b"/").status == 200
    assert proxy.raw(b"/").status == 200
    assert [exchange.connection for exchange in upstream.seen] == [0, 0, 1]
