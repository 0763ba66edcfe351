"""Traces where the routes file asks for them. They begin and end with the process; a change takes a new start."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.config.model import File
from gateway.core.asgi import App
from gateway.core.events import Trouble
from gateway.observe.observer import Observer

if TYPE_CHECKING:
    from gateway.observe.collector import Collector
    from gateway.observe.traces import Tracing


class Traces:
    """Of one worker. Without `server.tracing`, or without the packages for it, there is nothing here and nothing is
    added to a request's way."""

    def __init__(self, settings: File, observer: Observer) -> None:
        self._collector: Collector | None = None
        self._tracing: Tracing | None = None
        asked = settings.server.tracing
        if asked is None:
            return
        try:
            from gateway.observe.collector import Collector
            from gateway.observe.traces import Tracing
        except ImportError:
            observer(Trouble("tracing", "server.tracing needs the `otel` extra: pip install 'semgate[otel]'"))
            return
        self._collector = Collector(asked.endpoint, asked.sample, asked.headers, observer)
        self._tracing = observer.tracer = Tracing(self._collector.provider)

    def around(self, app: App) -> App:
        return app if self._tracing is None else self._tracing.around(app)

    def follow(self, settings: File) -> None:
        """The routes that run now."""
        if self._tracing is not None:
            self._tracing.paths = {route.name: route.path for route in settings.routes}

    async def close(self) -> None:
        if self._collector is not None:
            await asyncio.to_thread(self._collector.close)
