"""What semgate adds to an event of a stream, from the upstream's write to the client's read, one stream at a time.

The same stream is read directly, through a bare proxy, and through semgate while it is recorded, in turns. Every event
says when it was written, on a clock that upstream and client share, so nothing has to be guessed from round trips.
"""

from __future__ import annotations

import time
from statistics import median

from figure import Effort, Figure
from listeners import Heard, Listening, listen
from machine import OTHERS, cpu_seconds, get
from servers import Servers
from traffic import CHAT, MISS, STREAM_QUESTION, Events, chat

ADDED_AT_MOST_MS = 1.0
GAP_MS = 5
SKIPPED = 20
KEPT_WITHIN = 5.0
# Under hashed vectors: to the model, questions that differ by a number only are so near that some would be hits.
PATH = f"/miss{CHAT}"
DIRECT, PROXY, SEMGATE = "direct", "bare proxy", "semgate"


def measure(servers: Servers, effort: Effort) -> list[Figure]:
    count = SKIPPED + int(effort.seconds * 1000 / GAP_MS)
    places = {
        DIRECT: (servers.upstream, CHAT),
        PROXY: (servers.floor("bare_proxy"), CHAT),
        SEMGATE: (servers.gateway, PATH),
    }
    heard: dict[str, list[Heard]] = {name: [] for name in places}
    cost: dict[str, list[float]] = {name: [] for name in places}
    kept_before = kept(servers.gateway)
    for turn in range(-1, effort.turns):  # the first one warms up
        for name, (port, path) in places.items():
            job = Listening(
                port=port,
                request=chat(STREAM_QUESTION, path=path, events=Events(count, GAP_MS)),
                streams=1,
                events=count,
                gap_ms=GAP_MS,
                since="written",
                skipped=SKIPPED,
                expect=MISS if name == SEMGATE else b"",
                first_number=turn + 1,
            )
            pid = servers.pids.get(port)
            used = 0.0 if pid is None else cpu_seconds(pid)
            one = listen(job, OTHERS)
            if turn >= 0:
                heard[name].append(one)
                cost[name].append(0.0 if pid is None else (cpu_seconds(pid) - used) / count * 1e6)
    wrong = [f"{name}: {fault}" for name in places for fault in faults(heard[name])]
    wrong += not_kept(servers.gateway, kept_before, effort.turns + 1)
    return [_added(heard, cost, wrong, 0.5), _added(heard, cost, wrong, 0.99)]


def _added(heard: dict[str, list[Heard]], cost: dict[str, list[float]], wrong: list[str], share: float) -> Figure:
    samples = {name: [one.late_ms(share) for one in all_heard] for name, all_heard in heard.items()}
    percentile = f"p{share * 100:.0f}"
    added = {name: median(_differences(samples[name], samples[DIRECT])) for name in (PROXY, SEMGATE)}
    events = len(heard[SEMGATE][0].late)
    return Figure(
        name=f"event of a stream, added at {percentile}",
        what=f"{percentile} from the upstream's write to the client's read, less the same without semgate; {events} events a turn",
        value=added[SEMGATE],
        unit="ms",
        goal=ADDED_AT_MOST_MS if share == 0.5 else None,
        measured=f"{median(samples[SEMGATE]):.3f} ms",
        floor=f"{median(samples[DIRECT]):.3f} ms",
        faults=wrong,
        remarks=[
            f"a bare proxy adds {added[PROXY]:.3f} ms ({median(samples[PROXY]):.3f} ms)",
            f"processor time per event: {', '.join(f'{name} {median(cost[name]):.0f} µs' for name in (SEMGATE, PROXY))}",
        ],
        samples=samples,
    )


def _differences(some: list[float], others: list[float]) -> list[float]:
    return [one - other for one, other in zip(some, others, strict=True)]


def kept(port: int) -> float:
    """Answers that the gateway stored on the route of this benchmark, by its own count."""
    lines = get(port, "/-/metrics")[1].decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith('semgate_kept_total{route="miss"}'))


def not_kept(port: int, before: float, streams: int) -> list[str]:
    """A stream that was not recorded and kept would have been cheaper to pass on: so many shall have been, beyond those
    kept before."""
    deadline = time.monotonic() + KEPT_WITHIN
    while (more := kept(port) - before) < streams and time.monotonic() < deadline:
        time.sleep(0.05)
    return [] if more >= streams else [f"{more:.0f} of {streams} streams were kept"]


def faults(all_heard: list[Heard]) -> list[str]:
    """Wrong streams of any kind, counted."""
    counts: dict[str, int] = {}
    for heard in all_heard:
        for kind, count in heard.wrong.items():
            counts[kind] = counts.get(kind, 0) + count
    return [f"{count} x {kind}" for kind, count in counts.items()]
