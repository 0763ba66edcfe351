"""A WebSocket is refused in words that its client understands, by the gateway as it is served."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from raw_client import RawAnswer, RawClient
from raw_upstream import RawUpstream

sys.path.insert(0, str(Path(__file__).parent.parent / "scenarios"))

from running import Gateway, serve

ROUTES = """
server: {{listen: LISTEN, digest_key: 0123456789abcdef0123456789abcdef}}
stores: {{postgres: {{url: "postgresql://nobody@127.0.0.1:1/nothing"}}}}
upstreams:
  llm: {{url: "{url}"}}
routes:
  - {{name: ask, path: /ask, methods: [POST], upstream: llm, preset: json-query, match: exact, scope: public}}
  - {{name: files, path: /files/*, methods: [GET], upstream: llm, mode: off, scope: public}}
"""
HANDSHAKE = (b"Upgrade: WebSocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")


@pytest.fixture
def gateway(upstream: RawUpstream, tmp_path: Path) -> Iterator[Gateway]:
    with serve(tmp_path, ROUTES.format(url=upstream.url)) as running:
        yield running


def handshake(gateway: Gateway, path: bytes, *lines: bytes) -> RawAnswer:
    client = RawClient(gateway.port)
    client.send(b"\r\n".join((b"GET " + path + b" HTTP/1.1", b"Host: g", *lines, b"", b"")))
    return client.until_closed()


def test_a_websocket_is_refused_with_a_426_and_plain_http_goes_on(gateway: Gateway, upstream: RawUpstream) -> None:
    for path in (b"/ask", b"/files/x"):
        answer = handshake(gateway, path, b"Connection: close, Upgrade", *HANDSHAKE)
        assert answer.status == 426
        assert answer.values(b"content-type") == [b"application/problem+json"]
        assert answer.values(b"upgrade") == [b"HTTP/1.1"]
        assert b"upgrade" in b", ".join(answer.values(b"connection")).split(b", ")
        assert answer.values(b"sec-websocket-accept") == []
        assert "WebSockets" in json.loads(answer.body)["detail"]
    assert upstream.seen == []
    assert handshake(gateway, b"/nowhere", b"Connection: close, Upgrade", *HANDSHAKE).status == 404
    assert gateway.ask("/ask", {"query": "and over HTTP?"}).status_code == 200


def test_an_upgrade_to_something_else_is_passed_over(gateway: Gateway, upstream: RawUpstream) -> None:
    answer = handshake(
        gateway,
        b"/files/x",
        b"Connection: close, Upgrade, HTTP2-Settings",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AAMAAABk",
    )
    assert answer.status == 200
    names = {name.lower() for name, _ in upstream.seen[0].headers}
    assert not names & {b"upgrade", b"http2-settings", b"connection"}
