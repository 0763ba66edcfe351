"""Hundreds of streams at once through one worker: how late their events come, and whether its memory comes back.

Once each client has a stream of its own (as many calls of the upstream), once all ask the same question and follow one
call. Lateness is counted from the moment at which an event was due; the same without semgate is the floor. The gateway
has no tier in memory here: what its worker holds afterwards is not its cache.
"""

from __future__ import annotations

import threading
import time
from statistics import median

import msgspec
from figure import FULL, Effort, Figure
from listeners import Heard, Listening, listen
from machine import OTHERS, SERVER, Busy, cpu_seconds, get, handles, resident, worker_of
from servers import Servers
from streams import faults, kept, not_kept
from traffic import CHAT, MISS, STREAM_QUESTION, Events, chat

LATER_AT_MOST_MS = 100.0
GROWN_AT_MOST_MB = 10.0
GAP_MS = 100
# The streams begin within this share of their time: more misses, and later more stores, a second than so many streams
# would bring if they came and went for ever.
SPREAD = 0.25
WARM_UP_SECONDS = 2.0
# Idle connections to the upstream are given up after 4 s.
SETTLED_AFTER = 8.0
PATH = f"/miss{CHAT}"
SAME_QUESTION = "What do all of us want to know?"


class Held(msgspec.Struct):
    """Resident megabytes and open handles of a process."""

    megabytes: float
    handles: int


class Round(msgspec.Struct):
    """`with_us` through semgate, `without` from the upstream; what the worker held before, at most, and some seconds
    after; processor seconds of the gateway, and how busy (0 to 1) its core and the others' were; calls upstream."""

    with_us: Heard
    without: Heard
    before: Held
    most: Held
    after: Held
    cpu: float
    server_busy: float
    others_busy: float
    calls: int
    faults: list[str]


def measure(servers: Servers, effort: Effort) -> list[Figure]:
    load = Load(servers, effort)
    load.warm_up()
    apart, together = [], []
    for _ in range(effort.stream_rounds):
        apart.append(load.round(own=True))
        together.append(load.round(own=False))
    clients = f"{effort.streams} streams"
    return [
        _lateness(f"{clients}, event later", "each client has a stream of its own", apart),
        _lateness(f"{effort.streams} followers, event later", "all clients follow one call", together),
        *_memory(clients, apart, together),
    ]


class Load:
    """`effort.streams` clients, again and again, never with a question that was asked before."""

    def __init__(self, servers: Servers, effort: Effort) -> None:
        self._port = servers.without_memory
        self._upstream = servers.upstream
        self._worker = worker_of(servers.pids[self._port])
        self._launcher = servers.pids[self._port]
        self._streams = effort.streams
        self._seconds = effort.stream_seconds
        self._asked = 0

    def warm_up(self) -> None:
        """A few streams, so that what a worker opens and loads once is there."""
        seen = listen(self._job(self._port, own=True, streams=10, seconds=WARM_UP_SECONDS), OTHERS)
        if seen.wrong:
            raise RuntimeError(f"the first streams: {', '.join(faults([seen]))}")
        time.sleep(WARM_UP_SECONDS)

    def round(self, *, own: bool) -> Round:
        without = listen(self._job(self._upstream, own=own, streams=self._streams, seconds=self._seconds), OTHERS)
        before, calls, kept_before = held(self._worker), _calls(self._upstream), kept(self._port)
        cpu, busy = cpu_seconds(self._launcher), Busy()
        with Watched(self._worker) as watched:
            with_us = listen(self._job(self._port, own=own, streams=self._streams, seconds=self._seconds), OTHERS)
            shares = busy.shares()
            cpu = cpu_seconds(self._launcher) - cpu
            wrong = not_kept(self._port, kept_before, self._streams if own else 1)
        called = _calls(self._upstream) - calls
        if not own and called != 1:
            wrong.append(f"the upstream was asked {called} times for one stream")
        time.sleep(SETTLED_AFTER)
        return Round(
            with_us=with_us,
            without=without,
            before=before,
            most=watched.most,
            after=held(self._worker),
            cpu=cpu,
            server_busy=max(shares[core] for core in SERVER),
            others_busy=max(shares[core] for core in OTHERS),
            calls=called,
            faults=[*faults([with_us]), *(f"without semgate: {fault}" for fault in faults([without])), *wrong],
        )

    def _job(self, port: int, *, own: bool, streams: int, seconds: float) -> Listening:
        """Followers get an event all at once, and so do the clients without semgate that they are compared with."""
        self._asked += self._streams
        through_us = port == self._port
        events = Events(int(seconds * 1000 / GAP_MS), GAP_MS, in_step=not own)
        question = STREAM_QUESTION if own else f"{SAME_QUESTION} ({self._asked})"
        return Listening(
            port=port,
            request=chat(question, path=PATH if through_us else CHAT, events=events),
            streams=streams,
            events=events.count,
            gap_ms=GAP_MS,
            since="due",
            spread=SPREAD * seconds,
            leader=not own,
            expect=MISS if through_us else b"",
            first_number=self._asked,
        )


