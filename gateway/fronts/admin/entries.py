"""What is stored: asking what would be served, looking entries over, removing them."""

from __future__ import annotations

from typing import Any

from litestar import Controller, MediaType, Request, delete, get, post
from litestar.datastructures import CacheControlHeader
from litestar.exceptions import NotFoundException

from gateway.errors import InvalidOrder
from gateway.fronts.admin.access import needs_token, operations_of
from gateway.fronts.admin.operations import (
    EntriesPage,
    EntryWhole,
    LookupAnswer,
    LookupQuestion,
    PurgeOrder,
    PurgeResult,
)
from gateway.fronts.admin.reading import is_entry_id, read_count, read_order, read_parameters

PAGE = 50
LARGEST_PAGE = 1000
# A question's body is a request's, and is bounded like one by its route; this is for the document around it.
LARGEST_QUESTION = 16 << 20


class StoredEntries(Controller):
    path = "/-"
    guards = [needs_token]  # noqa: RUF012 - Litestar reads the attribute of the class
    cache_control = CacheControlHeader(no_store=True)

    @post("/lookup", status_code=200, media_type=MediaType.JSON, request_max_body_size=LARGEST_QUESTION)
    async def lookup(self, request: Request[Any, Any, Any]) -> LookupAnswer:
        """What would be served to this request, and why."""
        read_parameters(request)
        return await operations_of(request).lookup(await read_order(request, LookupQuestion))

    @get("/entries", media_type=MediaType.JSON)
    async def entries(self, request: Request[Any, Any, Any]) -> EntriesPage:
        """The stored entries page by page, newest first."""
        # A parameter without a value (`?route=&after=`) is not given: this only reads.
        given = read_parameters(request, "route", "limit", "after")
        asked = {name: value for name, value in given.items() if value}
        limit = read_count(asked, "limit", default=PAGE, most=LARGEST_PAGE)
        if "after" in asked and not is_entry_id(asked["after"]):
            raise InvalidOrder("the query parameter `after` is the `next` of the page before")
        return await operations_of(request).entries(route=asked.get("route"), limit=limit, after=asked.get("after"))

    @get("/entries/{entry_id:str}", media_type=MediaType.JSON)
    async def entry(self, request: Request[Any, Any, Any]) -> EntryWhole:
        """One entry with its answer."""
        read_parameters(request)
        entry_id = request.path_params["entry_id"]
        found = await operations_of(request).entry(entry_id) if is_entry_id(entry_id) else None
        if found is None:
            raise _no_entry(entry_id)
        return found

    @delete("/entries/{entry_id:str}", status_code=204)
    async def remove(self, request: Request[Any, Any, Any]) -> None:
        """Remove one entry, everywhere."""
        read_parameters(request)
        entry_id = request.path_params["entry_id"]
        if not (is_entry_id(entry_id) and await operations_of(request).remove(entry_id)):
            raise _no_entry(entry_id)

    @post("/purge", status_code=200, media_type=MediaType.JSON)
    async def purge(self, request: Request[Any, Any, Any]) -> PurgeResult:
        """Remove all entries that fit; only count them unless the order says `"dry_run": false`."""
        read_parameters(request)
        order = await read_order(request, PurgeOrder) if await request.body() else PurgeOrder()
        return await operations_of(request).purge(order)


def _no_entry(entry_id: str) -> NotFoundException:
    return NotFoundException(detail=f"no entry has the id {entry_id[:80]!r}")
