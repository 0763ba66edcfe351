"""Bytes pass as they arrive, what broke is seen as broken, and who left is noticed."""

from __future__ import annotations

import asyncio
import threading

import pytest
from raw_client import MakeProxy, Proxied, until
from raw_upstream import Exchange, RawUpstream, always
from stage import HEADS, Gate, framed


@pytest.mark.parametrize("kind", HEADS)
def test_every_piece_passes_before_the_next_is_there(kind: str, proxy: Proxied, gate: Gate) -> None:
    client = proxy.client()
    client.send(proxy.head(b"/"))
    gate.send(HEADS[kind])
    assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
    for piece in (b"first", b"later"):
        gate.send(framed(kind, piece))
        assert client.until(framed(kind, piece)) == framed(kind, piece)
    if kind != "length":
        gate.send(b"0\r\n\r\n")
        assert client.until_closed().data == b"0\r\n\r\n"
    client.close()
    until(lambda: proxy.log()[0]["complete"], "the answer is never complete")
    gate.end()


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("sent", [b"", b"first"])
@pytest.mark.parametrize("quiet", [False, True])
def test_a_broken_answer_reaches_the_client_broken(
    quiet: bool, sent: bytes, kind: str, how: str, make_proxy: MakeProxy, upstream: RawUpstream, gate: Gate
) -> None:
    """Whether the front lets the error out (`quiet` False) or returns: the server cuts the connection either way."""
    proxy = make_proxy({"url": upstream.url}, quiet=quiet)
    client = proxy.client()
    client.send(proxy.head(b"/"))
    gate.send(HEADS[kind])
    data = client.until(b"\r\n\r\n")
    if sent:
        gate.send(framed(kind, sent))
        data += client.until(sent if kind == "length" else sent + b"\r\n")
    getattr(gate, how)()
    data += client.until_closed().data
    client.close()
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert not data.endswith(b"0\r\n\r\n"), "looks complete"
    assert data.partition(b"\r\n\r\n")[2] == (framed(kind, sent) if sent else b"")
    entry = proxy.log()[0]
    assert entry["error"] == "UpstreamError: upstream 'primary': broke its answer off"
    assert not entry["complete"]
    gate.end()


def test_a_reset_is_not_taken_for_the_end_of_a_body_without_framing(proxy: Proxied, gate: Gate) -> None:
    client = proxy.client()
    client.send(proxy.head(b"/"))
    gate.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")
    client.until(b"{\r\n")
    gate.reset()
    assert not client.until_closed().data.endswith(b"0\r\n\r\n")
    assert not proxy.log()[0]["complete"]
    gate.end()


def test_invalid_chunks_are_a_broken_answer(proxy: Proxied, gate: Gate) -> None:
    client = proxy.client()
    client.send(proxy.head(b"/"))
    gate.send(HEADS["chunked"] + b"2\r\nok\r\n")
    client.until(b"ok\r\n")
    gate.send(b"zz\r\nwhat\r\n")
    assert not client.until_closed().data.endswith(b"0\r\n\r\n")
    until(lambda: "broke its answer off" in str(proxy.log()[0]["error"]), "the error is not told")
    gate.end()


def test_a_pause_longer_than_idle_cuts_the_answer(make_proxy: MakeProxy, upstream: RawUpstream, gate: Gate) -> None:
    proxy = make_proxy({"url": upstream.url, "idle_timeout": 0.2, "first_byte_timeout": 30})
    client = proxy.client()
    client.send(proxy.head(b"/"))
    gate.send(HEADS["events"] + framed("events", b"data: x\n\n"))
    assert not client.until_closed().data.endswith(b"0\r\n\r\n")
    assert "UpstreamTimeout" in proxy.log()[0]["error"]
    assert "timeout.idle" in proxy.log()[0]["error"]
    assert gate.peer_closed.wait(20)
    gate.end()


def test_a_steady_stream_may_last_longer_than_every_timeout(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    async def behave(exchange: Exchange) -> None:
        await exchange.send(HEADS["events"])
        for _ in range(15):
            await exchange.send(framed("events", b"data: x\n\n"))
            await asyncio.sleep(0.1)
        await exchange.send(b"0\r\n\r\n")

    upstream.behaviour = behave
    proxy = make_proxy({"url": upstream.url, "idle_timeout": 1, "first_byte_timeout": 1, "connect_timeout": 1})
    answer = proxy.raw(b"/")
    assert answer.body.count(b"data: x") == 15
    assert answer.body.endswith(b"0\r\n\r\n")


def test_an_answer_before_the_bodys_end_passes(proxy: Proxied, upstream: RawUpstream) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
        await exchange.peer_closed()

    upstream.read_bodies = False
    upstream.behaviour = refuse
    client = proxy.client()
    client.send(proxy.head(b"/", b"Content-Length: 1000000", method=b"POST") + b"x" * 70_000)
    assert client.until(b"big").startswith(b"HTTP/1.1 413 ")
    client.close()


def test_a_slow_reader_holds_the_upstream_back(proxy: Proxied, upstream: RawUpstream) -> None:
    written = 0
    size = 64 << 20

    async def behave(exchange: Exchange) -> None:
        nonlocal written
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size >> 16):
            await exchange.send(bytes(65536))
            written += 65536

    upstream.behaviour = behave
    client = proxy.client(receive_buffer=65536)
    client.send(proxy.head(b"/"))
    client.socket.recv(1000)
    last = -1

    def stands_still() -> bool:
        nonlocal last
        before, last = last, written
        threading.Event().wait(0.2)
        return before == written

    until(stands_still, "the upstream is never held back")
    assert written < size // 2
    received = 0
    while piece := client.socket.recv(1 << 20):
        received += len(piece)
    client.close()
    assert received > size - 2000
    assert proxy.log()[0]["complete"]


def test_ten_thousand_small_chunks_arrive_whole(proxy: Proxied, upstream: RawUpstream) -> None:
    chunks = [framed("chunked", b"%d;" % n) for n in range(10_000)]
    upstream.behaviour = always(HEADS["chunked"] + b"".join(chunks) + b"0\r\n\r\n")
    assert proxy.raw(b"/").content == b"".join(b"%d;" % n for n in range(10_000))
