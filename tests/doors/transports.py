"""Both transports, asked in one way: a test says what it asks, and gets a sync and an async run, with httpx and with httpx2.

`Talk` is one client with a transport; its `loop` runs the async one. Everything goes over real HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import httpx2
import pytest

from gateway.doors.httpx import AsyncCacheTransport, CacheTransport

QUESTION = "How do I reset my password?"
OTHER_WORDS = "What is the way to reset my password?"

FLAVOURS = [(library, flavour) for library in (httpx, httpx2) for flavour in ("sync", "async")]
both_ways = pytest.mark.parametrize(
    ("library", "flavour"), FLAVOURS, ids=[f"{library.__name__} {flavour}" for library, flavour in FLAVOURS]
)
"""For tests of what the libraries might do differently."""


def chat(question: str = QUESTION, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": question}], **more}


class Talk:
    """A client around a cache transport around `inner`."""

    def __init__(self, library: Any, flavour: str, url: str, key: str, config: Any = None, inner: Any = None) -> None:
        self.library = library
        self.sync = flavour == "sync"
        self.loop = asyncio.new_event_loop()
        headers = {"Authorization": f"Bearer {key}"}
        if self.sync:
            self.http = library.Client(transport=CacheTransport(config, transport=inner), base_url=url, headers=headers)
        else:
            self.http = library.AsyncClient(
                transport=AsyncCacheTransport(config, transport=inner), base_url=url, headers=headers
            )

    def run(self, call: Any) -> Any:
        """The result of a call; of an async client's, which has to be awaited."""
        return call if self.sync else self.loop.run_until_complete(call)

    def post(self, path: str = "/v1/chat/completions", json: Any = None, **more: Any) -> Any:
        if not more.get("content"):
            more["json"] = chat() if json is None else json
        return self.run(self.http.post(path, **more))

    def open(self, json: Any, path: str = "/v1/chat/completions") -> Any:
        """A response whose body is not read."""
        return self.run(self.http.send(self.http.build_request("POST", path, json=json), stream=True))

    def pieces(self, response: Any) -> Iterator[bytes]:
        """Its body, piece by piece, as it came."""
        if self.sync:
            yield from response.iter_raw()
            return
        pieces = response.aiter_raw()
        try:
            while True:
                try:
                    yield self.loop.run_until_complete(anext(pieces))
                except StopAsyncIteration:
                    return
        finally:
            self.loop.run_until_complete(pieces.aclose())

    def end(self, response: Any) -> None:
        self.run(response.close() if self.sync else response.aclose())

    def close(self) -> None:
        self.run(self.http.close() if self.sync else self.http.aclose())
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


@contextmanager
def talk(library: Any, flavour: str, url: str, key: str, config: Any = None, inner: Any = None) -> Iterator[Talk]:
    talking = Talk(library, flavour, url, key, config, inner)
    try:
        yield talking
    finally:
        talking.close()


def told(response: Any) -> Any:
    """What the cache said of it; None: it was not asked."""
    return response.extensions.get("semgate")
