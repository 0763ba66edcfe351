"""semgate: a semantic cache in front of LLM and other JSON APIs, as a gateway, and inside programs.

What is named here is all that programs import; nothing is loaded before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.doors.asgi import SemanticCacheMiddleware
    from gateway.doors.by_hand import Found, SemanticCache, SyncSemanticCache
    from gateway.doors.httpx import AsyncCacheTransport, CacheTransport
    from gateway.doors.request import Request
    from gateway.doors.settings import Config, Route
    from gateway.doors.wsgi import SemanticCacheWSGIMiddleware
    from gateway.errors import SemgateError

__all__ = [
    "AsyncCacheTransport",
    "CacheTransport",
    "Config",
    "Found",
    "Request",
    "Route",
    "SemanticCache",
    "SemanticCacheMiddleware",
    "SemanticCacheWSGIMiddleware",
    "SemgateError",
    "SyncSemanticCache",
]

_PLACES = {
    "AsyncCacheTransport": "gateway.doors.httpx",
    "CacheTransport": "gateway.doors.httpx",
    "Config": "gateway.doors.settings",
    "Found": "gateway.doors.by_hand",
    "Request": "gateway.doors.request",
    "Route": "gateway.doors.settings",
    "SemanticCache": "gateway.doors.by_hand",
    "SemanticCacheMiddleware": "gateway.doors.asgi",
    "SemanticCacheWSGIMiddleware": "gateway.doors.wsgi",
    "SemgateError": "gateway.errors",
    "SyncSemanticCache": "gateway.doors.by_hand",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
