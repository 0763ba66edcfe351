"""For load balancers, orchestrators and Prometheus: live, ready, metrics. Open, as they tell nothing of callers or questions."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Controller, MediaType, Request, Response, get

from gateway.fronts.admin.access import operations_of
from gateway.fronts.admin.operations import Readiness


class Probes(Controller):
    path = "/-"

    @get("/live", media_type=MediaType.JSON)
    async def live(self) -> dict[str, str]:
        """This worker answers."""
        return {"status": "live"}

    @get("/ready", media_type=MediaType.JSON)
    async def ready(self, request: Request[Any, Any, Any]) -> Readiness:
        """Routes are served. `degraded` still forwards: taking such a gateway out of rotation would turn cache trouble
        into the clients' trouble."""
        return await operations_of(request).readiness()

    @get("/metrics")
    async def metrics(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """Prometheus metrics of all workers."""
        text = await asyncio.to_thread(operations_of(request).metrics)  # of many series, it takes a while
        return Response(text, media_type="text/plain; version=0.0.4")
