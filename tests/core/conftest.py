"""A real server on loopback that answers every POST below an address with bytes: what the APIs' own clients read."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

sys.path.insert(
    0, str(Path(__file__).parent)
)  # for the modules beside this one: pytest's importlib mode adds no folder

Served = Callable[[bytes, bytes], str]


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    """`served(content_type, body)` is the base URL of an API that always answers so."""
    answers: list[tuple[bytes, bytes]] = []

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            content_type, body = answers[int(self.path.split("/")[1])]
            self.send_response(200)
            self.send_header("content-type", content_type.decode())
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    def serve(content_type: bytes, body: bytes) -> str:
        answers.append((content_type, body))
        return f"http://127.0.0.1:{server.server_port}/{len(answers) - 1}"

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield serve
        finally:
            server.shutdown()
            thread.join()
