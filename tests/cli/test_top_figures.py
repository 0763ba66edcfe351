"""`semgate top`: the figures of late, and a picture that fits."""

from __future__ import annotations

import re

import msgspec
import pytest
from admin_server import READY, RUNNING
from made_stats import BOUNDS, route_stats
from rich.console import Console

from gateway.cli.top_figures import Figures, Look, Looks
from gateway.cli.top_view import Frame, curve, draw, milliseconds
from gateway.fronts.admin.operations import Distribution, RouteStats, Stats


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
