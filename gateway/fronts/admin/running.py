"""What runs: its configuration, loading it again, its figures, and the description of this API itself."""

from __future__ import annotations

from typing import Any

from litestar import Controller, MediaType, Request, Response, get, post
from litestar.datastructures import CacheControlHeader

from gateway.fronts.admin.access import needs_token, operations_of
from gateway.fronts.admin.openapi import document
from gateway.fronts.admin.operations import Reloaded, Running, Stats
from gateway.fronts.admin.reading import read_flag, read_parameters


class RunningConfiguration(Controller):
    path = "/-"
    guards = [needs_token]  # noqa: RUF012 - Litestar reads the attribute of the class
    cache_control = CacheControlHeader(no_store=True)

    @get("/config", media_type=MediaType.JSON)
    async def config(self, request: Request[Any, Any, Any]) -> Running:
        """The configuration that runs."""
        read_parameters(request)
        return operations_of(request).running()

    @post("/reload", status_code=200, media_type=MediaType.JSON)
    async def reload(self, request: Request[Any, Any, Any]) -> Reloaded:
        """Load the routes file again; with `force`, even if something new in it cannot be reached."""
        force = read_flag(read_parameters(request, "force"), "force")
        return await operations_of(request).reload(force=force)

    @get("/stats", media_type=MediaType.JSON)
    async def stats(self, request: Request[Any, Any, Any]) -> Stats:
        """Figures since the gateway started, by route."""
        read_parameters(request)
        return await operations_of(request).stats()

    @get("/openapi")
    async def openapi(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """OpenAPI 3.1 of everything under `/-/`."""
        read_parameters(request)
        return Response(document(), media_type="application/vnd.oai.openapi+json;version=3.1")
