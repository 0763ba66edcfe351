"""CacheMiddleware: the cache around any ASGI app. A hit is answered here; else the app answers and a recording watches.

What is awaited after the last body message is not seen by the client, so keeping never delays an answer.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import assert_never

from gateway.core.asgi import ACCOUNT, FINISH, App, HeaderList, Message, Receive, Scope, Send
from gateway.core.body import Document
from gateway.core.events import Outcome
from gateway.core.freshness import Wishes, read_wishes
from gateway.core.messages import Bypass, Follow, Hit, Miss, Reason, Refuse, Request, Verdict
from gateway.core.negotiate import IDENTITY, accepts
from gateway.core.recording import Recording
from gateway.core.status import replayable
from gateway.engine.cache import RouteCache
from gateway.engine.coalesce import Broken, Head, Shared
from gateway.engine.learning import keeps
from gateway.errors import NotCached, QuestionDenied, SemgateError, UpstreamError
from gateway.fronts.leaving import ClientLeft, unless_left
from gateway.fronts.outlet import Outlet
from gateway.fronts.problem import send_problem
from gateway.fronts.replay import Replayer
from gateway.fronts.tee import Tee
from gateway.fronts.telling import Exchange, Teller


class CacheMiddleware:
    """`cache` is None on a route that is off; `buffer` holds a single answer back until it is stored; `finish`: an answer
    is read to its end and kept though its client has left."""

    def __init__(
        self,
        app: App,
        cache: RouteCache | None,
        *,
        buffer: bool,
        finish: bool,
        tell: Teller,
        replayer: Replayer,
    ) -> None:
        self._app = app
        self._cache = cache
        self._buffer = buffer
        self._finish = finish
        self._tell = tell
        self._replayer = replayer

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
        wishes = read_wishes(request.headers, cache.policy.allowed)
        verdict: Verdict | None = await cache.look_up(request, document, wishes)
        while isinstance(verdict, Follow):
            verdict = await self._follow(exchange, cache, verdict)
        match verdict:
            case None:
                return
            case Hit():
                await self._hit(exchange, cache, verdict, wishes)
            case Miss(recording=Recording() as recording):
                await self._record(exchange, cache, verdict, recording)
            case Miss() | Bypass():
                await self._pass(exchange, verdict)
            case Refuse():
                await self._refuse(exchange, verdict)
            case _:
                assert_never(verdict)

    async def bypass(self, reason: Reason, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request whose body was not read."""
        exchange = Exchange(request, scope, receive, send, time.perf_counter())
        cache = self._cache
        if cache is not None and read_wishes(request.headers, cache.policy.allowed).only_if_cached:
            await self._refuse(exchange, Refuse(reason))
        else:
            await self._pass(exchange, Bypass(reason))

    async def _refuse(self, exchange: Exchange, refuse: Refuse) -> None:
        if refuse.denial is None:
            error: SemgateError = NotCached("only-if-cached was asked for, and no stored answer may be served")
        else:
            error = QuestionDenied(refuse.denial.answer, refuse.denial.name)
        await send_problem(exchange.send, error, self._tell.headers(refuse))
        self._tell.forwarded(exchange, refuse, Outcome.REFUSED, error.status)

    async def _cannot_read(self, exchange: Exchange, hit: Hit, wishes: Wishes) -> None:
        """There is an answer, and the client accepts no coding that it could be sent in."""
        if hit.refresh is not None:
            hit.refresh.abandon(Reason.CLIENT_LEFT)
        if wishes.only_if_cached:
            await self._refuse(exchange, Refuse(Reason.REQUESTED))
        else:
            await self._pass(exchange, Miss(Reason.REQUESTED, None, None))

    async def _hit(self, exchange: Exchange, cache: RouteCache, hit: Hit, wishes: Wishes) -> None:
        coding = self._replayer.coding(hit.shown, exchange.request)
        if coding is None:
            await self._cannot_read(exchange, hit, wishes)
            return
        now = exchange.request.asked_at
        refreshing = None
        if hit.refresh is not None:  # at once: a client that reads slowly must not hold it up
            refreshing = asyncio.create_task(self._refresh(exchange, cache, hit.refresh))
        try:
            await self._replay(exchange, hit, coding, self._tell.hit_headers(hit, now))
            self._tell.stored(exchange, hit, Outcome.STALE if hit.stale else Outcome.HIT)
            await cache.served(hit, now)
        finally:
            if refreshing is not None:
                await refreshing
        if hit.audit is not None:
            await self._audit(exchange, cache, hit)

    async def _replay(self, exchange: Exchange, hit: Hit, coding: bytes, headers: HeaderList) -> None:
        method = exchange.request.method
        try:
            await self._replayer.send(hit.shown, coding, method, headers, exchange.receive, exchange.send)
        except ClientLeft:
            return

    async def _refresh(self, exchange: Exchange, cache: RouteCache, recording: Recording) -> None:
        """Fetch a new answer in place of the stale one that the client gets."""
        try:
            tee = await self._ask_unseen(exchange.scope, recording)
            await self._keep(cache, recording, tee)
        except SemgateError:
            return  # what was wrong with the upstream was told when it was tried
        finally:
            await cache.let_go(recording)

    async def _audit(self, exchange: Exchange, cache: RouteCache, hit: Hit) -> None:
        """Compare what the client was given with what the upstream says. That is the operator's wish, and on nobody's
        account."""
        scope = {name: value for name, value in exchange.scope.items() if name != ACCOUNT}

        async def ask(recording: Recording) -> None:
            try:
                tee = await self._ask_unseen(scope, recording)
            except SemgateError:
                recording.abandon(Reason.INCOMPLETE)
            else:
                if not tee.ended:
                    recording.abandon(Reason.INCOMPLETE)

        cost = await cache.learning.audit(hit, ask)
        if cost is not None:
            self._tell.audited(cost)

    async def _ask_unseen(self, scope: Scope, recording: Recording) -> Tee:
        """Let the inner app answer the recording alone. Raises what the app does."""

        async def nobody(_message: Message) -> None:
            return

        async def nothing() -> Message:
            never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
            return await never  # the client's leaving is not its business

        scope = {**scope, FINISH: lambda: True}
        tee = Tee(scope, nobody, recording, lambda _stored: [])
        await self._app(scope, nothing, tee.send)
        return tee

    async def _follow(self, exchange: Exchange, cache: RouteCache, follow: Follow) -> Verdict | None:
        """Go along with the same request, already on its way. None: that was the answer; else what to do instead."""
        try:
            return await unless_left(exchange.receive, self._followed(exchange, cache, follow))
        except ClientLeft:
            return None
        finally:
            follow.seat.leave()

    async def _followed(self, exchange: Exchange, cache: RouteCache, follow: Follow) -> Verdict | None:
        headers = self._tell.headers(follow.otherwise, collapsed=True)
        met = await cache.follow(follow, lambda head: accepts(exchange.request.headers, _coding(head)))
        match met:
            case Shared(hit=hit):
                coding = self._replayer.coding(hit.shown, exchange.request)
                if coding is None:
                    return hit  # which this client cannot read
                await self._replayer.send(hit.shown, coding, exchange.request.method, headers, None, exchange.send)
                self._tell.stored(exchange, hit, Outcome.COLLAPSED)
                await cache.served(hit, exchange.request.asked_at)
                return None
            case Head():
                passed = [pair for pair in met.headers if pair[0] == b"content-encoding"]
                head = [*replayable(met.headers), *passed, *headers]
                await exchange.send({"type": "http.response.start", "status": met.status, "headers": head})
                # The head goes on its way with a first body message: the first event may be long in coming.
                await exchange.send({"type": "http.response.body", "body": b"", "more_body": True})
                outcome = await self._go_along(exchange, follow)
                self._tell.forwarded(exchange, follow.otherwise, outcome, met.status)
                return None
            case _:
                return met

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
        tee = Tee(exchange.scope, exchange.send, None, lambda stored: self._tell.headers(verdict, stored=stored))
        await self._forward(exchange, verdict, tee)

    async def _record(self, exchange: Exchange, cache: RouteCache, miss: Miss, recording: Recording) -> None:
        """Forward, and keep the answer: after it was sent, or before where the route is buffered."""
        outlet = Outlet(exchange.send, lambda: recording.followed, cache.policy.keep.max_body)
        landing = cache.landing(recording)
        kept = keeps(miss)
        tee = Tee(
            exchange.scope,
            outlet.send,
            recording,
            lambda stored: self._tell.headers(miss, stored=stored),
            landing if kept else None,
            keep=cache.keep if self._buffer and kept else None,
            stand_in=None if miss.stale is None else partial(self._stand_in, exchange, miss.stale),
        )
        exchange.scope[FINISH] = lambda: recording.wanted(kept_without_client=self._finish)
        try:
            await self._forward(exchange, miss, tee)
            await self._keep(cache, recording, tee, kept=kept)
            landing.end()  # before the client has taken it all: that may be a while
            await outlet.drained()
            await cache.learning.learn(miss)
        finally:
            landing.end()
            await cache.let_go(recording)
            outlet.close()

    async def _keep(self, cache: RouteCache, recording: Recording, tee: Tee, *, kept: bool = True) -> None:
        if not tee.ended:  # and nothing was raised: then the client has left, and nobody wanted the rest
            recording.abandon(Reason.CLIENT_LEFT)
        if kept and not tee.kept:
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
            if isinstance(verdict, Miss) and verdict.recording is not None:
                verdict.recording.abandon(Reason.INCOMPLETE)  # before anything is sent: nobody shall wait for that
        except BaseException:
            self._tell.forwarded(exchange, verdict, Outcome.ERROR, tee.status)
            raise
        if tee.failed:
            return  # the stale answer has gone out
        stale = verdict.stale if isinstance(verdict, Miss) else None
        if failure is None:
            outcome = Outcome.BYPASS if isinstance(verdict, Bypass) else Outcome.MISS
            self._tell.forwarded(exchange, verdict, outcome, tee.status)
        elif stale is not None and isinstance(failure, UpstreamError) and not tee.status:
            await self._stand_in(exchange, stale, 0)
        else:
            if not tee.status:
                await send_problem(exchange.send, failure, self._tell.headers(verdict))
            self._tell.forwarded(exchange, verdict, Outcome.ERROR, failure.status)

    async def _stand_in(self, exchange: Exchange, stale: Hit, status: int) -> None:
        """A stale answer for an upstream that failed, with this status (0: without any)."""
        coding = self._replayer.coding(stale.shown, exchange.request) or IDENTITY
        headers = self._tell.hit_headers(stale, exchange.request.asked_at, instead=status)
        await self._replay(exchange, stale, coding, headers)
        self._tell.stored(exchange, stale, Outcome.STALE)


def _coding(head: Head) -> bytes:
    return b", ".join(value for name, value in head.headers if name == b"content-encoding")
