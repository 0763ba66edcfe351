"""When something runs out (the disk, the database's connections, the gateway's own), requests are answered all the same."""

from __future__ import annotations

import asyncio
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest
from running import Exchange, Gateway, RawUpstream, http_answer, serve, until

from gateway.stores.embedded import EmbeddedPostgres

ROUTES = """
server: {{listen: LISTEN, data_dir: "{data}", max_connections: {most}, digest_key: "a key for this test only"}}
stores: {{postgres: {{url: "{postgres}", pool: 4, timeout: 2s}}, memory: {{max_bytes: 0}}}}
upstreams: {{llm: {{url: "{url}"}}}}
routes: [{{name: ask, path: /ask, upstream: llm, preset: json-query, scope: public}}]
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 160 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=160m,mode=755", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture(autouse=True)
def answering(upstream: RawUpstream) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(http_answer({"answer": f"{exchange.nth} " + "x" * 2000}))

    upstream.behaviour = answer


def is_cached_again(gateway: Gateway) -> bool:
    words = f"is it cached again at {time.monotonic()}?"
    gateway.ask("/ask", {"query": words})
    return gateway.ask("/ask", {"query": words}).headers["x-cache"] == "HIT"


def test_a_full_disk_costs_nothing_but_the_cache(small_disk: Path, tmp_path: Path, upstream: RawUpstream) -> None:
    config = ROUTES.format(data=small_disk / "data", postgres="embedded", most=1024, url=upstream.url)
    with serve(tmp_path, config) as gateway:
        assert is_cached_again(gateway)
        filler = small_disk / "filler"
        with filler.open("wb") as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(b"\0" * (1 << 20))
                file.flush()
        for nth in range(300):
            answer = gateway.ask("/ask", {"query": f"question {nth} on a full disk"})
            assert answer.status_code == 200, answer.text
        assert "DiskFull" in gateway.logged()
        filler.unlink()
        until(lambda: is_cached_again(gateway), f"it does not come back: {gateway.logged()[-3000:]}", 90)


def test_a_database_at_its_connection_limit_is_passed_over(tmp_path: Path, upstream: RawUpstream) -> None:
    postgres = EmbeddedPostgres(tmp_path / "postgres", max_connections=12)
    url = postgres.start()
    config = ROUTES.format(data=tmp_path / "data", postgres=url, most=1024, url=upstream.url)

    async def hold(until_set: threading.Event, held: threading.Event) -> None:
        holding: list[asyncpg.Connection[asyncpg.Record]] = []
        while True:
            try:
                holding.append(await asyncpg.connect(url, timeout=5))
            except asyncpg.TooManyConnectionsError:
                break
        held.set()
        while not until_set.is_set():
            await asyncio.sleep(0.05)
        for connection in holding:
            await connection.close()

    over, held = threading.Event(), threading.Event()
    holder = threading.Thread(target=lambda: asyncio.run(hold(over, held)))
    holder.start()
    try:
        assert held.wait(30)
        with serve(tmp_path, config) as gateway:
            for nth in range(20):
                assert gateway.ask("/ask", {"query": f"question {nth}"}).status_code == 200
            ready = gateway.http.get("/-/ready").json()
            assert ready["status"] == "degraded"
            assert "too many clients" in ready["parts"]["postgres"]
            over.set()
            until(lambda: is_cached_again(gateway), f"it does not come back: {gateway.logged()[-3000:]}", 60)
    finally:
        over.set()
        holder.join(30)
        postgres.stop()


def test_more_requests_than_may_be_open_wait_for_their_turn(
    data_dir: Path, tmp_path: Path, upstream: RawUpstream
) -> None:
    at_once, most = 0, 0

    async def slow(exchange: Exchange) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.2)
        at_once -= 1
        await exchange.send(http_answer({"answer": "x"}))

    upstream.behaviour = slow
    config = ROUTES.format(data=data_dir, postgres="embedded", most=4, url=upstream.url)
    with serve(tmp_path, config) as gateway:
        statuses: list[int] = []

        def ask(nth: int) -> None:
            answer = httpx.post(f"{gateway.url}/ask", json={"query": f"one of many, {nth}"}, timeout=60, verify=False)
            statuses.append(answer.status_code)

        asking = [threading.Thread(target=ask, args=(nth,)) for nth in range(24)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join(60)
        assert statuses == [200] * 24
        assert most <= 4
