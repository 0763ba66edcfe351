"""Fixtures of the examples: a real `semgate serve` on a free port, with a data folder of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from gateway.stores.embedded import EmbeddedPostgres

sys.path.insert(0, str(Path(__file__).parent))  # for the module beside this one: importlib mode adds no folder
ROOT = Path(__file__).parents[2]
START_SECONDS = 120.0

Serve = Callable[..., "Serving"]


class Serving:
    """A gateway that runs. `url` has no trailing slash."""

    def __init__(self, url: str) -> None:
        self.url = url

    def wait_until_kept(self, route: str, answers: int = 1) -> None:
        """Keeping comes after the client has its answer; the gateway counts it."""
        deadline = time.monotonic() + START_SECONDS
        while self._kept(route) < answers:
            assert time.monotonic() < deadline, f"{route} never kept {answers} answers"
            time.sleep(0.02)

    def _kept(self, route: str) -> float:
        counter = f'semgate_kept_total{{route="{route}"}} '
        lines = httpx.get(f"{self.url}/-/metrics", verify=False).text.splitlines()
        return sum(float(line.removeprefix(counter)) for line in lines if line.startswith(counter))


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """`serve(routes_file, **environment)` starts a gateway that is stopped after the module's tests."""
    stopping: list[subprocess.Popen[bytes]] = []

    def start(routes: str, **environment: str) -> Serving:
        port = free_port()
        folder = tmp_path_factory.mktemp("semgate")
        own = {"SEMGATE_LISTEN": f"127.0.0.1:{port}", "SEMGATE_DATA": str(folder / "data")}
        env = {name: value for name, value in os.environ.items() if not name.startswith(("SEMGATE_", "OPENAI_"))}
        command = [sys.executable, "-m", "gateway.cli.main", "serve", str(ROOT / routes)]
        log = folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(command, env=env | own | environment, cwd=folder, stdout=output, stderr=output)
        stopping.append(process)
        serving = Serving(f"http://127.0.0.1:{port}")
        wait_until_live(serving, process, log)
        return serving

    try:
        yield start
    finally:
        for process in stopping:
            process.terminate()
        for process in stopping:
            process.wait(timeout=60)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder of programs; its PostgreSQL runs all the while."""
    data = tmp_path_factory.mktemp("data")
    postgres = EmbeddedPostgres(data)
    postgres.start()
    yield data
    postgres.stop()


def wait_until_live(serving: Serving, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(errors="replace")
        try:
            if httpx.get(f"{serving.url}/-/live", verify=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail(f"the gateway did not start: {log.read_text(errors='replace')}")


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port: int = door.getsockname()[1]
        return port
