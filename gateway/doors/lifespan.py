"""An app's lifespan with one more thing in it: opened before the app starts up, closed after it has shut down.

An app that knows no lifespan (it raises, or returns without a word) has one from here on: the server is answered in its
place.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from gateway.core.asgi import App, Message, Receive, Scope, Send
from gateway.errors import ConfigError

LOG = logging.getLogger("semgate")

Step = Callable[[], Awaitable[None]]

STARTUP = "lifespan.startup"
SHUTDOWN = "lifespan.shutdown"


async def live(app: App, scope: Scope, receive: Receive, send: Send, begin: Step, end: Step) -> None:
    """Run the app's lifespan between `begin` and `end`. Raises what the app raises after it has said something."""
    heard = [await receive()]
    try:
        await begin()
    except ConfigError as error:
        await send({"type": f"{STARTUP}.failed", "message": str(error)})
        return
    said: list[str] = []
    over = False

    async def finish() -> None:
        nonlocal over
        if not over:
            over = True
            await end()

    async def hear() -> Message:
        return heard.pop() if heard else await receive()

    async def say(message: Message) -> None:
        said.append(message["type"])
        if message["type"].startswith(SHUTDOWN):
            await finish()  # before the server hears that all is over
        await send(message)

    try:
        try:
            await app(scope, hear, say)
        except Exception as error:
            if said:
                raise
            LOG.info("the app has no lifespan of its own (%s: %s)", type(error).__name__, error)
        if not said:
            await send({"type": f"{STARTUP}.complete"})
            while (await receive())["type"] != SHUTDOWN:
                pass
            await finish()
            await send({"type": f"{SHUTDOWN}.complete"})
    finally:
        await finish()
