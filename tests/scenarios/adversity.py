"""What the scenarios of slow, leaving and late clients stand on: their routes, and a client that reads when it likes."""

from __future__ import annotations

import itertools
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, ClassVar

from asking import Asking
from raw_upstream import always
from running import Gateway, RawUpstream, http_answer, serve
from streamed import PLAIN

CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: {namespace}}}
upstreams:
  llm: {{url: "{url}", timeout: {{first_byte: 20s, idle: 20s}}, breaker: {{failures: 0}}}}
  two: {{url: "{url}", breaker: {{failures: 0}}, retry: {{attempts: 1}}, fallback: [{{upstream: backup}}]}}
  backup: {{respond: {{status: 200, headers: {{content-type: text/event-stream}}, body: "data: {{}}\\n\\ndata: [DONE]\\n\\n"}}}}
defaults: {{ttl: 1h}}
routes:
  - {{name: ask, path: /ask, upstream: llm, preset: json-query, scope: public, max_body: 4KiB, thresholds: {{hit: 0.999}}}}
  - {{name: abort, path: /abort, upstream: llm, preset: json-query, scope: public, on_disconnect: abort}}
  - {{name: alone, path: /alone, upstream: llm, preset: json-query, scope: public, coalesce: {{followers: 0}}}}
  - {{name: chat, path: /v1/chat/completions, upstream: llm, preset: openai-chat, scope: public}}
  - {{name: soon, path: /soon, upstream: llm, preset: json-query, scope: public, match: exact, ttl: 300ms, stale_while_revalidate: 700ms}}
  - {{name: while, path: /while, upstream: llm, preset: json-query, scope: public, ttl: 300ms, stale_while_revalidate: 1h}}
  - {{name: while-alone, path: /while-alone, upstream: llm, preset: json-query, scope: public, ttl: 300ms, stale_while_revalidate: 1h, coalesce: {{followers: 0}}}}
  - {{name: wishes, path: /wishes, upstream: llm, preset: json-query, scope: public, allow: {{ttl: {{max: 1h}}}}}}
  - {{name: two, path: /two, upstream: two, preset: json-query, scope: public}}
  - {{name: get, path: /get, upstream: llm, methods: [GET, HEAD], query: "query:q", scope: public}}
  - {{name: later, path: /later, upstream: llm, preset: json-query, scope: public, match: exact, ttl: 4s, stale_while_revalidate: 1h}}
  - {{name: error, path: /error, upstream: llm, preset: json-query, scope: public, ttl: 300ms, stale_if_error: 1h}}
"""


# More than the sockets between a gateway and a client who does not read can hold, and less than a route keeps.
MUCH = 9 << 20


BIG_STREAM = [*[b"data: " + b"x" * (1 << 20) + b"\n\n"] * 9, PLAIN[2]]


numbers = itertools.count()


class Reader:
    """A client that has asked, with a small window, and reads when it likes."""

    opened: ClassVar[list[socket.socket | HTTPResponse]] = []

    def __init__(
        self,
        gateway: Gateway,
        path: str,
        body: dict[str, Any],
        *headers: str,
        version: str = "1.1",
        method: str = "POST",
    ) -> None:
        self._method = method
        self.socket = socket.socket()
        self.opened.append(self.socket)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", gateway.port))
        data = json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/{version}", "Host: x", "Content-Type: application/json", *headers]
        head = "\r\n".join([*lines, f"Content-Length: {len(data)}"])
        self.socket.sendall(head.encode() + b"\r\n\r\n" + data)

    def answer(self) -> HTTPResponse:
        response = HTTPResponse(self.socket, method=self._method)
        self.opened.append(response)
        response.begin()
        return response

    def close(self) -> None:
        self.socket.close()


def one(gateway: Gateway, path: str, body: dict[str, Any], *headers: str) -> HTTPResponse:
    return Reader(gateway, path, body, *headers).answer()


def kept(gateway: Gateway, upstream: RawUpstream, path: str, text: str, answer: bytes) -> None:
    upstream.behaviour = always(answer)
    assert one(gateway, path, {"query": text}).read() == answer.partition(b"\r\n\r\n")[2]


def big_json() -> bytes:
    return http_answer({"a": "x" * MUCH})


@contextmanager
def adverse_gateway(upstream: RawUpstream, data_dir: Path, folder: Path) -> Iterator[Gateway]:
    config = CONFIG.format(data=data_dir, url=upstream.url, namespace="adversity")
    with serve(folder, config) as running:
        yield running


def close_all() -> None:
    while Asking.opened:
        Asking.opened.pop().close()
    while Reader.opened:
        Reader.opened.pop().close()
