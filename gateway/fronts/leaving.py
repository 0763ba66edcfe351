"""Clients that leave while they wait: a server's `send` need not raise then, only `receive` tells."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from gateway.core.asgi import Receive

T = TypeVar("T")


class ClientLeft(Exception):
    """The client went away: there is nobody to answer."""


async def unless_left(receive: Receive, work: Coroutine[Any, Any, T], *, wanted: Callable[[], bool] | None = None) -> T:
    """Do the work for as long as the client is there; its request must have been read whole. `wanted`: is it to be done to
    its end though the client has left? Raises ClientLeft."""
    doing = asyncio.create_task(work)
    watching = asyncio.create_task(_until_left(receive))
    try:
        await asyncio.wait({doing, watching}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done() or (wanted is not None and wanted()):
            return await doing
        raise ClientLeft
    finally:
        for task in (doing, watching):
            task.cancel()
        await asyncio.gather(doing, watching, return_exceptions=True)


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
