"""The embedded PostgreSQL is killed under a gateway: requests are forwarded, and it is started again by whoever uses it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import Exchange, Gateway, RawUpstream, completion, http_answer, serve, until


@pytest.fixture(autouse=True)
def answering(upstream: RawUpstream) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(http_answer(completion(f"answer {exchange.nth}")))

    upstream.behaviour = answer


@pytest.fixture
def data(short_path: Path) -> Iterator[Path]:
    folder = short_path / "data"
    yield folder
    for pid in servers(folder):
        os.kill(pid, signal.SIGKILL)


def config(upstream: RawUpstream, data: Path, *, workers: int = 1) -> str:
    """A gateway that has nothing but PostgreSQL to remember by."""
    return f"""
server: {{listen: LISTEN, data_dir: {data}, workers: {workers}}}
stores: {{memory: {{max_bytes: 0}}, postgres: {{timeout: 5s}}}}
upstreams: {{llm: {{url: "{upstream.url}"}}}}
routes: [{{name: ask, path: /ask, upstream: llm, preset: json-query, scope: public}}]
"""


def servers(data: Path) -> list[int]:
    """The main processes of the servers on this folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if command[1:3] == [b"-D", os.fsencode(data / "postgres")]:
            found.append(int(folder.name))
    return found


def the_server(data: Path) -> int:
    [pid] = until(lambda: servers(data), "there is no server")
    return pid


def kill(data: Path, sign: signal.Signals = signal.SIGKILL) -> None:
    pid = the_server(data)
    os.kill(pid, sign)
    until(lambda: pid not in servers(data), "it does not end")


def x_cache(gateway: Gateway, question: str) -> str:
    answer = gateway.ask("/ask", {"query": question})
    assert answer.status_code == 200
    said: str = answer.headers["x-cache"]
    return said


def remember(gateway: Gateway, question: str) -> None:
    assert x_cache(gateway, question) == "MISS"
    until(lambda: x_cache(gateway, question) == "HIT", "it is not stored")
    time.sleep(1.5)  # commits are asynchronous: the last 0.6 s may be lost with the server, and more on a busy machine


def recalls(gateway: Gateway, question: str) -> None:
    until(lambda: x_cache(gateway, question) == "HIT", f"PostgreSQL is not used again\n{gateway.logged()}", 60)


def told(gateway: Gateway, event: str) -> list[str]:
    """What its launcher said of the server."""
    lines = [json.loads(line) for line in gateway.logged().splitlines() if line.startswith("{")]
    said = [line for line in lines if line["event"] == event and line.get("part") == "postgres"]
    assert all(line["level"] == "warning" for line in said)
    return [line["detail"] for line in said if "embedded" in line["detail"]]


def test_it_is_started_again_and_nothing_is_forgotten(upstream: RawUpstream, data: Path, tmp_path: Path):
    with serve(tmp_path, config(upstream, data, workers=2)) as gateway:
        remember(gateway, "are you there?")
        kill(data)
        assert x_cache(gateway, "and what of this?") == "MISS"  # forwarded meanwhile
        recalls(gateway, "are you there?")
        until(lambda: told(gateway, "restarted") == ["the embedded server answers again"], gateway.logged())
        assert told(gateway, "trouble") == ["the embedded server does not run; it is started again"]
        kill(data, signal.SIGINT)  # as `pg_ctl stop` does
        recalls(gateway, "are you there?")
        assert gateway.stop() == 0
    assert not servers(data)


def test_a_folder_with_a_long_name_is_no_exception(upstream: RawUpstream, tmp_path: Path):
    data = tmp_path / ("x" * 120)  # its socket has to be elsewhere
    with serve(tmp_path, config(upstream, data)) as gateway:
        remember(gateway, "are you there?")
        kill(data)
        recalls(gateway, "are you there?")
    assert not servers(data)


def test_gateways_that_share_it_start_one(upstream: RawUpstream, data: Path, tmp_path: Path):
    with serve(tmp_path, config(upstream, data)) as first, serve(tmp_path, config(upstream, data)) as second:
        remember(first, "for both?")
        kill(data)
        for gateway in (first, second):
            recalls(gateway, "for both?")
        both = first.logged() + second.logged()
        assert len(servers(data)) == 1, both
        assert "did not start" not in both
        assert first.stop() == 0
        recalls(second, "for both?")
        kill(data)  # whoever launched it may be gone
        recalls(second, "for both?")
        assert second.stop() == 0
    assert not servers(data)


def test_a_gateway_that_stops_meanwhile_leaves_nothing_behind(upstream: RawUpstream, data: Path, tmp_path: Path):
    for pause in (0.0, 1.2):
        with serve(tmp_path, config(upstream, data)) as gateway:
            remember(gateway, f"{pause}?")
            kill(data)
            time.sleep(pause)
            assert gateway.stop() == 0
        assert not servers(data)


def test_a_folder_that_cannot_start_is_not_tried_in_a_tight_loop(upstream: RawUpstream, data: Path, tmp_path: Path):
    control, log = data / "postgres" / "global" / "pg_control", data / "postgres.log"

    def tries() -> int:
        return log.read_text().count("could not find the database system")

    with serve(tmp_path, config(upstream, data)) as gateway:
        remember(gateway, "are you there?")
        control.rename(data / "pg_control")
        kill(data)
        until(lambda: tries() >= 2, "it is not tried again")
        time.sleep(5)
        assert tries() <= 4, "after 0, 1, 3, 7 s, and then less and less often"
        asked = time.monotonic()
        assert x_cache(gateway, "are you there?") == "MISS"
        assert time.monotonic() - asked < 5
        assert any("tried again in" in each for each in told(gateway, "trouble"))
        assert gateway.stop() == 0
    with serve(tmp_path, config(upstream, data)) as gateway:  # the same at the start
        assert x_cache(gateway, "are you there?") == "MISS"
        (data / "pg_control").rename(control)
        recalls(gateway, "are you there?")
        assert gateway.stop() == 0
    assert not servers(data)
