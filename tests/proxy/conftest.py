"""Fixtures of the proxy tests: one Granian for the whole session, a raw upstream and a proxy for each test."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for the modules beside this one: pytest's importlib mode adds no folder

from raw_client import MakeProxy, Proxied, until  # noqa: E402
from raw_upstream import RawUpstream  # noqa: E402
from stage import Gate  # noqa: E402


@pytest.fixture(scope="session")
def gateway_port() -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "asginl",
        "--loop",
        "uvloop",
        "--no-ws",
        "--workers",
        "1",
    ]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--log-level", "warning", "gateway_app:app"],
        cwd=HERE,
        env=os.environ | {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"},
    )
    try:
        until(lambda: answers(port), "the gateway does not start")
        yield port
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def upstream() -> Iterator[RawUpstream]:
    server = RawUpstream()
    yield server
    server.stop()


@pytest.fixture
def gate(upstream: RawUpstream) -> Gate:
    return Gate(upstream)


@pytest.fixture
def other_upstream() -> Iterator[RawUpstream]:
    server = RawUpstream()
    yield server
    server.stop()


@pytest.fixture
def make_proxy(gateway_port: int, request: pytest.FixtureRequest) -> MakeProxy:
    """make_proxy(*targets, **options): each target is Upstream's fields, or Respond's."""
    made = 0

    def make(*targets: dict[str, Any], **options: Any) -> Proxied:
        nonlocal made
        made += 1
        name = f"{request.node.name.partition('[')[0]}-{time.monotonic_ns()}-{made}"
        wanted = {"targets": [{"name": "primary"} | target for target in targets], "options": options}
        httpx.put(
            f"http://127.0.0.1:{gateway_port}/-/proxies/{name}", content=json.dumps(wanted), verify=False
        ).raise_for_status()
        return Proxied(name, gateway_port)

    return make


@pytest.fixture
def proxy(make_proxy: MakeProxy, upstream: RawUpstream) -> Proxied:
    return make_proxy({"url": upstream.url})


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
