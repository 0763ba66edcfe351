"""`semgate top` as a command: one picture, keys, and a gateway that goes away and comes back."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from admin_server import READY, RUNNING, TOKEN, AdminServer, Semgate, problem
from made_stats import BOUNDS, route_stats
from terminal import Terminal

from gateway.fronts.admin.operations import Distribution, Stats


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

        def drawn() -> str:
            terminal.written = ""
            return terminal.shows("q quits")

        until = time.monotonic() + 10
        while "entries" in drawn():  # what was drawn before it heard of it
            assert time.monotonic() < until, "it is drawn as before"
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
