"""Which requests of an HTTP client the cache has a part in, and what they are for it: ASGI scopes.

A route's path is the end of a URL's: what stands before it is to the route what a mount point is to an application. So
the most specific end that a route has is what it is matched with, and the whole URL is part of what must be equal.
"""

from __future__ import annotations

from urllib.parse import unquote

import httpx

from gateway.config.model import File
from gateway.core.asgi import ENVIRON, Scope
from gateway.core.routing import Router
from gateway.fronts.inside import where_to

# More segments than any API has: a path is not tried at every slash that somebody can think of.
SEGMENTS = 32
# By these a request goes elsewhere than its URL says.
ELSEWHERE = ("target", "sni_hostname")


class Sought:
    """The paths and methods of all routes."""

    def __init__(self, settings: File) -> None:
        methods: dict[str, set[str]] = {}
        for route in settings.routes:
            if route.kind == "proxy":
                methods.setdefault(route.path, set()).update(route.methods)
        self._router = Router({path: frozenset(found) for path, found in methods.items()})
        self._methods = frozenset(method for found in methods.values() for method in found)

    def scope(self, request: httpx.Request) -> Scope | None:
        """The request as a scope; None where no route takes it, or where it is not sent to where its URL says."""
        if request.method not in self._methods:
            return None
        url = request.url
        raw = url.raw_path.partition(b"?")[0]
        root = self._root(raw, request.method)
        if root is None or any(name in request.extensions for name in ELSEWHERE):
            return None
        headers = [(name.lower(), value) for name, value in request.headers.raw]
        if any(value != url.netloc for name, value in headers if name == b"host"):
            return None
        scope: Scope = {
            "type": "http",
            "http_version": "1.1",
            "method": request.method,
            "scheme": url.scheme,
            "path": unquote(raw[len(root) :].decode("ascii")),
            "root_path": unquote(root.decode("ascii")),
            "raw_path": raw,
            "query_string": url.query,
            "headers": [(b"host", url.netloc), *(pair for pair in headers if pair[0] != b"host")],
            ENVIRON: request,
        }
        # A path may be written in a way that cannot be told again from its decoded parts: then nothing is guessed.
        return scope if where_to(scope).matched == raw[len(root) :] else None

    def _root(self, raw: bytes, method: str) -> bytes | None:
        """What stands before the longest end that a route takes; None where no route does."""
        begin = 0
        for _ in range(SEGMENTS):
            found = self._router.find(raw[begin:])
            if found is not None and method in found[0]:
                return raw[:begin]
            begin = raw.find(b"/", begin + 1)
            if begin < 0:
                break
        return None
