"""Errors in the shape of LangCache's API: RFC 9457 members as plain JSON, with a `type` out of a closed set.

The SDKs refuse an answer whose `type` they do not know, and their names for two of the errors changed with version 0.12.
So who asks with an earlier SDK is told in its words; everybody else in those of today.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from gateway.core.asgi import HeaderList, Scope, Send
from gateway.core.quota import Limit
from gateway.errors import InvalidFields, NoEntry, QuestionDenied, SemgateError, TooManyRequests
from gateway.fronts.problem import CODES, told_in_headers

TYPES: Mapping[int, str] = {
    400: "/errors/invalid-data",
    401: "/errors/authentication-failed",
    403: "/errors/insufficient-permissions",
    404: "/errors/resource-not-found",
    413: "/errors/payload-too-large",
    424: "/errors/resource-unavailable",
    429: "/errors/too-many-requests",
    500: "/errors/unexpected-error",
}
# As SDKs before 0.12 know them.
EARLIER = {
    404: "/errors/resource/not-found",
    424: "/errors/database/resource-database-unavailable",
}
EARLIER_NO_ENTRY = "/errors/cache/entry/not-found"
_EARLIER_SDK = re.compile(rb"speakeasy-sdk/\S+ 0\.(?:[0-9]|1[01])\.")


async def send_error(scope: Scope, send: Send, error: SemgateError, headers: HeaderList | None = None) -> None:
    """Answer with the error's status; `headers` are added."""
    body = error_body(error, earlier=is_earlier(scope["headers"]))
    head = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *(headers or []),
        *told_in_headers(error),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": head})
    await send({"type": "http.response.body", "body": body})


def is_earlier(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Does an SDK ask that knows the earlier names only?"""
    return any(name == b"user-agent" and _EARLIER_SDK.match(value) for name, value in headers)


def error_body(error: SemgateError, *, earlier: bool) -> bytes:
    name = TYPES.get(error.status, "about:blank")
    if earlier:
        name = EARLIER_NO_ENTRY if isinstance(error, NoEntry) else EARLIER.get(error.status, name)
    members: dict[str, object] = {"title": error.title, "type": name, "status": error.status, "detail": str(error)}
    if isinstance(error, InvalidFields) and error.fields:
        members["fields"] = error.fields
    if isinstance(error, QuestionDenied):
        members["deny"] = error.name
    if isinstance(error, TooManyRequests):
        members |= {"limit": error.limit, "code": CODES[Limit(error.limit)]}
    return msgspec.json.encode(members)
