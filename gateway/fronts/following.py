"""Following the same request, already on its way for somebody else: along with its stream, or with what it became."""

from __future__ import annotations

from gateway.core.events import Outcome
from gateway.core.messages import Follow, HitKind, Verdict
from gateway.core.negotiate import accepts
from gateway.core.status import replayable
from gateway.engine.cache import RouteCache
from gateway.engine.coalesce import Broken, Head, Shared
from gateway.fronts.leaving import ClientLeft, unless_left
from gateway.fronts.replay import Replayer
from gateway.fronts.telling import Exchange, Teller


class Follower:
    """One route's."""

    def __init__(self, tell: Teller, replayer: Replayer) -> None:
        self._tell = tell
        self._replayer = replayer

    async def follow(self, exchange: Exchange, cache: RouteCache, follow: Follow) -> Verdict | None:
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
                if hit.kind is HitKind.SYNTHESIS:
                    headers = self._tell.made_for_another()
                await self._replayer.send(hit.shown, coding, exchange.request.method, headers, None, exchange.send)
                self._tell.stored(exchange, hit, Outcome.COLLAPSED)
                await cache.served(hit, exchange.request.asked_at)
                return None
            case Head():
                if met.synthesized:
                    headers = self._tell.made_for_another()
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


def _coding(head: Head) -> bytes:
    return b", ".join(value for name, value in head.headers if name == b"content-encoding")
