"""The apps of examples/ and of the pages about apps, each behind the server that a user would start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec

ROOT = Path(__file__).parents[2]
ASKED, NEAR = {"query": "How do I reset my password?"}, {"query": "how can I reset my password"}


class Site(msgspec.Struct, frozen=True):
    """One page's kind of app. `command` runs a MODULE's app on a PORT."""

    page: str
    example: str
    command: tuple[str, ...]

    def programs(self) -> list[str]:
        """The Python programs of the page."""
        page = (ROOT / self.page).read_text("utf-8")
        return [each.partition("\n```\n")[0] for each in page.split("```python\n")[1:]]


ASGI = Site(
    "docs/asgi.md",
    "examples/asgi_app.py",
    ("uvicorn", "MODULE:app", "--port", "PORT", "--log-level", "warning"),
)
WSGI = Site("docs/wsgi.md", "examples/wsgi_app.py", ("flask", "--app", "MODULE", "run", "--port", "PORT"))


@contextmanager
def running(site: Site, program: str, where: Path, data: Path) -> Iterator[httpx.Client]:
    """A client of this program's app, which runs in the folder `where`."""
    (where / "app_here.py").write_text(program, "utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {name: value for name, value in os.environ.items() if not name.startswith("SEMGATE_")}
    env |= {"SEMGATE_DATA": str(data), "PYTHONPATH": f"{where}:{ROOT}"}
    arguments = [each.replace("MODULE", "app_here").replace("PORT", str(port)) for each in site.command]
    log = where / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=where, env=env, stdout=subprocess.DEVNULL, stderr=output
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            wait_until_answering(client, process)
            yield client
    finally:
        process.terminate()
        process.wait(timeout=30)
    said = log.read_text("utf-8")
    assert not [each for each in ("Traceback", "Warning", "without the cache") if each in said], said


def wait_until_answering(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            client.get("/")
            return
        except httpx.TransportError:
            time.sleep(0.05)
