"""The Gateway of one worker: settings in, a running generation out; and what it can tell its operator."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.config.model import EMBEDDED_POSTGRES, File
from gateway.errors import StoreError
from gateway.fronts.admin.operations import Readiness, Running, RunningRoute
from gateway.observe import Metrics, Observer
from gateway.runtime.compile import Generation, compile_generation
from gateway.runtime.environment import EMBEDDED_URL
from gateway.runtime.resources import Resources
from gateway.stores.digest import load_or_create_digest_key


class Gateway:
    """One worker's share of the product. `digest` names the settings."""

    def __init__(self, settings: File, digest: str) -> None:
        self._settings = settings
        self._digest = digest
        self._metrics = Metrics()
        self._resources: Resources | None = None
        self._generation: Generation | None = None

    @property
    def admin_token(self) -> str:
        return self._settings.server.admin.token

    @asynccontextmanager
    async def running_generation(self) -> AsyncIterator[Generation]:
        """Open everything, yield the compiled routes, close everything. Raises ConfigError."""
        settings = self._settings
        observer = Observer(self._metrics, settings.server.access_log)
        resources = Resources(settings, self._postgres_url(), self._digest_key(), observer)
        try:
            await resources.open()
            self._resources = resources
            self._generation = compile_generation(settings, self._digest, resources, observer)
            async with resources.upkeep():
                yield self._generation
        finally:
            self._resources = None
            await resources.close()

    async def readiness(self) -> Readiness:
        if self._resources is None:
            raise StoreError("the gateway is closed")
        parts = await self._resources.check()
        degraded = any(state != "ok" for state in parts.values())
        return Readiness("degraded" if degraded else "ready", parts)

    def running(self) -> Running:
        generation = self._generation
        return Running(
            digest=self._digest,
            loaded_at=0.0 if generation is None else generation.loaded_at,
            last_error=None,
            routes=[
                RunningRoute(route.name, route.path, route.upstream, route.mode) for route in self._settings.routes
            ],
        )

    def metrics(self) -> bytes:
        return self._metrics.render()

    def _postgres_url(self) -> str:
        url = self._settings.stores.postgres.url
        # Without a server that came up, a URL nobody answers: every use is a StoreError, every request is forwarded.
        return os.environ.get(EMBEDDED_URL, "postgresql:///?host=/nonexistent") if url == EMBEDDED_POSTGRES else url

    def _digest_key(self) -> str:
        return self._settings.server.digest_key or load_or_create_digest_key(self._settings.server.data_dir)
