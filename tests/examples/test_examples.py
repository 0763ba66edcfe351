"""The files of examples/, run as a user would run them, against upstreams of the real shape on loopback."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from gateway.config.load import read

ROOT = Path(__file__).parents[2]
KEYS = {"WEB_KEY": "web-key", "BATCH_KEY": "batch-key", "OPENAI_API_KEY": "sk-upstream", "CACHE_KEY": "cache-key"}


class Upstream:
    """A server of OpenAI's shape that counts what it is asked; `failing` makes it answer 503."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.url = ""
        self.failing = False
        self.keys: list[str | None] = []

    async def complete(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers.get("Authorization"))
        asked = await request.json()
        if self.failing:
            return web.json_response({"error": {"message": "overloaded"}}, status=503)
        message = {"role": "assistant", "content": f"Says {self.name}.", "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
        completion = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": asked["model"],
            "choices": [choice],
            "usage": usage,
        }
        return web.json_response(completion)


@pytest.fixture(scope="module")
def upstreams() -> Iterator[dict[str, Upstream]]:
    """`openai`, `openai-eu` and `ollama`, each on its own port, in one thread."""
    servers = {name: Upstream(name) for name in ("openai", "openai-eu", "ollama")}
    loop = asyncio.new_event_loop()
    runners = []

    async def start() -> None:
        for server in servers.values():
            app = web.Application()
            app.router.add_post("/v1/chat/completions", server.complete)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            runners.append(runner)

    async def stop() -> None:
        for runner in runners:
            await runner.cleanup()

    loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield servers
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def gateway(serve, upstreams):
    """examples/multi-upstream.yaml, its upstreams on loopback."""
    urls = {
        "OPENAI_URL": upstreams["openai"].url,
        "OPENAI_EU_URL": upstreams["openai-eu"].url,
        "OLLAMA_URL": upstreams["ollama"].url,
    }
    return serve("examples/multi-upstream.yaml", **KEYS, **urls)


def ask(gateway, question: str, *, model: str = "gpt-4o-mini", key: str = "web-key") -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": question}]}
    url = f"{gateway.url}/v1/chat/completions"
    return httpx.post(url, json=body, headers={"authorization": f"Bearer {key}"}, verify=False)


def test_every_routes_file_of_the_examples_is_right() -> None:
    files = sorted((ROOT / "examples").glob("*.yaml"))
    assert files
    for file in files:
        assert [str(problem) for problem in read(file, KEYS).problems] == []


def run_sdk_client(gateway) -> list[str]:
    command = [sys.executable, str(ROOT / "examples" / "openai_sdk.py")]
    env = {**os.environ, "SEMGATE_URL": f"{gateway.url}/v1", "OPENAI_API_KEY": KEYS["WEB_KEY"]}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_sdk_client_misses_first_and_hits_what_is_kept(gateway, upstreams) -> None:
    first = run_sdk_client(gateway)
    assert first[0].startswith("MISS")
    assert upstreams["openai"].keys[-1] == "Bearer sk-upstream"
    gateway.wait_until_kept("chat-openai")
    again = run_sdk_client(gateway)
    assert [line.split()[0] for line in again] == ["HIT", "HIT"]
    assert all(line.endswith("Says openai.") for line in first + again)


def test_other_models_go_to_the_local_upstream_without_the_gateways_key(gateway, upstreams) -> None:
    answer = ask(gateway, "Where is the library?", model="qwen3:4b")
    assert answer.json()["choices"][0]["message"]["content"] == "Says ollama."
    assert upstreams["ollama"].keys == [None]


def test_callers_do_not_share_answers(gateway) -> None:
    question = "Which documents do I need for a passport?"
    assert ask(gateway, question, key="web-key").headers["x-cache"] == "MISS"
    assert ask(gateway, question, key="batch-key").headers["x-cache"] == "MISS"


def test_a_stranger_is_refused(gateway) -> None:
    answer = ask(gateway, "Who am I?", key="sk-upstream")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_second_region_stands_in_and_then_the_fixed_answer(gateway, upstreams) -> None:
    upstreams["openai"].failing = True
    try:
        assert "Says openai-eu." in ask(gateway, "What does a stamp cost?").text
        upstreams["openai-eu"].failing = True
        away = ask(gateway, "When does the post office open?")
        assert away.status_code == 503
        assert "away for a moment" in away.text
    finally:
        upstreams["openai"].failing = upstreams["openai-eu"].failing = False
    assert "Says openai." in ask(gateway, "When does the post office open?").text
