"""CacheMiddleware: the cache around any ASGI app. A hit is answered here; else the app answers and a recording watches.

What is awaited after the last body message is not seen by the client, so keeping never delays an answer.
"""

from __future__ import annotations

import time
from typing import NamedTuple, assert_never

from gateway.core.asgi import FINISH, App, Message, Receive, Scope, Send
from gateway.core.body import Document
from gateway.core.events import Outcome, Served
from gateway.core.freshness import age, read_wishes
from gateway.core.messages import Bypass, Follow, Hit, Miss, Reason, Refuse, Request
from gateway.core.negotiate import accepts
from gateway.core.ports import Emit
from gateway.core.recording import Recording
from gateway.core.status import Expose, hit_headers, other_headers, replayable
from gateway.engine.cache import RouteCache
from gateway.engine.coalesce import Broken, Head
from gateway.errors import NotCached, SemgateError, UpstreamError
from gateway.fronts.leaving import ClientLeft, unless_left
from gateway.fronts.outlet import Outlet
from gateway.fronts.problem import send_problem
from gateway.fronts.replay import Replayer
from gateway.fronts.tee import HeaderList, Tee


class Exchange(NamedTuple):
    """One request on its way through: what is asked, ASGI's three, and when it began (`time.perf_counter`)."""

    request: Request
    scope: Scope
    receive: Receive
    send: Send
    started: float


