"""How soon a gateway is ready, and how much memory its worker holds once it has worked; with the shipped routes.yaml.

Every process of it, PostgreSQL too, is on one core here: that is what a small container has.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from statistics import median

from figure import Effort, Figure, faults
from load import Job, Seen, drive
from machine import BIN, OTHERS, ROOT, SERVER, free_port, get, memory, running, worker_of
from questions import questions
from servers import Servers
from traffic import paraphrase

READY_WITHIN = 3.0
MEMORY_AT_MOST = 300.0
PATIENCE = 60.0
QUESTIONS = 1_000


def measure(_servers: Servers, effort: Effort) -> list[Figure]:
    seconds = []
    with tempfile.TemporaryDirectory(prefix="semgate-bench-") as name:
        folder = Path(name)
        for nth in range(effort.starts + 1):
            port = free_port()
            begun = time.perf_counter()
            arguments = [str(BIN / "semgate"), "serve", str(ROOT / "routes.yaml")]
            with running(arguments, SERVER, folder / "log", _environment(folder, port)) as process:
                _wait_until_ready(port, begun, folder / "log")
                seconds.append(time.perf_counter() - begun)
                if nth == effort.starts:
                    seen = _work(port)
                    held, launcher = memory(worker_of(process.pid)), memory(process.pid)
    first, later = seconds[0], seconds[1:]
    return [
        Figure(
            name="ready",
            what="seconds from `semgate serve` to an /-/ready that says ready, from the second start on",
            value=median(later),
            unit="s",
            goal=READY_WITHIN,
            measured=f"first start {first:.1f} s",
            samples={"seconds": seconds},
        ),
        Figure(
            name="memory of one worker",
            what="resident memory with the local model after some thousand requests",
            value=held["rss"],
            unit="MB",
            goal=MEMORY_AT_MOST,
            measured=f"PSS {held['pss']:.0f} MB",
            faults=faults(seen),
            remarks=[f"the launcher holds {launcher['rss']:.0f} MB more (PSS {launcher['pss']:.0f} MB)"],
        ),
    ]


def _environment(folder: Path, port: int) -> dict[str, str]:
    """The shipped routes take keys and URLs from variables: none of the operator's own shall count here."""
    own = {"SEMGATE_LISTEN": f"127.0.0.1:{port}", "SEMGATE_DATA": str(folder / "data")}
    empty = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "SEMGATE_POSTGRES_URL", "SEMGATE_REDIS_URL", "SEMGATE_DIGEST_KEY")
    return {**{name: "" for name in empty if name in os.environ}, **own}


def _wait_until_ready(port: int, begun: float, log: Path) -> None:
    while time.perf_counter() - begun < PATIENCE:
        try:
            status, body = get(port, "/-/ready")
            if status == 200 and json.loads(body)["status"] == "ready":
                return
        except OSError:
            pass
        time.sleep(0.005)
    raise RuntimeError(f"semgate was not ready within {PATIENCE:.0f} s:\n{log.read_text()[-2000:]}")


def _work(port: int) -> list[Seen]:
    """Misses, exact hits and semantic hits, so that everything is loaded that a worker will load."""
    asked = questions(QUESTIONS, seed=3)
    near = [paraphrase(question, nth) for nth, question in enumerate(asked)]
    return [
        drive(Job(port=port, requests=[_hello(text) for text in texts], count=len(texts), connections=4), OTHERS)
        for texts in (asked, asked, near)
    ]


def _hello(text: str) -> bytes:
    body = json.dumps({"query": text}).encode()
    head = f"POST /hello HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body
