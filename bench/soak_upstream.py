"""The upstream of the soak: chat completions whose words follow from a seed, whole or as a stream, and all that goes wrong.

    python bench/soak_upstream.py PORT

A request says what it wants in headers: `x-seed` the answer, `x-coding` its content-coding, `x-gap-ms` the pause between
two events, `x-fault` what goes wrong (see `Fault`), `x-large` an answer of 11 MB. So a client knows every answer
beforehand. A GET tells how many connections are open besides its own.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import zlib
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache

import brotli  # type: ignore[import-untyped]
import uvloop
import zstandard
from aiohttp import web

LARGE = 11_000_000
TEXT = "the answer is plain enough: naïve cafés, Gänsefüßchen, 答えは簡単です, ответ прост, 🎉 and so on"
WORDS = TEXT.split(" ")
CODINGS = ("gzip", "br", "zstd")
ERROR = b'{"error":{"message":"the model is on holiday","type":"server_error"}}'


class Fault(StrEnum):
    """500: an error in JSON. reset: no answer at all. broken: an answer that ends in its middle."""

    ERROR = "500"
    RESET = "reset"
    BROKEN = "broken"


@lru_cache(4096)
def answer(seed: str) -> str:
    """The words of the answer to a seed: the same in every process."""
    chance = random.Random(seed)
    return f"[{seed}] " + " ".join(chance.choices(WORDS, k=chance.randint(20, 200)))


@lru_cache(1)
def large_answer() -> str:
    line = "no cache should keep this. "
    return line * (LARGE // len(line) + 1)


def completion(content: str) -> bytes:
    message = {"role": "assistant", "content": content}
    return json.dumps(
        {
            "id": "chatcmpl-soak",
            "object": "chat.completion",
            "created": 1735689600,
            "model": "gpt-4o-mini",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 20, "completion_tokens": 100, "total_tokens": 120},
        },
        ensure_ascii=False,
    ).encode()


def events(content: str) -> Iterator[bytes]:
    """The same answer as a stream, a few words an event."""
    words = content.split(" ")
    pieces = [" ".join(words[start : start + 8]) for start in range(0, len(words), 8)]
    yield _event({"role": "assistant", "content": ""}, None)
    for nth, piece in enumerate(pieces):
        yield _event({"content": piece if nth == 0 else f" {piece}"}, None)
    yield _event({}, "stop")
    yield b"data: [DONE]\n\n"


def _event(delta: dict[str, str], reason: str | None) -> bytes:
    told = {
        "id": "chatcmpl-soak",
        "object": "chat.completion.chunk",
        "created": 1735689600,
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
    }
    return b"data: " + json.dumps(told, ensure_ascii=False).encode() + b"\n\n"


class Coder:
    """Compresses a body piece by piece, so that each piece can be read when it comes."""

    def __init__(self, coding: str) -> None:
        self._zlib = zlib.compressobj(wbits=31) if coding == "gzip" else None
        self._brotli = brotli.Compressor(quality=4) if coding == "br" else None
        self._zstd = zstandard.ZstdCompressor().compressobj() if coding == "zstd" else None

    def feed(self, data: bytes) -> bytes:
        if self._zlib is not None:
            return self._zlib.compress(data) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
        if self._brotli is not None:
            return bytes(self._brotli.process(data) + self._brotli.flush())
        if self._zstd is not None:
            return self._zstd.compress(data) + self._zstd.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        return data

    def end(self) -> bytes:
        if self._zlib is not None:
            return self._zlib.flush()
        if self._brotli is not None:
            return bytes(self._brotli.finish())
        if self._zstd is not None:
            return self._zstd.flush()
        return b""


async def answered(request: web.Request) -> web.StreamResponse:
    fault = request.headers.get("x-fault")
    asked = json.loads(await request.read())
    # Never the same moment for all: a model takes its time.
    await asyncio.sleep(random.uniform(0.002, 0.03))
    if fault == Fault.RESET:
        assert request.transport is not None
        request.transport.abort()
    if fault == Fault.ERROR:
        return web.Response(status=500, body=ERROR, content_type="application/json")
    content = large_answer() if "x-large" in request.headers else answer(request.headers["x-seed"])
    # As a request id, a counter and a CDN's cookie would be: no hit may show them.
    response = web.StreamResponse(headers={"x-request-id": f"{random.getrandbits(64):x}"})
    response.set_cookie("__cf_bm", "a-cookie-of-the-first-caller")
    pieces = list(events(content)) if asked.get("stream") else _in_pieces(completion(content))
    response.content_type = "text/event-stream" if asked.get("stream") else "application/json"
    coding = request.headers.get("x-coding", "")
    if coding:
        response.headers["content-encoding"] = coding
    await _send(request, response, pieces, Coder(coding), broken=fault == Fault.BROKEN)
    return response


async def _send(
    request: web.Request, response: web.StreamResponse, pieces: list[bytes], coder: Coder, *, broken: bool
) -> None:
    gap = float(request.headers.get("x-gap-ms", 0)) / 1000
    await response.prepare(request)
    for nth, piece in enumerate(pieces):
        if broken and nth >= len(pieces) // 2:
            assert request.transport is not None
            request.transport.abort()
            return
        await response.write(coder.feed(piece))
        if gap:
            await asyncio.sleep(gap)
    await response.write(coder.end())
    await response.write_eof()


def _in_pieces(body: bytes) -> list[bytes]:
    """In at least two, so that it can be broken off in the middle."""
    size = min(len(body) // 2 + 1, 1 << 16)
    return [body[start : start + size] for start in range(0, len(body), size)]


async def serve(port: int) -> None:
    app = web.Application()
    runner = web.AppRunner(app, access_log=None)

    async def told_open(_request: web.Request) -> web.Response:
        assert runner.server is not None
        return web.Response(text=str(len(runner.server.connections) - 1))

    app.router.add_get("/{any:.*}", told_open)
    app.router.add_post("/{any:.*}", answered)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