class CacheMiddleware:
    """`cache` is None on a route that is off; `buffer` holds a single answer back until it is stored; `finish`: an answer
    is read to its end and kept though its client has left; `added` goes out with every answer."""

    def __init__(
        self,
        app: App,
        cache: RouteCache | None,
        *,
        route: str,
        expose: Expose,
        buffer: bool,
        finish: bool,
        added: HeaderList,
        replayer: Replayer,
        emit: Emit,
    ) -> None:
        self._app = app
        self._cache = cache
        self._route = route
        self._expose = expose
        self._buffer = buffer
        self._finish = finish
        self._added = added
        self._replayer = replayer
        self._emit = emit

    @property
    def reads_bodies(self) -> bool:
        """Does anything here need the request's body?"""
        return self._cache is not None

    async def serve(self, request: Request, document: Document, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request whose body has been read."""
        exchange = Exchange(request, scope, receive, send, time.perf_counter())
        cache = self._cache
        if cache is None:
            await self._pass(exchange, Bypass(Reason.OFF))
            return
        verdict = await cache.look_up(request, document, read_wishes(request.headers, cache.policy.allowed))
        match verdict:
            case Hit():
                await self._hit(exchange, cache, verdict)
            case Follow():
                await self._follow(exchange, cache, verdict)
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

    async def bypass(self, reason: Reason, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request whose body was not read."""
        await self._pass(Exchange(request, scope, receive, send, time.perf_counter()), Bypass(reason))

    async def _hit(self, exchange: Exchange, cache: RouteCache, hit: Hit) -> None:
        now = exchange.request.asked_at
        if not self._replayer.readable(hit.shown, exchange.request):
            await self._pass(exchange, Miss(Reason.REQUESTED, None, None))
        else:
            await self._replay(exchange, hit, hit_headers(hit, self._expose, now))
            self._tell_stored(exchange, hit, Outcome.STALE if hit.stale else Outcome.HIT)
            await cache.served(hit, now)
        if hit.refresh is not None:
            await self._refresh(exchange, cache, hit.refresh)

    async def _replay(self, exchange: Exchange, hit: Hit, headers: HeaderList) -> None:
        try:
            headers = [*self._added, *headers]
            await self._replayer.send(hit.shown, exchange.request, headers, exchange.receive, exchange.send)
        except ClientLeft:
            return

    async def _refresh(self, exchange: Exchange, cache: RouteCache, recording: Recording) -> None:
        """Fetch a new answer in place of the stale one that the client has got already."""

        async def nobody(_message: Message) -> None:
            return

        scope = exchange.scope
        scope[FINISH] = lambda: True
        tee = Tee(scope, nobody, recording, lambda _stored: [])
        try:
            await self._app(scope, exchange.receive, tee.send)
        except SemgateError:
            recording.abandon(Reason.INCOMPLETE)  # what was wrong with the upstream was told when it was tried
        await self._keep(cache, recording, tee)

    async def _follow(self, exchange: Exchange, cache: RouteCache, follow: Follow) -> None:
        """Go along with the same request, already on its way; where that is not to be, forward this one."""
        recording = follow.otherwise.recording
        assert recording is not None
        try:
            answered = await unless_left(exchange.receive, self._followed(exchange, cache, follow))
        except ClientLeft:
            return
        finally:
            follow.seat.leave()
        if not answered:
            await self._record(exchange, cache, follow.otherwise, recording)

    async def _followed(self, exchange: Exchange, cache: RouteCache, follow: Follow) -> bool:
        headers = [*self._added, *other_headers(follow.otherwise, self._expose, collapsed=True)]
        met = await cache.follow(follow, lambda head: accepts(exchange.request.headers, _coding(head)))
        match met:
            case Hit() if self._replayer.readable(met.shown, exchange.request):
                await self._replayer.send(met.shown, exchange.request, headers, None, exchange.send)
                self._tell_stored(exchange, met, Outcome.COLLAPSED)
                await cache.served(met, exchange.request.asked_at)
            case Head():
                passed = [pair for pair in met.headers if pair[0] == b"content-encoding"]
                head = [*replayable(met.headers), *passed, *headers]
                await exchange.send({"type": "http.response.start", "status": met.status, "headers": head})
                outcome = await self._go_along(exchange, follow)
                self._tell(exchange, follow.otherwise, outcome, met.status)
            case _:
                return False
        return True

    async def _go_along(self, exchange: Exchange, follow: Follow) -> Outcome:
        """Without its last message the server cuts the connection: a broken stream must not look whole to anybody."""
        try:
            async for piece in follow.seat.pieces():
                await exchange.send({"type": "http.response.body", "body": piece, "more_body": True})
        except Broken:
            return Outcome.ERROR
        await exchange.send({"type": "http.response.body", "body": b""})
        return Outcome.COLLAPSED

    async def _pass(self, exchange: Exchange, verdict: Miss | Bypass) -> None:
        """Forward, and keep nothing."""
        tee = Tee(exchange.scope, exchange.send, None, lambda stored: self._headers(verdict, stored=stored))
        await self._forward(exchange, verdict, tee)

    async def _record(self, exchange: Exchange, cache: RouteCache, miss: Miss, recording: Recording) -> None:
        """Forward, and keep the answer: after it was sent, or before where the route is buffered."""
        outlet = Outlet(exchange.send, lambda: recording.followed, cache.policy.keep.max_body)
        landing = cache.landing(recording)
        tee = Tee(
            exchange.scope,
            outlet.send,
            recording,
            lambda stored: self._headers(miss, stored=stored),
            landing,
            keep=cache.keep if self._buffer else None,
            stand_in=miss.stale is not None,
        )
        exchange.scope[FINISH] = lambda: recording.wanted(kept_without_client=self._finish)
        try:
            await self._forward(exchange, miss, tee)
            await self._keep(cache, recording, tee)
            await outlet.drained()
        finally:
            recording.abandon(Reason.INCOMPLETE)  # however this ended: nobody waits for it any longer
            landing.end()
            outlet.close()

    async def _keep(self, cache: RouteCache, recording: Recording, tee: Tee) -> None:
        if not tee.ended:
            recording.abandon(Reason.INCOMPLETE)
        if not tee.kept:
            await cache.keep(recording)

    async def _forward(self, exchange: Exchange, verdict: Miss | Bypass, tee: Tee) -> None:
        """Let the inner app answer. Its error before the head becomes a problem, or a stale answer stands in. After the
        head the answer stays without its last message: the server then cuts the connection, so that the client sees
        that it is not whole."""
        failure: SemgateError | None = None
        try:
            await self._app(exchange.scope, exchange.receive, tee.send)
        except SemgateError as error:
            failure = error
        except BaseException:
            self._tell(exchange, verdict, Outcome.ERROR, tee.status)
            raise
        stale = verdict.stale if isinstance(verdict, Miss) else None
        if stale is not None and (tee.failed or (isinstance(failure, UpstreamError) and not tee.status)):
            now = exchange.request.asked_at
            await self._replay(exchange, stale, hit_headers(stale, self._expose, now, instead=tee.failed))
            self._tell_stored(exchange, stale, Outcome.STALE)
        elif failure is not None:
            if not tee.status:
                await send_problem(exchange.send, failure, self._headers(verdict))
            self._tell(exchange, verdict, Outcome.ERROR, failure.status)
        else:
            outcome = Outcome.BYPASS if isinstance(verdict, Bypass) else Outcome.MISS
            self._tell(exchange, verdict, outcome, tee.status)

    def _headers(self, verdict: Miss | Bypass | Refuse, *, stored: bool = False) -> HeaderList:
        return [*self._added, *other_headers(verdict, self._expose, stored=stored)]

    def _tell_stored(self, exchange: Exchange, hit: Hit, outcome: Outcome) -> None:
        entry = hit.entry
        self._emit(
            Served(
                self._route,
                outcome,
                time.perf_counter() - exchange.started,
                entry.status,
                source=hit.source,
                similarity=hit.similarity,
                age=age(entry.created_at, exchange.request.asked_at),
                entry=entry.id,
                cost=entry.cost,
                scope=entry.scope,
            )
        )

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


def _coding(head: Head) -> bytes:
    return b", ".join(value for name, value in head.headers if name == b"content-encoding")
