"""Inside: the cache within a program, around what answers there. An ASGI app like the one that it stands around.

It is what a gateway's worker is, less what only servers need: one generation, no reload, no operator's door. All doors of
programs run it, in the program's own loop or in one that they have for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

from gateway.config.model import EMBEDDED_POSTGRES
from gateway.config.objects import Prepared
from gateway.config.preset import fill
from gateway.core.asgi import App, Receive, Scope, Send
from gateway.core.events import BreakerMoved, Event, Proven, Restarted, Trouble
from gateway.core.extract import Body, Extractors, Header, Query, State, compile_extractors
from gateway.core.prices import Tariff
from gateway.core.routing import Router
from gateway.core.subject import Rule
from gateway.errors import CacheTrouble, StoreError
from gateway.fronts.application import Inner
from gateway.fronts.clients import CREDENTIALS
from gateway.fronts.inside import Callables, InsideGate, InsideRoute, where_to
from gateway.fronts.patience import Patience
from gateway.runtime.compile import compile_route, middleware_of
from gateway.runtime.generation import CompiledRoute, Generation
from gateway.runtime.models import prices_of
from gateway.runtime.parts import Parts
from gateway.runtime.resources import Resources, Secrets
from gateway.stores.digest import load_or_create_digest_key
from gateway.stores.embedded import EmbeddedPostgres
from gateway.stores.supervisor import Supervisor
from gateway.stores.sweeper import RouteLimits

LOG = logging.getLogger("semgate")

# How long stores and models may take to open before requests go through without them.
OPENING_SECONDS = 20.0
# How long requests under way may go on after the program's end was announced.
CLOSING_SECONDS = 5.0
# Connections to the embedded PostgreSQL that a program starts: all programs of a user share it, and all workers of a server.
CONNECTIONS = 400
# Headers that say who calls by something that only they can know.
SECRET_HEADERS = CREDENTIALS | {b"cookie", b"proxy-authorization"}

APP = b"app"
"""The `place` of applications: whoever sends a request there is a stranger."""


class Inside:
    """One program's cache around `app`.

    Args:
        prepared: its settings.
        app: what answers; requests that no route takes reach it untouched.
        place: which kind of door this is, a part of every key: what one kind keeps, no other finds.

    `open` and `close` belong to one event loop, and so do all calls between them.
    """

    def __init__(self, prepared: Prepared, app: App, *, place: bytes) -> None:
        self.prepared = prepared
        self._app = app
        self._place = place
        self._postgres: tuple[EmbeddedPostgres, Supervisor] | None = None
        self._generation: Generation | None = None
        self._router: Router[InsideGate] = Router({})

    @property
    def generation(self) -> Generation:
        """The compiled settings; only between `open` and `close`."""
        assert self._generation is not None
        return self._generation

    async def open(self) -> None:
        """Start what the cache stands on. What is down is logged, passed over, and used as soon as it answers. Raises
        ConfigError for settings that cannot be used, such as a data folder that cannot be written."""
        server = self.prepared.settings.server
        self._say_what_is_odd()
        try:
            key = server.digest_key or await asyncio.to_thread(load_or_create_digest_key, server.data_dir)
            url = await asyncio.to_thread(self._start_postgres)
            if self._postgres is not None:
                _, supervisor = self._postgres
                supervisor.begin()
            generation, self._router = self._compile(Secrets(url, key))
            self._generation = generation
            troubles = await generation.open(OPENING_SECONDS)
        except BaseException:
            await self.close()
            raise
        for part, trouble in troubles.items():
            LOG.warning("%s: %s", part, trouble)

    async def close(self) -> None:
        """Let requests under way end, and give back what the cache stands on. Nothing is raised for what is down."""
        generation, self._generation = self._generation, None
        self._router = Router({})
        if generation is not None:
            await generation.retire(CLOSING_SECONDS)
        postgres, self._postgres = self._postgres, None
        if postgres is not None:
            await asyncio.to_thread(_stop_postgres, *postgres)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, from the cache or by the application. Raises what the application raises."""
        generation = self._generation
        if scope["type"] != "http" or generation is None:
            await self._app(scope, receive, send)
            return
        where = where_to(scope)
        found = self._router.find(where.matched)
        if found is None:
            await self._app(scope, receive, send)
            return
        gate, variables = found
        generation.requests += 1
        try:
            await gate(scope, receive, send, where, variables)
        finally:
            generation.requests -= 1
            if generation.replaced:
                generation.left()

    def takes(self, scope: Scope) -> bool:
        """Does any route take requests like this one? Only between `open` and `close`; from any thread."""
        found = self._router.find(where_to(scope).matched)
        return found is not None and found[0].takes(scope["method"])

    def _start_postgres(self) -> str:
        """The database's URL; of the embedded one, once it answers or did not come up for now."""
        settings = self.prepared.settings
        if settings.stores.postgres.url != EMBEDDED_POSTGRES:
            return settings.stores.postgres.url
        postgres = EmbeddedPostgres(settings.server.data_dir, max_connections=CONNECTIONS)
        url = postgres.url
        try:
            url = postgres.start()
        except CacheTrouble as trouble:
            LOG.warning("%s; nothing is cached in PostgreSQL until it does", trouble)
        self._postgres = postgres, Supervisor(postgres, _tell)
        for folder in postgres.opened_up:
            LOG.info("%s may be passed through by everybody now (o+x): PostgreSQL does not run as root", folder)
        return url

    def _compile(self, secrets: Secrets) -> tuple[Generation, Router[InsideGate]]:
        settings = self.prepared.settings
        lease = Parts().lease()
        limits = {each.name: RouteLimits(each.limits.max_entries, each.limits.max_bytes) for each in settings.routes}
        readable = frozenset(each.name for each in settings.routes if each.at_rest == "readable")
        resources = Resources(settings, secrets, lease, _tell, lambda: limits, lambda: readable)
        routes = {
            each.name: compile_route(settings, fill(each, settings.defaults), resources, _tell, self._place)
            for each in settings.routes
        }
        patience = Patience(settings.server.body_timeout)
        generation = Generation(
            settings, self.prepared.digest, time.time(), Router({}), routes, resources, lease, patience
        )
        return generation, Router(self._gates(routes, resources))

    def _gates(self, routes: Mapping[str, CompiledRoute], resources: Resources) -> dict[str, InsideGate]:
        prices, inner = prices_of(self.prepared.settings), Inner(self._app)
        by_path: dict[str, list[InsideRoute]] = {}
        for compiled in routes.values():
            route = compiled.settings
            if route.kind != "proxy":
                continue  # not asked over HTTP here
            middleware = middleware_of(compiled, inner, resources, Tariff(compiled.models, prices), _tell, lingers=True)
            inside = InsideRoute(
                name=route.name,
                methods=frozenset(route.methods),
                models=compiled.models,
                model=compiled.rule.model,
                max_body=route.max_body,
                middleware=middleware,
                callables=Callables(**self.prepared.callables.get(route.name, {})),
                state=_state_of(compiled.rule),
            )
            by_path.setdefault(route.path, []).append(inside)
        return {path: InsideGate(tuple(inside), self._app) for path, inside in by_path.items()}

    def _say_what_is_odd(self) -> None:
        for warning in self.prepared.warnings:
            LOG.warning("%s", warning)
        if self._place == APP:
            for warning in forgeable(self.prepared):
                LOG.warning("%s", warning)


