"""Sending an answer that a model makes of kept ones: as it is written, watched by the recording like an upstream's.

Until its first words are certain nothing is sent, and the verdict stands as it was. Once begun, an answer that breaks off
stays without its last message, so that the client sees that it is not whole. A model that nobody listens to any more is
asked no further.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gateway.core.asgi import DIRECT, HeaderList
from gateway.core.events import Outcome
from gateway.core.messages import Form, Hit, Miss, Reason
from gateway.core.negotiate import accepts
from gateway.core.recording import Recording
from gateway.engine.answering import Answering
from gateway.engine.cache import RouteCache
from gateway.errors import SynthesisError
from gateway.fronts.leaving import ClientLeft, unless_left
from gateway.fronts.outlet import Outlet
from gateway.fronts.tee import Tee
from gateway.fronts.telling import Exchange, Teller

OK = 200


class Maker:
    """One route's. `audit` compares what a client was given with what the upstream says; `finish`: an answer that is kept is
    made to its end though its client has left."""

    def __init__(
        self, tell: Teller, audit: Callable[[Exchange, RouteCache, Hit], Awaitable[None]], *, finish: bool
    ) -> None:
        self._tell = tell
        self._audit = audit
        self._finish = finish

    async def answer(self, exchange: Exchange, cache: RouteCache, verdict: Hit | Miss) -> bool:
        """Was this request answered so? If not, nothing was sent, and what the verdict records is as before."""
        draft = verdict.draft
        if draft is None or draft.recording is None or not accepts(exchange.request.headers, b""):
            return False
        recording, going_on = draft.recording, False
        finish = self._finish and cache.policy.keeps_synthesized
        try:
            making = self._make(exchange, cache, verdict, recording)
            going_on = not await unless_left(
                exchange.receive, making, wanted=lambda: recording.wanted(kept_without_client=finish)
            )
        except ClientLeft:
            recording.abandon(Reason.CLIENT_LEFT)
            return True
        finally:
            if not going_on:
                await cache.let_go(recording)
        if going_on:
            return False
        hit = cache.drafts.sampled(draft)
        if hit is not None:
            await self._audit(exchange, cache, hit)
        return True

    async def _make(self, exchange: Exchange, cache: RouteCache, verdict: Hit | Miss, recording: Recording) -> bool:
        answering = await cache.drafts.answer(verdict)
        if answering is None:
            return False
        try:
            await self._send(exchange, cache, answering, recording)
        finally:
            answering.close()
        return True

    async def _send(self, exchange: Exchange, cache: RouteCache, answering: Answering, recording: Recording) -> None:
        outlet = Outlet(
            exchange.send, lambda: recording.followed, cache.policy.keep.max_body, direct=DIRECT in exchange.scope
        )
        landing = cache.landing(recording)
        headers = self._tell.made_headers(answering.draft, exchange.request.asked_at)
        tee = Tee(exchange.scope, outlet.send, recording, lambda _stored: headers, landing)
        try:
            try:
                whole = await self._pass(answering, tee)
            except asyncio.CancelledError:  # the client left
                if tee.status:
                    self._tell.made(exchange, answering.draft, Outcome.SYNTHESIS)
                raise
            if not whole:
                recording.abandon(Reason.INCOMPLETE)
            self._tell.made(exchange, answering.draft, Outcome.SYNTHESIS if whole else Outcome.ERROR)
            if whole and answering.doubtful:
                recording.finish()  # those who followed it have it; nobody else gets it
            elif whole:
                await cache.keep(recording)
            landing.end()
            await outlet.drained()
        finally:
            landing.end()
            outlet.close()

    async def _pass(self, answering: Answering, tee: Tee) -> bool:
        """Did it come to its end?"""
        head: HeaderList = list(answering.headers)
        try:
            if answering.form is Form.SINGLE:
                body = b"".join([piece async for piece in answering.pieces()])
                head.append((b"content-length", b"%d" % len(body)))
                await tee.send({"type": "http.response.start", "status": OK, "headers": head})
                await tee.send({"type": "http.response.body", "body": body})
                return True
            await tee.send({"type": "http.response.start", "status": OK, "headers": head})
            async for piece in answering.pieces():
                await tee.send({"type": "http.response.body", "body": piece, "more_body": True})
        except SynthesisError:  # told already
            return False
        await tee.send({"type": "http.response.body", "body": b""})
        return True
