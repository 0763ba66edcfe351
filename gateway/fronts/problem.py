"""semgate's own errors as RFC 9457 problem+json. An upstream's errors pass as they are and never come through here."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from gateway.core.asgi import Send
from gateway.core.quota import Limit
from gateway.errors import (
    MethodNotAllowed,
    NoWebSockets,
    QuestionDenied,
    SemgateError,
    TooManyRequests,
    Unauthorized,
    UpstreamError,
    UpstreamResting,
)

# By these names the SDKs of OpenAI and others tell a limit that is soon over from one that is not.
CODES = {
    Limit.REQUESTS: "rate_limit_exceeded",
    Limit.TOKENS: "rate_limit_exceeded",
    Limit.DOLLARS: "insufficient_quota",
}


async def send_problem(send: Send, error: SemgateError, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    """Answer with the error's status; `headers` are added."""
    body = problem_body(error)
    extra = [*(headers or []), *told_in_headers(error)]
    head = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": head + extra})
    await send({"type": "http.response.body", "body": body})


def told_in_headers(error: SemgateError) -> list[tuple[bytes, bytes]]:
    """What HTTP says of some errors in headers of their own."""
    extra: list[tuple[bytes, bytes]] = []
    if isinstance(error, MethodNotAllowed):
        extra.append((b"allow", ", ".join(error.allow).encode()))
    if isinstance(error, Unauthorized):
        extra.append((b"www-authenticate", b'Bearer realm="semgate"'))
    if isinstance(error, NoWebSockets):
        extra += [(b"upgrade", b"HTTP/1.1"), (b"connection", b"upgrade")]
    if isinstance(error, UpstreamResting | TooManyRequests):
        extra.append((b"retry-after", b"%d" % error.retry_after))
    if isinstance(error, TooManyRequests) and error.limit == Limit.DOLLARS:
        extra.append((b"x-should-retry", b"false"))  # SDKs would try again in seconds what is over for days
    return extra


def problem_body(error: SemgateError) -> bytes:
    members: dict[str, object] = {
        "type": "about:blank",
        "title": error.title or HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": str(error),
    }
    if isinstance(error, UpstreamError):
        members["upstream"] = error.upstream
    if isinstance(error, QuestionDenied):
        members["deny"] = error.name
    if isinstance(error, TooManyRequests):
        members |= {"limit": error.limit, "code": CODES[Limit(error.limit)]}
    return msgspec.json.encode(members)
