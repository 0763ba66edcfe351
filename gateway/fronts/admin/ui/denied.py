"""The page of denied questions: which there are, of the routes file and of operators. It changes nothing; `semgate deny` and
the API do."""

from __future__ import annotations

from urllib.parse import urlencode

from litestar import Controller, get
from litestar.response import Template

from gateway.errors import CacheTrouble, InvalidOrder
from gateway.fronts.admin.access import operations_of
from gateway.fronts.admin.deny_shapes import DeniedPage
from gateway.fronts.admin.ui.access import HOME, Visitor
from gateway.fronts.admin.ui.page import page

PAGE = 100


class Denied(Controller):
    @get("/denied")
    async def denied(self, request: Visitor) -> Template:
        """A page of them: the routes file's first, then those that were added."""
        asked = request.query_params
        route, after = asked.get("route") or None, asked.get("after") or None
        operations = operations_of(request)
        found, trouble = DeniedPage([]), ""
        try:
            found = await operations.denied(route=route, limit=PAGE, after=after)
        except (CacheTrouble, InvalidOrder) as error:
            trouble = str(error)
        more = f"{HOME}/denied?{urlencode({'route': route or '', 'after': found.next})}" if found.next else ""
        return page(
            request,
            "denied",
            here="entries",
            routes=[each.name for each in operations.running().routes],
            denied=found.denied,
            route=route or "",
            after=after,
            more=more,
            trouble=trouble,
        )
