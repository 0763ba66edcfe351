"""The dashboard as a whole: what Litestar is given to serve `/-/ui`. The guard stands before every handler in it."""

from __future__ import annotations

from litestar import Router
from litestar.exceptions import HTTPException

from gateway.errors import SemgateError
from gateway.fronts.admin.ui.access import HOME, needs_session
from gateway.fronts.admin.ui.asking import Asking
from gateway.fronts.admin.ui.configured import Configured
from gateway.fronts.admin.ui.denied import Denied
from gateway.fronts.admin.ui.overview import Overview
from gateway.fronts.admin.ui.page import TEMPLATES
from gateway.fronts.admin.ui.signing_in import SigningIn, in_trouble, refused
from gateway.fronts.admin.ui.static import static_file
from gateway.fronts.admin.ui.stored import Purging, Stored

__all__ = ["TEMPLATES", "UI"]

LARGEST_FORM = 256 << 10

UI: list[Router] = [
    Router(
        HOME,
        route_handlers=[Overview, Stored, Purging, Denied, Asking, Configured, SigningIn, static_file],
        guards=[needs_session],
        exception_handlers={HTTPException: refused, SemgateError: in_trouble},
        request_max_body_size=LARGEST_FORM,
        include_in_schema=False,
    )
]
"""For Litestar's `route_handlers`; TEMPLATES for its `template_config`."""
