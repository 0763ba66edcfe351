"""ReverseProxy: a plain ASGI app that asks its upstreams in order and passes the answer on, piece by piece.

Before an answer's head: tries, then fallbacks; if all fail, the last answer there was, else UpstreamError or
UpstreamTimeout for the front to word. After the head nothing can be mended: the same errors leave the app, and the
server cuts the client's connection, so that a broken answer never looks like a whole one.
"""

from __future__ import annotations

import asyncio
import random
import time

import msgspec

from gateway.core.asgi import BODY, DROP_HEADERS, FINISH, UPSTREAM, UPSTREAM_PATH, Receive, Scope, Send
from gateway.core.events import UpstreamTried
from gateway.core.ports import Emit
from gateway.errors import UpstreamError
from gateway.proxy.answer import Answer
from gateway.proxy.body import PIECE, ClientLeft, Held, RequestBody, Streamed, read_whole, receive_piece
from gateway.proxy.departure import Departure
from gateway.proxy.headers import NOTHING
from gateway.proxy.upstream import Call, Failure, Source

LONGEST_PAUSE = 0.2


class Target(msgspec.Struct, frozen=True):
    """One of a proxy's upstreams. `equivalent`: its answers may be kept as the first one's (the first always is)."""

    source: Source
    equivalent: bool = True

    @property
    def name(self) -> str:
        return self.source.name


class ReverseProxy:
    """Forwards to `targets`: the first is asked, the others stand in for it in order.

    What the front may say in the scope, and what the proxy answers there, is listed in `gateway.core.asgi`. Sources
    may be shared between proxies; whoever made them closes them, `close` is for a proxy that has them to itself.
    """

    def __init__(self, targets: tuple[Target, ...], emit: Emit) -> None:
        self._targets = targets
        self._emit = emit

    async def close(self) -> None:
        for target in self._targets:
            await target.source.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises UpstreamError or UpstreamTimeout, and what `receive` raises (ClientError). Returns without having
        sent a whole answer only when the client has left."""
        task = asyncio.current_task()
        assert task is not None
        gone = False

        def left() -> None:
            nonlocal gone
            gone = True
            if not scope.get(FINISH):
                task.cancel()

        departure: Departure | None = None
        answer: Answer | None = None
        try:
            body = await _body(scope, receive)
            departure = Departure(receive, body, left)
            answer = await self._ask(scope, body)
            piece = answer.here()
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            while not answer.ended():
                # A first piece that is empty still sends the head on its way: servers wait for a body message.
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                piece = await answer.more()
                if gone and not scope.get(FINISH):
                    return
            await send({"type": "http.response.body", "body": piece, "more_body": False})
        except ClientLeft:
            return
        except asyncio.CancelledError:
            if gone and task.uncancel() == 0:
                return
            raise
        finally:
            if departure is not None:
                departure.stop()
            if answer is not None:
                answer.close()

    async def _ask(self, scope: Scope, body: RequestBody) -> Answer:
        """The first acceptable answer, else the last answer there was. Raises the last failure where there was none."""
        call = Call(
            scope["method"],
            scope.get(UPSTREAM_PATH) or scope["raw_path"],
            scope["query_string"],
            scope["headers"],
            scope.get(DROP_HEADERS, NOTHING),
            body,
        )
        kept: tuple[Target, Answer] | None = None
        failure: UpstreamError | None = None
        for target in self._targets:
            source = target.source
            for nth in range(1, source.attempts + 1):
                if nth > 1:
                    await _pause(nth)
                started = time.perf_counter()
                result = await source.ask(call)
                self._tell(source, result, time.perf_counter() - started)
                match result:
                    case Answer():
                        reason: str | int = result.status
                        last_chance = nth == source.attempts and target is self._targets[-1]
                        wanted = reason not in source.retry_on or last_chance or not body.resendable
                        try:
                            if wanted or not await result.hold():
                                scope[UPSTREAM] = target
                                return result
                            kept = target, result
                        except UpstreamError as broken:
                            failure = broken
                    case Failure():
                        failure, reason = result.error, result.kind
                        if not body.resendable:
                            raise failure
                if reason not in source.retry_on:
                    break
        if kept is not None:
            scope[UPSTREAM], answer = kept
            return answer
        assert failure is not None
        raise failure

    def _tell(self, source: Source, result: Answer | Failure, seconds: float) -> None:
        outcome = f"{result.status // 100}xx" if isinstance(result, Answer) else result.kind
        self._emit(UpstreamTried(source.name, outcome, seconds))


async def _body(scope: Scope, receive: Receive) -> RequestBody:
    if (data := scope.get(BODY)) is not None:
        return Held(data)
    length: int | None = None
    framed = scope["http_version"] not in ("1.0", "1.1")  # HTTP/2 need not announce a body
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            framed = True
    if length is None and not framed:
        return Held(b"")
    if length is not None and length <= PIECE:
        return Held(await read_whole(receive))
    first, more = await receive_piece(receive)
    return Streamed(first, receive, length) if more else Held(first)


async def _pause(nth: int) -> None:
    """Before the nth try: 50 to 100 ms, then up to 200 ms, never in step with other callers."""
    longest = min(LONGEST_PAUSE, 0.1 * (nth - 1))
    await asyncio.sleep(random.uniform(longest / 2, longest))  # noqa: S311 - spreads load, guards nothing
