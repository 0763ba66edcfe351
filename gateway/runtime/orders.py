"""An operator's order -> the Purge that it means. Nothing is removed here."""

from __future__ import annotations

import math
import time

from gateway.config.units import parse_duration
from gateway.core.purges import Purge, Similar
from gateway.errors import InvalidOrder, TextUnfit
from gateway.fronts.admin import operations
from gateway.fronts.admin.operations import PurgeOrder
from gateway.runtime.asking import route_named, scopes_of
from gateway.runtime.generation import CompiledRoute, Generation

MOST_TAGS = 1000


async def purge_of(generation: Generation, order: PurgeOrder) -> Purge:
    """What was asked before now, or long enough ago, and fits. Raises InvalidOrder, EmbedError."""
    route = None if order.route is None else route_named(generation, order.route)
    tags = order.tags or []
    if order.tags == [] and order == PurgeOrder(tags=[], dry_run=order.dry_run):
        # A script that found no tags does not mean everything.
        raise InvalidOrder(
            "`tags` is empty, and nothing else is selected: name one, or leave it out to mean everything"
        )
    if len(tags) > MOST_TAGS or not all(tag and "\0" not in tag for tag in tags):
        raise InvalidOrder(f"`tags` are up to {MOST_TAGS} texts, none of them empty")
    return Purge(
        before=time.time() - _age(order.older_than),
        route=order.route,
        scopes=scopes_of(generation, route, order.scope),
        tags=frozenset(tags),
        similar=None if order.similar_to is None else await _similar(route, order.similar_to),
    )


def _age(older_than: str | float | None) -> float:
    """In seconds."""
    if older_than is None:
        return 0.0
    try:
        seconds = float(parse_duration(older_than)) if isinstance(older_than, str) else older_than
    except ValueError as error:
        raise InvalidOrder(f"`older_than` is {error}, or a number of seconds") from None
    if not 0 <= seconds < math.inf:
        raise InvalidOrder("`older_than` is not below 0")
    return seconds


async def _similar(route: CompiledRoute | None, wanted: str | operations.Similar) -> Similar:
    if route is None:
        raise InvalidOrder("`similar_to` needs a `route`: each has its own embedder")
    similar = operations.Similar(wanted) if isinstance(wanted, str) else wanted
    if not 0 < similar.at_least <= 1:
        raise InvalidOrder("`similar_to.at_least` is a similarity above 0 and up to 1")
    if route.tiers is None or route.entries is None or route.tiers.embedder is None:
        raise InvalidOrder(f"the route {route.settings.name} compares exact words only: nothing there is similar")
    if not similar.text.strip():
        raise InvalidOrder("`similar_to` is a text")
    try:
        vector = await route.tiers.embed(similar.text)
    except TextUnfit as unfit:
        raise InvalidOrder(f"`similar_to`: {unfit}") from None
    return Similar(route.entries.known_space().identity, vector, similar.at_least)
