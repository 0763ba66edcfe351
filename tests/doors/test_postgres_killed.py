"""The embedded PostgreSQL is killed under a program with the cache inside: the program goes on, and starts it again."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from apps import USERS, config, outcome, question, starlette_site
from running import until
from starlette.testclient import TestClient

from gateway import SyncSemanticCache
from gateway.doors.engine import engine

ALICE = {"authorization": next(iter(USERS))}


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder of the test's own."""
    with tempfile.TemporaryDirectory(prefix="sg-pg-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def settings(data: Path) -> dict[str, Any]:
    """Nothing is remembered but in PostgreSQL."""
    return {**config(data), "stores": {"memory": {"max_bytes": 0}, "postgres": {"timeout": "5s"}}}


def pid_file(data: Path) -> Path:
    return data / "postgres" / "postmaster.pid"


def kill(data: Path) -> None:
    os.kill(int(pid_file(data).read_text().split()[0]), signal.SIGKILL)


def supervisors() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "semgate postgres"]


def stays(answers: Callable[[], str], data: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was kept is found again after PostgreSQL was killed."""
    assert answers() == "MISS"
    until(lambda: answers() == "HIT", "it is not stored")
    time.sleep(1.5)  # commits are asynchronous: the last 0.6 s may be lost with the server, and more on a busy machine
    with caplog.at_level(logging.WARNING, "semgate"):
        kill(data)
        until(lambda: answers() == "HIT" and "answers again" in caplog.text, "PostgreSQL is not used again", 60)
    said = [record.getMessage() for record in caplog.records if "embedded" in record.getMessage()]
    assert said == [
        "postgres: the embedded server does not run; it is started again",
        "postgres: the embedded server answers again",
    ]


@pytest.mark.parametrize("lifespan", [True, False])
def test_an_app_starts_it_again(data: Path, lifespan: bool, caplog: pytest.LogCaptureFixture, one_engine: None) -> None:
    before = supervisors()
    with ExitStack() as stack:
        client = TestClient(starlette_site(settings(data)).app, headers=ALICE)
        if lifespan:
            stack.enter_context(client)
        stays(lambda: outcome(client.post("/ask", json=question())), data, caplog)
    engine().close()
    assert supervisors() == [thread for thread in before if thread.is_alive()]
    assert not pid_file(data).exists()


def test_a_cache_by_hand_starts_it_again(data: Path, caplog: pytest.LogCaptureFixture, one_engine: None) -> None:
    cache = SyncSemanticCache(config={"server": {"data_dir": str(data)}})

    def answers() -> str:
        if cache.search("Where is it?", scope="me"):
            return "HIT"
        cache.set("Where is it?", "Here.", scope="me")
        return "MISS"

    stays(answers, data, caplog)
    engine().close()
    assert not pid_file(data).exists()
