"""Fixtures of the embedder tests: a real HTTP server on loopback, and a deterministic embedder to put behind it."""

from __future__ import annotations

import hashlib
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))  # for the modules beside this one: importlib mode adds no folder

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[str, Handler], AbstractAsyncContextManager[str]]
Hashed = Callable[..., NDArray[np.float32]]


@pytest.fixture
def serve() -> Serve:
    """`async with serve(path, handler) as base_url`: POSTs to `path` are answered by `handler`."""

    @asynccontextmanager
    async def serving(path: str, handler: Handler) -> AsyncIterator[str]:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post(path, handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    return serving


@pytest.fixture
def hashed() -> Hashed:
    """Words hashed into a vector: texts that share words are near each other, and nothing is random."""

    def embed(text: str, dimensions: int = 64) -> NDArray[np.float32]:
        vector = np.zeros(dimensions, dtype=np.float32)
        for word in text.lower().split():
            digest = hashlib.blake2b(word.encode(), digest_size=4).digest()
            vector[int.from_bytes(digest[:3], "big") % dimensions] += 1.0 if digest[3] & 1 else -1.0
        return vector if vector.any() else np.ones(dimensions, dtype=np.float32)

    return embed


@pytest.fixture
def nobody() -> Iterator[str]:
    """A URL at which nobody listens: its port is taken, and refuses."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
