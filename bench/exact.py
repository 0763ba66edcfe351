"""Exact hits from memory, against the least that a Litestar mount must do for the same answer."""

from __future__ import annotations

from figure import Effort, Figure, Turns, must_be_right, rate
from load import Job, drive
from machine import OTHERS
from questions import questions
from servers import Servers
from traffic import HIT, chat

GOAL = 0.6
QUESTIONS = 64


def measure(servers: Servers, effort: Effort) -> list[Figure]:
    requests = [chat(question) for question in questions(QUESTIONS, seed=7)]
    ports = {"semgate": servers.gateway, "floor": servers.floor("litestar_mount"), "bare": servers.floor("bare_asgi")}
    must_be_right(drive(Job(port=ports["semgate"], requests=requests, count=QUESTIONS), OTHERS), "filling the cache")
    figures = []
    for connections in (16, 64):
        jobs = {
            name: Job(
                port=port,
                requests=requests,
                connections=connections,
                seconds=effort.seconds,
                expect=HIT if name == "semgate" else b"",
            )
            for name, port in ports.items()
        }
        turns = Turns(jobs, effort.turns, servers.pids)
        figures.append(
            Figure(
                name=f"exact hit, {connections} connections",
                what="requests/s of exact hits from memory over a Litestar mount that parses, hashes and looks up",
                value=turns.ratio("semgate", "floor", rate),
                unit="x",
                goal=GOAL,
                at_least=True,
                measured=f"{turns.middle('semgate', rate):,.0f} req/s",
                floor=f"{turns.middle('floor', rate):,.0f} req/s",
                faults=turns.faults("semgate", "floor"),
                remarks=[
                    *turns.remarks("semgate", "floor", "bare"),
                    f"a bare ASGI app: {turns.middle('bare', rate):,.0f} req/s",
                ],
                samples=turns.samples(rate),
            )
        )
    return figures
