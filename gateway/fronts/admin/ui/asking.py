"""The look-up explained: what would be served to a question, and each step that led there."""

from __future__ import annotations

import msgspec
from litestar import Controller, get, post
from litestar.response import Template

from gateway.errors import CacheTrouble, InvalidOrder
from gateway.fronts.admin.access import operations_of
from gateway.fronts.admin.operations import LookupAnswer, LookupQuestion
from gateway.fronts.admin.ui.access import Visitor, fields_of
from gateway.fronts.admin.ui.page import page
from gateway.fronts.admin.ui.stored import scope_of

LARGEST_QUESTION = 4 << 20


class Asking(Controller):
    @get("/lookup")
    async def form(self, request: Visitor) -> Template:
        """The question."""
        return _page(request, {"route": request.query_params.get("route", "")}, None, "")

    @post("/lookup", status_code=200, request_max_body_size=LARGEST_QUESTION)
    async def ask(self, request: Visitor) -> Template:
        """What would be served, and why. Posted, as a question in an address ends up in logs."""
        fields = await fields_of(request)
        try:
            return _page(request, fields, await operations_of(request).lookup(question_of(fields)), "")
        except (CacheTrouble, InvalidOrder) as error:
            return _page(request, fields, None, str(error))


def question_of(fields: dict[str, str]) -> LookupQuestion:
    """Raises InvalidOrder."""
    text, body = fields.get("text", ""), fields.get("body", "")
    if bool(text) == bool(body):
        raise InvalidOrder("give the words of a question or a whole request body, one of them")
    if not body:
        return LookupQuestion(route=fields.get("route", ""), text=text, scope=scope_of(fields))
    try:
        msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise InvalidOrder(f"the request body is not JSON: {error}") from None
    except RecursionError:
        raise InvalidOrder("the request body is nested too deeply") from None
    return LookupQuestion(route=fields.get("route", ""), body=msgspec.Raw(body.encode()), scope=scope_of(fields))


def _page(request: Visitor, fields: dict[str, str], answer: LookupAnswer | None, trouble: str) -> Template:
    routes = [route.name for route in operations_of(request).running().routes]
    return page(request, "lookup", here="lookup", routes=routes, fields=fields, answer=answer, trouble=trouble)
