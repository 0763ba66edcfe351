"""A changed routes file is served without a restart, however it was changed and whoever asks; a bad one changes nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from raw_upstream import always
from running import Exchange, Gateway, RawUpstream, free_port, http_answer, serve, stream, until

SERVER = """
server: {{listen: LISTEN, data_dir: "{data}", workers: {workers}, watch: 200ms, grace: {grace}, admin: {{token: TOKEN}}}}
"""


def fixed(answer: str) -> str:
    return f"""
upstreams: {{fixed: {{respond: {{body: '{{"answer": "{answer}"}}'}}}}}}
routes: [{{name: ask, path: /ask, upstream: fixed, preset: json-query, scope: public, mode: "off"}}]
"""


@contextmanager
def reloading(
    data: Path, folder: Path, config: str, *, workers: int = 1, grace: str = "60s", **more: Any
) -> Iterator[tuple[Gateway, str]]:
    """A gateway, and the part of its file that stays."""
    head = SERVER.format(data=data, workers=workers, grace=grace)
    with serve(folder, head + config, **more) as gateway:
        yield gateway, head


def answer_of(gateway: Gateway, path: str = "/ask") -> str:
    found = gateway.ask(path, {"query": "what?"}).json()["answer"]
    assert isinstance(found, str)
    return found


def serves(gateway: Gateway, answer: str) -> None:
    until(lambda: answer_of(gateway) == answer, f"{answer!r} is not served: {gateway.logged()}", 15)


def test_a_save_in_place_and_an_atomic_rename(data_dir: Path, tmp_path: Path) -> None:
    with reloading(data_dir, tmp_path, fixed("one")) as (gateway, head):
        gateway.file.write_text(gateway.text(head + fixed("two")))
        serves(gateway, "two")
        beside = tmp_path / "beside"
        beside.write_text(gateway.text(head + fixed("three")))
        beside.rename(gateway.file)
        serves(gateway, "three")
        assert gateway.metric("semgate_reloads_total", result="ok") == 2


def test_two_quick_saves_end_in_the_last(data_dir: Path, tmp_path: Path) -> None:
    with reloading(data_dir, tmp_path, fixed("0")) as (gateway, head):
        for last in range(1, 8):
            gateway.file.write_text(gateway.text(head + fixed(f"first of {last}")))
            time.sleep(0.03 * last)
            gateway.file.write_text(gateway.text(head + fixed(f"second of {last}")))
            serves(gateway, f"second of {last}")


def test_a_config_map_is_swapped_by_its_symlink(data_dir: Path, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    for version, answer in (("..1", "one"), ("..2", "two")):
        (volume / version).mkdir(parents=True)
        (volume / version / "routes").write_text(fixed(answer))
    (volume / "..data").symlink_to("..1")
    (volume / "routes.yaml").symlink_to("..data/routes.yaml")
    with reloading(data_dir, tmp_path, fixed("none")) as (gateway, head):
        for version, answer in (("..1", "one"), ("..2", "two")):
            (volume / version / "routes.yaml").write_text(gateway.text(head + fixed(answer)))
        gateway.file.unlink()
        gateway.file.symlink_to(volume / "routes.yaml")
        serves(gateway, "one")
        (volume / "..data_tmp").symlink_to("..2")
        (volume / "..data_tmp").rename(volume / "..data")
        serves(gateway, "two")


def test_a_changed_secret_and_a_changed_include_are_picked_up(
    data_dir: Path, tmp_path: Path, upstream: RawUpstream
) -> None:
    seen: list[bytes] = []

    async def answer(exchange: Exchange) -> None:
        seen.extend(exchange.values(b"authorization"))
        await exchange.send(http_answer({"answer": "yes"}))

    upstream.behaviour = answer
    (tmp_path / "secret").write_text("first\n")
    more = 'upstreams: {llm: {url: "%s", headers: {Authorization: "Bearer ${file:secret}"}}}\n' % upstream.url  # noqa: UP031
    (tmp_path / "more.yaml").write_text(more)
    routes = """
