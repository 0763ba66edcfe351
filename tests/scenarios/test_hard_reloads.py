"""What befalls a gateway between its launcher, its workers and its file: none of it stops reloads, or leaves anything behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from redis import Redis
from reloading import asked_anew, fixed
from running import SEMGATE, Gateway, free_port, serve, until

sys.path.insert(0, str(Path(__file__).parent.parent / "stores"))

from servers import redis_server

from gateway.stores.embedded import EmbeddedPostgres

SERVER = """
server: {{listen: LISTEN, data_dir: "{data}", workers: {workers}, watch: 100ms, admin: {{token: TOKEN}}}}
"""


@contextmanager
def running(
    data: Path, folder: Path, config: str, *, workers: int = 1, env: dict[str, str] | None = None
) -> Iterator[tuple[Gateway, str]]:
    head = SERVER.format(data=data, workers=workers)
    with serve(folder, head + config, env=env) as gateway:
        yield gateway, head


def save(gateway: Gateway, config: str) -> None:
    gateway.file.write_text(gateway.text(config))


def serves(gateway: Gateway, answer: str) -> None:
    until(lambda: {asked_anew(gateway) for _ in range(8)} == {answer}, f"{answer!r} is not served: {gateway.logged()}")


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_signals_that_come_faster_than_they_are_handled(data_dir: Path, tmp_path: Path) -> None:
    with running(data_dir, tmp_path, fixed("one"), workers=2) as (gateway, head):
        until_then = time.monotonic() + 2
        while time.monotonic() < until_then:
            os.kill(gateway.process.pid, signal.SIGHUP)
        save(gateway, head + fixed("two"))
        serves(gateway, "two")
        assert gateway.admin("POST", "reload").status_code == 200
        assert gateway.stop() == 0


def test_the_workers_of_a_killed_launcher_end(data_dir: Path, tmp_path: Path) -> None:
    with running(data_dir, tmp_path, fixed("one"), workers=2) as (gateway, _head):
        workers = gateway.workers()
        gateway.http.close()
        gateway.process.kill()
        gateway.process.wait()
        try:
            until(lambda: not any(map(lives, workers)), "workers go on without their launcher")
        finally:
            for pid in filter(lives, workers):
                os.kill(pid, signal.SIGKILL)


def test_the_folder_that_workers_share_is_tidied_away(data_dir: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with running(data_dir, tmp_path, fixed("one"), workers=2, env={"TMPDIR": str(temporary)}) as (gateway, head):
        [shared] = temporary.glob("semgate-*")
        subprocess.run(["rm", "-rf", shared], check=True)
        assert gateway.admin("POST", "reload").status_code == 422
        for answer in ("two", "three"):
            save(gateway, head + fixed(answer))
            serves(gateway, answer)
        victim = gateway.workers()[0]
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(gateway.workers()) == 2 and victim not in gateway.workers(), gateway.logged())
        until(shared.exists, "the new worker does not make the folder anew")
        serves(gateway, "three")
        until(lambda: gateway.admin("POST", "reload").status_code == 200, "reloads are not told any more")


def test_no_place_for_that_folder_is_said(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    listen = f"127.0.0.1:{free_port()}"
    file.write_text(f"version: 1\n{SERVER.format(data=data_dir, workers=1).replace('LISTEN', listen)}{fixed('one')}")
    # `tempfile` tries these, the usual folders and the current one.
    nowhere = "import os, tempfile; tempfile._candidate_tempdir_list = lambda: ['/nowhere']; "
    run = f"from pathlib import Path; from gateway.cli.serve import run; raise SystemExit(run(Path({str(file)!r}), 'info'))"
    python = str(SEMGATE.with_name("python"))
    found = subprocess.run([python, "-c", nowhere + run], capture_output=True, text=True, timeout=60, check=False)
    assert (found.returncode, found.stderr.count("\n")) == (1, 1), found.stderr
    assert "temporary folder" in found.stderr


def test_a_file_with_a_time_to_come_is_read_once(data_dir: Path, tmp_path: Path) -> None:
    with running(data_dir, tmp_path, fixed("one")) as (gateway, head):
        save(gateway, head + fixed("two"))
        os.utime(gateway.file, (time.time() + 3600,) * 2)
        serves(gateway, "two")
        time.sleep(1.5)
        assert gateway.metric("semgate_reloads_total", result="unchanged") <= 2


def test_a_pipe_in_place_of_the_file_holds_nothing_up(data_dir: Path, tmp_path: Path) -> None:
    with running(data_dir, tmp_path, fixed("one")) as (gateway, head):
        gateway.file.unlink()
        os.mkfifo(gateway.file)
        assert "pipe" in gateway.admin("POST", "reload").json()["detail"]
        gateway.file.unlink()
        save(gateway, head + fixed("two"))
        serves(gateway, "two")
        assert gateway.stop() == 0


def test_an_operators_address_that_is_taken_is_an_error(data_dir: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        head = SERVER.format(data=data_dir, workers=1).replace("token: TOKEN", f'token: TOKEN, listen: "{address}"')
        with (
            pytest.raises(AssertionError, match=f"server.admin.listen: {address}"),
            serve(tmp_path, head + fixed("one")),
        ):
            pass


EMBEDDER = """
import time


class Embedder:
    def __init__(self, size, wait=0):
        time.sleep(wait)
        self.size = size

    def embed(self, text):
        return [1.0] * self.size

    def close(self):
        raise RuntimeError("cannot be closed")
