"""Reloads within one worker: what was begun for a generation ends with it."""

from __future__ import annotations

import asyncio
import gc
import time
from pathlib import Path

import pytest

from gateway.config.load import read
from gateway.errors import ReloadRefused
from gateway.runtime.gateway import Gateway
from gateway.runtime.generation import Generation

ROUTES = """
version: 1
server: {{data_dir: "{folder}"}}
upstreams:
  a: {{url: "http://127.0.0.1:1", timeout: {{connect: {turn}s}}}}
routes:
  - {{name: a, path: /a, upstream: a, preset: json-query, scope: public, match: exact, ttl: {turn}h}}
"""


def test_many_reloads_leave_no_task_and_no_generation_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMGATE_EMBEDDED_URL", "postgresql:///?host=/nonexistent")
    file = tmp_path / "routes.yaml"

    def save(turn: int) -> None:
        file.write_text(ROUTES.format(folder=tmp_path, turn=turn) if turn % 3 else "routes: [")

    async def story() -> None:
        save(1)
        others = generations()  # of caches inside programs, in tests before this one
        loaded = read(file, {})
        assert loaded.settings is not None
        gateway = Gateway(file, loaded, time.time_ns(), loaded.settings, lambda _generation: None)
        async with gateway.running():
            counts = []
            for turn in range(2, 242):
                save(turn)
                try:
                    await gateway.reload()
                except ReloadRefused:
                    assert turn % 3 == 0
                if turn in (41, 241):
                    await settled()
                    counts.append((names_of_tasks(), generations()))
            assert counts[0] == counts[1]
            assert counts[1][1] == others + 1
        await settled()
        assert names_of_tasks() == []

    asyncio.run(story())


async def settled() -> None:
    """Old generations retire in tasks of their own."""
    until = time.monotonic() + 10
    while "semgate old generation" in names_of_tasks() and time.monotonic() < until:
        await asyncio.sleep(0.01)


def names_of_tasks() -> list[str]:
    return sorted(task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("semgate"))


def generations() -> int:
    gc.collect()
    # by type, not isinstance: some libraries put objects on the heap that warn when they are asked for their class
    return sum(type(each) is Generation for each in gc.get_objects())
