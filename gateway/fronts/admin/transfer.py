"""Entries out and in as JSON lines: a stream out, batches in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from litestar import Controller, MediaType, Request, get, post
from litestar.datastructures import CacheControlHeader
from litestar.exceptions import HTTPException
from litestar.response import Stream

from gateway.fronts.admin.access import needs_token, operations_of
from gateway.fronts.admin.operations import Imported
from gateway.fronts.admin.reading import read_parameters

NDJSON = "application/x-ndjson"
# One exported entry of `keep.max_body` (10 MiB unless told otherwise) fits, as JSON and in base64.
LARGEST_BATCH = 32 << 20
MOST_LINES = 1000


class Transfer(Controller):
    path = "/-"
    guards = [needs_token]  # noqa: RUF012 - Litestar reads the attribute of the class
    cache_control = CacheControlHeader(no_store=True)

    @get("/export")
    async def export(self, request: Request[Any, Any, Any]) -> Stream:
        """All entries, one a line."""
        return await streamed(operations_of(request).export(read_parameters(request, "route").get("route")))

    @post("/import", status_code=200, media_type=MediaType.JSON, request_max_body_size=LARGEST_BATCH)
    async def import_(self, request: Request[Any, Any, Any]) -> Imported:
        """Store one batch of lines; those that are known already are left."""
        route = read_parameters(request, "route").get("route")
        lines = await request.body()
        if lines.count(b"\n") + (not lines.endswith(b"\n")) > MOST_LINES:
            raise HTTPException(
                status_code=413, detail=f"a batch has at most {MOST_LINES} lines; send the rest in others"
            )
        return await operations_of(request).import_lines(lines, route=route)


async def streamed(lines: AsyncIterator[bytes]) -> Stream:
    """What is wrong with the order, or with PostgreSQL, shows with the first line: still time to say so."""
    first = await anext(lines, b"")
    return Stream(_all(first, lines), media_type=NDJSON)


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for each in rest:
        yield each
