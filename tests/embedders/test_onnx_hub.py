"""The local ONNX embedder with a model's id: downloaded from a hub once, and used without one afterwards."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from small_model import write_model

ASK_THE_HUB = """
import asyncio, sys
from gateway.embedders.onnx import OnnxEmbedder
from gateway.errors import EmbedError

async def main():
    embedder = OnnxEmbedder(model="somebody/small-model")
    try:
        await embedder.open()
        print("dimensions", embedder.dimensions)
    except EmbedError as error:
        print("error", error)
    await embedder.close()

asyncio.run(main())
"""


def ask_the_hub(home: Path, **environment: str) -> str:
    env = {"PATH": "/usr/bin:/bin", "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", **environment}
    told = subprocess.run([sys.executable, "-c", ASK_THE_HUB], capture_output=True, text=True, env=env, check=False)
    assert told.returncode == 0, told.stderr
    return told.stdout.strip()


def test_a_hub_id_is_downloaded_once_and_used_offline_afterwards(
    tmp_path: Path, hub: Callable[[Path], str], nobody: str
) -> None:
    endpoint = hub(write_model(tmp_path / "model"))
    assert ask_the_hub(tmp_path / "home", HF_ENDPOINT=endpoint) == "dimensions 8"
    assert ask_the_hub(tmp_path / "home", HF_HUB_OFFLINE="1") == "dimensions 8"
    assert ask_the_hub(tmp_path / "home", HF_ENDPOINT=nobody) == "dimensions 8"


@pytest.mark.parametrize("environment", ["offline", "down"])
def test_a_model_that_the_hub_does_not_give_is_named_with_what_to_do(
    tmp_path: Path, nobody: str, environment: str
) -> None:
    said = ask_the_hub(tmp_path, **({"HF_HUB_OFFLINE": "1"} if environment == "offline" else {"HF_ENDPOINT": nobody}))
    assert said.startswith("error model 'somebody/small-model' is neither shipped nor a folder")
    assert "name its folder" in said


def test_a_hub_model_without_a_graph_is_refused_by_its_name(tmp_path: Path, hub: Callable[[Path], str]) -> None:
    model = write_model(tmp_path / "model")
    (model / "model.onnx").unlink()
    said = ask_the_hub(tmp_path / "home", HF_ENDPOINT=hub(model))
    assert said.startswith("error model 'somebody/small-model': its folder needs model.onnx")


@pytest.fixture
def hub() -> Iterator[Callable[[Path], str]]:
    """A server on loopback that speaks as much of the hub's API as a download asks for."""
    commit = "0" * 40
    started: list[ThreadingHTTPServer] = []

    def serve(folder: Path) -> str:
        files = {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}

        class Hub(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                prefix = f"/somebody/small-model/resolve/{commit}/"
                if self.path.startswith("/api/models/somebody/small-model"):
                    siblings = [{"rfilename": name, "size": len(body)} for name, body in files.items()]
                    listing = [
                        {"type": "file", "path": name, "size": len(body), "oid": hashlib.sha1(body).hexdigest()}
                        for name, body in files.items()
                    ]
                    info = {"id": "somebody/small-model", "sha": commit, "siblings": siblings}
                    self.answer(json.dumps(listing if "/tree/" in self.path else info).encode(), {})
                elif self.path.startswith(prefix) and self.path.removeprefix(prefix) in files:
                    body = files[self.path.removeprefix(prefix)]
                    self.answer(body, {"ETag": f'"{hashlib.sha1(body).hexdigest()}"', "X-Repo-Commit": commit})
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
        started.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield serve
    for server in started:
        server.shutdown()
        server.server_close()
