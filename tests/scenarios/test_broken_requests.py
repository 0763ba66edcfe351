"""Requests that stop, or cannot be taken apart: a clear answer in bounded time, and nothing of them upstream."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import pytest
from running import Exchange, Gateway, RawUpstream, http_answer, serve

CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: broken, body_timeout: 300ms}}
upstreams: {{llm: {{url: "{url}"}}}}
routes:
  - {{name: ask, path: /ask, upstream: llm, preset: json-query, scope: public}}
  - {{name: off, path: /off, upstream: llm, scope: public, mode: off}}
  - {{name: off-get, path: /off-get, methods: [GET], upstream: llm, scope: public, mode: off}}
"""


@pytest.fixture(scope="module")
def gateway(upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serve(tmp_path_factory.mktemp("broken"), CONFIG.format(data=data_dir, url=upstream.url)) as running:
        yield running


def send(gateway: Gateway, path: str, framing: str, body: bytes) -> tuple[int, str, bytes]:
    """Status, Content-Type and body of the answer. The server may leave the connection open a while, for what is missing."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        head = f"POST {path} HTTP/1.1\r\nContent-Type: application/json\r\n{framing}\r\n\r\n"
        connection.sendall(head.encode() + body)
        with HTTPResponse(connection) as answer:
            answer.begin()
            return answer.status, answer.headers["content-type"], answer.read()


@pytest.mark.parametrize("path", ["/ask", "/off"])
@pytest.mark.parametrize("body", [b"", b"abc"])
def test_a_body_that_stops_arriving_is_not_waited_for_for_ever(
    gateway: Gateway, upstream: RawUpstream, path: str, body: bytes
):
    before = len(upstream.seen)
    status, _, problem = send(gateway, path, "Host: x\r\nContent-Length: 100", body)
    assert status == 408
    assert b"server.body_timeout" in problem
    assert len(upstream.seen) == before


@pytest.mark.parametrize("path", ["/ask", "/off"])
@pytest.mark.parametrize("chunks", [b"zz\r\nabc\r\n", b"-1\r\nabc\r\n", b"ffffffffffffffffffd\r\nabc\r\n"])
def test_chunks_that_cannot_be_taken_apart_are_refused(
    gateway: Gateway, upstream: RawUpstream, path: str, chunks: bytes
):
    before = len(upstream.seen)
    status, content_type, _ = send(gateway, path, "Host: x\r\nTransfer-Encoding: chunked", chunks)
    assert (status, content_type) == (400, "application/problem+json")
    assert len(upstream.seen) == before


@pytest.mark.parametrize("path", ["/ask", "/off"])
def test_a_request_that_names_no_host_is_refused(gateway: Gateway, upstream: RawUpstream, path: str):
    before = len(upstream.seen)
    status, _, problem = send(gateway, path, "Content-Length: 15", b'{"query": "hi"}')
    assert status == 400
    assert b"Host" in problem
    assert len(upstream.seen) == before


def test_an_answer_may_take_longer_than_a_body_may_pause(gateway: Gateway, upstream: RawUpstream):
    async def slowly(exchange: Exchange) -> None:
        await asyncio.sleep(1.0)
        await exchange.send(http_answer({"a": 1}))

    upstream.behaviour = slowly
    for path in ("/ask", "/off"):
        assert gateway.ask(path, {"query": "are you slow?"}).json() == {"a": 1}
    assert gateway.http.get("/off-get").json() == {"a": 1}
