"""Requests that the cache does not touch, against the thirty-line proxy that one would write with aiohttp."""

from __future__ import annotations

from figure import Effort, Figure, Turns, p50, rate
from load import Job
from servers import Servers
from traffic import BYPASS, CHAT, chat

SLOWER_AT_MOST = 1.2
RATE_AT_LEAST = 0.75


def measure(servers: Servers, effort: Effort) -> list[Figure]:
    upstream_path = chat("Where is my order?")
    kinds = {
        "off": (servers.gateway, [chat("Where is my order?", path=f"/off{CHAT}")], BYPASS),
        "no scope": (servers.gateway, [chat("Where is my order?", known=False)], BYPASS),
        "floor": (servers.floor("bare_proxy"), [upstream_path], b""),
        "direct": (servers.upstream, [upstream_path], b""),
    }
    figures = []
    for connections in (1, 16):
        jobs = {
            name: Job(port=port, requests=requests, connections=connections, seconds=effort.seconds, expect=expect)
            for name, (port, requests, expect) in kinds.items()
        }
        turns = Turns(jobs, effort.turns, servers.pids)
        for kind, told in (("off", "bypass (mode: off)"), ("no scope", "bypass (no scope)")):
            of, unit = (p50, "ms") if connections == 1 else (rate, "req/s")
            figures.append(
                Figure(
                    name=f"{told}, {connections} connection{'s' * (connections > 1)}",
                    what=f"{'p50' if connections == 1 else 'requests/s'} of a forwarded request over a bare aiohttp proxy",
                    value=turns.ratio(kind, "floor", of),
                    unit="x",
                    goal=SLOWER_AT_MOST if connections == 1 else RATE_AT_LEAST,
                    at_least=connections > 1,
                    measured=told_as(turns.middle(kind, of), unit),
                    floor=told_as(turns.middle("floor", of), unit),
                    faults=turns.faults(kind, "floor"),
                    remarks=[
                        *turns.remarks(kind, "floor"),
                        f"the upstream itself: {told_as(turns.middle('direct', of), unit)}",
                    ],
                    samples=turns.samples(of),
                )
            )
    return figures


def told_as(number: float, unit: str) -> str:
    return f"{number:,.0f} {unit}" if unit == "req/s" else f"{number:.3f} {unit}"