def _stop_postgres(postgres: EmbeddedPostgres, supervisor: Supervisor) -> None:
    supervisor.end()
    try:
        postgres.stop()
    except StoreError as trouble:
        LOG.warning("%s", trouble)


def _state_of(rule: Rule) -> Extractors:
    scope = () if isinstance(rule.scope, str) else rule.scope
    named = (*scope, *rule.query, *rule.model, *rule.role, *rule.stream, *rule.bypass, *rule.exact_if, *rule.tags)
    return tuple(extractor for extractor in named if isinstance(extractor, State))


def forgeable(prepared: Prepared) -> list[str]:
    """Routes whose scope is what a client says of itself: whoever names another's gets that one's answers, unless the
    application checks it before the cache is asked."""
    found = []
    for route in prepared.settings.routes:
        if route.scope in ("client", "public") or route.mode == "off":
            continue
        for extractor in compile_extractors(route.scope):
            match extractor:
                case Header(name=name) if name in SECRET_HEADERS:
                    continue
                case Header() | Query() | Body():
                    found.append(
                        f"route {route.name}: `scope: {extractor.text}` is what clients say of themselves, and they can say "
                        "another's: make sure that something around SemanticCacheMiddleware checks it, or use `state:`, which "
                        "your own authentication sets"
                    )
                case _:
                    pass
    return found


def _tell(event: Event) -> None:
    """For the program's log: what an operator of it would want to know."""
    match event:
        case Trouble() | Restarted():
            LOG.warning("%s: %s", event.part, event.detail)
        case BreakerMoved():
            LOG.warning("%s: %s", event.part, "left alone for a while" if event.open else "in use again")
        case Proven():
            LOG.info("route %s: %s", event.route, event.detail)
        case _:
            LOG.debug("%s", event)
