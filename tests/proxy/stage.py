"""An upstream whose answer is in the test's hands, piece by piece, and which knows when it is left."""

from __future__ import annotations

import asyncio
import threading

from raw_upstream import Exchange, RawUpstream

HEADS = {
    "chunked": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
    "events": b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    "length": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n",
}


def framed(kind: str, data: bytes) -> bytes:
    return data if kind == "length" else b"%x\r\n%b\r\n" % (len(data), data)


class Gate:
    """A behaviour that sends what the test hands it, when the test says so."""

    def __init__(self, upstream: RawUpstream) -> None:
        self.upstream = upstream
        self.exchange: Exchange | None = None
        self.peer_closed = threading.Event()
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        upstream.behaviour = self.behave

    async def behave(self, exchange: Exchange) -> None:
        self.exchange = exchange
        leaving = asyncio.get_running_loop().create_task(self._watch(exchange))
        while (data := await self._queue.get()) is not None:
            await exchange.send(data)
        leaving.cancel()

    async def _watch(self, exchange: Exchange) -> None:
        await exchange.peer_closed()
        self.peer_closed.set()

    def send(self, data: bytes) -> None:
        self.upstream.call(lambda: self._queue.put_nowait(data))

    def end(self) -> None:
        self.upstream.call(lambda: self._queue.put_nowait(None))

    def close(self) -> None:
        assert self.exchange
        self.upstream.call(self.exchange.close)

    def reset(self) -> None:
        assert self.exchange
        self.upstream.call(self.exchange.reset)
