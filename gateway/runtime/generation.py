"""A Generation: one routes file, compiled and standing on its parts. Requests keep the one that they began with.

One that was replaced goes on until its last request is answered, or its grace is over: then its parts are given back,
and what still hangs on connections that nobody else uses is cut.
"""

from __future__ import annotations

import asyncio

import msgspec

from gateway.config.model import File
from gateway.config.preset import FilledRoute
from gateway.core.keys import Keyer
from gateway.core.models import ModelPattern
from gateway.core.policy import CachePolicy
from gateway.core.routing import Router
from gateway.core.subject import Rule
from gateway.engine.cache import RouteCache
from gateway.engine.proof import Proof
from gateway.engine.tiers import Tiers
from gateway.fronts.gate import Gate
from gateway.fronts.patience import Patience
from gateway.runtime.entries import RouteEntries
from gateway.runtime.parts import Lease
from gateway.runtime.resources import Resources


class CompiledRoute(msgspec.Struct, frozen=True):
    """One route: its settings with nothing left open, and what was made of them (no cache where its mode is `off`, a `proof` where it has a bound on errors)."""

    settings: FilledRoute
    rule: Rule
    policy: CachePolicy
    keyer: Keyer
    cache: RouteCache | None = None
    tiers: Tiers | None = None
    entries: RouteEntries | None = None
    models: tuple[ModelPattern, ...] = ()
    proof: Proof | None = None


class Generation:
    """`requests` counts those under way; the Switch raises and lowers it, and calls `left` after the last one of a
    generation that was replaced. `patience` is that with request bodies, the operator's door included."""

    __slots__ = (
        "_empty",
        "_lease",
        "digest",
        "loaded_at",
        "patience",
        "replaced",
        "requests",
        "resources",
        "router",
        "routes",
        "settings",
    )

    def __init__(
        self,
        settings: File,
        digest: str,
        loaded_at: float,
        router: Router[Gate],
        routes: dict[str, CompiledRoute],
        resources: Resources,
        lease: Lease,
        patience: Patience,
    ) -> None:
        self.settings = settings
        self.digest = digest
        self.loaded_at = loaded_at
        self.router = router
        self.routes = routes
        self.resources = resources
        self.requests = 0
        self.replaced = False
        self.patience = patience
        self._lease = lease
        self._empty = asyncio.Event()

    async def open(self, seconds: float | None) -> dict[str, str]:
        """Open what is new in it; what could not be opened, and why, by part."""
        troubles = await self._lease.open(seconds)
        self.resources.note(troubles)
        return troubles

    def left(self) -> None:
        """A request ended after this generation was replaced."""
        if self.requests == 0:
            self._empty.set()

    async def retire(self, grace: float) -> None:
        """After its last request, or after so many seconds: give back what it stands on."""
        self.replaced = True
        self.left()
        try:
            async with asyncio.timeout(grace):
                await self._empty.wait()
        except TimeoutError:
            pass
        finally:
            await self._lease.give_back()
