"""The configuration that runs, and loading the routes file again."""

from __future__ import annotations

from litestar import Controller, get, post
from litestar.response import Template

from gateway.errors import InvalidOrder, ReloadRefused
from gateway.fronts.admin.access import operations_of
from gateway.fronts.admin.operations import FileProblem, Reloaded
from gateway.fronts.admin.ui.access import Visitor, fields_of
from gateway.fronts.admin.ui.page import page


class Configured(Controller):
    @get("/configuration")
    async def configuration(self, request: Visitor) -> Template:
        """What runs."""
        return _page(request)

    @post("/configuration/reload", status_code=200)
    async def reload(self, request: Visitor) -> Template:
        """Load the file again, in every worker. What is wrong with it is shown; the old one runs on."""
        force = "force" in await fields_of(request)
        try:
            return _page(request, reloaded=await operations_of(request).reload(force=force))
        except ReloadRefused as error:
            problems = [problem for problem in error.problems if isinstance(problem, FileProblem)]
            return _page(request, trouble=str(error), problems=problems)
        except InvalidOrder as error:
            return _page(request, trouble=str(error))


def _page(
    request: Visitor, *, reloaded: Reloaded | None = None, trouble: str = "", problems: list[FileProblem] | None = None
) -> Template:
    running = operations_of(request).running()
    return page(
        request,
        "configuration",
        here="configuration",
        running=running,
        reloaded=reloaded,
        trouble=trouble,
        problems=problems or [],
    )
