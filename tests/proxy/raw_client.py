"""Raw HTTP/1.1 over a socket, for tests that look at bytes; and what a test knows of one proxy in the gateway."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass
class RawAnswer:
    """All that came back on a connection until it was closed."""

    data: bytes

    @property
    def status(self) -> int:
        return int(self.data.split(b" ", 2)[1])

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        lines = self.data.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
        return [(name, value.removeprefix(b" ")) for name, _, value in (line.partition(b":") for line in lines)]

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def body(self) -> bytes:
        """What follows the head, chunk framing included."""
        return self.data.partition(b"\r\n\r\n")[2]

    @property
    def content(self) -> bytes:
        """The body without its framing."""
        if not self.values(b"transfer-encoding"):
            return self.body
        content, rest = b"", self.body
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            content, rest = content + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
        return content


class RawClient:
    """A socket that speaks HTTP/1.1 only as far as a test tells it to."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", port))

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def until(self, ending: bytes) -> bytes:
        data = b""
        while not data.endswith(ending):
            piece = self.socket.recv(65536)
            assert piece, f"closed after {data!r}"
            data += piece
        return data

    def until_closed(self) -> RawAnswer:
        data = b""
        try:
            while piece := self.socket.recv(65536):
                data += piece
        except ConnectionResetError:
            pass
        finally:
            self.close()
        return RawAnswer(data)

    def close(self) -> None:
        self.socket.close()


@dataclass
class Proxied:
    """One proxy in the running gateway."""

    name: str
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{self.name}"

    def client(self, receive_buffer: int | None = None) -> RawClient:
        return RawClient(self.port, receive_buffer)

    def head(self, target: bytes, *lines: bytes, method: bytes = b"GET") -> bytes:
        first = method + b" /" + self.name.encode() + target + b" HTTP/1.1"
        return b"\r\n".join((first, b"host: gateway", *lines, b"connection: close", b"", b""))

    def raw(self, target: bytes, *lines: bytes, method: bytes = b"GET", body: bytes = b"") -> RawAnswer:
        """One request of these exact bytes on a connection of its own."""
        client = self.client()
        client.send(self.head(target, *lines, method=method) + body)
        return client.until_closed()

    def log(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self._control("GET", "log").json()
        return entries

    def events(self, kind: str) -> list[dict[str, Any]]:
        """What the proxy told: the events of this class, in order."""
        return [event for event in self._control("GET", "events").json() if event["type"] == kind]

    def let_pass(self, seconds: float) -> None:
        """Move the breakers' clock on; it stands still by itself."""
        self._control("PUT", "clock", str(seconds))

    def nobody_wants_it(self) -> None:
        self._control("PUT", "unwanted")

    def _control(self, method: str, what: str, content: str = "") -> httpx.Response:
        url = f"http://127.0.0.1:{self.port}/-/{what}/{self.name}"
        return httpx.request(method, url, content=content, verify=False).raise_for_status()


MakeProxy = Callable[..., Proxied]


def until(condition: Callable[[], object], otherwise: str, seconds: float = 20) -> None:
    """Wait for something that must come about, however loaded the machine is."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, otherwise
        time.sleep(0.01)
