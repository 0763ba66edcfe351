"""Who may see the dashboard, and what may change something: the guard in front of all its handlers, and signing in and out.

A browser shows the session's cookie, and with everything that is not a GET the session's CSRF token, as the form field
`csrf` or the header `X-CSRF-Token`. A bearer token does as well as a session, and no other site can make a browser send it.
"""

from __future__ import annotations

import secrets
import time
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.exceptions import ClientException, NotAuthorizedException, NotFoundException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler

from gateway.fronts.admin.access import needs_token, operations_of
from gateway.fronts.admin.ui.session import LIFETIME, Session, cookie_name, read_session, same_csrf, seal_session

HOME = "/-/ui"
FIELDS = 40

Visitor: TypeAlias = Request[Any, Any, Any]


class NotSignedIn(NotAuthorizedException):
    """Nobody guessed wrong: there is no session, or it is over."""

    def __init__(self) -> None:
        super().__init__(detail="sign in first", headers={"WWW-Authenticate": 'Bearer realm="semgate admin"'})


async def needs_session(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Guard of every handler; those with `opt={"open": True}` need a configured token only."""
    if not operations_of(connection).admin_token:
        raise NotFoundException(detail="there is no dashboard without a token: set server.admin.token")
    if handler.opt.get("open"):
        return
    if "authorization" in connection.headers:
        needs_token(connection, handler)
        return
    session = session_of(connection)
    if session is None:
        raise NotSignedIn
    if isinstance(connection, Request) and connection.method not in ("GET", "HEAD"):
        presented = connection.headers.get("x-csrf-token") or (await fields_of(connection)).get("csrf", "")
        if not same_csrf(session, presented):
            raise PermissionDeniedException(
                detail="this form is not from your session: go back, reload the page, try again"
            )


def session_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Session | None:
    token = operations_of(connection).admin_token
    cookie = connection.cookies.get(cookie_name(token), "")
    return read_session(token, cookie, time.time()) if token else None


def new_session(request: Visitor) -> Cookie:
    token = operations_of(request).admin_token
    return _cookie(request, seal_session(token, time.time(), secrets.token_urlsafe(12)), LIFETIME)


def no_session(request: Visitor) -> Cookie:
    return _cookie(request, "", 0)


async def fields_of(request: Visitor) -> dict[str, str]:
    """The fields of a form, white space around them gone; of a name that is there twice, the last. Raises 400."""
    if request.content_type[0] != "application/x-www-form-urlencoded":
        return {}
    try:
        pairs = parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=FIELDS)
    except ValueError:
        raise ClientException(detail="this is no form") from None
    return {name: value.strip() for name, value in pairs}


def way_back(path: str) -> str:
    """Where to go after signing in: a page of the dashboard, never another site."""
    inside = path == HOME or path.startswith((HOME + "/", HOME + "?"))
    return path if inside and path.isascii() and path.isprintable() and "\\" not in path else HOME


def _cookie(request: Visitor, value: str, seconds: int) -> Cookie:
    """`X-Forwarded-Proto` is believed from anybody: who lies about it only keeps the cookie from himself."""
    outermost = request.headers.get("x-forwarded-proto", "").partition(",")[0]
    encrypted = "https" in (request.url.scheme, outermost.strip().lower())
    return Cookie(
        key=cookie_name(operations_of(request).admin_token),
        value=value,
        path=HOME,
        max_age=seconds,
        httponly=True,
        samesite="strict",
        secure=encrypted,
    )
