"""Who calls, where nobody has said it: the scope of a door that nothing was configured for.

Two requests share answers only if all that a request says of its caller is equal: every header but those that are known
to be no part of it. So another key, cookie or tenant is another scope, and so is a header that nobody thought of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

from gateway.core.keys import frame
from gateway.fronts.request import Request

# What browsers, proxies and SDKs add to any request, different each time or by kind of client.
HARMLESS = frozenset(
    {
        "accept", "accept-charset", "accept-encoding", "accept-language", "b3", "baggage", "cache-control", "cdn-loop",
        "cf-connecting-ip", "cf-ray", "connection", "content-length", "date", "dnt", "expect", "fly-request-id",
        "forwarded", "keep-alive", "newrelic", "origin", "pragma", "priority", "proxy-connection", "referer",
        "sentry-trace", "te", "traceparent", "tracestate", "trailer", "transfer-encoding", "true-client-ip",
        "upgrade-insecure-requests", "user-agent", "via", "x-amz-cf-id", "x-amzn-trace-id", "x-arr-log-id",
        "x-azure-ref", "x-cache-threshold", "x-cache-ttl", "x-client-request-id", "x-cloud-trace-context",
        "x-correlation-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-ms-client-request-id",
        "x-nf-request-id", "x-real-ip", "x-request-id", "x-request-start", "x-vercel-id",
    }
)  # fmt: skip
HARMLESS_BEGINNINGS = ("sec-", "x-b3-", "x-datadog-", "x-stainless-")
# A document in GraphQL: its text decides what is done, so nothing in it may be worded otherwise.
_GRAPHQL = re.compile(r"(?:[\s\ufeff]|#[^\n]*\n|,)*(?:(?:query|mutation|subscription|fragment)\b[^{]*)?\{")


def who_calls(request: Request) -> str | None:
    """A digest of all that the request says of its caller; None for GraphQL, which is no question."""
    if _is_graphql(request):
        return None
    said = [
        part.encode("utf-8", "surrogateescape")
        for name, value in sorted(request.headers.items())
        if name not in HARMLESS and not name.startswith(HARMLESS_BEGINNINGS)
        for part in (name, _kind(value) if name == "content-type" else value)
    ]
    return sha256(frame(*said, *_certificate(request))).hexdigest()


def _kind(content_type: str) -> str:
    """What an app takes a body for: the same bytes may be a form to it, or not be taken at all."""
    return content_type.partition(";")[0].strip().lower()


def _certificate(request: Request) -> list[bytes]:
    """Whom the server knows by a certificate (ASGI's TLS extension): no header says it."""
    extensions = request.scope.get("extensions") if isinstance(request.scope, Mapping) else None
    tls = (extensions or {}).get("tls") or {}
    return [str(part).encode("utf-8", "surrogateescape") for part in tls.get("client_cert_chain") or ()]


def _is_graphql(request: Request) -> bool:
    if "graphql" in request.headers.get("content-type", "") or request.path.rstrip("/").endswith("graphql"):
        return True
    try:
        body = request.json()
    except ValueError:
        return False
    text = body.get("query") if isinstance(body, dict) else None
    return isinstance(text, str) and _GRAPHQL.match(text) is not None
