"""What `by_hand` has behind it: settings completed to a route of kind `cache`, and that route's Shelf in the engine's loop.

One of these serves all objects of a program with equal settings; it is closed when the last of them is, or with the
process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from gateway.config.objects import Prepared, prepare
from gateway.core.asgi import Receive, Scope, Send
from gateway.core.subject import scopes_named
from gateway.doors.defaults import SERVER, STORES, project_namespace
from gateway.doors.engine import engine
from gateway.engine.shelf import Shelf
from gateway.errors import ConfigError
from gateway.runtime.generation import CompiledRoute
from gateway.runtime.inside import Inside
from gateway.runtime.shelving import shelf_of

PLACE = b"by hand"
CACHE = "cache"
# What a route says here that says nothing else: nobody asks it over HTTP, and any name is a scope.
ROUTE: Mapping[str, object] = MappingProxyType({"kind": CACHE, "path": "/by-hand/*", "scope": "client"})
BY_HAND: Mapping[str, object] = MappingProxyType(
    {
        "server": SERVER,
        "stores": STORES,
        "routes": ({"name": "by-hand", "max_body": "10MiB", **ROUTE},),
    }
)

T = TypeVar("T")


def prepared_for(config: str | Path | Mapping[str, object] | None) -> Prepared:
    """Settings for the use by hand; of objects, what a route need not say is filled in. Raises ConfigError."""
    if isinstance(config, Mapping):
        config = _completed(config)
    return prepare(config, default=BY_HAND, namespace=project_namespace(), kind=CACHE)


def _completed(config: Mapping[str, object]) -> Mapping[str, object]:
    routes = config.get("routes", BY_HAND["routes"])
    if not isinstance(routes, (list, tuple)):
        return config  # a problem of shape
    listed = [
        {**ROUTE, "path": f"/by-hand/{number}/*", **each} if isinstance(each, Mapping) else each
        for number, each in enumerate(routes)
    ]
    return {"server": SERVER, "stores": STORES, **config, "routes": listed}


def route_of(prepared: Prepared, name: str | None) -> str:
    """The name of the route to use: this one, or the only one. Raises ConfigError."""
    names = [route.name for route in prepared.settings.routes if route.kind == CACHE]
    if name is None and len(names) == 1:
        return names[0]
    if name in names:
        return name
    there = f"there are {', '.join(names)}"
    raise ConfigError(
        f"`route`: it must name a route of `kind: {CACHE}`, and {there}"
        if name is None
        else f"`route`: no route of `kind: {CACHE}` has the name {name}; {there}"
    )


class Shelves(Inside):
    """The cache inside a program that asks it by hand. `users` are the objects that have used it and are not closed."""

    def __init__(self, prepared: Prepared) -> None:
        super().__init__(prepared, _nobody, place=PLACE)
        self.users: set[Hand] = set()
        self._shelves: dict[str, Shelf] = {}

    @property
    def is_open(self) -> bool:
        return self._generation is not None

    async def use(self, route: str, work: Callable[[Reach], Awaitable[T]]) -> T:
        """Work with a route's shelf; it is not closed meanwhile."""
        generation = self.generation
        compiled = generation.routes[route]
        shelf = self._shelves.get(route)
        if shelf is None:
            shelf = self._shelves[route] = shelf_of(compiled, generation.resources)
        generation.requests += 1
        try:
            return await work(Reach(shelf, compiled))
        finally:
            generation.requests -= 1
            if generation.replaced:
                generation.left()


class Reach(NamedTuple):
    """What work by hand has to do with."""

    shelf: Shelf
    route: CompiledRoute

    def scope(self, name: str) -> bytes:
        """The scope of this name, as an operator would name it. Raises ValueError where the route has none like it."""
        digests = scopes_named(self.route.rule, self.route.keyer, [name])
        if digests:
            return digests[0]
        settings = self.route.settings
        raise ValueError(
            f"the route {settings.name} has `scope: {', '.join(settings.scope)}`, so {name!r} is no scope of it"
        )


async def _nobody(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise AssertionError("no requests come here")


class Hand:
    """One object's way to its shelf, from whatever thread, loop or process it is used in. Raises ConfigError."""

    def __init__(self, config: str | Path | Mapping[str, object] | None, route: str | None) -> None:
        self._prepared = prepared_for(config)
        self._route = route_of(self._prepared, route)
        self._key = (self._prepared.key, PLACE)

    def work(self, work: Callable[[Reach], Awaitable[T]]) -> Future[T]:
        """Do this in the engine's loop, once all is opened; what cannot be opened at all is the future's ConfigError."""
        return engine().submit(self._work, work)

    async def _work(self, work: Callable[[Reach], Awaitable[T]]) -> T:
        while True:
            shelves = await asyncio.wrap_future(engine().opened(self._key, lambda: Shelves(self._prepared)))
            if shelves.is_open:  # and not being closed by who used it last
                shelves.users.add(self)
                return await shelves.use(self._route, work)

    def close(self) -> Future[None]:
        """This object uses it no more: what nobody else uses is closed. To use it again opens it again."""
        return engine().submit(self._close)

    async def _close(self) -> None:
        opening = engine().known(self._key)
        if opening is None or not opening.done() or opening.exception() is not None:
            return
        shelves = opening.result()
        shelves.users.discard(self)
        if not shelves.users:
            await engine().forget(self._key)
