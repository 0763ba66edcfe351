"""Denied questions: listing, adding and removing them, and reporting those that were taken for one wrongly."""

from __future__ import annotations

from typing import Any

from litestar import Controller, MediaType, Request, delete, get, post
from litestar.datastructures import CacheControlHeader
from litestar.exceptions import NotFoundException

from gateway.fronts.admin.access import needs_token, operations_of
from gateway.fronts.admin.deny_shapes import DeniedPage, DeniedShown, DenyOrder, FalsePositive, SparedShown
from gateway.fronts.admin.reading import is_entry_id, read_count, read_order, read_parameters

PAGE = 1000
LARGEST_PAGE = 10_000


class DeniedQuestions(Controller):
    path = "/-/deny"
    guards = [needs_token]  # noqa: RUF012 - Litestar reads the attribute of the class
    cache_control = CacheControlHeader(no_store=True)

    @get("/", media_type=MediaType.JSON)
    async def listed(self, request: Request[Any, Any, Any]) -> DeniedPage:
        """What is denied, by the routes file and by operators."""
        given = read_parameters(request, "route", "limit", "after")
        asked = {name: value for name, value in given.items() if value}
        limit = read_count(asked, "limit", default=PAGE, most=LARGEST_PAGE)
        return await operations_of(request).denied(route=asked.get("route"), limit=limit, after=asked.get("after"))

    @post("/", status_code=200, media_type=MediaType.JSON)
    async def deny(self, request: Request[Any, Any, Any]) -> DeniedShown:
        """Deny a question, in every worker and replica."""
        read_parameters(request)
        return await operations_of(request).deny(await read_order(request, DenyOrder))

    @delete("/{denied_id:str}", status_code=204)
    async def allow(self, request: Request[Any, Any, Any]) -> None:
        """Take back a denied question that was added, or a false positive."""
        read_parameters(request)
        denied_id = request.path_params["denied_id"]
        if not (is_entry_id(denied_id) and await operations_of(request).allow(denied_id)):
            raise _none_such(denied_id)

    @post("/{denied_id:str}/false-positive", status_code=200, media_type=MediaType.JSON)
    async def spare(self, request: Request[Any, Any, Any]) -> SparedShown:
        """Report a question that is not meant by this denied one."""
        read_parameters(request)
        denied_id = request.path_params["denied_id"]
        reported = await read_order(request, FalsePositive)
        spared = await operations_of(request).spare(denied_id, reported.question) if is_entry_id(denied_id) else None
        if spared is None:
            raise _none_such(denied_id)
        return spared


def _none_such(denied_id: str) -> NotFoundException:
    return NotFoundException(detail=f"no denied question has the id {denied_id[:80]!r}")
