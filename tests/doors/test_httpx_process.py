"""The transports in a process: threads, running loops, one loop after another, forks, and the end of the program."""

from __future__ import annotations

import asyncio
import multiprocessing
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from running import RawUpstream, completion, http_answer
from transports import chat, told

from gateway.doors.httpx import AsyncCacheTransport, CacheTransport

PATH = "/v1/chat/completions"


@pytest.fixture(autouse=True)
def answering(upstream: RawUpstream) -> None:
    upstream.behaviour = lambda exchange: exchange.send(http_answer(completion("Hi")))


@pytest.fixture
def client(upstream: RawUpstream, key: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(transport=CacheTransport(), base_url=upstream.url, headers={"api-key": key}) as http:
        yield http


@pytest.fixture
def calls(upstream: RawUpstream) -> Callable[[], int]:
    before = len(upstream.seen)
    return lambda: len(upstream.seen) - before


def test_the_sync_transport_works_inside_a_running_loop(client: httpx2.Client, calls: Callable[[], int]) -> None:
    """As in a notebook, whose cells run in a loop."""

    async def cell() -> list[bool]:
        return [told(client.post(PATH, json=chat())).hit for _ in range(2)]

    assert asyncio.run(cell()) == [False, True]
    assert calls() == 1


def test_the_async_transport_works_in_one_loop_after_another(
    upstream: RawUpstream, key: str, calls: Callable[[], int]
) -> None:
    """One client for each loop, as httpx wants it; the cache is the process's."""

    async def cell() -> bool:
        http = httpx2.AsyncClient(transport=AsyncCacheTransport(), base_url=upstream.url, headers={"api-key": key})
        async with http:
            return bool(told(await http.post(PATH, json=chat())).hit)

    assert [asyncio.run(cell()) for _ in range(3)] == [False, True, True]
    assert calls() == 1


def test_one_async_client_in_several_loops_is_answered_from_the_cache(
    upstream: RawUpstream, key: str, calls: Callable[[], int]
) -> None:
    http = httpx2.AsyncClient(transport=AsyncCacheTransport(), base_url=upstream.url, headers={"api-key": key})

    async def cell() -> bool:
        return bool(told(await http.post(PATH, json=chat(), headers={"Connection": "close"})).hit)

    assert [asyncio.run(cell()) for _ in range(3)] == [False, True, True]
    asyncio.run(http.aclose())
    assert calls() == 1


def test_many_threads_share_one_client(client: httpx2.Client, upstream: RawUpstream) -> None:
    def ask(nth: int) -> tuple[int, Any]:
        response = client.post(PATH, json=chat(seed=nth % 8))
        return response.status_code, response.json()["choices"][0]["message"]["content"]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(64))) == [(200, "Hi")] * 64
    assert all(told(client.post(PATH, json=chat(seed=nth))).hit for nth in range(8))


def test_many_tasks_share_one_client(upstream: RawUpstream, key: str) -> None:
    async def asking() -> list[int]:
        http = httpx2.AsyncClient(transport=AsyncCacheTransport(), base_url=upstream.url, headers={"api-key": key})
        async with http:
            asked = [http.post(PATH, json=chat(seed=nth % 8)) for nth in range(64)]
            return [response.status_code for response in await asyncio.gather(*asked)]

    assert asyncio.run(asking()) == [200] * 64


def test_a_cancelled_call_leaves_nothing_behind(upstream: RawUpstream, key: str) -> None:
    left = threading.Event()

    async def silent(exchange: Any) -> None:
        await exchange.peer_closed()
        left.set()

    async def asking() -> None:
        http = httpx2.AsyncClient(transport=AsyncCacheTransport(), base_url=upstream.url, headers={"api-key": key})
        async with http:
            asked = asyncio.create_task(http.post(PATH, json=chat()))
            while len(upstream.seen) == before:
                await asyncio.sleep(0.01)
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
            assert await asyncio.to_thread(left.wait, 5)

    before = len(upstream.seen)
    upstream.behaviour = silent
    asyncio.run(asking())


def in_child(work: Callable[[], bool]) -> bool:
    """Fork, as multiprocessing and pre-forking servers do, and let the child say whether it went well."""
    child = multiprocessing.get_context("fork").Process(target=lambda: sys.exit(0 if work() else 3))
    child.start()
    child.join(30)
    return child.exitcode == 0


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_client_made_before_a_fork_works_in_the_child(client: httpx2.Client, calls: Callable[[], int]) -> None:
    client.post(PATH, json=chat())
    assert in_child(lambda: bool(told(client.post(PATH, json=chat())).hit))
    assert in_child(lambda: not told(client.post(PATH, json=chat("And now?"))).hit)
    assert told(client.post(PATH, json=chat())).hit
    assert told(client.post(PATH, json=chat("And now?"))).hit
    assert calls() == 2


PROGRAM = """
import sys
import httpx2
from gateway import CacheTransport

with httpx2.Client(transport=CacheTransport(), headers={"api-key": sys.argv[2]}) as client:
    response = client.post(sys.argv[1], json={"model": "m", "messages": [{"role": "user", "content": "How?"}]})
print(response.extensions["semgate"].hit, response.headers["x-cache"])
"""


def test_a_program_that_ends_at_once_has_kept_its_answer(
    upstream: RawUpstream, key: str, tmp_path: Path, calls: Callable[[], int]
) -> None:
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    said = [
        subprocess.run(
            [sys.executable, "-W", "error", program, upstream.url + PATH, key],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        for _ in range(2)
    ]
    assert [(each.stdout, each.stderr, each.returncode) for each in said] == [
        ("False MISS\n", "", 0),
        ("True HIT\n", "", 0),
    ]
    assert calls() == 1
