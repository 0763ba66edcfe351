"""CacheMiddleware: the cache around any ASGI app. A hit is answered here; else the app answers and a recording watches.

What is awaited after the last body message is not seen by the client, so keeping never delays an answer.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import assert_never

import msgspec

from gateway.core.asgi import DIRECT, FINISH, HIT, App, HeaderList, Receive, Scope, Send
from gateway.core.body import Document
from gateway.core.events import Outcome
from gateway.core.freshness import Wishes, read_wishes
from gateway.core.messages import Bypass, Follow, Hit, Miss, Reason, Refuse, Request, Verdict
from gateway.core.negotiate import IDENTITY
from gateway.core.recording import Recording
from gateway.engine.cache import RouteCache
from gateway.engine.learning import keeps
from gateway.errors import NotCached, QuestionDenied, SemgateError, UpstreamError
from gateway.fronts.conversation import Unreachable
from gateway.fronts.following import Follower
from gateway.fronts.leaving import ClientLeft
from gateway.fronts.making import Maker
from gateway.fronts.outlet import Outlet
from gateway.fronts.problem import send_problem
from gateway.fronts.replay import Replayer
from gateway.fronts.tee import Tee
from gateway.fronts.telling import Exchange, Teller
from gateway.fronts.unseen import Unseen, keep_what_passed


class CacheMiddleware:
    """`cache` is None on a route that is off; `buffer` holds a single answer back until it is stored; `finish`: an answer
    is read to its end and kept though its client has left; `lingers`: the app may go on for a while after its last message."""

    def __init__(
        self,
        app: App,
        cache: RouteCache | None,
        *,
        buffer: bool,
        finish: bool,
        tell: Teller,
        replayer: Replayer,
        lingers: bool = False,
    ) -> None:
        self._app = app
        self._cache = cache
        self._buffer = buffer
        self._finish = finish
        self._tell = tell
        self._replayer = replayer
        self._lingers = lingers
        self._unseen = Unseen(app, tell)
        self._follower = Follower(tell, replayer)
        self._maker = Maker(tell, self._unseen.audit, finish=finish)

    @property
    def reads_bodies(self) -> bool:
        """Does anything here need the request's body?"""
        return self._cache is not None

    async def serve(
        self,
        request: Request,
        document: Document,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        keep: bool = True,
    ) -> None:
        """Answer one request whose body has been read. `keep`: False where its own answer is not to be stored."""
        exchange = Exchange(request, scope, receive, send, time.perf_counter())
        cache = self._cache
        if cache is None:
            await self._pass(exchange, Bypass(Reason.OFF))
            return
        wishes = read_wishes(request.headers, cache.policy.allowed)
        if not keep:
            wishes = msgspec.structs.replace(wishes, ttl=0.0)  # so that nobody waits for its answer either
        verdict: Verdict | None = await cache.look_up(request, document, wishes)
        while isinstance(verdict, Follow):
            verdict = await self._follower.follow(exchange, cache, verdict)
        if not keep and verdict is not None:
            verdict = await _not_kept(cache, verdict)
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
        if hit.draft is not None and await self._maker.answer(exchange, cache, hit):
            return
        coding = self._replayer.coding(hit.shown, exchange.request)
        if coding is None:
            await self._cannot_read(exchange, hit, wishes)
            return
        now = exchange.request.asked_at
        refreshing = None
        if hit.refresh is not None:  # at once: a client that reads slowly must not hold it up
            refreshing = asyncio.create_task(self._unseen.refresh(exchange, cache, hit.refresh))
        try:
            await self._replay(exchange, hit, coding, self._tell.hit_headers(hit, now))
            self._tell.stored(exchange, hit, Outcome.STALE if hit.stale else Outcome.HIT)
            await cache.served(hit, now)
        finally:
            if refreshing is not None:
                await refreshing
        if hit.audit is not None:
            await self._unseen.audit(exchange, cache, hit)

    async def _replay(self, exchange: Exchange, hit: Hit, coding: bytes, headers: HeaderList) -> None:
        method = exchange.request.method
        exchange.scope[HIT] = hit
        try:
            await self._replayer.send(hit.shown, coding, method, headers, exchange.receive, exchange.send)
        except ClientLeft:
            return

    async def _pass(self, exchange: Exchange, verdict: Miss | Bypass) -> None:
        """Forward, and keep nothing."""
        tee = Tee(exchange.scope, exchange.send, None, lambda stored: self._tell.headers(verdict, stored=stored))
        await self._forward(exchange, verdict, tee)

    async def _record(self, exchange: Exchange, cache: RouteCache, miss: Miss, recording: Recording) -> None:
        """Forward, and keep the answer: after it was sent, or before where the route is buffered."""
        if miss.draft is not None and await self._maker.answer(exchange, cache, miss):
            return
        outlet = Outlet(
            exchange.send, lambda: recording.followed, cache.policy.keep.max_body, direct=DIRECT in exchange.scope
        )
        landing = cache.landing(recording)
        kept = keeps(miss)
        keeping: list[asyncio.Task[None]] = []

        async def keep() -> None:
            await keep_what_passed(cache, recording, tee, kept=kept)
            landing.end()  # before the client has taken it all: that may be a while

        tee = Tee(
            exchange.scope,
            outlet.send,
            recording,
            lambda stored: self._tell.headers(miss, stored=stored),
            landing if kept else None,
            keep=cache.keep if self._buffer and kept else None,
            stand_in=None if miss.stale is None else partial(self._stand_in, exchange, miss.stale),
            at_end=(lambda: keeping.append(asyncio.create_task(keep()))) if self._lingers else None,
        )
        exchange.scope[FINISH] = lambda: recording.wanted(kept_without_client=self._finish)
        try:
            await self._forward(exchange, miss, tee)
            await (keeping[0] if keeping else keep())
            await outlet.drained()
            await cache.learning.learn(miss)
        finally:
            if keeping:
                await asyncio.wait(keeping)  # where the app failed after its answer was whole
            landing.end()
            await cache.let_go(recording)
            outlet.close()

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
        elif isinstance(failure, Unreachable):
            self._tell.forwarded(exchange, verdict, Outcome.ERROR, tee.status)
            raise failure  # to the program that asked, which has its own way with it
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


async def _not_kept(cache: RouteCache, verdict: Hit | Miss | Bypass | Refuse) -> Hit | Miss | Bypass | Refuse:
    """The verdict for a request whose own answer is not to be stored."""
    match verdict:
        case Miss(recording=Recording() as recording):
            recording.abandon(Reason.NOT_WANTED)
        case Hit(refresh=Recording() as recording):
            recording.abandon(Reason.NOT_WANTED)
            await cache.let_go(recording)
            return msgspec.structs.replace(verdict, refresh=None)
        case _:
            pass
    return verdict