"""


def embedding(size: int, wait: int = 0) -> str:
    options = f"{{size: {size}, wait: {wait}}}"
    return f'embedders: {{default: {{type: python, class: "mine:Embedder", options: {options}}}}}\n{fixed(str(size), "serve")}'


def test_an_embedder_that_cannot_be_used_or_closed_is_refused_and_reloads_go_on(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(EMBEDDER)

    with running(data_dir, tmp_path, embedding(8), env={"PYTHONPATH": str(tmp_path)}) as (gateway, head):
        assert asked_anew(gateway) == "8"
        save(gateway, head + embedding(20_000))
        refused = gateway.admin("POST", "reload")
        assert (refused.status_code, "dimensions" in refused.json()["detail"]) == (422, True)
        assert asked_anew(gateway) == "8"
        save(gateway, head + embedding(9))
        digest = gateway.admin("GET", "config").json()["digest"]
        until(lambda: gateway.admin("GET", "config").json()["digest"] != digest, "the mended file is not noticed")


def test_another_data_folder_waits_for_the_next_start(data_dir: Path, tmp_path: Path) -> None:
    cached = fixed("one", "serve").replace("scope: public", "scope: public, match: exact")
    with running(data_dir, tmp_path, cached) as (gateway, head):
        question = {"query": "which folder is it?"}
        gateway.ask("/ask", question)
        until(lambda: gateway.ask("/ask", question).headers["x-cache"] == "HIT", "nothing is cached")
        save(gateway, head.replace(str(data_dir), str(tmp_path / "other")) + cached)
        assert gateway.admin("POST", "reload").json()["changed"] is True
        assert gateway.admin("GET", "config").json()["restart_needed"] == ["server.data_dir"]
        assert gateway.ask("/ask", question).headers["x-cache"] == "HIT"
        assert not (tmp_path / "other").exists()


def test_a_worker_that_dies_while_a_new_store_is_refused_is_started_with_what_was_served(
    data_dir: Path, tmp_path: Path
) -> None:
    with running(data_dir, tmp_path, fixed("one"), workers=2) as (gateway, head):
        save(gateway, f'{head}stores: {{redis: {{url: "redis://127.0.0.1:{free_port()}"}}}}\n{fixed("two")}')
        assert gateway.admin("POST", "reload").status_code == 422
        victim = gateway.workers()[0]
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(gateway.workers()) == 2 and victim not in gateway.workers(), gateway.logged())
        time.sleep(2)
        assert {asked_anew(gateway) for _ in range(16)} == {"one"}
        save(gateway, head + fixed("three"))
        serves(gateway, "three")


def test_a_worker_that_dies_in_the_middle_of_a_reload_comes_back_with_what_the_others_went_over_to(
    data_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(EMBEDDER)
    unwatched = SERVER.format(data=data_dir, workers=2).replace("watch: 100ms", "watch: 0")
    with serve(tmp_path, unwatched + embedding(8), env={"PYTHONPATH": str(tmp_path)}) as gateway:
        save(gateway, unwatched + embedding(9, wait=3))
        os.kill(gateway.process.pid, signal.SIGHUP)
        time.sleep(1)
        victim = gateway.workers()[0]
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(gateway.workers()) == 2 and victim not in gateway.workers(), gateway.logged())
        token = {"Authorization": "Bearer TOKEN"}

        def digests() -> set[str]:
            asked = [httpx.get(f"{gateway.url}/-/config", headers=token, timeout=30, verify=False) for _ in range(12)]
            return {each.json()["digest"] for each in asked}

        before = digests()
        until(lambda: len(found := digests()) == 1 and found != before, gateway.logged(), 60)
        time.sleep(4.5)  # as long as a worker takes that comes back with the slow embedder
        assert len(digests()) == 1


def test_what_was_purged_stays_so_over_a_reload_while_postgresql_is_down(tmp_path: Path, short_path: Path) -> None:
    postgres = EmbeddedPostgres(short_path, max_connections=50)
    with redis_server() as redis, closing(Redis.from_url(redis.url)) as other_replica:
        url = postgres.start()
        head = SERVER.format(data=tmp_path / "data", workers=1).replace("admin:", f'digest_key: "{"k" * 32}", admin:')

        def cached(timeout: str) -> str:
            stores = f'stores: {{postgres: {{url: "{url}"}}, redis: {{url: "{redis.url}", timeout: {timeout}}}}}\n'
            return stores + fixed("one", "serve").replace("scope: public", "scope: public, match: exact")

        try:
            with serve(tmp_path, head + cached("1s")) as gateway:
                gateway.ask("/ask", {"query": "what?"})
                [(key, value)] = [(key, other_replica.get(key)) for key in until(other_replica.keys, "not in Redis")]
                assert gateway.admin("POST", "purge", {"route": "ask", "dry_run": False}).json()["purged"] == 1
                until(lambda: not other_replica.keys(), "the purge does not reach Redis")
                other_replica.set(key, value)  # by one that has not heard of the purge
                postgres.stop()
                save(gateway, head + cached("2s"))
                assert gateway.admin("POST", "reload?force=true").json()["changed"] is True
                assert gateway.ask("/ask", {"query": "what?"}).headers["x-cache"] == "MISS"
        finally:
            postgres.stop()


def test_a_gateway_that_is_told_to_end_while_it_starts_ends_soon(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    head = SERVER.format(data=data_dir, workers=2).replace("LISTEN", f"127.0.0.1:{free_port()}")
    file.write_text(f"version: 1\n{head}{fixed('never asked')}")
    for after in (0.6, 1.0, 1.4):
        process = subprocess.Popen([SEMGATE, "serve", file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(after)
        process.send_signal(signal.SIGTERM)
        process.wait(20)  # `server.drain` is 25 s
