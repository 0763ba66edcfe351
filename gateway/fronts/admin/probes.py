"""The operator's door under `/-/`, as Litestar handlers: live, ready, metrics, and with the admin token the configuration.

What they tell comes from an `Operations` object, so that this front knows neither settings nor stores.
"""

from __future__ import annotations

import hmac
from typing import Any

from litestar import Controller, MediaType, Request, Response, get
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, NotAuthorizedException, NotFoundException
from litestar.handlers import BaseRouteHandler

from gateway.errors import SemgateError
from gateway.fronts.admin.operations import Operations, Readiness, Running
from gateway.fronts.problem import problem_body

PROBLEM = "application/problem+json"


def needs_token(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Guard: without a configured token the path does not exist; a wrong or missing one is 401."""
    token = operations_of(connection).admin_token
    if not token:
        raise NotFoundException(detail="set server.admin.token to use this path")
    scheme, _, presented = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(presented.strip().encode(), token.encode()):
        raise NotAuthorizedException(detail="send the admin token as `Authorization: Bearer TOKEN`")


def operations_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Operations:
    operations: Operations = connection.app.state.operations
    return operations


class Probes(Controller):
    """For load balancers, orchestrators and Prometheus; open, as they tell nothing of callers or questions."""

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
        return Response(operations_of(request).metrics(), media_type="text/plain; version=0.0.4")


class Configuration(Controller):
    path = "/-"
    guards = [needs_token]  # noqa: RUF012 - Litestar reads the attribute of the class

    @get("/config", media_type=MediaType.JSON)
    async def config(self, request: Request[Any, Any, Any]) -> Running:
        """The configuration that runs."""
        return operations_of(request).running()


def as_problem(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Litestar's HTTP errors in the same problem+json as the gateway's own."""
    problem = SemgateError(error.detail)
    problem.status = error.status_code
    problem.title = ""
    return Response(problem_body(problem), status_code=error.status_code, media_type=PROBLEM, headers=error.headers)
