"""`semgate purge`: remove the entries that fit, after saying how many they are."""

from __future__ import annotations

import click

from gateway.cli.client import open_gateway
from gateway.cli.failure import note
from gateway.cli.lookup import scope_of
from gateway.cli.options import Reach
from gateway.cli.showing import things, visible, write, write_json
from gateway.fronts.admin.operations import PurgeOrder, Similar


def run(
    reach: Reach,
    *,
    route: str | None,
    scope: tuple[str, ...],
    tags: tuple[str, ...],
    older_than: float | None,
    similar_to: str | None,
    at_least: float | None,
    everything: bool,
    yes: bool,
    form: str,
) -> int:
    """Count what fits; with `yes`, purge it. Nothing selected and not `everything` is wrong use."""
    selected = bool(route or scope or tags or older_than is not None or similar_to is not None)
    if selected == everything:
        raise click.UsageError(
            "--all purges everything, whatever else is selected: give one or the other"
            if selected
            else "select what to purge (--route, --scope, --tag, --older-than, --similar-to), or everything with --all"
        )
    if similar_to is not None and route is None:
        raise click.UsageError("--similar-to needs --route: similarity is measured by the route's embedder")
    if at_least is not None and similar_to is None:
        raise click.UsageError("--at-least belongs to --similar-to")
    similar: Similar | None = None
    if similar_to is not None:
        similar = Similar(similar_to) if at_least is None else Similar(similar_to, at_least)
    order = PurgeOrder(
        route=route,
        scope=scope_of(scope),
        tags=list(tags) or None,
        older_than=older_than,
        similar_to=similar,
        dry_run=not yes,
    )
    with open_gateway(reach) as gateway:
        result = gateway.purge(order)
    if form == "json":
        write_json(result)
    elif yes:
        write(f"purged {things(result.purged, 'entry', 'entries')}{_of(route)}")
    else:
        write(f"{things(result.matched, 'entry', 'entries')}{_of(route)} would be purged")
    if not yes and result.matched:
        note("nothing was purged yet: --yes does it")
    return 0


def _of(route: str | None) -> str:
    return "" if route is None else f" of route {visible(route)}"
