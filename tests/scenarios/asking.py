"""Many who ask at once, and an upstream that answers them when a test says so."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from http.client import HTTPConnection, HTTPResponse
from typing import Any, ClassVar

from running import Exchange, Gateway, RawUpstream, http_answer

numbers = itertools.count()


class Held:
    """An upstream that answers its first request when told to, and counts all of those with one question in them."""

    def __init__(
        self, upstream: RawUpstream, answer: Callable[[Exchange], Any], then: Callable[[Exchange], Any] | None = None
    ):
        self.text = f"question number {next(numbers)} of this kind"
        self._upstream = upstream
        self._go = asyncio.Event()
        self._answer = answer
        self._then = then or answer
        self.calls = 0
        upstream.behaviour = self._behave

    async def _behave(self, exchange: Exchange) -> None:
        if self.text.encode() not in exchange.body:
            await exchange.send(http_answer({"a": "barrier"}))
            return
        self.calls += 1
        if self.calls > 1:
            await self._then(exchange)
            return
        await self._go.wait()
        await self._answer(exchange)

    def go(self) -> None:
        self._upstream.call(self._go.set)


class Asking:
    """Requests on connections of their own, all sent before any answer is read."""

    opened: ClassVar[list[HTTPConnection]] = []

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._connections: list[HTTPConnection] = []

    def send(self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> HTTPConnection:
        connection = HTTPConnection("127.0.0.1", self._gateway.port, timeout=30)
        given = {"content-type": "application/json", **(headers or {})}
        connection.request("POST", path, json.dumps(body).encode(), given)
        self._connections.append(connection)
        self.opened.append(connection)
        return connection

    def settle(self) -> None:
        """Requests that came later have been answered: the earlier ones are on their way upstream, or follow."""
        for _ in range(3):
            # A partition of its own: the number of an earlier one is near enough to be a hit.
            self._gateway.ask("/alone", {"query": "barrier", "number": next(numbers)})

    def answers(self) -> list[HTTPResponse]:
        return [connection.getresponse() for connection in self._connections]


def statuses(answers: list[HTTPResponse]) -> list[str]:
    return sorted(str(answer.getheader("cache-status")) for answer in answers)
