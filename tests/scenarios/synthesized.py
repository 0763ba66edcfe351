"""An imitated cheap model behind HTTP, and a gateway whose routes may ask it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from running import Exchange, Gateway, RawUpstream, completion, events, http_answer, serve, stream
from tried import Knowing, Route

DATA = re.compile(r"<data>\n(.*)\n</data>")
HEAD = """
server: {{listen: LISTEN, data_dir: "{data}", namespace: {namespace}, admin: {{token: TOKEN}}}}
prices: {{gpt-4o: {{prompt: 1000, completion: 2000}}, tiny: {{prompt: 10, completion: 20}}}}
upstreams:
  llm: {{url: "{url}", timeout: {{first_byte: 5s, idle: 5s}}}}
  cheap: {{url: "{cheap}/base", headers: {{Authorization: Bearer sk-cheap}}, timeout: {{first_byte: 5s, idle: 5s}}}}
stores: {{breaker: {{failures: 50}}}}
"""
OPEN = "When does the museum open?"
OPEN_ANSWER = "The museum opens at 9 in the morning, and on Sundays at 11."
SUNDAY = "When does the museum open on Sundays?"
SUNDAY_ANSWER = "On Sundays the museum opens at 11."


class Cheap:
    """A chat API that says `says`, a word with each event. `asked` are the bodies that it was sent."""

    def __init__(self, upstream: RawUpstream) -> None:
        self.says = SUNDAY_ANSWER
        self.asked: list[dict[str, Any]] = []
        self.exchanges: list[Exchange] = []
        self.answer: Callable[[Exchange], Any] | None = None
        self.gate: asyncio.Event | None = None
        self._upstream = upstream
        upstream.behaviour = self.behave

    async def behave(self, exchange: Exchange) -> None:
        self.asked.append(json.loads(exchange.body))
        self.exchanges.append(exchange)
        if self.answer is not None:
            await self.answer(exchange)
            return
        words = re.findall(r"\S+\s*", self.says)
        first, rest = events(*words, usage=True)[:2], events(*words, usage=True)[2:]
        if self.gate is None:
            await stream([*first, *rest])(exchange)
            return
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in first:
            await exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        await self.gate.wait()
        for piece in rest:
            await exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        await exchange.send(b"0\r\n\r\n")

    def hold(self) -> Callable[[], None]:
        """Say no more than the first words until what is returned is called."""
        gate = self.gate = asyncio.Event()
        return lambda: self._upstream.call(gate.set)

    def shown(self, call: int = -1) -> dict[str, Any]:
        """The material and the question, as a reader of the whole user message finds them."""
        system, user = self.asked[call]["messages"]
        assert (system["role"], user["role"]) == ("system", "user")
        found = DATA.fullmatch(user["content"])
        assert found is not None
        told: dict[str, Any] = json.loads(found[1])
        return told


def single(content: str) -> bytes:
    """The answer of a server that does not stream."""
    return http_answer(completion(content))


def settings(**more: object) -> str:
    """Of a route's `synthesis`."""
    said = {"upstream": "cheap", "model": "tiny", "from": 0.5, **more}
    return json.dumps(said)


def route(name: str, *options: str, preset: str = "openai-chat", **synthesis: object) -> str:
    """A route of the file, where nothing but the same words is near enough."""
    fixed = f"upstream: llm, preset: {preset}, scope: 'header:X-Tenant', verify: none, thresholds: {{hit: 0.99}}"
    every = ", ".join([fixed, f"synthesis: {settings(**synthesis)}", *options])
    return f"  - {{name: {name}, path: /{name}, {every}}}\n"


@contextmanager
def gateway_of(
    folder: Path, data_dir: Path, upstream: RawUpstream, cheap: RawUpstream, namespace: str, *routes: str
) -> Iterator[Gateway]:
    head = HEAD.format(data=data_dir, namespace=namespace, url=upstream.url, cheap=cheap.url)
    with serve(folder, head + "routes:\n" + "".join(routes)) as running:
        yield running


class Asked(Route):
    """A route asked on behalf of a tenant of its own, which no other test has."""

    def __init__(self, gateway: Gateway, name: str, tenant: str) -> None:
        super().__init__(gateway, name)
        self.tenant = {"X-Tenant": tenant}

    def ask(self, question: str, headers: dict[str, str] | None = None, **more: Any) -> Any:
        return super().ask(question, {**self.tenant, **(headers or {})}, **more)


def knowing(upstream: RawUpstream) -> Knowing:
    """The expensive model."""
    return Knowing(upstream, {OPEN: OPEN_ANSWER, SUNDAY: "Upstream: at 11."})
