"""`semgate top`: a gateway's traffic, live. One thread asks, this one draws and listens for keys.

A gateway that goes away is asked for again, with longer and longer pauses, and what was last known stays on the screen;
after `--give-up` the command ends. Leaving puts the terminal back as it was.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import sys
import termios
import threading
import time
import tty
from collections.abc import Iterator

import click
from rich.console import Console
from rich.live import Live

from gateway.cli.client import Gateway, open_gateway
from gateway.cli.failure import Failed, Refused, Unreachable
from gateway.cli.options import Reach
from gateway.cli.top_figures import Look, Looks
from gateway.cli.top_view import Frame, draw

LONGEST_PAUSE = 15.0
# How soon a key, a new answer or another size of the terminal shows.
TICK = 0.1
PLAIN_WIDTH = 120
_QUIT = frozenset("qQ\x03\x04")
# What arrows and the like send; letters in it are not keys.
_SEQUENCE = re.compile(r"\x1b[\[O][0-9;]*[A-Za-z~]")


def run(reach: Reach, interval: float, give_up: float, *, once: bool) -> int:
    if once:
        return _once(reach, interval)
    if not sys.stdout.isatty():
        raise click.UsageError("top draws on a terminal; --once prints one picture")
    gateway = open_gateway(reach)  # closed by the end of the process: the watch may be in the middle of asking
    first = _look(gateway)  # a wrong address or token is said at once, not drawn
    return _draw_on(Watch(gateway, first, interval, give_up))


def _once(reach: Reach, interval: float) -> int:
    """Two looks, an interval apart, make rates."""
    looks = Looks()
    with open_gateway(reach) as gateway:
        looks.add(_look(gateway))
        time.sleep(interval)
        looks.add(_look(gateway))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    frame = Frame(gateway.url, looks.figures(), time.time(), keys=False)
    console.print(draw(frame, console.width, sys.maxsize))
    return 0


def _look(gateway: Gateway) -> Look:
    stats = gateway.stats()
    return Look(time.monotonic(), stats, gateway.readiness(), gateway.running())


class Watch:
    """Asks the gateway again and again in a thread of its own. Others read `frame` and `failure`."""

    def __init__(self, gateway: Gateway, first: Look, interval: float, give_up: float) -> None:
        self._gateway = gateway
        self._interval = interval
        self._give_up = give_up
        self._looks = Looks()
        self._looks.add(first)
        self._over = threading.Event()
        self._lost = ""
        self._retry_at = 0.0
        self.failure: Failed | None = None
        self.changes = 0
        self._figures = self._looks.figures()
        self._thread = threading.Thread(target=self._ask_on, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Not joined: it may be in the middle of a wait for the gateway, and nobody waits for it.
        self._over.set()

    def frame(self) -> Frame:
        lost = self._lost
        if lost:
            lost += f"; asked again in {max(0, round(self._retry_at - time.monotonic()))} s"
        return Frame(self._gateway.url, self._figures, time.time(), lost)

    def _ask_on(self) -> None:
        failures = 0
        lost_at = 0.0
        pause = self._interval
        while not self._over.wait(pause):
            try:
                self._looks.add(_look(self._gateway))
            except (Unreachable, Refused) as error:
                now = time.monotonic()
                lost_at = lost_at if failures else now
                failures += 1
                passing = isinstance(error, Unreachable) or error.status >= 500
                if not passing or now - lost_at >= self._give_up:
                    self.failure = error
                    return
                pause = min(LONGEST_PAUSE, max(self._interval, 2.0 ** min(failures - 1, 10)))
                self._retry_at = now + pause
                self._lost = error.message
            except Failed as error:
                self.failure = error
                return
            else:
                failures, self._lost, pause = 0, "", self._interval
                self._figures = self._looks.figures()
            self.changes += 1


def _draw_on(watch: Watch) -> int:
    """Until a key, Ctrl-C or SIGTERM ends it. Raises what ended the watch."""
    console = Console(highlight=False)
    drawn: tuple[object, ...] = ()
    with (
        contextlib.suppress(KeyboardInterrupt),
        _keys() as pressed,
        _sigterm_as_interrupt(),
        watch,
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        while watch.failure is None and not pressed(TICK) & _QUIT:
            # Drawn anew only where something has changed: seconds, figures, or the size of the terminal.
            state = (int(time.time()), watch.changes, console.size)
            if state != drawn:
                drawn = state
                live.update(draw(watch.frame(), console.size.width, console.size.height), refresh=True)
    if watch.failure is not None:
        raise watch.failure
    return 0


class _Keys:
    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def __call__(self, seconds: float) -> frozenset[str]:
        """Keys pressed within that time; without a terminal to listen to, none."""
        if self._descriptor is None:
            time.sleep(seconds)
            return frozenset()
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        if not ready:
            return frozenset()
        data = os.read(self._descriptor, 64)
        return frozenset(_SEQUENCE.sub("", data.decode("latin-1")) if data else "\x04")


@contextlib.contextmanager
def _keys() -> Iterator[_Keys]:
    """Single keys, not echoed; the terminal is put back afterwards."""
    if not sys.stdin.isatty():
        yield _Keys(None)
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield _Keys(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)


@contextlib.contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """So that the terminal is put back then as well."""
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
