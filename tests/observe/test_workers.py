"""Several workers' metrics as one: real processes, some of which die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.observe.metrics import Metrics
from gateway.observe.stats import read_figures
from gateway.observe.workers import SharedFolder

WORKER = """
import sys
from gateway.core.events import *
from gateway.core.messages import *
from gateway.observe.metrics import Metrics
from gateway.observe.observer import Observer

metrics = Metrics()
observer = Observer(metrics)
for line in sys.stdin:
    order, _, number = line.partition(" ")
    if order == "serve":
        for _ in range(int(number)):
            observer(Served("chat", Outcome.HIT, 0.003, 200, source=Source.MEMORY, kind=HitKind.EXACT, dollars=0.5,
                            cost=Cost("gpt-*", 2, 1), age=1.0, similarity=None))
    elif order == "hold":
        metrics.memory_entries.set(int(number))
    print("done", flush=True)
"""


class Worker:
    def __init__(self, folder: Path) -> None:
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER], env=environment, stdin=pipe, stdout=pipe, text=True
        )

    def do(self, order: str, number: int) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{order} {number}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def started():
    workers: list[Worker] = []

    def start(folder: Path) -> Worker:
        workers.append(Worker(folder))
        return workers[-1]

    yield start
    for worker in workers:
        if worker.process.poll() is None:
            worker.kill()


def value(folder: SharedFolder, name: str, **labels: str) -> float:
    samples = [sample for family in folder.read() for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def test_what_a_killed_worker_counted_is_neither_lost_nor_doubled(tmp_path: Path, started: Callable[[Path], Worker]):
    folder = SharedFolder(tmp_path)
    one, other = started(tmp_path), started(tmp_path)
    one.do("serve", 3)
    other.do("serve", 4)
    one.kill()
    third = started(tmp_path)
    third.do("serve", 5)
    for _ in range(2):  # reading changes nothing
        assert value(folder, "semgate_requests_total", route="chat") == 12
        assert value(folder, "semgate_request_seconds_count") == 12
    figures = read_figures(folder.read())
    assert figures.routes["chat"].hits == {"exact": 12}
    assert figures.routes["chat"].dollars == 6.0
    assert sum(figures.seconds["hit"].counts) == 12


def test_the_levels_of_a_dead_worker_are_gone(tmp_path: Path, started: Callable[[Path], Worker]):
    folder = SharedFolder(tmp_path)
    one, other = started(tmp_path), started(tmp_path)
    one.do("hold", 10)
    other.do("hold", 7)
    assert (value(folder, "semgate_memory_entries"), value(folder, "semgate_workers")) == (17, 2)
    one.kill()
    assert (value(folder, "semgate_memory_entries"), value(folder, "semgate_workers")) == (7, 1)


def test_a_worker_that_keeps_dying_does_not_fill_the_folder(tmp_path: Path, started: Callable[[Path], Worker]):
    folder = SharedFolder(tmp_path, kept_dead=1)
    survivor = started(tmp_path)
    survivor.do("serve", 1)
    since = read_figures(folder.read()).since
    for _ in range(4):
        worker = started(tmp_path)
        worker.do("serve", 2)
        worker.kill()
    survivor.kill()
    last = started(tmp_path)
    last.do("serve", 1)
    for _ in range(2):
        assert value(folder, "semgate_requests_total", route="chat") == 10
        assert value(folder, "semgate_request_seconds_count", route="chat") == 10
        assert value(folder, "semgate_request_seconds_bucket", route="chat", le="0.005") == 10
    assert read_figures(folder.read()).since == since
    assert len(list(tmp_path.glob("counter_*.db"))) <= 3


def test_one_worker_alone_needs_no_folder(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    assert SharedFolder.of_this_process() is None
    assert b"semgate_info{" in Metrics().render()


def test_files_are_merged_as_prometheus_client_merges_them(tmp_path: Path, started: Callable[[Path], Worker]):
    for nth in range(3):
        worker = started(tmp_path)
        worker.do("serve", nth + 1)
        worker.do("hold", nth)

    def comparable(families: Iterable[Metric]) -> set[tuple[str, str, str, float]]:
        return {
            (family.name, sample.name, str(sorted(sample.labels.items())), sample.value)
            for family in families
            for sample in family.samples
        }

    theirs = MultiProcessCollector(None, str(tmp_path)).collect()
    assert comparable(SharedFolder(tmp_path).read()) == comparable(theirs)
