"""Signing in with the admin token, signing out; and what a visitor sees who may not see a page, or where there is none."""

from __future__ import annotations

from litestar import Controller, get, post
from litestar.exceptions import HTTPException, NotAuthorizedException, TooManyRequestsException
from litestar.response import Redirect, Template

from gateway.errors import CacheTrouble, SemgateError
from gateway.fronts.admin.access import is_token, operations_of, refuse
from gateway.fronts.admin.ui.access import (
    HOME,
    NotSignedIn,
    Visitor,
    fields_of,
    new_session,
    no_session,
    session_of,
    way_back,
)
from gateway.fronts.admin.ui.page import HEADERS, page

OPEN = {"open": True}


class SigningIn(Controller):
    @get("/sign-in", opt=OPEN)
    async def form(self, request: Visitor) -> Template | Redirect:
        """The page to sign in at; straight on for who has a session."""
        if session_of(request) is not None:
            return Redirect(HOME, headers=HEADERS, status_code=303)
        return page(request, "sign-in", back=HOME, error="")

    @post("/sign-in", status_code=200, opt=OPEN, request_max_body_size=16384)
    async def sign_in(self, request: Visitor) -> Template | Redirect:
        """A session for the admin token. Wrong ones are counted with those of the API."""
        if request.headers.get("sec-fetch-site") == "cross-site":
            return page(request, "sign-in", status=403, back=HOME, error="Another site sent this form. Sign in here.")
        fields = await fields_of(request)
        back = way_back(fields.get("back", HOME))
        given = fields.get("token", "").encode()
        if is_token(given, operations_of(request).admin_token):
            return Redirect(back, headers=HEADERS, cookies=[new_session(request)], status_code=303)
        try:
            refuse(request)
        except (NotAuthorizedException, TooManyRequestsException) as no:
            headers = dict(no.headers or {})
            return page(request, "sign-in", status=no.status_code, headers=headers, back=back, error=no.detail)

    @post("/sign-out", status_code=303)
    async def sign_out(self, request: Visitor) -> Redirect:
        """Take the session from this browser."""
        return Redirect(f"{HOME}/sign-in", headers=HEADERS, cookies=[no_session(request)], status_code=303)


def refused(request: Visitor, error: HTTPException) -> Template:
    """No session: the form to sign in, in place of the page. A script that asked has its page loaded again, to show it."""
    if error.status_code != 401:
        return page(request, "error", status=error.status_code, title=error.detail, detail="", headers=error.headers)
    asked = str(request.url.path) + (f"?{request.url.query}" if request.url.query else "")
    back = way_back(asked) if request.method == "GET" else HOME
    again = {"HX-Refresh": "true"} if "hx-request" in request.headers else {}
    said = "" if isinstance(error, NotSignedIn) else error.detail
    return page(request, "sign-in", status=401, headers={**(error.headers or {}), **again}, back=back, error=said)


def in_trouble(request: Visitor, error: SemgateError) -> Template:
    """A page that cannot be made for now, or an order that makes no sense."""
    if isinstance(error, CacheTrouble):
        return page(
            request, "error", status=503, title="This page needs PostgreSQL, which does not answer", detail=str(error)
        )
    return page(request, "error", status=error.status, title=str(error), detail="")
