"""What the figures are measured on: the floors, the gateway, the upstream and PostgreSQL, each started when first asked
for and stopped at the end, pinned to its core."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path

import msgspec
from machine import BIN, OTHERS, ROOT, SERVER, free_port, running, wait_for

from gateway.stores.codec import Codec
from gateway.stores.digest import derive
from gateway.stores.embedded import EmbeddedPostgres

DIGEST_KEY = "the key of a benchmark guards nothing"
# What `semgate serve` tells Granian, so that the floors stand on the same server.
SERVER_OPTIONS = [
    *("--interface", "asgi", "--loop", "uvloop", "--workers", "1", "--http", "auto", "--no-ws"),
    *("--backlog", "1024", "--backpressure", "1024", "--log-level", "warning"),
]


class Servers:
    """One benchmark's processes. `folder` holds their data and logs."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._floors: dict[str, int] = {}
        self.pids: dict[int, int] = {}
        """Process ids by port."""

    @cached_property
    def codec(self) -> Codec:
        """Seals as the gateway does, for filling its tables."""
        return Codec(derive(DIGEST_KEY, b"seal"))

    @cached_property
    def upstream(self) -> int:
        """The port of an upstream on the others' core, which answers at once."""
        return self.start_upstream("bench/floors/upstream.py")

    @cached_property
    def postgres(self) -> str:
        """The URL of the PostgreSQL that `gateway` finds in its data folder."""
        return self.start_postgres("data")

    @property
    def postmaster(self) -> int:
        """Its process id."""
        assert self.postgres
        return int((self._folder / "data/postgres/postmaster.pid").read_text().split()[0])

    @cached_property
    def gateway(self) -> int:
        """The port of `semgate serve bench/routes.yaml` on the server's core."""
        assert self.postgres
        return self.start_gateway("bench/routes.yaml", "data", self.upstream)

    @cached_property
    def without_memory(self) -> int:
        """The port of another such gateway, with a PostgreSQL of its own and no tier in memory: what its worker holds is
        not its cache."""
        self.start_postgres("data-2")
        return self.start_gateway("bench/routes.yaml", "data-2", self.upstream, BENCH_MEMORY="0")

    def start_upstream(self, script: str) -> int:
        """The port of a Python script on the others' core that takes a port and answers any GET."""
        port, log = free_port(), self._folder / "upstream.log"
        process = self._stack.enter_context(running([sys.executable, script, str(port)], OTHERS, log))
        wait_for(process, port, "/", log)
        return port

    def start_postgres(self, data: str) -> str:
        """The URL of the PostgreSQL that a gateway will find in this data folder. On the others' core, as a child of this
        process, which is pinned there."""
        server = EmbeddedPostgres(self._folder / data)
        url = server.start()
        self._stack.callback(server.stop)
        return url

    def start_gateway(self, routes: str, data: str, upstream: int, **variables: str) -> int:
        """The port of `semgate serve` on the server's core; `variables` are more of the routes file's."""
        port, log = free_port(), self._folder / f"gateway-{data}.log"
        environment = {
            "BENCH_PORT": str(port),
            "BENCH_DATA": str(self._folder / data),
            "BENCH_DIGEST_KEY": DIGEST_KEY,
            "BENCH_UPSTREAM": str(upstream),
            **variables,
        }
        arguments = [str(BIN / "semgate"), "serve", str(ROOT / routes)]
        process = self._stack.enter_context(running(arguments, SERVER, log, environment))
        wait_for(process, port, "/-/ready", log)
        self.pids[port] = process.pid
        return port

    @contextmanager
    def asking(self, arguments: list[str]) -> Iterator[Callable[[object], object]]:
        """A floor that is no server: a process on the server's core that answers each line of JSON with another."""
        with (self._folder / "asked.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                preexec_fn=lambda: os.sched_setaffinity(0, SERVER),
            )
        assert process.stdin is not None
        assert process.stdout is not None
        question, answer = process.stdin, process.stdout

        def ask(what: object) -> object:
            question.write(msgspec.json.encode(what) + b"\n")
            question.flush()
            line = answer.readline()
            if not line:
                raise RuntimeError(f"{arguments[0]} failed:\n{(self._folder / 'asked.log').read_text()[-2000:]}")
            return msgspec.json.decode(line)

        with process:
            yield ask
            question.close()

    def floor(self, name: str) -> int:
        """The port of one of bench/floors under Granian, on the server's core."""
        if name not in self._floors:
            port, log = free_port(), self._folder / f"{name}.log"
            arguments = [str(BIN / "granian"), *SERVER_OPTIONS, "--port", str(port), f"bench.floors.{name}:app"]
            environment = {"UPSTREAM": f"http://127.0.0.1:{self.upstream}"}
            process = self._stack.enter_context(running(arguments, SERVER, log, environment))
            wait_for(process, port, "/", log)
            self._floors[name], self.pids[port] = port, process.pid
        return self._floors[name]
