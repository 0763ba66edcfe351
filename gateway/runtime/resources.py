"""Everything a generation leases: stores, embedders, upstream connections; made once per equal settings.

Opening never fails because something outside is down: that part is reported, passed over by its guard, and used as soon
as it answers. Only what is wrong with the settings themselves raises ConfigError.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol, TypeAlias

from gateway.config import model
from gateway.core.events import Stage, Trouble
from gateway.core.ports import Emit, Locks
from gateway.embedders.queue import Adapter, BoundedEmbedder
from gateway.engine.guard import Guard
from gateway.errors import CacheTrouble, ConfigError
from gateway.proxy.forwarding import Introducer
from gateway.proxy.respond import Respond
from gateway.proxy.upstream import Pool, Source, Upstream
from gateway.runtime.entries import RouteEntries
from gateway.stores.codec import Codec
from gateway.stores.digest import derive
from gateway.stores.memory import MemoryStore
from gateway.stores.postgres import Database
from gateway.stores.postgres_locks import PostgresLocks
from gateway.stores.redis import RedisStore
from gateway.stores.redis_locks import RedisLocks
from gateway.stores.sweeper import RouteLimits
from gateway.stores.upkeep import Upkeep

# How long `/-/ready` waits for a part; a first use may take longer than a look-up's budget.
PING_SECONDS = 2.0
# How long a row may take on its way into PostgreSQL; nobody waits for it, and `stores.pending` bounds how many there are.
STORE_SECONDS = 10.0
# Embedders that cost nothing to ask in vain.
LOCAL = (model.OnnxEmbedder, model.SentenceTransformersEmbedder)

Ping: TypeAlias = Callable[[], Awaitable[None]]


class Resources:
    """Built from the settings, opened once, closed once."""

    def __init__(self, settings: model.File, postgres_url: str, digest_key: str, emit: Emit) -> None:
        stores = settings.stores
        self._emit = emit
        self._namespace = settings.server.namespace
        self._promote_at = stores.postgres.hnsw.promote_at
        self._limits = {
            route.name: RouteLimits(route.limits.max_entries, route.limits.max_bytes) for route in settings.routes
        }
        self.seal_key = derive(digest_key, b"seal")
        self.key = derive(digest_key, b"keys")
        self.memory = MemoryStore(stores.memory.max_bytes) if stores.memory.max_bytes else None
        self.database = Database(
            postgres_url,
            pool=stores.postgres.pool,
            m=stores.postgres.hnsw.m,
            ef_construction=stores.postgres.hnsw.ef_construction,
            ef_search=stores.postgres.hnsw.ef_search,
        )
        self.postgres_guard = self._guard("postgres", stores.postgres.timeout)
        self.storing_guard = self._guard("postgres", STORE_SECONDS)
        self.redis: dict[str, RedisStore] = {}
        self.redis_guard = self._guard("redis", stores.redis.timeout)
        if stores.redis.url:
            for at_rest in sorted({route.at_rest for route in settings.routes}):
                self.redis[at_rest] = RedisStore(
                    stores.redis.url, self.codec(at_rest), timeout=stores.redis.timeout, connections=stores.redis.pool
                )
        self.locks = self._make_locks()
        self.embedders = {
            name: (
                _embedder(settings.embedders[name]),
                self._guard(f"embedders.{name}", settings.embedders[name].timeout),
            )
            for name in sorted({embedder_of(settings, route) for route in settings.routes} - {""})
        }
        self.entries = {
            (embedder, at_rest): RouteEntries(
                self.database,
                self.embedders[embedder][0] if embedder else None,
                self.codec(at_rest),
                settings.server.namespace,
            )
            for embedder, at_rest in {(embedder_of(settings, route), route.at_rest) for route in settings.routes}
        }
        self.introducer = Introducer(settings.server.trusted_proxies, settings.server.forwarded)
        self.sources = {name: _source(name, upstream) for name, upstream in settings.upstreams.items()}

    def _make_locks(self) -> dict[str, tuple[Locks, Guard]]:
        """By the names that `coalesce.lock` has for them."""
        locks: dict[str, tuple[Locks, Guard]] = {"postgres": (PostgresLocks(self.database), self.postgres_guard)}
        for store in self.redis.values():
            locks["redis"] = (RedisLocks(store.client), self.redis_guard)
        return locks

    def codec(self, at_rest: str) -> Codec:
        return Codec(self.seal_key, readable=at_rest == "readable")

    async def open(self) -> None:
        """Load models and connect. What is down is reported and tried again when it is used."""
        troubles = await self._ping(self._stores() | self._models(), None)
        for part, trouble in troubles.items():
            if trouble is not None:
                self._emit(Trouble(part, trouble))
        if troubles["postgres"] is not None:
            return  # tables are made on first use; waiting for each of them would only delay the start
        for entries in self.entries.values():
            trouble = await _trouble_of(entries.prepare, None)
            if trouble is not None:
                self._emit(Trouble("postgres", trouble))

    async def check(self) -> dict[str, str]:
        """Each part and what is wrong with it now, or `ok`. An embedder is asked only if its last use failed, as a remote
        one is paid for each text."""
        parts = self._stores() | {part: ping for part, ping in self._models().items() if self._failed(part)}
        found = dict.fromkeys(self._models()) | await self._ping(parts, PING_SECONDS)
        return {part: trouble or "ok" for part, trouble in found.items()}

    async def close(self) -> None:
        await asyncio.gather(
            *(source.close() for source in self.sources.values()),
            *(embedder.close() for embedder, _ in self.embedders.values()),
            *(store.close() for store in self.redis.values()),
        )
        await self.database.close()

    @asynccontextmanager
    async def upkeep(self) -> AsyncIterator[None]:
        """The database's background work, for as long as the block runs."""
        upkeep = Upkeep(
            self.database,
            namespace=self._namespace,
            limits=lambda: self._limits,
            promote_at=self._promote_at,
            on_trouble=lambda trouble: self._emit(Trouble("postgres", str(trouble))),
            clock=time.time,
        )
        task = asyncio.create_task(upkeep.run(), name="semgate upkeep")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    def _stores(self) -> dict[str, Ping]:
        stores: dict[str, Ping] = {"postgres": self.database.ping}
        for store in self.redis.values():
            stores["redis"] = store.ping
        return stores

    def _models(self) -> dict[str, Ping]:
        return {guard.part: partial(_ping_through, guard, embedder) for embedder, guard in self.embedders.values()}

    def _failed(self, part: str) -> bool:
        return any(guard.part == part and guard.trouble is not None for _, guard in self.embedders.values())

    async def _ping(self, parts: dict[str, Ping], seconds: float | None) -> dict[str, str | None]:
        troubles = await asyncio.gather(*(_trouble_of(ping, seconds) for ping in parts.values()))
        return dict(zip(parts, troubles, strict=True))

    def _guard(self, part: str, timeout: float) -> Guard:
        return Guard(part, timeout, self._emit, time.monotonic)


