"""Clients that cannot run in this process: LiteLLM in an environment of its own, and the openai SDK for Node.

Each is a process for the whole session that reads a question per line and writes what it heard per line. What they need
is installed by scripts/install_peers.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from api_common import Json

FOLDER = Path(__file__).parent / "peers"
ROOT = Path(__file__).parents[2]


class PeerError(Exception):
    """What the client raised: the name of its class and its message."""


@dataclass
class Worker:
    process: subprocess.Popen[str]

    def tell(self, line: Json) -> Json:
        """What the client heard: `headers` and `parsed`."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{json.dumps(line)}\n")
        self.process.stdin.flush()
        answer: Json = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer


@dataclass(frozen=True)
class Peers:
    """The folder of what was installed."""

    folder: Path

    @contextmanager
    def node(self) -> Iterator[Worker]:
        env = {**os.environ, "NODE_PATH": str(self.folder / "node_modules")}
        with running([self.folder / "bin/node", FOLDER / "openai_node.cjs"], env) as worker:
            yield worker

    @contextmanager
    def litellm(self) -> Iterator[Worker]:
        with running([self.folder / "bin/python", FOLDER / "litellm_client.py"], self.environment()) as worker:
            yield worker

    def environment(self) -> dict[str, str]:
        """LiteLLM's: without settings of the one who runs the tests, and with its own price list, not a fetched one."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("LITELLM_", "OPENAI_"))}
        return {**own, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}


@contextmanager
def running(command: list[Path], env: dict[str, str]) -> Iterator[Worker]:
    """Ends with its stdin."""
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Worker(process)


def install() -> Peers:
    """RuntimeError, in a line, where that fails."""
    command = [sys.executable, str(ROOT / "scripts/install_peers.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.splitlines() or [f"exit status {done.returncode}"]
        raise RuntimeError(next((line for line in lines if "error" in line.lower()), lines[-1]))
    return Peers(Path(sys.prefix) / "peers")
