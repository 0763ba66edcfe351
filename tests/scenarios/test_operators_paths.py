"""What begins with `/-/` is the operator's, whatever paths the routes have: no route takes it over, no upstream sees it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from running import Gateway, RawUpstream, free_port, serve

CONFIG = """
server: {{listen: LISTEN, body_timeout: 1s, data_dir: "{data}", admin: {{token: TOKEN{listen}}}}}
upstreams: {{web: {{url: "{url}"}}}}
routes:
  - {{name: rest, path: "/*", methods: [GET, POST, DELETE], upstream: web, mode: "off", scope: public}}
  - {{name: named, path: "/{{name}}/config", methods: [GET, POST], upstream: web, mode: "off", scope: public}}
  - {{name: deep, path: "/{{name}}/entries/{{id}}", methods: [GET], upstream: web, mode: "off", scope: public}}
"""
OPERATORS = ["live", "ready", "metrics", "config", "stats", "entries", "openapi", "ui"]


@pytest.fixture
def upstream() -> Iterator[RawUpstream]:
    server = RawUpstream()
    yield server
    server.stop()


def config(upstream: RawUpstream, data: Path, listen: str = "") -> str:
    return CONFIG.format(data=data, url=upstream.url, listen=listen)


def passed_on(gateway: Gateway, path: str, upstream: RawUpstream) -> bool:
    before = len(upstream.seen)
    gateway.http.get(path, headers={"Authorization": "Bearer TOKEN"})
    return len(upstream.seen) > before


def test_a_route_for_everything_does_not_take_over_the_operators_paths(
    data_dir: Path, tmp_path: Path, upstream: RawUpstream
) -> None:
    with serve(tmp_path, config(upstream, data_dir)) as gateway:
        for path in OPERATORS:
            assert gateway.admin("GET", path).status_code == 200, path
        assert gateway.http.get("/-/config").status_code == 401
        assert gateway.admin("GET", "entries/none").status_code == 404
        assert gateway.admin("GET", "nothing").status_code == 404
        assert gateway.admin("POST", "reload").status_code == 200
        assert upstream.seen == []  # nor has it seen the token
        # What is merely like them is a client's path like any other, and never a way in.
        for path in ("/%2d/config", "/-%2fconfig", "/-config", "/x/-/config"):
            assert passed_on(gateway, path, upstream), path


def test_with_a_second_door_the_first_keeps_them_from_everybody(
    data_dir: Path, tmp_path: Path, upstream: RawUpstream
) -> None:
    door = free_port()
    with serve(tmp_path, config(upstream, data_dir, f', listen: "127.0.0.1:{door}"')) as gateway:
        for path in OPERATORS[2:]:
            assert gateway.admin("GET", path).status_code == 404, path
        assert upstream.seen == []
        second = httpx.get(f"http://127.0.0.1:{door}/-/config", headers={"Authorization": "Bearer TOKEN"})
        assert second.status_code == 200


def test_a_form_that_stops_arriving_is_not_waited_for(data_dir: Path, tmp_path: Path, upstream: RawUpstream) -> None:
    door = free_port()
    begun = b"POST /-/ui/sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n"
    begun += b"Content-Type: application/x-www-form-urlencoded\r\n\r\ntoken="
    with serve(tmp_path, config(upstream, data_dir)) as gateway:
        assert cut_off(gateway.port, begun).startswith(b"HTTP/1.1 408 ")
    with serve(tmp_path, config(upstream, data_dir, f', listen: "127.0.0.1:{door}"')):
        assert cut_off(door, begun).startswith(b"HTTP/1.1 408 ")


def cut_off(port: int, begun: bytes) -> bytes:
    """What is answered to who sends so much and no more."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as slow:
        slow.sendall(begun)
        return slow.recv(65536)
