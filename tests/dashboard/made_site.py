"""The dashboard over made-up operations: an app for the test client, and the same app as a site under Granian."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
from litestar import Litestar
from litestar.datastructures import State
from madeup import MadeUp
from running import free_port, until

from gateway.fronts.admin.access import Failures
from gateway.fronts.admin.ui.handlers import TEMPLATES, UI

HERE = Path(__file__).parent
SCRIPT = "SEMGATE_TEST_SCRIPT"


class Site(msgspec.Struct, frozen=True):
    """`home` is the dashboard's address."""

    home: str


def app_over(operations: MadeUp) -> Litestar:
    return Litestar(
        [*UI],
        template_config=TEMPLATES,
        state=State({"operations": operations, "failures": Failures(time.monotonic)}),
        openapi_config=None,
        logging_config=None,
    )


def create() -> Litestar:
    """For Granian."""
    return app_over(MadeUp(**dict.fromkeys(os.environ[SCRIPT].split(), True)))


@contextmanager
def serve_site(*script: str) -> Iterator[Site]:
    port = free_port()
    command = ["-m", "granian", "--interface", "asgi", "--factory", "--port", str(port), "--log-level", "warning"]
    paths = os.pathsep.join([str(HERE), str(HERE.parent / "scenarios"), str(HERE.parents[1])])
    env = {**os.environ, "PYTHONPATH": paths, SCRIPT: " ".join(script)}
    process = subprocess.Popen([sys.executable, *command, "made_site:create"], env=env)
    site = Site(f"http://127.0.0.1:{port}/-/ui")

    def answers() -> bool:
        assert process.poll() is None
        try:
            return httpx.get(f"{site.home}/sign-in").status_code == 200
        except httpx.TransportError:
            return False

    try:
        until(answers, "the site does not start", 60)
        yield site
    finally:
        process.terminate()
        process.wait(40)
