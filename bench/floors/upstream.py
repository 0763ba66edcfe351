"""A very light upstream for measurements: one 1.5 KB JSON chat completion, or a stream of events that say when they left.

    python bench/floors/upstream.py PORT [--delay MS] [--events N] [--gap MS]

A bare asyncio protocol on uvloop, because it must never be what is measured: it answers as fast as it can read. A
request may ask for its own treatment: `x-delay-ms: 20` waits before the answer; `x-events: 100` and `x-gap-ms: 100`
stream that many events, one each 100 ms; with `x-in-step: 1` all streams of one gap do so at the same moments. An
event's content is its number, when it was due and when it was written, in nanoseconds of CLOCK_MONOTONIC, which all
processes of a machine share. Any path and method is answered; bodies with Content-Length only. `GET /calls` tells how
many streams were asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from typing import cast

import uvloop


def completion(size: int) -> bytes:
    words = "The answer is a plain sentence that stands for what a model would say. "
    shell = {
        "id": "chatcmpl-benchmark",
        "object": "chat.completion",
        "created": 1735689600,
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 300, "total_tokens": 320},
    }
    missing = size - len(json.dumps(shell))
    shell["choices"][0]["message"]["content"] = (words * (missing // len(words) + 1))[:missing]
    return json.dumps(shell).encode()


BODY = completion(1500)
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
SHELL = (
    b'data: {"id":"chatcmpl-benchmark","object":"chat.completion.chunk","created":1735689600,"model":"gpt-4o-mini",'
    b'"choices":[{"index":0,"delta":%b,"finish_reason":%b}]}\n\n'
)
EVENT = SHELL % (b'{"content":"%d %d %d "}', b"null")
DONE = SHELL % (b"{}", b'"stop"') + b"data: [DONE]\n\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Stream:
    """One stream under way. `gap` in nanoseconds. Timers, no task: hundreds of streams must cost little."""

    def __init__(self, transport: asyncio.Transport, events: int, gap: int, *, in_step: bool) -> None:
        self.transport, self.events, self.gap = transport, events, gap
        self.loop = asyncio.get_running_loop()
        self.number = 0
        now = time.monotonic_ns()
        self.begun = now - now % gap + gap if in_step else now
        transport.write(STREAM_HEAD)
        self.timer = self.loop.call_later((self.begun - now) / 1e9, self.tick)

    def tick(self) -> None:
        """Write what is due: a timer that comes late does not delay the events after it."""
        while self.number < self.events:
            due = self.begun + self.number * self.gap
            now = time.monotonic_ns()
            if now < due:
                self.timer = self.loop.call_later((due - now) / 1e9, self.tick)
                return
            self.transport.write(chunk(EVENT % (self.number, due, now)))
            self.number += 1
        self.transport.write(chunk(DONE) + b"0\r\n\r\n")


class Upstream(asyncio.Protocol):
    calls = 0

    def __init__(self, delay: float, events: int, gap: float) -> None:
        self.delay, self.events, self.gap = delay, events, gap
        self.buffer = b""
        self.tasks: set[asyncio.Task[None]] = set()
        self.stream: Stream | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower() + b"\r\n"
            size = end + 4 + int(number(head, b"content-length", 0))
            if len(self.buffer) < size:
                return
            self.buffer = self.buffer[size:]
            delay, events = number(head, b"x-delay-ms", self.delay), number(head, b"x-events", self.events)
            if delay or events:
                gap = int(number(head, b"x-gap-ms", self.gap) * 1e6)
                in_step = bool(gap and number(head, b"x-in-step", 0))
                task = asyncio.get_running_loop().create_task(self.answer_slowly(delay, int(events), gap, in_step))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
            elif head.startswith(b"get /calls "):
                told = b"%d" % Upstream.calls
                self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(told), told))
            else:
                self.transport.write(WHOLE)

    async def answer_slowly(self, delay: float, events: int, gap: int, in_step: bool) -> None:
        await asyncio.sleep(delay / 1000)
        if events:
            Upstream.calls += 1
            self.stream = Stream(self.transport, events, gap, in_step=in_step)
        else:
            self.transport.write(WHOLE)

    def connection_lost(self, exc: Exception | None) -> None:
        for task in self.tasks:
            task.cancel()
        if self.stream is not None:
            self.stream.timer.cancel()


def number(head: bytes, name: bytes, default: float) -> float:
    start = head.find(b"\r\n" + name + b":")
    if start < 0:
        return default
    start += len(name) + 3
    return float(head[start : head.index(b"\r\n", start)])


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--delay", type=float, default=0, help="milliseconds before an answer")
    parser.add_argument("--events", type=int, default=0, help="stream this many events instead of one JSON answer")
    parser.add_argument("--gap", type=float, default=0, help="milliseconds between events")
    options = parser.parse_args()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Upstream(options.delay, options.events, options.gap), "127.0.0.1", options.port, backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
