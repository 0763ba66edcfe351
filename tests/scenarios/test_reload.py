"""A changed routes file is served without a restart, however it was changed and whoever asks; a bad one changes nothing."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import httpx
import pytest
from reloading import SERVER, answer_of, asked_anew, fixed, reloading, serves
from running import Exchange, RawUpstream, free_port, http_answer, serve, until


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
