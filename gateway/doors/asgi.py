"""The cache inside an ASGI app: `SemanticCacheMiddleware`, around FastAPI, Starlette, Litestar, Quart, Django, or any other.

Where the server tells of the app's lifespan, it runs in the app's own loop, from its startup to its shutdown. Where nothing
does (most test clients, a wrapper around a single router), it runs in the engine's loop, and any number of loops use it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.config.objects import prepare
from gateway.doors.defaults import APP, nobody_follows, project_namespace
from gateway.doors.lifespan import live
from gateway.doors.opening import SharedCache
from gateway.fronts.carry import carry
from gateway.fronts.conversation import ask_caller
from gateway.runtime.inside import APP as PLACE
from gateway.runtime.inside import Inside

if TYPE_CHECKING:
    from gateway.core.asgi import App, Receive, Scope, Send
    from gateway.doors.settings import Config


class SemanticCacheMiddleware:
    """Answers questions that were asked before, in the same words or in others, before `app` is asked.

    Args:
        app: any ASGI app.
        config: the path of a routes file, or the same settings as Python objects (see Config). Without it: POST to any path,
            with the question in `query`, `prompt`, `input` or the last of `messages`; callers who differ in any header that
            may say who they are share nothing.

    Raises:
        ConfigError: the settings cannot be used; the message lists all that is wrong.
    """

    def __init__(self, app: Any, config: Config | Mapping[str, Any] | str | Path | None = None) -> None:
        self._app: App = app
        self._prepared = prepare(config, default=APP, namespace=project_namespace())
        self._living: dict[asyncio.AbstractEventLoop, _Living] = {}
        # That of apps whose lifespan nobody tells.
        self._shared = SharedCache((self._prepared.key, PLACE, "asgi"), self._make)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        match scope["type"]:
            case "lifespan":
                await live(self._app, scope, receive, send, self._begin, self._end)
            case "http":
                await self._answer(scope, receive, send)
            case _:
                await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        living = self._living.get(asyncio.get_running_loop())
        if living is not None:
            await living.inside(scope, receive, send)
            return
        reached = await self._shared.reach_async()
        if reached is not None and reached.inside.takes(scope):
            await carry(reached.ground, reached.inside, self._app, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _make(self) -> Inside:
        return Inside(nobody_follows(self._prepared), ask_caller, place=PLACE)

    async def _begin(self) -> None:
        """Raises ConfigError."""
        loop = asyncio.get_running_loop()
        if loop not in self._living:
            inside = Inside(self._prepared, self._app, place=PLACE)
            await inside.open()
            self._living[loop] = _Living(inside)
        self._living[loop].lives += 1

    async def _end(self) -> None:
        loop = asyncio.get_running_loop()
        living = self._living.get(loop)
        if living is None:
            return
        living.lives -= 1
        if living.lives == 0:
            del self._living[loop]
            await living.inside.close()


class _Living:
    """The cache of one loop, and how many of the app's lives in it are not over yet."""

    def __init__(self, inside: Inside) -> None:
        self.inside = inside
        self.lives = 0
