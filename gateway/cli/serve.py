"""`semgate serve`: check the file, start the embedded PostgreSQL, then let Granian run the workers.

The launcher holds no request state. It owns what the workers share: the database server, and the folder of their
metrics. Workers read the routes file themselves.
"""

from __future__ import annotations

import math
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.log import LogLevels

from gateway.config.load import read
from gateway.config.model import EMBEDDED_POSTGRES, File, Route
from gateway.config.report import render
from gateway.core.events import Event, Restarted, Trouble
from gateway.errors import CacheTrouble, ConfigError
from gateway.observe.logs import SERVER_LOGGING, log_to_stderr, warn_of_part
from gateway.runtime import last_good
from gateway.runtime.addresses import split_address
from gateway.runtime.control import Control
from gateway.runtime.environment import CONFIG, CONTROL_FOLDER, EMBEDDED_URL, LOG_LEVEL, METRICS_FOLDER
from gateway.stores.digest import load_or_create_digest_key
from gateway.stores.embedded import EmbeddedPostgres
from gateway.stores.supervisor import Supervisor

# Connections beyond the workers' pools: sweeps, promotions, an operator's psql, programs with the cache inside that use the
# same data folder.
SPARE_CONNECTIONS = 384


def run(path: Path, log_level: str) -> int:
    """Serve until a signal; 1 if the file or the data folder cannot be used."""
    loaded = read(path, os.environ)
    settings = loaded.settings
    if settings is None:
        sys.stderr.write(render(loaded.problems, "text", loaded.source))
        return 1
    doors = {"server.listen": settings.server.listen, "server.admin.listen": settings.server.admin.listen}
    for setting, door in doors.items():
        busy = _why_not_listen(*split_address(door)) if door else None
        if busy is not None:
            sys.stderr.write(f"error: {setting}: {door}: {busy}\n")
            return 1
    os.environ[CONFIG] = str(path.resolve())
    os.environ[LOG_LEVEL] = log_level
    try:
        shared = Path(tempfile.mkdtemp(prefix="semgate-"))
    except OSError as error:
        sys.stderr.write(f"error: workers share a temporary folder, and there is no place for one: {error.strerror}\n")
        return 1
    _share(shared, settings.server.workers)
    log_to_stderr(log_level)
    embedded = settings.stores.postgres.url == EMBEDDED_POSTGRES
    try:
        with _postgres(settings) if embedded else nullcontext():
            _announce(path, settings, len(loaded.problems))
            _serve(settings, Control(shared))
    except ConfigError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    finally:
        shutil.rmtree(shared, ignore_errors=True)
    return 0


@contextmanager
def _postgres(settings: File) -> Iterator[None]:
    """Run the embedded server, with its digest key. While it does not come up the gateway forwards; a folder that cannot
    be written is the operator's to mend."""
    if not settings.server.digest_key:
        load_or_create_digest_key(
            settings.server.data_dir
        )  # first: a key that cannot be used must leave no server behind
    connections = settings.server.workers * settings.stores.postgres.pool + SPARE_CONNECTIONS
    postgres = EmbeddedPostgres(settings.server.data_dir, max_connections=connections)
    os.environ[EMBEDDED_URL] = postgres.url
    try:
        os.environ[EMBEDDED_URL] = postgres.start()
    except CacheTrouble as trouble:
        sys.stderr.write(f"warning: {trouble}; until it does requests are forwarded, nothing is cached in PostgreSQL\n")
    for folder in postgres.opened_up:
        sys.stderr.write(
            f"note: {folder} may be passed through by everybody now (o+x): PostgreSQL does not run as root\n"
        )
    supervisor = Supervisor(postgres, _tell)
    supervisor.begin()
    try:
        yield
    finally:
        supervisor.end()
        postgres.stop()


def _tell(event: Event) -> None:
    """Workers tell their own."""
    if isinstance(event, Trouble | Restarted):
        warn_of_part(event)


def _share(folder: Path, workers: int) -> None:
    """What workers share: reloads, and with several of them the metrics (prometheus_client's multiprocess mode)."""
    os.environ[CONTROL_FOLDER] = str(folder)
    last_good.share()
    if workers > 1:
        os.environ[METRICS_FOLDER] = str(folder / "metrics")
        (folder / "metrics").mkdir()


