"""What the operator's door is answered with: the running gateway, its stores and its figures.

Each order is carried out on the generation that runs when it comes; here it is only handed to who knows how.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec

from gateway.core.asgi import HeaderList
from gateway.errors import StoreError, Unauthorized
from gateway.fronts.admin.deny_shapes import DeniedPage, DeniedShown, DenyOrder, SparedShown
from gateway.fronts.admin.judged import FeedbackOrder, FeedbackResult, ShadowReport, ShadowReset
from gateway.fronts.admin.operations import (
    EntriesPage,
    EntryShown,
    EntryWhole,
    Imported,
    LookupAnswer,
    LookupQuestion,
    Moment,
    PurgeOrder,
    PurgeResult,
    Readiness,
    Reloaded,
    Running,
    Stats,
)
from gateway.fronts.clients import Caller
from gateway.runtime.asking import route_named
from gateway.runtime.compile import clients_of
from gateway.runtime.deny_orders import allow, deny, list_denied, spare
from gateway.runtime.feedback import take_feedback
from gateway.runtime.figures import moment_of, stats_of
from gateway.runtime.gateway import Gateway
from gateway.runtime.importing import import_lines
from gateway.runtime.lines import as_text, write_line
from gateway.runtime.lookups import look_up
from gateway.runtime.orders import purge_of
from gateway.runtime.reload import Reloader
from gateway.runtime.shadowing import log_lines, shadow_report
from gateway.stores.catalog import Catalog, Listed


class RunningOperations:
    """Implements `Operations`."""

    def __init__(self, gateway: Gateway, reloader: Reloader) -> None:
        self._gateway = gateway
        self._reloader = reloader
        # Each batch works on several lines at once; two batches would only be in each other's way.
        self._importing = asyncio.Lock()

    @property
    def admin_token(self) -> str:
        return self._gateway.settings.server.admin.token

    async def readiness(self) -> Readiness:
        parts = await self._gateway.current.resources.check()
        degraded = any(state != "ok" for state in parts.values())
        return Readiness("degraded" if degraded else "ready", parts)

    def running(self) -> Running:
        return self._gateway.running_configuration()

    def metrics(self) -> bytes:
        return self._gateway.ledger.render()

    async def reload(self, *, force: bool) -> Reloaded:
        return await self._reloader.ask(force=force)

    async def stats(self) -> Stats:
        try:
            stored = await self._catalog.totals()
        except StoreError:
            stored = None
        try:
            figures = await self._gateway.ledger.figures()
        except OSError as error:
            raise StoreError(f"the workers' figures cannot be read: {error.strerror}") from error
        return stats_of(figures, self._gateway.current.routes, stored)

    def history(self) -> list[Moment]:
        return [moment_of(totals) for totals in self._gateway.ledger.history()]

    async def lookup(self, question: LookupQuestion) -> LookupAnswer:
        return await look_up(self._gateway.current, self._catalog, question)

    async def entries(self, *, route: str | None, limit: int, after: str | None) -> EntriesPage:
        self._check_route(route)
        page = await self._catalog.page(route, limit, after)
        return EntriesPage([_shown(listed) for listed in page.entries], page.next)

    async def entry(self, entry_id: str) -> EntryWhole | None:
        whole = await self._catalog.show(entry_id)
        if whole is None:
            return None
        entry = whole.entry
        body, encoding = ("", "utf-8") if entry is None else as_text(entry.body)
        return EntryWhole(
            **msgspec.structs.asdict(_shown(whole.listed)),
            status=0 if entry is None else entry.status,
            headers=[] if entry is None else [(_text(name), _text(value)) for name, value in entry.headers],
            body=body,
            encoding=encoding,
            form=whole.form,
            last_used=whole.last_used,
            asked_at=whole.asked_at,
            synthesized=entry is not None and entry.synthesized,
            attributes={} if entry is None or entry.mark is None else dict(entry.mark.attributes),
        )

    async def remove(self, entry_id: str) -> bool:
        return await self._gateway.current.resources.purging.log.remove(entry_id)

    async def purge(self, order: PurgeOrder) -> PurgeResult:
        purge = await purge_of(self._gateway.current, order)
        matched = await self._catalog.count(purge)
        if order.dry_run:
            return PurgeResult(matched, 0)
        purged = await self._gateway.current.resources.purging.log.purge(purge)
        return PurgeResult(max(matched, purged.removed), purged.removed)

    async def denied(self, *, route: str | None, limit: int, after: str | None) -> DeniedPage:
        return await list_denied(self._gateway.current, route=route, limit=limit, after=after)

    async def deny(self, order: DenyOrder) -> DeniedShown:
        return await deny(self._gateway.current, order)

    async def allow(self, denied_id: str) -> bool:
        return await allow(self._gateway.current, denied_id)

    async def spare(self, denied_id: str, question: str) -> SparedShown | None:
        return await spare(self._gateway.current, denied_id, question)

    async def export(self, route: str | None) -> AsyncIterator[bytes]:
        """Entries that do not open with this gateway's key, and those of routes that are gone, would be of no use; what was
        made of other entries would pass for an upstream's answer where it is read."""
        self._check_route(route)
        routes = self._gateway.current.routes
        async for whole in self._catalog.export(route):
            made_by = routes.get(whole.listed.route)
            if whole.entry is not None and made_by is not None and not whole.entry.synthesized:
                yield write_line(whole, made_by.keyer.fingerprint.hex())

    async def import_lines(self, lines: bytes, *, route: str | None) -> Imported:
        async with self._importing:
            return await import_lines(self._gateway.current, self._catalog, lines, route)

    @property
    def has_clients(self) -> bool:
        return bool(self._gateway.settings.clients)

    def caller_of(self, headers: HeaderList) -> Caller | None:
        try:
            return clients_of(self._gateway.settings).identify(headers)
        except Unauthorized:
            return None

    async def feedback(self, order: FeedbackOrder, caller: Caller | None, headers: HeaderList) -> FeedbackResult | None:
        return await take_feedback(self._gateway.current, order, caller, headers)

    async def shadow(self, *, route: str | None, since: str | None) -> ShadowReport:
        return await shadow_report(self._gateway.current, route, since)

    def shadow_log(self, route: str | None, since: str | None) -> AsyncIterator[bytes]:
        return log_lines(self._gateway.current, route, since)

    async def reset_shadow(self, route: str) -> ShadowReset:
        self._check_route(route)
        return ShadowReset(await self._gateway.current.resources.evidence.reset(route))

    @property
    def _catalog(self) -> Catalog:
        return self._gateway.current.resources.catalog

    def _check_route(self, route: str | None) -> None:
        if route is not None:
            route_named(self._gateway.current, route)


def _shown(listed: Listed) -> EntryShown:
    return EntryShown(
        id=listed.id,
        route=listed.route,
        created_at=listed.created_at,
        expires_at=listed.expires_at,
        hits=listed.hits,
        bytes=listed.bytes,
        tags=list(listed.tags),
        question=listed.question,
    )


def _text(header: bytes) -> str:
    return header.decode("latin-1")