class Watched:
    """The most that a process held meanwhile."""

    def __init__(self, pid: int) -> None:
        self.most = held(pid)
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watched:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            now = held(self._pid)
            self.most = Held(max(self.most.megabytes, now.megabytes), max(self.most.handles, now.handles))


def held(pid: int) -> Held:
    return Held(resident(pid), handles(pid))


def _calls(upstream: int) -> int:
    return int(get(upstream, "/calls")[1])


def _lateness(name: str, what: str, rounds: list[Round]) -> Figure:
    samples = {
        "semgate": [one.with_us.late_ms(0.99) for one in rounds],
        "without": [one.without.late_ms(0.99) for one in rounds],
    }
    events = sum(len(one.with_us.late) for one in rounds)
    p50s = (median(one.with_us.late_ms(0.5) for one in rounds), median(one.without.late_ms(0.5) for one in rounds))
    latest = (max(one.with_us.late_ms(1) for one in rounds), max(one.without.late_ms(1) for one in rounds))
    remarks = [
        f"p50 {p50s[0]:.2f} ms, without semgate {p50s[1]:.2f} ms; the latest event {latest[0]:.0f} and {latest[1]:.0f} ms",
        f"{events:,} events in {len(rounds)} x {rounds[0].with_us.whole} streams, {rounds[0].with_us.collapsed} of them "
        f"followers; calls of the upstream: {', '.join(str(one.calls) for one in rounds)}",
        f"processor time per event: {median(one.cpu / max(1, len(one.with_us.late)) for one in rounds) * 1e6:.0f} µs; its "
        f"core was {median(one.server_busy for one in rounds):.0%} busy",
    ]
    others = median(one.others_busy for one in rounds)
    if OTHERS != SERVER and others >= FULL:
        remarks.append(f"the load's core was {others:.0%} busy: the load may be what is measured")
    return Figure(
        name=name,
        what=f"p99 lateness of an event beyond the same without semgate, while {what}",
        value=median(one - other for one, other in zip(samples["semgate"], samples["without"], strict=True)),
        unit="ms",
        goal=LATER_AT_MOST_MS,
        measured=f"{median(samples['semgate']):.2f} ms",
        floor=f"{median(samples['without']):.2f} ms",
        faults=[fault for one in rounds for fault in one.faults],
        remarks=remarks,
        samples=samples,
    )


def _memory(clients: str, apart: list[Round], together: list[Round]) -> list[Figure]:
    """What the first round leaves is memory that the allocators keep for the next one (they hand little back); what each
    further round leaves on top of that would be a leak."""
    in_turn = [one for pair in zip(apart, together, strict=True) for one in pair]
    idle, taught, last = in_turn[0].before, in_turn[1].after, in_turn[-1].after
    kinds = ("own streams", "followers") * len(apart)
    megabytes = "; ".join(
        f"{kind} {one.before.megabytes:.0f}, {one.most.megabytes:.0f}, {one.after.megabytes:.0f}"
        for kind, one in zip(kinds, in_turn, strict=True)
    )
    remark = (
        f"MB before, at most, and {SETTLED_AFTER:.0f} s after: {megabytes}; open handles {idle.handles}, at most "
        f"{max(one.most.handles for one in in_turn)}, then {last.handles}"
    )
    samples = {
        "before": [one.before.megabytes for one in in_turn],
        "most": [one.most.megabytes for one in in_turn],
        "after": [one.after.megabytes for one in in_turn],
    }
    first = Figure(
        name=f"{clients}, memory kept",
        what="resident memory of the worker at rest after the first round of each kind, less that before it",
        value=taught.megabytes - idle.megabytes,
        unit="MB",
        measured=f"{taught.megabytes:.0f} MB",
        floor=f"{idle.megabytes:.0f} MB",
        remarks=[remark],
        samples=samples,
    )
    again = Figure(
        name=f"{clients} again, more memory kept",
        what=f"the same {len(apart) - 1} rounds later, less that after the first",
        value=last.megabytes - taught.megabytes,
        unit="MB",
        goal=GROWN_AT_MOST_MB,
        measured=f"{last.megabytes:.0f} MB",
        floor=f"{taught.megabytes:.0f} MB",
    )
    return [first, again]
