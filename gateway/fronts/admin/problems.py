"""Every error under `/-/` as RFC 9457 problem+json: Litestar's own, semgate's, and what nobody expected.

A message names the field, the setting or the part at fault. An unexpected error is logged, and its text stays inside.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException

from gateway.errors import CacheTrouble, ReloadRefused, SemgateError, TooManyRequests
from gateway.fronts.admin.access import check_token

PROBLEM = "application/problem+json"
OPEN = ("/-/live", "/-/ready", "/-/metrics", "/-/ui")
LOG = logging.getLogger("semgate")


def problem(
    status: int, detail: str, title: str = "", *, headers: Mapping[str, str] | None = None, **members: object
) -> Response[bytes]:
    """An answer with these extension members (RFC 9457, 3.2)."""
    shown = {"type": "about:blank", "title": title or HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Response(
        msgspec.json.encode(shown | members),
        status_code=status,
        media_type=PROBLEM,
        headers={"cache-control": "no-store", **(headers or {})},
    )


def from_litestar(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    if isinstance(error, MethodNotAllowedException):
        error = _first_the_token(request, error)
    return problem(error.status_code, error.detail, headers=error.headers)


def from_semgate(_request: Request[Any, Any, Any], error: SemgateError) -> Response[bytes]:
    """Trouble of a store or an embedder is nobody's mistake: 503, ask again. A refused reload lists what is wrong."""
    match error:
        case CacheTrouble():
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), error.title, headers={"retry-after": "5"})
        case TooManyRequests():
            return problem(error.status, str(error), error.title, headers={"retry-after": str(error.retry_after)})
        case ReloadRefused():
            return problem(error.status, str(error), error.title, problems=list(error.problems))
        case _:
            return problem(error.status, str(error), error.title)


def from_nowhere(_request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    LOG.error("admin", exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "an error of semgate's own; its log says more")


def _first_the_token(request: Request[Any, Any, Any], error: MethodNotAllowedException) -> HTTPException:
    """Which methods a path has is told to who may use it: Litestar finds that out before it asks the guards. The probes
    are open, and the dashboard has sessions."""
    if request.url.path.startswith(OPEN):
        return error
    try:
        check_token(request)
    except HTTPException as refused:
        return refused
    return error
