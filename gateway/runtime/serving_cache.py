"""A route of `kind: cache`, compiled: the REST cache on a shelf of the route's own tiers, with no upstream behind it."""

from __future__ import annotations

from gateway.core.ports import Emit
from gateway.core.status import Expose
from gateway.fronts.langcache.answering import LangCache
from gateway.fronts.langcache.operations import Operations
from gateway.fronts.langcache.telling import Told
from gateway.runtime.generation import CompiledRoute
from gateway.runtime.resources import Resources
from gateway.runtime.shelving import shelf_of


def rest_cache_of(compiled: CompiledRoute, resources: Resources, emit: Emit) -> LangCache:
    """What answers a route's requests."""
    route = compiled.settings
    added = [(name.lower().encode(), value.encode()) for name, value in route.response.headers.items()]
    return LangCache(
        route.name,
        compiled.rule,
        compiled.keyer,
        _operations(compiled, resources),
        Told(Expose(route.response.expose), added),
        emit,
        depth=route.path.removesuffix("/*").count("/") + 1,
        max_body=route.max_body,
    )


def _operations(compiled: CompiledRoute, resources: Resources) -> Operations | None:
    if compiled.tiers is None:  # it is off
        return None
    shelf, new_id = shelf_of(compiled, resources), compiled.tiers.new_id
    return Operations(shelf, compiled.policy.allowed, new_id, exact_only=compiled.settings.match == "exact")
