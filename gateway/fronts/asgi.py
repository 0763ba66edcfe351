"""CacheMiddleware: the cache around any ASGI app. A hit is answered here; else the app answers and a recording watches.

Bytes go to the client first and to the recording second, so keeping never delays an answer: what is awaited after the
last body message is not seen by the client.
"""

from __future__ import annotations

import gzip
import time
from typing import NamedTuple, assert_never

from gateway.core.asgi import FINISH, App, Receive, Scope, Send
from gateway.core.body import Document
from gateway.core.events import Outcome, Served
from gateway.core.freshness import age, read_wishes
from gateway.core.messages import Bypass, Hit, Miss, Reason, Refuse, Request
from gateway.core.negotiate import GZIP, choose_encoding
from gateway.core.ports import Emit
from gateway.core.recording import Recording
from gateway.core.status import Expose, hit_headers, other_headers
from gateway.engine.cache import RouteCache
from gateway.errors import NotCached, SemgateError
from gateway.fronts.problem import send_problem
from gateway.fronts.tee import Buffer, HeaderList, Tee


class Exchange(NamedTuple):
    """One request on its way through: ASGI's three, and when it began (`time.perf_counter`)."""

    scope: Scope
    receive: Receive
    send: Send
    started: float


class CacheMiddleware:
    """`cache` is None on a route that is off; `buffer` holds an answer back until it is stored; `added` goes out with
    every answer."""

    def __init__(
        self,
        app: App,
        cache: RouteCache | None,
        *,
        route: str,
        expose: Expose,
        buffer: bool,
        added: HeaderList,
        emit: Emit,
    ) -> None:
        self._app = app
        self._cache = cache
        self._route = route
        self._expose = expose
        self._buffer = buffer
        self._added = added
        self._emit = emit

    async def serve(self, request: Request, document: Document, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request whose body has been read."""
        exchange = Exchange(scope, receive, send, time.perf_counter())
        cache = self._cache
        if cache is None:
            await self._pass(exchange, Bypass(Reason.OFF))
            return
        verdict = await cache.look_up(request, document, read_wishes(request.headers, cache.policy.allowed))
        match verdict:
            case Hit():
                await self._hit(exchange, cache, verdict, request)
            case Miss(recording=Recording() as recording):
                await self._record(exchange, cache, verdict, recording)
            case Miss() | Bypass():
                await self._pass(exchange, verdict)
            case Refuse():
                error = NotCached("only-if-cached was asked for, and no stored answer may be served")
                await send_problem(send, error, self._headers(verdict))
                self._tell(exchange, verdict, Outcome.REFUSED, error.status)
            case _:
                assert_never(verdict)

    async def bypass(self, reason: Reason, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request that was never read, as its body is too large."""
        await self._pass(Exchange(scope, receive, send, time.perf_counter()), Bypass(reason))

    async def _hit(self, exchange: Exchange, cache: RouteCache, hit: Hit, request: Request) -> None:
        encoding = choose_encoding(request.headers)
        if encoding is None:
            await self._pass(exchange, Miss(Reason.REQUESTED, None, None))
            return
        entry, now = hit.entry, request.asked_at
        body = entry.body
        headers = [*entry.headers, *self._added]
        if encoding == GZIP:
            body = gzip.compress(body, compresslevel=5, mtime=0)
            headers += [(b"content-encoding", GZIP), (b"vary", b"accept-encoding")]
        headers += hit_headers(hit, self._expose, now)
        headers.append((b"content-length", b"%d" % len(body)))
        await exchange.send({"type": "http.response.start", "status": entry.status, "headers": headers})
        await exchange.send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else body})
        self._emit(
            Served(
                self._route,
                Outcome.HIT,
                time.perf_counter() - exchange.started,
                entry.status,
                source=hit.source,
                similarity=hit.similarity,
                age=age(entry.created_at, now),
                entry=entry.id,
                cost=entry.cost,
                scope=entry.scope,
            )
        )
        await cache.served(hit, now)

    async def _pass(self, exchange: Exchange, verdict: Miss | Bypass) -> None:
        """Forward, and keep nothing."""
        await self._forward(exchange, verdict, Tee(exchange.scope, exchange.send, None, self._headers(verdict)))

    async def _record(self, exchange: Exchange, cache: RouteCache, miss: Miss, recording: Recording) -> None:
        """Forward, and keep the answer: after it was sent, or before where the route is buffered."""
        scope, send = exchange.scope, exchange.send
        scope[FINISH] = True
        if self._buffer:
            buffer = Buffer(scope, send, recording, lambda stored: self._headers(miss, stored=stored), cache.keep)
            await self._forward(exchange, miss, buffer)
            return
        landing = cache.landing(recording)
        tee = Tee(scope, send, recording, self._headers(miss), landing)
        try:
            await self._forward(exchange, miss, tee)
            if not tee.ended:
                recording.abandon(Reason.INCOMPLETE)
            await cache.keep(recording)
        finally:
            landing.end()

    async def _forward(self, exchange: Exchange, verdict: Miss | Bypass, tee: Tee | Buffer) -> None:
        """Let the inner app answer. Its error before the head becomes a problem. After it, the answer stays without its
        last message: the server then cuts the connection, so that the client sees that it is not whole."""
        outcome, status = Outcome.ERROR, 0
        try:
            await self._app(exchange.scope, exchange.receive, tee.send)
            status = tee.status
            outcome = Outcome.BYPASS if isinstance(verdict, Bypass) else Outcome.MISS
        except SemgateError as error:
            status = error.status
            if not tee.status:
                await send_problem(exchange.send, error, self._headers(verdict))
        finally:
            self._tell(exchange, verdict, outcome, status)

    def _headers(self, verdict: Miss | Bypass | Refuse, *, stored: bool = False) -> HeaderList:
        return [*self._added, *other_headers(verdict, self._expose, stored=stored)]

    def _tell(self, exchange: Exchange, verdict: Miss | Bypass | Refuse, outcome: Outcome, status: int) -> None:
        miss = verdict if isinstance(verdict, Miss) else None
        recording = None if miss is None else miss.recording
        self._emit(
            Served(
                self._route,
                outcome,
                time.perf_counter() - exchange.started,
                status,
                reason=verdict.reason,
                similarity=None if miss is None else miss.similarity,
                scope=None if recording is None else recording.subject.scope,
            )
        )
