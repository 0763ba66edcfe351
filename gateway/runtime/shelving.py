"""The Shelf of a route: its cache, for who puts answers in by hand."""

from __future__ import annotations

from gateway.engine.shelf import Shelf
from gateway.errors import ConfigError
from gateway.runtime.generation import CompiledRoute
from gateway.runtime.resources import Resources


def shelf_of(route: CompiledRoute, resources: Resources) -> Shelf:
    """Make it once for a generation: it bounds what is stored at once. Raises ConfigError where the route keeps nothing."""
    if route.tiers is None or route.entries is None:
        raise ConfigError(
            f"the route {route.settings.name} keeps nothing (`mode: off`): there is nothing to put by hand"
        )
    known = route.settings.name, route.policy, route.keyer, route.tiers, route.entries
    return Shelf(*known, resources.purging.shelves)
