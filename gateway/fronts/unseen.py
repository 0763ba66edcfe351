"""Calls of the inner app that no client sees: a new answer in place of a stale one, and audits.

Their answers pass a Tee to the recording and go nowhere else.
"""

from __future__ import annotations

import asyncio

from gateway.core.asgi import ACCOUNT, FINISH, UNSEEN, App, Message, Scope
from gateway.core.messages import Hit, Reason
from gateway.core.recording import Recording
from gateway.engine.cache import RouteCache
from gateway.errors import SemgateError
from gateway.fronts.tee import Tee
from gateway.fronts.telling import Exchange, Teller


class Unseen:
    """One route's."""

    def __init__(self, app: App, tell: Teller) -> None:
        self._app = app
        self._tell = tell

    async def refresh(self, exchange: Exchange, cache: RouteCache, recording: Recording) -> None:
        """Fetch a new answer in place of the stale one that the client gets."""
        try:
            tee = await self._ask(exchange.scope, recording)
            await keep_what_passed(cache, recording, tee)
        except SemgateError:
            return  # what was wrong with the upstream was told when it was tried
        finally:
            await cache.let_go(recording)

    async def audit(self, exchange: Exchange, cache: RouteCache, hit: Hit) -> None:
        """Compare what the client was given with what the upstream says. That is the operator's wish, and on nobody's
        account."""
        scope = {name: value for name, value in exchange.scope.items() if name != ACCOUNT}

        async def ask(recording: Recording) -> None:
            try:
                tee = await self._ask(scope, recording)
            except SemgateError:
                recording.abandon(Reason.INCOMPLETE)
            else:
                if not tee.ended:
                    recording.abandon(Reason.INCOMPLETE)

        cost = await cache.learning.audit(hit, ask)
        if cost is not None:
            self._tell.audited(cost)

    async def _ask(self, scope: Scope, recording: Recording) -> Tee:
        """Let the inner app answer the recording alone. Raises what the app does."""

        async def nobody(_message: Message) -> None:
            return

        async def nothing() -> Message:
            never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
            return await never  # the client's leaving is not its business

        scope = {**scope, FINISH: lambda: True, UNSEEN: True}
        tee = Tee(scope, nobody, recording, lambda _stored: [])
        await self._app(scope, nothing, tee.send)
        return tee


async def keep_what_passed(cache: RouteCache, recording: Recording, tee: Tee, *, kept: bool = True) -> None:
    """The inner app has answered. `kept`: is this answer to be stored, if it is whole and good?"""
    if not tee.ended:  # and nothing was raised: then the client has left, and nobody wanted the rest
        recording.abandon(Reason.CLIENT_LEFT)
    if kept and not tee.kept:
        await cache.keep(recording)
