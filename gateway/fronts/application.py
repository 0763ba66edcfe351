"""The application inside a cache: asked as often as the cache likes, it notices nothing of it.

It gets the whole body each time, and hears that its client has left only where its answer is not wanted without one. What it
answers is all seen here, in the form that the cache reads; what it raises goes by, whosever error it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from gateway.core.asgi import BODY, FINISH, UNSEEN, App, Message, Receive, Scope, Send
from gateway.errors import SemgateError, UpstreamError
from gateway.fronts.conversation import Unreachable

LOG = logging.getLogger("semgate")

# Extensions by which an application answers past the body messages: what is not seen cannot be kept.
_PAST_THE_BODY = frozenset({"http.response.pathsend", "http.response.zerocopysend"})


def passing_on(scope: Scope, send: Send) -> Send:
    """`send` where a client that has left is no trouble for as long as the answer is wanted without it."""
    gone = False

    async def pass_on(message: Message) -> None:
        nonlocal gone
        if gone and _is_wanted(scope):
            return
        try:
            await send(message)
        except OSError:  # ASGI 2.4: what `send` raises then
            if not _is_wanted(scope):
                raise
            gone = True

    return pass_on


def _is_wanted(scope: Scope) -> bool:
    finish: Callable[[], bool] | None = scope.get(FINISH)
    return finish is not None and finish()


def see_all(scope: Scope) -> None:
    """Have the application send all that it answers."""
    extensions = scope.get("extensions")
    if extensions and not _PAST_THE_BODY.isdisjoint(extensions):
        scope["extensions"] = {name: each for name, each in extensions.items() if name not in _PAST_THE_BODY}


class Inner:
    """The application, as CacheMiddleware asks it: once for the client, and unseen where an answer is fetched anew or
    compared. Its body was read, so it is played to it each time."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        see_all(scope)
        hearing = Hearing(scope, receive, scope.get(BODY))
        try:
            await self._app(scope, hearing.receive, hearing.around(send))
        except Unreachable:
            raise
        except Exception as error:
            if UNSEEN in scope:
                LOG.warning("the app failed to answer what no client waits for", exc_info=error)
                raise UpstreamError("the app failed", "") from error
            if isinstance(error, SemgateError):
                raise AppsOwn(error) from error
            raise


class AppsOwn(Exception):
    """An error of semgate's that the application itself raises, as it may use another door: none of the cache's here."""

    def __init__(self, error: SemgateError) -> None:
        super().__init__(str(error))
        self.error = error


class Hearing:
    """What the application hears of its client: the `body` (None: it is still to be received), and that it left; while the
    answer is wanted without it, only after the application has given it. `scope` is the one that the cache sees."""

    def __init__(self, scope: Scope, receive: Receive, body: bytes | None) -> None:
        self._scope = scope
        self._receive = receive
        self._body = body
        self._over = asyncio.Event()

    async def receive(self) -> Message:
        """The next message of the client."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        if UNSEEN in self._scope:
            await self._over.wait()  # nobody is there who could leave; but some wait for that once they have answered
            return {"type": "http.disconnect"}
        message = await self._receive()
        if message["type"] == "http.disconnect" and _is_wanted(self._scope):
            await self._over.wait()
        return message

    def around(self, send: Send) -> Send:
        """Heads as the cache reads them; and a look, with each message, at whether the answer is still wanted."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(bytes(name).lower(), bytes(value)) for name, value in message.get("headers", ())]
                message = {**message, "headers": headers}
            elif message["type"] == "http.response.body":
                message = {**message, "body": bytes(message.get("body", b""))}
            await send(message)
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if last or (FINISH in self._scope and not _is_wanted(self._scope)):
                self._over.set()

        return sending
