"""`semgate top`: the figures of late, a picture that fits, keys, and a gateway that goes away and comes back."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from admin_server import READY, RUNNING, TOKEN, AdminServer, Semgate, problem
from rich.console import Console

from gateway.cli.stats import total
from gateway.cli.top_figures import Figures, Look, Looks
from gateway.cli.top_view import Frame, curve, draw, milliseconds
from gateway.fronts.admin.operations import Distribution, RouteStats, Saved, Stats

SEMGATE = Path(sys.executable).parent / "semgate"
BOUNDS = [0.001, 0.01, 0.1, 1.0]


def route_stats(hits: int = 0, misses: int = 0, dollars: float | None = None) -> RouteStats:
    return msgspec.structs.replace(
        total({}),
        requests=hits + misses,
        hits={"exact": hits},
        misses=misses,
        saved=Saved(10 * hits, 5 * hits, dollars),
        entries=misses,
        bytes=misses * 1000,
    )


def look(at: float, routes: dict[str, RouteStats], hit_counts: list[int] | None = None) -> Look:
    seconds = {} if hit_counts is None else {"hit": Distribution(BOUNDS, hit_counts)}
    return Look(at, Stats(since=1700000000.0, routes=routes, seconds=seconds), READY, RUNNING)


def figures_of(*looks: Look) -> Figures:
    series = Looks()
    for each in looks:
        series.add(each)
    figures = series.figures()
    assert figures is not None
    return figures


def picture(frame: Frame, width: int = 120, height: int = 40) -> str:
    console = Console(width=width, height=height, color_system=None)
    with console.capture() as capture:
        console.print(draw(frame, width, height))
    return capture.get()


def test_rates_are_of_late_and_counts_since_the_start() -> None:
    figures = figures_of(
        look(0.0, {"chat": route_stats(1000, 1000)}),
        look(10.0, {"chat": route_stats(1075, 1025), "new": route_stats(0, 10)}),
    )
    assert (figures.whole.rate, figures.whole.hit_rate) == (11.0, 75 / 110)
    chat, new = figures.routes
    assert (chat.rate, chat.hit_rate, chat.so_far.requests) == (10.0, 0.75, 2100)
    assert (new.rate, new.hit_rate) == (1.0, 0.0)


def test_a_single_look_has_no_rates() -> None:
    figures = figures_of(look(0.0, {"chat": route_stats(3, 1)}, [1, 1, 0, 0, 0]))
    assert figures.whole.rate == 0.0
    assert figures.latencies[0].requests == 2


def test_of_late_is_a_minute_however_long_it_watches() -> None:
    looks = [look(2.0 * each, {"chat": route_stats(0, 100 * each)}) for each in range(400)]
    figures = figures_of(*looks)
    assert figures.seconds == 60.0
    assert figures.whole.rate == 50.0
    assert len(figures.rates) < 400


def test_latencies_are_of_the_requests_of_late_or_else_of_all() -> None:
    first, second = look(0.0, {}, [100, 0, 0, 0, 0]), look(10.0, {}, [100, 0, 10, 0, 0])
    (late,) = figures_of(first, second).latencies
    assert (late.requests, late.late) == (10, True)
    assert 0.01 < late.p50 < late.p95 <= 0.1
    (idle,) = figures_of(second, look(20.0, {}, [100, 0, 10, 0, 0])).latencies
    assert (idle.requests, idle.p50 < 0.001) == (110, True)


def test_a_gateway_that_was_started_anew_begins_a_new_series() -> None:
    figures = figures_of(
        look(0.0, {"chat": route_stats(1000, 1000)}),
        look(10.0, {"chat": route_stats(5, 5)}),
        look(20.0, {"chat": route_stats(25, 5)}),
    )
    assert (figures.whole.rate, figures.whole.hit_rate) == (2.0, 1.0)


def test_the_picture_shows_routes_rates_latency_savings_and_states() -> None:
    figures = figures_of(
        look(0.0, {"chat": route_stats(0, 0)}, [0, 0, 0, 0, 0]),
        look(10.0, {"chat": route_stats(75, 25, dollars=1.25), "idle": route_stats()}, [70, 5, 0, 0, 0]),
    )
    degraded = msgspec.structs.replace(READY, status="degraded", parts={"redis": "timed out"})
    failed = msgspec.structs.replace(
        RUNNING, last_error="routes.yaml:7:3: no duration", restart_needed=["server.workers"]
    )
    figures = msgspec.structs.replace(
        figures, now=msgspec.structs.replace(figures.now, readiness=degraded, running=failed)
    )
    shown = picture(Frame("http://127.0.0.1:8080", figures, 1700007200.0))
    for expected in (
        "http://127.0.0.1:8080",
        "up 2 h 0 min",
        "● degraded",
        "redis timed out",
        "the last reload failed: routes.yaml:7:3: no duration",
        "server.workers",
        "chat",
        "10.0",
        "75.0 %",
        "$1.25",
        "hit",
        "in the last 10 s",
        "q quits",
    ):
        assert expected in shown, shown


@pytest.mark.parametrize("width", [20, 40, 60, 66, 72, 80, 100, 120, 200])
@pytest.mark.parametrize("height", [5, 24, 60])
def test_it_fits_whatever_room_there_is(width: int, height: int) -> None:
    routes = {f"a-route-with-a-long-name-{each}": route_stats(each * 1000, each) for each in range(30)}
    figures = figures_of(look(0.0, {}), look(10.0, routes, [1, 1, 1, 1, 1]))
    shown = picture(Frame("http://127.0.0.1:8080", figures, 1700007200.0), width, height)
    assert max(len(line) for line in shown.splitlines()) <= width
    assert len(shown.splitlines()) <= max(height, 14)
    for numbers in re.findall(r"^a-route\S*(.*)$", shown, re.MULTILINE):
        assert "…" not in numbers  # whole or not there
    assert ("more" in shown) == (height < 60)


def test_curves_and_times_for_people() -> None:
    assert curve([0, 1, 2, 4, 8], 4) == "▁▂▄█"
    assert curve([], 4) == ""
    assert curve([0, 0], 4) == "▁▁"
    assert curve([0.5, 1.0], 4, top=1.0) == "▄█"
    assert [milliseconds(each) for each in (0.00123, 0.25, 12.0)] == ["1.23 ms", "250 ms", "12.0 s"]


def scripted(admin: AdminServer) -> None:
    requests = iter(range(0, 10_000_000, 100))
    admin.answer("GET ready", READY)
    admin.answer("GET config", RUNNING)
    admin.answer(
        "GET stats",
        lambda _: Stats(
            since=1700000000.0,
            routes={"chat": route_stats(count := next(requests), count)},
            seconds={"hit": Distribution(BOUNDS, [count, 0, 0, 0, 0])},
        ),
    )


def test_once_prints_one_picture_without_colours(ask: Semgate, admin: AdminServer) -> None:
    scripted(admin)
    result = ask("top", "--once", "--interval", "100ms")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "● ready" in result.stdout
    assert "50.0 %" in result.stdout
    assert "\x1b" not in result.stdout
    assert "q quits" not in result.stdout
    assert len(admin.asked_for("GET stats")) == 2


def test_without_a_terminal_it_is_wrong_use(ask: Semgate, admin: AdminServer) -> None:
    result = ask("top")
    assert result.exit_code == 2
    assert "--once" in result.stderr


def test_what_cannot_be_reached_is_said_not_drawn(semgate: Semgate) -> None:
    result = semgate("top", "--once", "--url", "http://127.0.0.1:9", "--token", TOKEN)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cannot reach" in result.stderr


class Terminal:
    """A command in a terminal of its own, and what it has written so far."""

    def __init__(self, *arguments: Any, width: int = 100, height: int = 30) -> None:
        self._end, self._terminal = pty.openpty()
        self.resize(width, height)
        self.before = termios.tcgetattr(self._terminal)
        self.process = subprocess.Popen(
            [SEMGATE, *arguments],
            stdin=self._terminal,
            stdout=self._terminal,
            stderr=self._terminal,
            env={**os.environ, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.set_blocking(self._end, False)
        self.written = ""

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    def read(self) -> str:
        try:
            while data := os.read(self._end, 65536):
                self.written += data.decode(errors="replace")
        except OSError:
            pass
        return self.written

    def until(self, holds: Callable[[str], bool], what: str) -> str:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if holds(self.read()):
                return self.written
            time.sleep(0.02)
        raise AssertionError(f"{what}: {self.written[-3000:]}")

    def shows(self, text: str) -> str:
        return self.until(
            lambda written: text in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written), f"never showed {text!r}"
        )

    def end(self) -> int:
        self.until(lambda _: self.process.poll() is not None, "it does not end")
        self.read()
        return self.process.wait(60)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(60)
        os.close(self._end)
        os.close(self._terminal)

    @property
    def mode(self) -> list[Any]:
        return termios.tcgetattr(self._terminal)


@contextmanager
def top_in_terminal(admin: AdminServer, *more: str) -> Iterator[Terminal]:
    terminal = Terminal("top", "--interval", "100ms", "--url", admin.url, "--token", TOKEN, *more)
    try:
        yield terminal
    finally:
        terminal.close()


@pytest.mark.parametrize("how", ["q", "Ctrl-C", "SIGTERM"])
def test_it_quits_and_puts_the_terminal_back(admin: AdminServer, alone: Path, how: str) -> None:
    scripted(admin)
    with top_in_terminal(admin) as terminal:
        terminal.shows("q quits")
        terminal.until(lambda _: terminal.mode != terminal.before, "keys are not read singly")
        match how:
            case "q":
                terminal.press("\x1b[Aq")
            case "Ctrl-C":
                terminal.process.send_signal(signal.SIGINT)
            case _:
                terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 0
        assert terminal.written.rstrip().endswith(("\x1b[?1049l\x1b[?25h", "\x1b[?25h\x1b[?1049l", "\x1b[?1049l"))
        assert terminal.mode == terminal.before
        assert "Traceback" not in terminal.written


def test_it_draws_anew_when_the_terminal_changes_its_size(admin: AdminServer, alone: Path) -> None:
    scripted(admin)
    with top_in_terminal(admin) as terminal:
        terminal.shows("q quits")
        assert "entries" in terminal.read()
        terminal.resize(50, 20)
        time.sleep(0.5)
        terminal.read()
        terminal.written = ""
        shown = terminal.shows("q quits")
        assert "entries" not in shown
        terminal.press("q")
        assert terminal.end() == 0


def test_a_gateway_that_goes_away_is_said_and_found_again(admin: AdminServer, alone: Path) -> None:
    scripted(admin)
    with top_in_terminal(admin) as terminal:
        terminal.shows("q quits")
        port = admin.port
        admin.stop()
        terminal.shows("cannot reach")
        terminal.shows("asked again in")
        again = AdminServer(port)
        try:
            scripted(again)
            terminal.written = ""
            terminal.shows("● ready")
        finally:
            again.stop()
        terminal.press("q")
        assert terminal.end() == 0


def test_a_gateway_that_stays_away_is_given_up(admin: AdminServer, alone: Path) -> None:
    scripted(admin)
    with top_in_terminal(admin, "--give-up", "500ms") as terminal:
        terminal.shows("q quits")
        admin.answer("GET stats", problem(503, "PostgreSQL does not answer"))
        assert terminal.end() == 1
        assert terminal.mode == terminal.before
        assert "error: " in terminal.written.split("\x1b[?1049l")[-1]


def test_a_token_that_is_not_right_any_more_ends_it(admin: AdminServer, alone: Path) -> None:
    scripted(admin)
    with top_in_terminal(admin) as terminal:
        terminal.shows("q quits")
        admin.answer("GET stats", problem(401, "this is not the admin token"))
        assert terminal.end() == 1
        assert "does not take this admin token" in terminal.written
