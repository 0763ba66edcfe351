"""How a page is made: the template engine, what every template may use, and the headers that every page has.

Whatever a page shows is text to it, questions and messages above all: escaping is on in every template, and the
content security policy allows no script or style but the dashboard's own files.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template
from litestar.template import TemplateConfig

from gateway.fronts.admin.ui import formats
from gateway.fronts.admin.ui.access import Visitor, session_of
from gateway.fronts.admin.ui.static import static_url

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
FORMATS = ("count", "compact", "rate", "percent", "dollars", "size", "duration", "moment", "machine_time", "similarity")


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["static"] = static_url
    for name in FORMATS:
        environment.filters[name] = getattr(formats, name)
    environment.filters["span"] = formats.span
    return environment


TEMPLATES = TemplateConfig(instance=JinjaTemplateEngine.from_environment(_environment()))


def page(
    request: Visitor, template: str, /, *, status: int = 200, headers: dict[str, str] | None = None, **shown: Any
) -> Template:
    """A page from `TEMPLATE.html`; `shown` are its values."""
    session = session_of(request)
    return Template(
        f"{template}.html",
        context={
            "csrf": session.csrf if session else "",
            "signed_in": session is not None,
            "now": time.time(),
            **shown,
        },
        headers={**HEADERS, **(headers or {})},
        status_code=status,
        media_type="text/html",
    )