include: [more.yaml]
upstreams: {other: {respond: {}}}
routes:
  - {name: ask, path: /ask, upstream: llm, preset: json-query, scope: public, mode: "off"}
  - {name: other, path: /other, upstream: other, preset: json-query, scope: public, mode: "off"}
"""
    with reloading(data_dir, tmp_path, routes) as (gateway, _head):
        answer_of(gateway)
        assert seen == [b"Bearer first"]
        (tmp_path / "secret").write_text("second\n")
        until(lambda: answer_of(gateway) and seen[-1] == b"Bearer second", "the secret is not picked up")
        (tmp_path / "more.yaml").write_text(more.replace("Bearer", "Basic"))
        until(lambda: answer_of(gateway) and seen[-1] == b"Basic second", "the include is not picked up")
        assert b"second" not in gateway.log.read_bytes()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_signal_reloads_every_worker_and_ends_none(data_dir: Path, tmp_path: Path, workers: int) -> None:
    with reloading(data_dir, tmp_path, fixed("one"), workers=workers) as (gateway, head):
        before = sorted(gateway.workers())
        config = (head + fixed("two")).replace("watch: 200ms", "watch: 1h")
        gateway.file.write_text(gateway.text(config))
        os.kill(gateway.process.pid, signal.SIGHUP)
        until(lambda: {asked_anew(gateway) for _ in range(12)} == {"two"}, "a worker serves the old routes")
        assert sorted(gateway.workers()) == before


def asked_anew(gateway: Gateway) -> str:
    """Over a connection of its own, which any of the workers may take."""
    answer: str = httpx.post(f"{gateway.url}/ask", json={"query": "what?"}).json()["answer"]
    return answer


def test_after_the_answer_to_reload_no_worker_serves_the_old_routes(data_dir: Path, tmp_path: Path) -> None:
    with reloading(data_dir, tmp_path, fixed("0"), workers=2) as (gateway, head):
        for turn in range(1, 6):
            gateway.file.write_text(gateway.text(head + fixed(str(turn))))
            answer = gateway.admin("POST", "reload")
            assert answer.status_code == 200, answer.text
            assert {asked_anew(gateway) for _ in range(12)} == {str(turn)}
            running = gateway.admin("GET", "config").json()
            assert running["digest"] == answer.json()["digest"]
        gateway.file.write_text(gateway.text(head + "upstreams: {}\nroutes: []\n"))
        refused = gateway.admin("POST", "reload")
        assert refused.status_code == 422
        assert {asked_anew(gateway) for _ in range(12)} == {"5"}


def test_a_bad_file_keeps_the_old_routes_and_says_why(data_dir: Path, tmp_path: Path) -> None:
    with reloading(data_dir, tmp_path, fixed("one")) as (gateway, head):
        good = gateway.file.read_text()
        digest = gateway.admin("GET", "config").json()["digest"]
        gateway.file.write_text(good.replace("upstream: fixed", "upstream: fixd, thresholds: {hit: 2}"))
        until(lambda: gateway.metric("semgate_reloads_total", result="failed") >= 1, "the bad file is not counted")
        refused = gateway.admin("POST", "reload")
        assert refused.status_code == 422
        assert refused.headers["content-type"].startswith("application/problem+json")
        problems = refused.json()["problems"]
        assert {problem["path"] for problem in problems} >= {"$.routes[0].upstream", "$.routes[0].thresholds.hit"}
        assert all(problem["line"] and problem["column"] for problem in problems)
        running = gateway.admin("GET", "config").json()
        assert running["digest"] == digest
        assert "$.routes[0].upstream" in running["last_error"]
        assert "fixd" in gateway.logged()
        assert answer_of(gateway) == "one"
        gateway.file.write_text(good.replace("one", "two"))
        serves(gateway, "two")
        assert gateway.admin("GET", "config").json()["last_error"] is None
        gateway.file.unlink()
        until(lambda: gateway.admin("GET", "config").json()["last_error"], "a missing file is not noticed")
        assert answer_of(gateway) == "two"
        gateway.file.write_text(gateway.text(head + fixed("three")))
        serves(gateway, "three")


def test_a_worker_that_dies_while_the_file_is_bad_is_started_with_what_was_served(
    data_dir: Path, tmp_path: Path
) -> None:
    with reloading(data_dir, tmp_path, fixed("one"), workers=2) as (gateway, head):
        gateway.file.write_text(gateway.text(head + fixed("two")))
        assert gateway.admin("POST", "reload").status_code == 200
        gateway.file.write_text("routes: [")
        victim = gateway.workers()[0]
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(gateway.workers()) == 2 and victim not in gateway.workers(), gateway.logged())
        time.sleep(2)
        assert {asked_anew(gateway) for _ in range(16)} == {"two"}
        assert gateway.process.poll() is None


def test_a_new_store_that_cannot_be_reached_changes_nothing_unless_forced(data_dir: Path, tmp_path: Path) -> None:
    with reloading(data_dir, tmp_path, fixed("one")) as (gateway, head):
        config = head + fixed("two") + f'\nstores: {{redis: {{url: "redis://:hush@127.0.0.1:{free_port()}"}}}}\n'
        gateway.file.write_text(gateway.text(config))
        refused = gateway.admin("POST", "reload")
        assert refused.status_code == 422
        assert "redis" in refused.json()["detail"]
        [problem] = [each for each in refused.json()["problems"] if each["level"] == "error"]
        assert (problem["path"], problem["line"] > 0) == ("$.stores.redis", True)
        assert answer_of(gateway) == "one"
        assert gateway.admin("POST", "reload?force=true").status_code == 200
        assert answer_of(gateway) == "two"
        assert gateway.http.get("/-/ready").json()["status"] == "degraded"
        assert "hush" not in gateway.logged()


def test_the_same_configuration_in_other_words_changes_nothing(data_dir: Path, tmp_path: Path) -> None:
    with reloading(data_dir, tmp_path, fixed("one")) as (gateway, _head):
        before = gateway.admin("GET", "config").json()
        gateway.file.write_text(gateway.file.read_text() + "\n# a comment\n")
        answer = gateway.admin("POST", "reload").json()
        assert answer == {"digest": before["digest"], "changed": False}
        assert gateway.admin("GET", "config").json()["loaded_at"] == before["loaded_at"]


def test_settings_that_take_a_restart_are_named(data_dir: Path, tmp_path: Path) -> None:
    with reloading(data_dir, tmp_path, fixed("one")) as (gateway, head):
        changed = (head + fixed("two")).replace("workers: 1", "workers: 3")
        gateway.file.write_text(gateway.text(changed))
        serves(gateway, "two")
        assert gateway.admin("GET", "config").json()["restart_needed"] == ["server.workers"]


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
            answers.append(httpx.post(f"{gateway.url}/ask", json={"query": "over a reload?"}, timeout=30))

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


def test_the_second_door_alone_shows_what_is_for_operators(data_dir: Path, tmp_path: Path) -> None:
    door = free_port()
    head = SERVER.format(data=data_dir, workers=2, grace="1s").replace(
        "admin: {token: TOKEN}", f"admin: {{token: TOKEN, listen: '127.0.0.1:{door}'}}"
    )
    with serve(tmp_path, head + fixed("one")) as gateway:
        for path in ("live", "ready"):
            assert gateway.http.get(f"/-/{path}").status_code == 200
        for path in ("config", "metrics", "stats"):
            refused = gateway.admin("GET", path)
            assert refused.status_code == 404
            assert "server.admin.listen" in refused.json()["detail"]
        operator = httpx.Client(base_url=f"http://127.0.0.1:{door}", headers={"Authorization": "Bearer TOKEN"})
        assert operator.get("/-/live").status_code == 200
        assert "semgate_requests" in operator.get("/-/metrics").text
        assert operator.get("/-/config").json()["routes"][0]["name"] == "ask"
        assert operator.post("/ask", json={"query": "x"}).status_code == 404
        gateway.file.write_text(gateway.text(head + fixed("two")))
        assert operator.post("/-/reload").status_code == 200
        assert {asked_anew(gateway) for _ in range(12)} == {"two"}
        operator.close()
