"""A server on loopback that speaks as much of a model hub's API as a download asks for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

COMMIT = "0" * 40


@contextmanager
def imitated_hub(folder: Path) -> Iterator[str]:
    """Its URL; it has one model, `somebody/small-model`, with the files of `folder`."""
    files = {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            prefix = f"/somebody/small-model/resolve/{COMMIT}/"
            if self.path.startswith("/api/models/somebody/small-model"):
                siblings = [{"rfilename": name, "size": len(body)} for name, body in files.items()]
                listing = [
                    {"type": "file", "path": name, "size": len(body), "oid": hashlib.sha1(body).hexdigest()}
                    for name, body in files.items()
                ]
                info = {"id": "somebody/small-model", "sha": COMMIT, "siblings": siblings}
                self.answer(json.dumps(listing if "/tree/" in self.path else info).encode(), {})
            elif self.path.startswith(prefix) and self.path.removeprefix(prefix) in files:
                body = files[self.path.removeprefix(prefix)]
                self.answer(body, {"ETag": f'"{hashlib.sha1(body).hexdigest()}"', "X-Repo-Commit": COMMIT})
            else:
                self.send_error(404)

        do_HEAD = do_GET

        def answer(self, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(200)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
