"""Fixtures of the verifier tests: a real HTTP server on loopback, and the small models of the embedder tests' making."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

# For the modules beside this one, and for those beside the embedder tests: importlib mode adds no folder.
sys.path.insert(0, str(Path(__file__).parent.parent / "embedders"))
sys.path.insert(0, str(Path(__file__).parent))

from imitated_judge import ChatApi, judging

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], AbstractAsyncContextManager[str]]


@pytest.fixture
def serve_chat() -> Serve:
    """`async with serve_chat(handler) as base_url`: chat completions asked there are answered by `handler`."""

    @asynccontextmanager
    async def serving(handler: Handler) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        finally:
            await runner.cleanup()

    return serving


@pytest.fixture
def run() -> Callable[[Callable[[], Any]], Any]:
    return lambda scenario: asyncio.run(scenario())


@pytest.fixture
def api() -> ChatApi:
    return ChatApi()


@pytest.fixture
def verifier(serve_chat: Any, api: ChatApi) -> Any:
    return judging(serve_chat, api)
