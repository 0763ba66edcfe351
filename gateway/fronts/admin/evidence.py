"""What answers from the cache were worth: the report of shadow mode and audits, and feedback.

Feedback has a door of its own: beside the operator, declared clients may give it with their own key, on the clients' door
too (where the operator's token is not taken if it has another door).
"""

from __future__ import annotations

from typing import Any

from litestar import Controller, MediaType, Request, delete, get, post
from litestar.datastructures import CacheControlHeader
from litestar.exceptions import NotFoundException, TooManyRequestsException
from litestar.response import Stream

from gateway.core.asgi import CLIENTS_DOOR
from gateway.errors import InvalidOrder
from gateway.fronts.admin.access import check_token, needs_token, operations_of, unauthorized
from gateway.fronts.admin.judged import FeedbackOrder, FeedbackResult, ShadowReport, ShadowReset
from gateway.fronts.admin.reading import is_entry_id, read_order, read_parameters
from gateway.fronts.admin.transfer import streamed
from gateway.fronts.clients import Caller

LARGEST_FEEDBACK = 256 << 10


class ShadowEvidence(Controller):
    path = "/-"
    guards = [needs_token]  # noqa: RUF012 - Litestar reads the attribute of the class
    cache_control = CacheControlHeader(no_store=True)

    @get("/shadow", media_type=MediaType.JSON)
    async def report(self, request: Request[Any, Any, Any]) -> ShadowReport:
        """What shadow mode, audits and feedback found."""
        given = read_parameters(request, "route", "since")
        return await operations_of(request).shadow(route=given.get("route"), since=given.get("since"))

    @get("/shadow/log")
    async def log(self, request: Request[Any, Any, Any]) -> Stream:
        """Each judgement, one a line."""
        given = read_parameters(request, "route", "since")
        return await streamed(operations_of(request).shadow_log(given.get("route"), given.get("since")))

    @delete("/shadow", status_code=200, media_type=MediaType.JSON)
    async def reset(self, request: Request[Any, Any, Any]) -> ShadowReset:
        """Begin anew with one route."""
        route = read_parameters(request, "route").get("route")
        if not route:
            raise InvalidOrder("say which `route` to begin anew with: ?route=NAME")
        return await operations_of(request).reset_shadow(route)


class Feedback(Controller):
    path = "/-"
    cache_control = CacheControlHeader(no_store=True)

    @post("/feedback", status_code=200, media_type=MediaType.JSON, request_max_body_size=LARGEST_FEEDBACK)
    async def feedback(self, request: Request[Any, Any, Any]) -> FeedbackResult:
        """A word on one entry: a wrong one goes, everywhere."""
        caller = _caller_of(request)
        read_parameters(request)
        order = await read_order(request, FeedbackOrder)
        found = None
        if is_entry_id(order.entry):
            found = await operations_of(request).feedback(order, caller, [*request.scope["headers"]])
        if found is None:
            yours = "" if caller is None else " that this client may speak of"
            raise NotFoundException(detail=f"no entry{yours} has the id {order.entry[:80]!r}")
        return found


def _caller_of(request: Request[Any, Any, Any]) -> Caller | None:
    """None: the operator. Raises what `check_token` raises for who is neither."""
    operations = operations_of(request)
    caller = operations.caller_of([*request.scope["headers"]]) if operations.has_clients else None
    if caller is not None and caller.client is not None:
        wait = request.app.state.feedback.add(caller.client.name)
        if wait:
            raise TooManyRequestsException(
                detail=f"too much feedback from this client; try again in {wait} s", headers={"Retry-After": str(wait)}
            )
        return caller
    if request.scope.get(CLIENTS_DOOR):
        raise unauthorized("send a client's key: the operator's door has an address of its own")
    check_token(request)
    return None
