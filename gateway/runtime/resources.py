"""What one generation stands on: stores, embedders, upstream connections, each taken from the parts that all share.

Opening never fails because something outside is down: that part is reported, passed over by its guard, and used as soon
as it answers. Only what is wrong with the settings themselves raises ConfigError.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from functools import partial
from typing import TypeAlias

import msgspec

from gateway.config import model
from gateway.core.events import Embedded, Stage, Trouble
from gateway.core.ports import Counters, Emit, Locks
from gateway.embedders.queue import BoundedEmbedder
from gateway.engine.allowance import Allowances
from gateway.engine.coalesce import Coalescing, Flights
from gateway.engine.evidence import Evidence
from gateway.engine.guard import Guard, Skipping
from gateway.engine.landing import Landings
from gateway.engine.proof import Proof
from gateway.engine.purges import Purges
from gateway.engine.tiers import WORKING_FOR, Places
from gateway.proxy.forwarding import Introducer
from gateway.proxy.upstream import Source
from gateway.runtime.background import BackgroundTask
from gateway.runtime.deny_parts import DenyParts
from gateway.runtime.denying import RouteDenials
from gateway.runtime.entries import RouteEntries
from gateway.runtime.evidence import EvidenceKeeping
from gateway.runtime.models import embedder_of, make_embedder
from gateway.runtime.parts import Lease, Made, hashable, trouble_of
from gateway.runtime.purging import Purging
from gateway.runtime.sources import make_source
from gateway.runtime.synthesizing import make_writer, part_of, synthesizes
from gateway.runtime.verifying import Opened, judges_of, timeout_of, verifier_key, verifier_part, verifiers_of
from gateway.stores.catalog import Catalog
from gateway.stores.codec import Codec
from gateway.stores.denials import DenialLog
from gateway.stores.digest import derive
from gateway.stores.evidence import EvidenceStore
from gateway.stores.evidence_log import EvidenceLog
from gateway.stores.memory import MemoryStore
from gateway.stores.postgres import Database
from gateway.stores.postgres_counters import PostgresCounters, PostgresSpending
from gateway.stores.postgres_locks import PostgresLocks
from gateway.stores.redis import RedisStore
from gateway.stores.redis_counters import RedisCounters
from gateway.stores.redis_locks import RedisLocks
from gateway.stores.sweeper import RouteLimits
from gateway.stores.upkeep import Upkeep
from gateway.synthesis.writer import UpstreamWriter

# How long `/-/ready` waits for a part; a first use may take longer than a look-up's budget.
PING_SECONDS = 2.0

Ping: TypeAlias = Callable[[], Awaitable[None]]
Limits: TypeAlias = Callable[[], Mapping[str, RouteLimits]]
Readable: TypeAlias = Callable[[], frozenset[str]]


class Secrets(msgspec.Struct, frozen=True):
    """What settings do not say themselves: where PostgreSQL is (the embedded one has a place of its own), and the
    secret that keys digests and seals what is stored."""

    postgres_url: str
    digest_key: str


class Resources:
    """Taken from the lease, which closes them when nobody needs them any more. `limits` tells the sweeper the limits of
    the routes that run now, `readable` which of them store questions readable."""

    def __init__(
        self, settings: model.File, secrets: Secrets, lease: Lease, emit: Emit, limits: Limits, readable: Readable
    ) -> None:
        self._lease = lease
        self._emit = emit
        self._settings = settings
        self._seal_key = derive(secrets.digest_key, b"seal")
        self.key = derive(secrets.digest_key, b"keys")
        stores = settings.stores
        self.memory = self._take_memory(stores.memory.max_bytes)
        self._database_key = (secrets.postgres_url, stores.postgres.pool, stores.postgres.hnsw)
        self.database = self._take_database(secrets.postgres_url, stores.postgres)
        self.postgres_guard = self._guard("postgres", stores.postgres.timeout, self._database_key)
        self.storing_guard = self._guard("postgres", stores.postgres.write_timeout, self._database_key)
        self.redis = self._take_redis(stores.redis)
        self.redis_guard = self._guard("redis", stores.redis.timeout, stores.redis)
        self.locks = self._make_locks()
        self.allowances = self._take_allowances(stores)
        names = sorted({embedder_of(settings, route) for route in settings.routes} - {""})
        self.embedders = {name: self._take_embedder(name, settings.embedders[name]) for name in names}
        self.verifiers = {name: self._take_verifier(name) for name in verifiers_of(settings)}
        judges = judges_of(settings)
        self.judges = {route: self._take_verifier(name, of_answers=True) for route, name in judges.items()}
        self.entries = {
            (embedder, at_rest): self._take_entries(embedder, at_rest)
            for embedder, at_rest in sorted(
                {(embedder_of(settings, route), route.at_rest) for route in settings.routes}
            )
        }
        self.places = lease.take(("places", stores.pending), lambda: Made(Places(stores.pending)))
        self.introducer = Introducer(settings.server.trusted_proxies, settings.server.forwarded)
        self.sources = {name: self._take_source(name, upstream) for name, upstream in settings.upstreams.items()}
        self.writers = {route.name: self._take_writer(route) for route in settings.routes if synthesizes(route)}
        self._take_upkeep(limits)
        self.evidence = self._take_evidence(readable)
        self.purging = self._take_purging(stores)
        self.denials = self._make_deny_parts()
        self.catalog = Catalog(self.database, self.codec("readable"), namespace=settings.server.namespace)
        self.evidence_log = EvidenceLog(self.database, settings.server.namespace, self.codec("readable"))

    def codec(self, at_rest: str) -> Codec:
        """How entries of this kind are written; `readable` opens what is sealed as well."""
        return Codec(self._seal_key, readable=at_rest == "readable")

    def flights(self, route: str, bounds: Coalescing) -> Flights:
        """A route's calls under way, which go on over a reload; a key says all that its answer depends on."""
        return self._lease.take(("flights", route, bounds), lambda: Made(Flights(bounds, time.monotonic)))

    def landings(self, route: str) -> Landings:
        """A route's answers that are being stored."""
        return self._lease.take(("landings", route), lambda: Made(Landings()))

    def proof(self, about: Hashable, make: Callable[[], Proof]) -> Proof:
        """A route's proof under its bound on errors, which is not begun anew by a reload."""
        return self._lease.take(("proof", about), lambda: Made(make()))

    def denied_on(self, route: str, embedder: str) -> RouteDenials:
        """What is denied on a route; `embedder` "": it compares exact words only."""
        if not embedder:
            return self.denials.on(route, None)
        made_of = hashable(self._settings.embedders[embedder])
        return self.denials.on(route, (embedder, made_of, self.embedders[embedder][0]))

    def note(self, troubles: Mapping[str, str]) -> None:
        """Models that could not be opened, and why, by part: `check` asks for them before anybody has used them."""
        for _, guard in (*self.embedders.values(), *self.verifiers.values()):
            guard.trouble = troubles.get(guard.part, guard.trouble)

    async def check(self) -> dict[str, str]:
        """Each part and what is wrong with it now, or `ok`. A model is asked only if opening it or its last use failed, as
        a remote one is paid for each text."""
        models = {guard.part: (guard, embedder) for embedder, guard in self.embedders.values()}
        pings: dict[str, Ping] = {"postgres": self.database.ping}
        for store in self.redis.values():
            pings["redis"] = store.ping
        asked = {guard.part: (guard, verifier) for verifier, guard in self.verifiers.values()}
        pings |= {part: verifier.ping for part, (guard, verifier) in asked.items() if guard.trouble is not None}
        pings |= {
            part: partial(_ping_through, guard, embedder)
            for part, (guard, embedder) in models.items()
            if guard.trouble is not None
        }
        troubles = await asyncio.gather(*(trouble_of(ping, PING_SECONDS) for ping in pings.values()))
        found = {part: trouble or "ok" for part, trouble in zip(pings, troubles, strict=True)}
        return dict.fromkeys([*models, *asked], "ok") | found

    def _take_memory(self, max_bytes: int) -> MemoryStore | None:
        if not max_bytes:
            return None
        return self._lease.take(("memory", max_bytes), lambda: Made(MemoryStore(max_bytes)))

    def _take_database(self, url: str, settings: model.Postgres) -> Database:
        def make() -> Made[Database]:
            database = Database(
                url,
                pool=settings.pool,
                m=settings.hnsw.m,
                ef_construction=settings.hnsw.ef_construction,
                ef_search=settings.hnsw.ef_search,
            )
            return Made(database, "postgres", database.ping, database.close)

        return self._lease.take(("postgres", self._database_key), make)

    def _take_redis(self, settings: model.Redis) -> dict[str, RedisStore]:
        """By the values of `at_rest`."""
        kinds = sorted({route.at_rest for route in self._settings.routes}) if settings.url else []
        return {at_rest: self._take_redis_store(settings, at_rest) for at_rest in kinds}

    def _take_redis_store(self, settings: model.Redis, at_rest: str) -> RedisStore:
        def make() -> Made[RedisStore]:
            store = RedisStore(settings.url, self.codec(at_rest), timeout=settings.timeout, connections=settings.pool)
            return Made(store, "redis", store.ping, store.close)

        return self._lease.take(("redis", settings, at_rest, self._seal_key), make)

    def _take_embedder(self, name: str, settings: model.Embedder) -> tuple[BoundedEmbedder, Guard]:
        part = f"embedders.{name}"
        guard = self._guard(part, settings.timeout, hashable(settings))

        def paid(tokens: int) -> None:
            self._emit(Embedded(name, tokens, tokens * settings.price / 1e6, WORKING_FOR.get()))

        def make() -> Made[BoundedEmbedder]:
            embedder = make_embedder(settings, paid)
            return Made(embedder, part, partial(_ping_through, guard, embedder), embedder.close)

        return self._lease.take((part, hashable(settings)), make), guard

    def _take_verifier(self, name: str, *, of_answers: bool = False) -> tuple[Opened, Guard]:
        """A judge of answers has a budget of its own, and troubles that are not those of look-ups."""
        key = (self._database_key, of_answers, *verifier_key(self._settings, name))
        guard = self._guard(f"verifiers.{name}", timeout_of(self._settings, name), key)
        known = self._settings, name, self.database, self.key, self._emit
        make = partial(verifier_part, *known, of_answers=of_answers)
        return self._lease.take((guard.part, key), make), guard

    def _take_entries(self, embedder: str, at_rest: str) -> RouteEntries:
        namespace = self._settings.server.namespace
        model_of = hashable(self._settings.embedders[embedder]) if embedder else None

        def make() -> Made[RouteEntries]:
            found = self.embedders[embedder][0] if embedder else None
            entries = RouteEntries(self.database, found, self.codec(at_rest), namespace)
            return Made(entries, "postgres", entries.prepare, later=True)

        key = ("entries", self._database_key, embedder, model_of, at_rest, namespace, self._seal_key)
        return self._lease.take(key, make)

    def _take_source(self, name: str, settings: model.Upstream) -> Source:
        def make() -> Made[Source]:
            source = make_source(name, settings)
            return Made(source, close=source.close)

        # Where else a request may go is the routes' business: the connections are the same.
        return self._lease.take((f"upstreams.{name}", hashable(msgspec.structs.replace(settings, fallback=()))), make)

    def _take_writer(self, route: model.Route) -> tuple[UpstreamWriter, Guard]:
        """What it has cost counts on over a reload, and so do its troubles."""
        assert route.synthesis is not None
        name = route.synthesis.upstream
        upstream = msgspec.structs.replace(self._settings.upstreams[name], fallback=())
        prices = tuple((pattern, hashable(price)) for pattern, price in self._settings.prices.items())
        key = (hashable(route.synthesis), name, hashable(upstream), prices)
        make = partial(make_writer, self._settings, route, self.sources[name], self._emit)
        part = part_of(route)
        return self._lease.take((part, key), lambda: Made(make())), self._guard(part, route.synthesis.first_token, key)

    def _take_upkeep(self, limits: Limits) -> None:
        namespace, promote_at = self._settings.server.namespace, self._settings.stores.postgres.hnsw.promote_at

        def make() -> Made[BackgroundTask]:
            upkeep = Upkeep(
                self.database,
                namespace=namespace,
                limits=limits,
                promote_at=promote_at,
                on_trouble=lambda trouble: self._emit(Trouble("postgres", str(trouble))),
                clock=time.time,
            )
            task = BackgroundTask(upkeep.run, "semgate upkeep")
            return Made(task, "", task.begin, task.end, later=True)

        self._lease.take(("upkeep", self._database_key, namespace, promote_at), make)

    def _take_evidence(self, readable: Readable) -> EvidenceKeeping:
        """What was judged counts on over a reload, also what is not written yet."""
        namespace = self._settings.server.namespace
        known = self._lease.take(("judged", self._database_key[0], namespace), lambda: Made(Evidence(self._emit)))
        sealing, plain = self.codec("sealed"), self.codec("readable")

        def make() -> Made[EvidenceKeeping]:
            store = EvidenceStore(self.database, namespace, lambda route: plain if route in readable() else sealing)
            keeping = EvidenceKeeping(known, store, self._emit)
            return Made(keeping, "", keeping.begin, keeping.end, later=True)

        return self._lease.take(("evidence", self._database_key, namespace, self._seal_key), make)

    def _take_purging(self, stores: model.Stores) -> Purging:
        """What was purged stays so over a reload, also where PostgreSQL cannot tell it once more."""
        namespace = self._settings.server.namespace
        purges = self._lease.take(("purged", self._database_key[0], namespace), lambda: Made(Purges()))
        store = self.redis.get(min(self.redis, default=""))

        def make() -> Made[Purging]:
            redis = None if store is None else (store, self.redis_guard)
            purging = Purging(self.database, namespace, self.memory, redis, purges, self.evidence, self._emit)
            return Made(purging, "", purging.begin, purging.end, later=True)

        redis = (stores.redis, min(self.redis, default=""))
        key = ("purges", self._database_key, namespace, stores.memory.max_bytes, redis, self._seal_key)
        return self._lease.take(key, make)

    def _make_deny_parts(self) -> DenyParts:
        namespace = self._settings.server.namespace
        log = DenialLog(self.database, self.codec("sealed"), namespace=namespace)
        key = (self._database_key, namespace, self._seal_key)
        return DenyParts(self._settings, self.key, log, key, self._lease, self._emit)

    def _take_allowances(self, stores: model.Stores) -> Allowances:
        """What clients used counts on over a reload; in Redis where there is one, but dollars in PostgreSQL always."""
        namespace = self._settings.server.namespace
        at_rest = min(self.redis, default=None)

        def make() -> Made[Allowances]:
            counters: tuple[Counters, Guard] = (PostgresCounters(self.database, namespace), self.postgres_guard)
            if at_rest is not None:
                counters = (RedisCounters(self.redis[at_rest].client, namespace), self.redis_guard)
            spending = (PostgresSpending(self.database, namespace), self.postgres_guard)
            return Made(Allowances(counters, spending, self._emit, time.time))

        redis = None if at_rest is None else (stores.redis, at_rest, self._seal_key)
        key = ("allowances", namespace, self._database_key, float(stores.postgres.timeout), redis)
        return self._lease.take(key, make)

    def _make_locks(self) -> dict[str, tuple[Locks, Guard]]:
        """By the names that `coalesce.lock` has for them."""
        locks: dict[str, tuple[Locks, Guard]] = {"postgres": (PostgresLocks(self.database), self.postgres_guard)}
        for store in self.redis.values():
            locks["redis"] = (RedisLocks(store.client), self.redis_guard)
        return locks

    def _guard(self, part: str, timeout: float, guarded: Hashable) -> Guard:
        """What is known of a part's troubles outlives a reload with the part."""
        breaker = self._settings.stores.breaker
        skipping = Skipping(breaker.failures, float(breaker.pause), float(breaker.longest))
        make = partial(Guard, part, float(timeout), self._emit, time.monotonic, skipping)
        return self._lease.take(("guard", part, float(timeout), skipping, guarded), lambda: Made(make()))


async def _ping_through(guard: Guard, embedder: BoundedEmbedder) -> None:
    """Loading a model takes longer than a text may: it has no budget, the first text has."""
    await embedder.open()
    await guard.call(Stage.EMBED, embedder.ping)