async def _trouble_of(ping: Ping, seconds: float | None) -> str | None:
    try:
        async with asyncio.timeout(seconds):
            await ping()
    except CacheTrouble as trouble:
        return str(trouble)
    except TimeoutError:
        return f"no answer within {seconds:g} s"
    return None


async def _ping_through(guard: Guard, embedder: BoundedEmbedder) -> None:
    """Loading a model takes longer than a text may: it has no budget, the first text has."""
    await embedder.open()
    await guard.call(Stage.EMBED, embedder.ping)


def embedder_of(settings: model.File, route: model.Route) -> str:
    """The name of the embedder a route uses; "" where it embeds nothing."""
    if route.mode == "off" or route.match == "exact":
        return ""
    return route.embedder or settings.defaults.embedder


def _embedder(settings: model.Embedder) -> BoundedEmbedder:
    return BoundedEmbedder(_adapter(settings), queue=settings.queue, cache=settings.cache)


def _adapter(settings: model.Embedder) -> Adapter:
    """The adapter of these settings; its module is imported only where it is used."""
    match settings:
        case model.OnnxEmbedder():
            from gateway.embedders.onnx import OnnxEmbedder

            return OnnxEmbedder(model=settings.model, window=settings.window)
        case model.SentenceTransformersEmbedder():
            from gateway.embedders.sentence_transformers import SentenceTransformersEmbedder

            return SentenceTransformersEmbedder(model=settings.model, device=settings.device, window=settings.window)
        case model.OpenAIEmbedder() | model.VoyageEmbedder() | model.CohereEmbedder():
            return _remote(settings)(
                model=settings.model,
                base_url=settings.base_url,
                api_key=settings.api_key,
                dimensions=settings.dimensions,
                window=settings.window,
                connections=settings.connections,
                timeout=settings.timeout,
            )
        case model.PythonEmbedder():
            from gateway.embedders.python import PythonEmbedder

            return PythonEmbedder(cls=settings.cls, options=settings.options)


class Remote(Protocol):
    """What the classes for remote embedders take; times in seconds."""

    def __call__(
        self,
        *,
        model: str,
        base_url: str,
        api_key: str,
        dimensions: int | None,
        window: int,
        connections: int,
        timeout: float,
    ) -> Adapter: ...


def _remote(settings: model.OpenAIEmbedder | model.VoyageEmbedder | model.CohereEmbedder) -> Remote:
    match settings:
        case model.OpenAIEmbedder():
            from gateway.embedders.openai import OpenAIEmbedder

            return OpenAIEmbedder
        case model.VoyageEmbedder():
            from gateway.embedders.voyage import VoyageEmbedder

            return VoyageEmbedder
        case model.CohereEmbedder():
            from gateway.embedders.cohere import CohereEmbedder

            return CohereEmbedder


def _source(name: str, settings: model.Upstream) -> Source:
    if settings.respond is not None:
        fixed = settings.respond
        headers = tuple((key.lower().encode(), value.encode()) for key, value in fixed.headers.items())
        return Respond(name, fixed.status, headers, fixed.body.encode())
    try:
        return Pool(
            Upstream(
                name=name,
                url=settings.url,
                headers=tuple((key.lower().encode(), value.encode()) for key, value in settings.headers.items()),
                remove_headers=frozenset(key.lower().encode() for key in settings.remove_headers),
                connect_timeout=settings.timeout.connect,
                first_byte_timeout=settings.timeout.first_byte,
                idle_timeout=settings.timeout.idle,
                attempts=settings.retry.attempts,
                retry_on=frozenset(int(each) if str(each).isdigit() else str(each) for each in settings.retry.on),
                max_wait=settings.retry.max_wait,
                breaker_failures=settings.breaker.failures,
                breaker_pause=settings.breaker.pause,
                breaker_longest=settings.breaker.longest,
                verify=settings.tls.verify,
                ca=settings.tls.ca,
                proxy=settings.proxy,
                connections=settings.connections,
            )
        )
    except OSError as error:
        raise ConfigError(f"upstreams.{name}.tls.ca: {settings.tls.ca}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"upstreams.{name}: {error}") from error
