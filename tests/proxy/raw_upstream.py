"""An upstream that does exactly what a test says, byte for byte, and remembers what it was sent, byte for byte.

It runs an asyncio server in a thread. A test sets `behaviour`: a coroutine that gets each Exchange (one request on one
connection) and writes the answer itself; the default sends a small JSON answer.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

JSON_ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"answer": "x"}'


@dataclass
class Exchange:
    """One request as it came, and the means to answer it. `connection` counts from 0."""

    head: bytes
    body: bytes
    connection: int
    nth: int
    reader: asyncio.StreamReader = field(repr=False)
    writer: asyncio.StreamWriter = field(repr=False)

    @property
    def request_line(self) -> bytes:
        return self.head.partition(b"\r\n")[0]

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        lines = self.head.split(b"\r\n")[1:]
        return [(name, value.removeprefix(b" ")) for name, _, value in (line.partition(b":") for line in lines if line)]

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def close(self) -> None:
        """Say FIN."""
        self.writer.close()

    def reset(self) -> None:
        """Say RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def peer_closed(self) -> None:
        """Returns once the other side has closed its end."""
        while await self.reader.read(65536):
            pass


Behaviour = Callable[[Exchange], Awaitable[None]]


async def answer_json(exchange: Exchange) -> None:
    await exchange.send(JSON_ANSWER)


def always(data: bytes) -> Behaviour:
    async def behave(exchange: Exchange) -> None:
        await exchange.send(data)

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """The first request gets the first behaviour, and so on; the last one stays."""
    left = list(behaviours)

    async def behave(exchange: Exchange) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(exchange)

    return behave


class RawUpstream:
    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.behaviour: Behaviour = answer_json
        self.read_bodies = True
        self.seen: list[Exchange] = []
        self.connections = 0
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="raw upstream")
        self._thread.start()
        self._started.wait()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def call(self, function: Callable[[], None]) -> None:
        """Run something in the upstream's loop."""
        self._loop.call_soon_threadsafe(function)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        writers: set[asyncio.StreamWriter] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.add(writer)
            await self._connection(reader, writer)

        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._over.wait()
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.02)  # connections that were just accepted get their transport
        for writer in writers:
            writer.transport.abort()
        for _ in range(5):
            await asyncio.sleep(0)  # lets the transports close

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = self.connections
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                exchange = Exchange(head[:-2], b"", connection, len(self.seen), reader, writer)
                self.seen.append(exchange)
                if self.read_bodies:
                    exchange.body = await read_body(exchange)
                await self.behaviour(exchange)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


async def read_body(exchange: Exchange) -> bytes:
    if lengths := exchange.values(b"content-length"):
        return await exchange.reader.readexactly(int(lengths[0]))
    if not exchange.values(b"transfer-encoding"):
        return b""
    pieces = []
    while True:
        line = await exchange.reader.readline()
        if not line:
            raise asyncio.IncompleteReadError(line, None)
        size = int(line.strip(), 16)
        pieces.append(await exchange.reader.readexactly(size))
        await exchange.reader.readexactly(2)
        if not size:
            return b"".join(pieces)
