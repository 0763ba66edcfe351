"""What a reload does not touch: requests under way, what is remembered, connections; until the grace is over."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import httpx
import pytest
from raw_upstream import always
from reloading import answer_of, fixed, reloading
from running import Exchange, RawUpstream, http_answer, stream, until

CACHED = """
upstreams:
  llm: {{url: "{url}"}}
{more}
routes:
  - {{name: ask, path: /ask, upstream: llm, preset: json-query, scope: public, ttl: {ttl}}}
"""


def test_memory_models_and_connections_survive_a_reload_that_does_not_concern_them(
    data_dir: Path, tmp_path: Path, upstream: RawUpstream
) -> None:
    upstream.behaviour = always(http_answer({"answer": "kept"}))
    with reloading(data_dir, tmp_path, CACHED.format(url=upstream.url, more="", ttl="1h")) as (gateway, head):
        gateway.ask("/ask", {"query": "does this stay in memory?"})
        connections = upstream.connections
        more = '  other: {respond: {body: "{}"}}'
        routes = CACHED.format(url=upstream.url, more=more, ttl="2h")
        routes += '  - {name: other, path: /other, upstream: other, preset: json-query, scope: public, mode: "off"}\n'
        gateway.file.write_text(gateway.text(head + routes))
        assert gateway.admin("POST", "reload").json()["changed"] is True
        hit = gateway.ask("/ask", {"query": "does this stay in memory?"})
        assert (hit.headers["x-cache"], hit.headers["x-cache-source"]) == ("HIT", "memory")
        gateway.ask("/ask", {"query": "something else entirely"})
        assert upstream.connections == connections


def test_identical_requests_follow_one_that_began_before_the_reload(
    data_dir: Path, tmp_path: Path, upstream: RawUpstream
) -> None:
    release = threading.Event()

    async def held(exchange: Exchange) -> None:
        while not release.is_set():
            await asyncio.sleep(0.01)
        await exchange.send(http_answer({"answer": "shared"}))

    upstream.behaviour = held
    with reloading(data_dir, tmp_path, CACHED.format(url=upstream.url, more="", ttl="1h")) as (gateway, head):
        answers: list[httpx.Response] = []

        def ask() -> None:
            answers.append(httpx.post(f"{gateway.url}/ask", json={"query": "over a reload?"}, timeout=30, verify=False))

        first = threading.Thread(target=ask)
        first.start()
        until(lambda: gateway.metric("semgate_stage_seconds_count", stage="nearest") >= 1, "not asked yet")
        gateway.file.write_text(gateway.text(head + CACHED.format(url=upstream.url, more="", ttl="2h")))
        assert gateway.admin("POST", "reload").json()["changed"] is True
        second = threading.Thread(target=ask)
        second.start()
        time.sleep(0.5)
        release.set()
        first.join(30)
        second.join(30)
        assert [answer.json() for answer in answers] == [{"answer": "shared"}] * 2
        assert gateway.metric("semgate_requests_total", outcome="collapsed") == 1


def test_a_stream_outlives_its_generation(data_dir: Path, tmp_path: Path, upstream: RawUpstream) -> None:
    pieces = [b"data: %d\n\n" % nth for nth in range(12)] + [b"data: [DONE]\n\n"]
    upstream.behaviour = stream(pieces, pause=0.2)
    with (
        reloading(data_dir, tmp_path, CACHED.format(url=upstream.url, more="", ttl="1h")) as (gateway, head),
        gateway.http.stream("POST", "/ask", json={"query": "a long story", "stream": True}) as long,
    ):
        arriving = long.iter_raw()
        received = next(arriving)
        gateway.file.write_text(gateway.text(head + fixed("new")))
        assert gateway.admin("POST", "reload").status_code == 200
        assert answer_of(gateway) == "new"
        received += b"".join(arriving)
        assert received == b"".join(pieces)


def test_after_its_grace_an_old_generation_is_cut(data_dir: Path, tmp_path: Path, upstream: RawUpstream) -> None:
    upstream.behaviour = stream([b"data: %d\n\n" % nth for nth in range(600)], pause=0.1)
    routes = CACHED.format(url=upstream.url, more="", ttl="1h")
    with (
        reloading(data_dir, tmp_path, routes, grace="1s") as (gateway, head),
        gateway.http.stream("POST", "/ask", json={"query": "endless", "stream": True}) as endless,
    ):
        arriving = endless.iter_raw()
        next(arriving)
        gateway.file.write_text(gateway.text(head + fixed("new")))
        assert gateway.admin("POST", "reload").status_code == 200
        assert answer_of(gateway) == "new"
        began = time.monotonic()
        with pytest.raises(httpx.TransportError):
            for _piece in arriving:
                assert time.monotonic() - began < 20
        assert answer_of(gateway) == "new"
