"""The clients of the soak: one request each, read to its end or left, and everything about the answer checked.

A client knows the words of each answer beforehand, because they follow from the seed that it sends to the upstream. A
tenant's seeds are its own: an answer of another tenant, another question or half an answer is a wrong answer.
"""

from __future__ import annotations

import asyncio
import gzip
import json

import aiohttp
import brotli  # type: ignore[import-untyped]
import msgspec
import zstandard
from soak_upstream import answer, large_answer
from traffic import CHAT

TENANTS = ("shop-a", "shop-b", "shop-c")
LONGEST = 60.0
# What belonged to the request that was answered first.
NEVER_REPLAYED = ("x-request-id", "set-cookie")


class Wrong(Exception):
    """An answer that is not what it should be."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One question. `tenant` "" sends no credentials; `accept` is the Accept-Encoding; the rest tells the upstream what
    to answer (see there)."""

    question: str
    seed: str
    tenant: str = TENANTS[0]
    path: str = CHAT
    system: str = "You are the assistant of a shop."
    stream: bool = False
    accept: str = "identity"
    coding: str = ""
    gap_ms: int = 0
    fault: str = ""
    large: bool = False

    def headers(self) -> dict[str, str]:
        named = {
            "authorization": f"Bearer {self.tenant}" if self.tenant else "",
            "x-coding": self.coding,
            "x-gap-ms": str(self.gap_ms or ""),
            "x-fault": self.fault,
            "x-large": "1" if self.large else "",
        }
        always = {"content-type": "application/json", "accept-encoding": self.accept, "x-seed": self.seed}
        return always | {name: value for name, value in named.items() if value}

    def body(self) -> bytes:
        messages = [{"role": "system", "content": self.system}, {"role": "user", "content": self.question}]
        return json.dumps({"model": "gpt-4o-mini", "messages": messages, "stream": self.stream}).encode()

    def expected(self) -> str:
        return large_answer() if self.large else answer(self.seed)


class Got(msgspec.Struct, frozen=True):
    """An answer; header names in lower case, `body` without its content-coding."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def cache(self) -> str:
        """HIT, MISS, ..."""
        return self.headers.get("x-cache", "none")

    @property
    def detail(self) -> str:
        return self.headers.get("cache-status", "")


class Asker:
    """Asks the gateway at this port."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"
        # Below what the gateway grants, so that no request meets a connection that is being closed.
        self._connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=2.0)
        self._session = aiohttp.ClientSession(
            connector=self._connector, auto_decompress=False, timeout=aiohttp.ClientTimeout(total=LONGEST)
        )

    async def ask(self, ask: Ask) -> Got:
        """Read the answer to its end. Raises Wrong for one that cannot be read, aiohttp's errors for one that breaks."""
        async with self._request(ask) as response:
            return _got(ask, response, await response.read())

    async def ask_rightly(self, ask: Ask, *allowed: str) -> Got:
        """The same; raises Wrong if it is not the expected answer in the form asked for, by one of `allowed` ways."""
        got = await self.ask(ask)
        check(ask, got)
        if allowed and got.cache not in allowed:
            raise Wrong(f"{got.cache} where {' or '.join(allowed)} was expected ({got.detail})")
        return got

    async def leave_midway(self, ask: Ask, after: int) -> None:
        """Close the connection after so many bytes."""
        async with self._request(ask) as response:
            size = 0
            while size < after and (piece := await response.content.readany()):
                size += len(piece)
            response.close()

    async def leave_early(self, ask: Ask, seconds: float) -> None:
        """Close the connection so soon that there may be no answer yet."""
        try:
            async with asyncio.timeout(seconds):
                await self.ask(ask)
        except TimeoutError:
            return

    def _request(self, ask: Ask) -> aiohttp.client._RequestContextManager:
        return self._session.post(self._url + ask.path, data=ask.body(), headers=ask.headers())

    async def close(self) -> None:
        await self._session.close()


def _got(ask: Ask, response: aiohttp.ClientResponse, body: bytes) -> Got:
    coding = response.headers.get("content-encoding", "")
    if coding and coding not in ask.accept:
        raise Wrong(f"content-encoding {coding!r} for a client that accepts {ask.accept!r}")
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Got(response.status, headers, _decoded(body, coding))


def _decoded(body: bytes, coding: str) -> bytes:
    try:
        match coding:
            case "gzip":
                return gzip.decompress(body)
            case "br":
                return bytes(brotli.decompress(body))
            case "zstd":
                return zstandard.ZstdDecompressor().decompressobj().decompress(body)
            case _:
                return body
    except (OSError, EOFError, brotli.error, zstandard.ZstdError) as error:
        raise Wrong(f"a body that is not {coding}: {error}") from error


def check(ask: Ask, got: Got) -> None:
    """Raises Wrong unless this is the answer to that question, whole and in the form asked for."""
    if got.status != 200:
        raise Wrong(f"status {got.status}: {got.body[:200]!r}")
    form = "text/event-stream" if ask.stream else "application/json"
    if not got.headers.get("content-type", "").startswith(form):
        raise Wrong(f"{got.headers.get('content-type')} where {form} was asked for ({got.cache})")
    said = _streamed(got.body) if ask.stream else _single(got.body)
    if said != ask.expected():
        raise Wrong(f"another answer ({got.cache}, {got.detail}): {said[:80]!r} for seed {ask.seed}")
    if got.cache in ("HIT", "STALE") or "collapsed" in got.detail:
        shown = [name for name in NEVER_REPLAYED if name in got.headers]
        if shown:
            raise Wrong(f"{', '.join(shown)} of another request on a {got.cache} ({got.detail})")


def _single(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["choices"][0]["message"]["content"])
    except (msgspec.DecodeError, KeyError, IndexError, TypeError) as error:
        raise Wrong(f"no chat completion: {body[:100]!r}") from error


def _streamed(body: bytes) -> str:
    """The words of a stream that came to its end."""
    *told, rest = body.decode().split("\n\n")
    if rest or not told or told[-1] != "data: [DONE]":
        raise Wrong(f"a stream without its end: {body[-100:]!r}")
    try:
        choices = [json.loads(event.removeprefix("data: "))["choices"][0] for event in told[:-1]]
        said = "".join(choice["delta"].get("content") or "" for choice in choices)
    except (json.JSONDecodeError, KeyError, IndexError, TypeError) as error:
        raise Wrong(f"no chat completion stream: {body[:100]!r}") from error
    if [choice["finish_reason"] for choice in choices if choice["finish_reason"]] != ["stop"]:
        raise Wrong(f"a stream whose finish_reason is missing or doubled: {body[-300:]!r}")
    return said
