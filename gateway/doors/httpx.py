"""The cache inside an SDK's HTTP client: transports for httpx and httpx2, sync and async.

They stand around another transport and answer what was asked before; everything else passes through them as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from gateway.doors.transport_async import AsyncExchange
from gateway.doors.transport_below import AsyncBelow, Below, running_loop
from gateway.doors.transport_beside import Tasks, Threads
from gateway.doors.transport_cache import ClientsCache
from gateway.doors.transport_library import AsyncTransport, SyncTransport
from gateway.doors.transport_sync import Exchange
from gateway.doors.transport_told import Told

if TYPE_CHECKING:
    from typing import Self

    import httpx
    import httpx2

    from gateway.doors.settings import Config

__all__ = ["AsyncCacheTransport", "CacheTransport", "Told"]


class CacheTransport(SyncTransport):
    """Answers questions to well-known APIs that were asked before, in the same words or in others.

    `OpenAI(http_client=DefaultHttpxClient(transport=CacheTransport()))`, and so with any client of httpx or httpx2. Each
    response that the cache had a part in says so in `response.extensions["semgate"]`, a Told, and in its headers.

    Args:
        config: the path of a routes file, or the same settings as Python objects (see Config); what these leave out at the
            top is as it is without them. A route's path is the end of a URL's path.
        transport: what sends requests on; the library's own HTTPTransport unless it is given. Closing closes it.

    Raises:
        ConfigError: the settings cannot be used; the message lists all that is wrong.
    """

    def __init__(
        self,
        config: Config | Mapping[str, Any] | str | Path | None = None,
        *,
        transport: httpx.BaseTransport | httpx2.BaseTransport | None = None,
    ) -> None:
        self._cache = ClientsCache(config)
        self._below = Below(transport)
        self._beside = Threads()

    def handle_request(self, request: Any) -> Any:
        """A response of the request's library, its body not read yet. Raises what the transport inside raises."""
        below = self._below.of(request)
        scope = self._cache.sought.scope(request)
        reached = None if scope is None else self._cache.reach()
        if scope is None or reached is None:
            return below.handle_request(request)
        return Exchange(request, scope, reached, below, self._beside).response(self._cache)

    def __enter__(self) -> Self:
        self._below.enter()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._beside.close(self._below.close)
        self._below.leave(exc_type, exc_value, traceback)

    def close(self) -> None:
        """Close the transport inside. The cache is the process's, and closed when that ends."""
        self._beside.close(self._below.close)
        self._below.close()


class AsyncCacheTransport(AsyncTransport):
    """CacheTransport for async clients, under asyncio; elsewhere requests pass untouched."""

    def __init__(
        self,
        config: Config | Mapping[str, Any] | str | Path | None = None,
        *,
        transport: httpx.AsyncBaseTransport | httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._cache = ClientsCache(config)
        self._below = AsyncBelow(transport)
        self._beside = Tasks()

    async def handle_async_request(self, request: Any) -> Any:
        """As CacheTransport's handle_request."""
        below = self._below.of(request)
        scope = self._cache.sought.scope(request) if running_loop() is not None else None
        reached = None if scope is None else await self._cache.reach_async()
        if scope is None or reached is None:
            return await below.handle_async_request(request)
        return await AsyncExchange(request, scope, reached, below, self._beside).response(self._cache)

    async def __aenter__(self) -> Self:
        await self._below.enter()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._beside.close()
        await self._below.leave(exc_type, exc_value, traceback)

    async def aclose(self) -> None:
        """As CacheTransport's close."""
        await self._beside.close()
        await self._below.close()
