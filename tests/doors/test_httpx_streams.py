"""Streams through the transports: pulled by whoever reads them, as they come; ended early, they end upstream too."""

from __future__ import annotations

import asyncio
import gc
import gzip
import threading
from typing import Any

import httpx
import httpx2
import pytest
from running import Exchange, RawUpstream, completion, events, http_answer, stream, until
from transports import both_ways, chat, talk, told

from gateway.fronts.async_talk import AsyncTalk
from gateway.fronts.conversation import Conversation
from gateway.fronts.talk import Talk

DONE = 5.0


@both_ways
def test_a_stream_is_read_as_it_comes(upstream: RawUpstream, key: str, library: Any, flavour: str) -> None:
    go_on = threading.Event()
    pieces = events("One", "Two", "Three")

    async def behave(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        await exchange.send(b"%x\r\n%s\r\n" % (len(pieces[0]), pieces[0]))
        await asyncio.to_thread(go_on.wait, DONE)
        for piece in pieces[1:]:
            await exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        await exchange.send(b"0\r\n\r\n")

    upstream.behaviour = behave
    with talk(library, flavour, upstream.url, key) as client:
        response = client.open(chat(stream=True))
        assert told(response).forwarded == "miss"
        reading = client.pieces(response)
        assert next(reading) == pieces[0]
        go_on.set()
        assert b"".join(reading) == b"".join(pieces[1:])
        again = client.open(chat(stream=True))
        assert told(again).hit
        assert b"".join(client.pieces(again)) == b"".join(pieces)


@both_ways
def test_a_stream_that_is_closed_early_ends_the_call_and_is_not_kept(
    upstream: RawUpstream, key: str, library: Any, flavour: str
) -> None:
    ended = threading.Event()

    async def endless(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = events("One")[0]
        await exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        await exchange.peer_closed()
        ended.set()

    upstream.behaviour = endless
    with talk(library, flavour, upstream.url, key) as client:
        response = client.open(chat(stream=True))
        reading = client.pieces(response)
        next(reading)
        client.end(response)
        reading.close()
        assert ended.wait(DONE), "the upstream was not left"
        upstream.behaviour = stream(events("Whole"))
        again = client.open(chat(stream=True))
        assert not told(again).hit
        assert b"".join(client.pieces(again)) == b"".join(events("Whole"))


@both_ways
def test_a_response_that_nobody_reads_is_closed_too(
    upstream: RawUpstream, key: str, library: Any, flavour: str
) -> None:
    ended = threading.Event()

    async def endless(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n")
        await exchange.peer_closed()
        ended.set()

    upstream.behaviour = endless
    with talk(library, flavour, upstream.url, key) as client:
        response = client.open(chat())
        client.end(response)
        assert response.is_closed
        assert ended.wait(DONE), "the upstream was not left"


@both_ways
def test_a_stream_that_is_closed_after_its_last_event_is_kept(
    upstream: RawUpstream, key: str, library: Any, flavour: str
) -> None:
    """As the SDKs do it: they read no further than `[DONE]`."""

    async def never_ending(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        body = b"".join(events("All of it"))
        await exchange.send(b"%x\r\n%s\r\n" % (len(body), body))
        await exchange.peer_closed()

    upstream.behaviour = never_ending
    with talk(library, flavour, upstream.url, key) as client:
        response = client.open(chat(stream=True))
        read = b""
        reading = client.pieces(response)
        for piece in reading:
            read += piece
            if read.endswith(b"[DONE]\n\n"):
                break
        client.end(response)
        reading.close()
        again = client.open(chat(stream=True))
        assert told(again).hit
        assert b"".join(client.pieces(again)) == b"".join(events("All of it"))


@both_ways
def test_a_stream_that_breaks_off_raises_what_it_raises_without_the_cache(
    upstream: RawUpstream, key: str, library: Any, flavour: str
) -> None:
    upstream.behaviour = stream(events("Half")[:2], breaks_off=True)
    with talk(library, flavour, upstream.url, key) as client:
        with pytest.raises((library.ReadError, library.RemoteProtocolError)):
            list(client.pieces(client.open(chat(stream=True))))
        upstream.behaviour = stream(events("Whole"))
        assert not told(client.open(chat(stream=True))).hit


@both_ways
def test_an_answer_passes_as_it_came(upstream: RawUpstream, key: str, library: Any, flavour: str) -> None:
    body = gzip.compress(b'{"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}')
    upstream.behaviour = lambda exchange: exchange.send(
        http_answer(
            body, "Content-Type: application/json", "Content-Encoding: gzip", "X-A: 1", "X-B: 2", "x-a: 3"
        ).replace(b"200 OK", b"200 Fine")
    )
    with talk(library, flavour, upstream.url, key) as client:
        response = client.open(chat())
        names = [(name.lower(), value) for name, value in response.headers.raw if name.lower().startswith(b"x-")]
        assert names[:3] == [(b"x-a", b"1"), (b"x-b", b"2"), (b"x-a", b"3")]
        assert (response.status_code, response.reason_phrase, response.http_version) == (200, "Fine", "HTTP/1.1")
        assert response.headers["content-encoding"] == "gzip"
        assert "network_stream" in response.extensions
        assert b"".join(client.pieces(response)) == body
        hit = client.post()
        assert told(hit).hit
        assert hit.json()["choices"][0]["message"]["content"] == "Hi"
        assert (hit.http_version, hit.reason_phrase) == ("HTTP/1.1", "OK")
        plain = client.post(headers={"Accept-Encoding": "identity"})
        assert told(plain).hit
        assert "content-encoding" not in plain.headers
        assert plain.json() == hit.json()


def test_readers_may_stop_and_go_on_as_slowly_as_they_like(upstream: RawUpstream, key: str) -> None:
    """Nothing is collected on the way: what nobody reads stays with the upstream."""
    sent = 0
    piece = b"data: {}\n\n" + b":" + b"x" * (1 << 20) + b"\n\n"

    async def plenty(exchange: Exchange) -> None:
        nonlocal sent
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(64):
            await exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            sent += 1
        await exchange.send(b"0\r\n\r\n")

    upstream.behaviour = plenty
    with talk(httpx, "sync", upstream.url, key) as client:
        response = client.open(chat(stream=True))
        reading = client.pieces(response)
        next(reading)
        until(lambda: sent > 0, "nothing was sent")
        threading.Event().wait(0.1)
        assert sent < 32
        assert len(b"".join(reading)) > 63 << 20


def test_a_whole_answer_is_there_at_once_for_who_asks_again(upstream: RawUpstream, key: str) -> None:
    upstream.behaviour = lambda exchange: exchange.send(http_answer(completion("Hi")))
    before = len(upstream.seen)
    with talk(httpx2, "sync", upstream.url, key) as client:
        assert [told(client.post(json=chat(seed=nth // 2))).hit for nth in range(40)] == [False, True] * 20
    assert len(upstream.seen) == before + 20


def test_a_reader_that_stops_holds_up_nobody_who_asks_the_same(upstream: RawUpstream, key: str) -> None:
    upstream.behaviour = stream(events("One", "Two"), pause=0.02)
    with talk(httpx2, "sync", upstream.url, key) as client:
        stopped = client.open(chat(stream=True))
        next(reading := client.pieces(stopped))
        other = client.open(chat(stream=True))
        assert b"".join(client.pieces(other)) == b"".join(events("One", "Two"))
        client.end(stopped)
        reading.close()


@both_ways
def test_answers_that_are_left_leave_nothing_behind(
    upstream: RawUpstream, key: str, library: Any, flavour: str
) -> None:
    upstream.behaviour = stream(events("One", "Two"))
    kinds = Talk, AsyncTalk, Conversation
    before = {id(each) for each in gc.get_objects() if type(each) in kinds}
    with talk(library, flavour, upstream.url, key) as client:
        for nth in range(10):
            response = client.open(chat(stream=True, seed=nth))
            if nth % 2:
                reading = client.pieces(response)
                next(reading)
                reading.close()
            client.end(response)

        def nothing() -> bool:
            gc.collect()
            client.loop.run_until_complete(asyncio.sleep(0))  # in which the generators of httpx are closed
            return not any(type(each) in kinds and id(each) not in before for each in gc.get_objects())

        response = reading = None
        until(nothing, "something is left", 5)
