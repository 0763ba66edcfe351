"""Who left is noticed: the upstream is left too, unless somebody still wants the answer."""

from __future__ import annotations

import pytest
from raw_client import MakeProxy, Proxied, until
from raw_upstream import RawUpstream
from stage import HEADS, Gate, framed


@pytest.mark.parametrize("head", [b"", HEADS["events"] + framed("events", b"data: x\n\n")])
@pytest.mark.parametrize("buffer", [False, True])
def test_when_the_client_leaves_the_upstream_is_left_too(
    buffer: bool, head: bytes, make_proxy: MakeProxy, upstream: RawUpstream, gate: Gate
) -> None:
    proxy = make_proxy({"url": upstream.url}, buffer=buffer)
    client = proxy.client()
    client.send(proxy.head(b"/", b"Content-Length: 4", method=b"POST") + b"body")
    if head:
        gate.send(head)
        client.until(b"data: x\n\n\r\n")
    else:
        until(lambda: gate.exchange, "the upstream is not asked")
    client.close()
    assert gate.peer_closed.wait(20), "the upstream's connection stays"
    until(lambda: proxy.log()[0]["returned"], "the call does not end")
    entry = proxy.log()[0]
    assert entry["error"] is None
    assert not entry["complete"]
    gate.end()


@pytest.mark.parametrize("before_head", [True, False])
def test_an_answer_that_is_wanted_is_read_to_its_end_without_the_client(
    before_head: bool, make_proxy: MakeProxy, upstream: RawUpstream, gate: Gate
) -> None:
    proxy = make_proxy({"url": upstream.url}, finish=True)
    client = proxy.client()
    client.send(proxy.head(b"/"))
    until(lambda: gate.exchange, "the upstream is not asked")
    if not before_head:
        gate.send(HEADS["length"] + b"01234")
        client.until(b"01234")
    client.close()
    assert not gate.peer_closed.wait(0.3)
    gate.send(b"56789" if not before_head else HEADS["length"] + b"0123456789")
    until(lambda: proxy.log()[0]["complete"], "the answer is not read to its end")
    assert proxy.log()[0]["sent"] == 10
    gate.end()


def test_an_answer_no_longer_wanted_is_dropped_at_its_next_piece(
    make_proxy: MakeProxy, upstream: RawUpstream, gate: Gate
) -> None:
    proxy = make_proxy({"url": upstream.url}, finish=True, give_up_after=20)
    client = proxy.client()
    client.send(proxy.head(b"/"))
    gate.send(HEADS["events"] + framed("events", b"0123456789"))
    client.until(b"0123456789\r\n")
    client.close()
    assert not gate.peer_closed.wait(0.3)
    gate.send(framed("events", b"0123456789"))
    until(lambda: proxy.log()[0]["sent"] == 20, "nothing is read any more")
    gate.send(framed("events", b"0123456789"))
    assert gate.peer_closed.wait(20), "the upstream's connection stays"
    gate.end()


def test_a_client_that_leaves_within_its_body_leaves_no_whole_request(proxy: Proxied, upstream: RawUpstream) -> None:
    for framing, part in ((b"Content-Length: 100000", b"x" * 70000), (b"Transfer-Encoding: chunked", b"3\r\nabc\r\n")):
        connections = upstream.connections
        client = proxy.client()
        client.send(proxy.head(b"/", framing, method=b"POST") + part)
        until(lambda before=connections: upstream.connections > before, "the upstream is not asked")  # type: ignore[misc]
        client.close()
        until(lambda: (proxy.log()[-1]["error"] or "").startswith("RequestBroken: "), "the call does not end")
        assert upstream.seen[-1].body == b"", "the upstream took a part for the whole"


@pytest.mark.parametrize("head", [b"", HEADS["events"] + framed("events", b"data: x\n\n")])
def test_an_answer_that_pauses_is_left_as_soon_as_nobody_wants_it_any_more(
    head: bytes, make_proxy: MakeProxy, upstream: RawUpstream, gate: Gate
) -> None:
    proxy = make_proxy({"url": upstream.url}, finish=True)
    client = proxy.client()
    client.send(proxy.head(b"/"))
    if head:
        gate.send(head)
        client.until(b"data: x\n\n\r\n")
    else:
        until(lambda: gate.exchange, "the upstream is not asked")
    client.close()
    assert not gate.peer_closed.wait(0.3)
    proxy.nobody_wants_it()
    assert gate.peer_closed.wait(20), "the upstream's connection stays, though not a byte comes"
    until(lambda: proxy.log()[0]["returned"], "the call does not end")
    assert proxy.log()[0]["error"] is None
    gate.end()


def test_an_answer_that_nobody_wants_goes_on_for_the_client_that_is_there(
    make_proxy: MakeProxy, upstream: RawUpstream, gate: Gate
) -> None:
    proxy = make_proxy({"url": upstream.url}, finish=True)
    client = proxy.client()
    client.send(proxy.head(b"/"))
    gate.send(HEADS["length"] + b"01234")
    client.until(b"01234")
    proxy.nobody_wants_it()
    assert not gate.peer_closed.wait(0.3)
    gate.send(b"56789")
    assert client.until_closed().data == b"56789"
    gate.end()