def _why_not_listen(host: str, port: int) -> str | None:
    """Workers share the port (SO_REUSEPORT), and so would a second gateway, silently; a plain bind tells."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return str(error.strerror or error)
    return None


class _Bell:
    """What wakes the launcher. A threading.Event in its place would stand still when a signal comes while one is handled:
    it waits for a lock that it holds itself. A SimpleQueue has none that Python code could be interrupted in."""

    def __init__(self) -> None:
        self._rung: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        if self._rung.empty():
            self._rung.put(None)

    def wait(self) -> None:
        """Until it is rung; it stays so until it is cleared."""
        self._rung.put(self._rung.get())

    def clear(self) -> None:
        while not self._rung.empty():
            self._rung.get()


# Seconds between two signals to a worker that shall end.
TOLD_AGAIN_AFTER = 0.5


class _Launcher(Granian):  # type: ignore[misc, valid-type]  # one class or another, by platform
    """Granian's own SIGHUP makes its workers anew, which loses what they remember; ours makes them reload the file: here,
    between two waits, and not in the handler, which the next signal may interrupt."""

    control: Control

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.main_loop_interrupt = _Bell()

    def _reload(self, *_args: object) -> None:
        self.main_loop_interrupt.clear()
        self.reload_signal = False
        try:
            self.control.ask()
        except OSError as error:
            sys.stderr.write(f"warning: the workers cannot be told to reload: {error}\n")
        if self.interrupt_signal or self.interrupt_children:  # rung for these meanwhile, perhaps before it was cleared
            self.main_loop_interrupt.set()

    def _respawn_workers(self, workers: list[int], *args: Any, **kwargs: Any) -> None:
        """Granian ends all of them where one dies twice within 5.5 s, as one would that cannot start. One that was killed
        could: the others go on."""
        killed = [index for index in workers if self.wrks[index].inner.exitcode == -signal.SIGKILL]
        super()._respawn_workers(workers, *args, **kwargs)
        for index in killed:
            self.respawned_wrks.pop(index, None)

    def _stop_workers(self) -> None:
        """A worker that is still being started has the launcher's own handlers, which lose the signal: it is told again. One
        that has begun must not be, as it would drop the requests that it is ending."""
        until = time.monotonic() + self.workers_kill_timeout
        while time.monotonic() < until and (starting := self._starting()):
            for worker in starting:
                worker.terminate()
            time.sleep(TOLD_AGAIN_AFTER)
        super()._stop_workers()

    def _starting(self) -> list[Any]:
        begun = self.control.others()
        return [worker for worker in self.wrks if worker.is_alive() and worker.inner.pid not in begun]


def _serve(settings: File, control: Control) -> None:
    """Run the workers until a signal."""
    server = settings.server
    host, port = split_address(server.listen)
    launcher = _Launcher(
        "gateway.app:create",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=server.workers,
        loop=Loops.uvloop,
        http=HTTPModes.auto,
        websockets=False,
        backlog=max(128, server.max_connections),
        backpressure=server.max_connections,
        log_level=LogLevels.warning,
        log_dictconfig=SERVER_LOGGING,
        respawn_failed_workers=True,
        workers_kill_timeout=max(1, math.ceil(server.drain)),
        ssl_cert=None if server.tls is None else Path(server.tls.cert),
        ssl_key=None if server.tls is None else Path(server.tls.key),
    )
    launcher.control = control
    launcher.serve()


def _announce(path: Path, settings: File, warnings: int) -> None:
    scheme = "http" if settings.server.tls is None else "https"
    lines = [f"semgate {version('semgate')}  {scheme}://{settings.server.listen}  ({path})"]
    width = max(len(route.path) for route in settings.routes)
    longest = max(len(",".join(route.methods)) for route in settings.routes)
    for route in settings.routes:
        how = "off" if route.mode == "off" else route.match
        methods = ",".join(route.methods)
        lines.append(
            f"  {methods:{longest}}  {route.path:{width}}  -> {_answering(route)}  ({how}{_preset(route.preset)})"
        )
    if warnings:
        lines.append(f"  {warnings} warning{'s' * (warnings != 1)}: `semgate check {path}` tells more")
    sys.stderr.write("\n".join(lines) + "\n")


def _answering(route: Route) -> str:
    """Who has the answers."""
    return "what programs put in" if route.kind == "cache" else route.upstream


def _preset(name: str | None) -> str:
    return f", {name}" if name else ""
