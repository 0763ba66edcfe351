"""The transport inside a cache transport: the one that was given, or the library's own.

The library's own is made for the first request, as only that tells which library it is; and anew after a fork, as a
connection must not be used by two processes. An async one is made for each event loop, to which its connections belong.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any
from weakref import WeakKeyDictionary

import httpx

from gateway.doors.transport_library import library_of


class Below:
    """Of a sync transport; `given` None: the library's own."""

    def __init__(self, given: Any) -> None:
        self._given = given
        self._own: dict[tuple[str, int], Any] = {}

    def of(self, request: httpx.Request) -> httpx.BaseTransport:
        """What sends this request on."""
        if self._given is not None:
            return self._given  # type: ignore[no-any-return]
        library = library_of(request)
        key = library.__name__, os.getpid()
        found: httpx.BaseTransport | None = self._own.get(key)
        # Of two threads that make one at the same time, the one that is not taken has no connections yet.
        return self._own.setdefault(key, library.HTTPTransport()) if found is None else found

    def enter(self) -> None:
        if self._given is not None:
            self._given.__enter__()

    def leave(self, *raised: Any) -> None:
        """As the end of a `with` block that `enter` began."""
        if self._given is not None:
            self._given.__exit__(*raised)
        else:
            self.close()

    def close(self) -> None:
        if self._given is not None:
            self._given.close()
            return
        for (_, process), transport in list(self._own.items()):
            if process == os.getpid():
                transport.close()


class AsyncBelow:
    """Of an async transport."""

    def __init__(self, given: Any) -> None:
        self._given = given
        self._of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, int], Any]] = WeakKeyDictionary()
        self._elsewhere: dict[tuple[str, int], Any] = {}

    def of(self, request: httpx.Request) -> httpx.AsyncBaseTransport:
        """What sends this request on."""
        if self._given is not None:
            return self._given  # type: ignore[no-any-return]
        library, own = library_of(request), self._own()
        key = library.__name__, os.getpid()
        if key not in own:
            own[key] = library.AsyncHTTPTransport()
        return own[key]  # type: ignore[no-any-return]

    async def enter(self) -> None:
        if self._given is not None:
            await self._given.__aenter__()

    async def leave(self, *raised: Any) -> None:
        """As the end of an `async with` block that `enter` began."""
        if self._given is not None:
            await self._given.__aexit__(*raised)
        else:
            await self.close()

    async def close(self) -> None:
        if self._given is not None:
            await self._given.aclose()
            return
        for (_, process), transport in list(self._own().items()):
            if process == os.getpid():
                await transport.aclose()

    def _own(self) -> dict[tuple[str, int], Any]:
        """Those of this loop; outside asyncio there is one for all."""
        loop = running_loop()
        return self._elsewhere if loop is None else self._of_loops.setdefault(loop, {})


def running_loop() -> asyncio.AbstractEventLoop | None:
    """None: not under asyncio."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
