"""A real gateway process, and the upstream it asks: what every scenario stands on."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parent.parent / "proxy"))

from raw_upstream import Exchange, RawUpstream

from gateway.stores.embedded import EmbeddedPostgres

__all__ = [
    "SEMGATE",
    "Exchange",
    "Gateway",
    "RawUpstream",
    "chat",
    "completion",
    "data_folder",
    "events",
    "http_answer",
    "serve",
    "stream",
    "until",
]

SEMGATE = Path(sys.executable).parent / "semgate"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def until(holds: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """Wait until it holds; the truth it returned."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        truth = holds()
        if truth:
            return truth
        time.sleep(0.02)
    raise AssertionError(f"{what} (waited {seconds:.0f} s)")


@contextmanager
def data_folder(folder: Path) -> Iterator[Path]:
    """A data folder whose PostgreSQL runs all the while, so that each gateway starts quickly."""
    postgres = EmbeddedPostgres(folder, max_connections=200)
    postgres.start()
    yield folder
    postgres.stop()


class Gateway:
    """A running `semgate serve`."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path, file: Path) -> None:
        self.process = process
        self.file = file
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.log = log
        self.http = httpx.Client(base_url=self.url, timeout=30)

    def ask(self, path: str, body: Any = None, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        return self.http.post(path, json=body, headers=headers, **more)

    def metrics(self) -> str:
        return self.http.get("/-/metrics").text

    def metric(self, name: str, **labels: str) -> float:
        wanted = {f'{label}="{value}"' for label, value in labels.items()}
        total = 0.0
        for line in self.metrics().splitlines():
            head, _, value = line.rpartition(" ")
            series, _, found = head.partition("{")
            if series == name and wanted <= set(found.rstrip("}").split(",")):
                total += float(value)
        return total

    def text(self, config: str) -> str:
        """What its routes file would be with this configuration."""
        return f"version: 1\n{config.replace('LISTEN', f'127.0.0.1:{self.port}')}"

    def admin(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """Ask the operator's door; the token is always `TOKEN`."""
        return self.http.request(method, f"/-/{path}", json=body, headers={"Authorization": "Bearer TOKEN"}, **more)

    def logged(self) -> str:
        return self.log.read_text()

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split() if "postgres" not in Path(f"/proc/{pid}/cmdline").read_text()]

    def listening(self) -> int:
        """How many sockets wait for connections: each worker has one of its own."""
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        return sum(line.split()[1].endswith(f":{self.port:04X}") and line.split()[3] == "0A" for line in lines)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)


@contextmanager
def serve(folder: Path, config: str, *, env: dict[str, str] | None = None, ready: bool = True) -> Iterator[Gateway]:
    """Run a gateway for a routes file without `version` and `server.listen`, which are put in front."""
    port = free_port()
    file = folder / f"routes-{port}.yaml"
    log = folder / f"log-{port}.txt"
    file.write_text(f"version: 1\n{config.replace('LISTEN', f'127.0.0.1:{port}')}")
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [SEMGATE, "serve", file],
            stdout=sink,
            stderr=sink,
            cwd=folder,
            env={**os.environ, "PYTHONWARNINGS": "default", **(env or {})},
        )
    gateway = Gateway(process, port, log, file)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return gateway.http.get("/-/ready" if ready else "/-/live").status_code == 200
        except httpx.TransportError:
            return False

    try:
        until(answers, "the gateway does not start")
        said = re.search(r"workers: (\d+)", config)
        until(lambda: gateway.listening() >= int(said[1] if said else 1), "a worker does not start")
        yield gateway
    finally:
        gateway.http.close()
        if process.poll() is None:
            gateway.stop()


def chat(question: str, **more: Any) -> dict[str, Any]:
    """A chat completion request."""
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": question}], **more}


def completion(content: str, **more: Any) -> dict[str, Any]:
    """A chat completion answer."""
    message = {"role": "assistant", "content": content}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
        **more,
    }


def http_answer(body: Any, *headers: str, status: str = "200 OK") -> bytes:
    """An HTTP answer; a body that is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = [*headers]
    if not any(header.lower().startswith("content-type") for header in given):
        given.append("Content-Type: application/json")
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(data)}", *given])
    return head.encode() + b"\r\n\r\n" + data


SSE = "text/event-stream"
NDJSON = "application/x-ndjson"


def events(*contents: str, usage: bool = False, finish: str = "stop") -> list[bytes]:
    """A chat completion as a stream, one piece for each event."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *({"content": text} for text in contents)]
    chunks: list[dict[str, Any]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    chunks.append({"index": 0, "delta": {}, "finish_reason": finish})
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "gpt-4o"}
    payloads: list[dict[str, Any]] = [{**head, "choices": [chunk]} for chunk in chunks]
    if usage:
        tokens = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
        payloads.append({**head, "choices": [], "usage": tokens})
    return [b"data: %s\n\n" % json.dumps(payload).encode() for payload in payloads] + [b"data: [DONE]\n\n"]


def stream(
    pieces: list[bytes], *headers: str, content_type: str = SSE, pause: float = 0.0, breaks_off: bool = False
) -> Callable[[Exchange], Any]:
    """An upstream's behaviour: a chunked answer, each piece in a write of its own."""

    async def behave(exchange: Exchange) -> None:
        head = ["HTTP/1.1 200 OK", f"Content-Type: {content_type}", "Transfer-Encoding: chunked", *headers]
        await exchange.send("\r\n".join(head).encode() + b"\r\n\r\n")
        for nth, piece in enumerate(pieces):
            if pause and nth:
                await asyncio.sleep(pause)
            await exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        if breaks_off:
            exchange.reset()
        else:
            await exchange.send(b"0\r\n\r\n")

    return behave
