"""One request of an HTTP client on its way through the cache: what both kinds of client need of it.

The request is read only as far as the cache wants to see it and goes on as it was; the answer comes back as the transport
inside gave it, or as it was stored.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import httpx

from gateway.core.asgi import HIT, HeaderList, Message
from gateway.doors.transport_library import AsyncBytes, SyncBytes, copied, library_of, loaded
from gateway.doors.transport_told import EXTENSION, told_of_hit, told_of_other

INNER: Final = "semgate.inner_response"
"""The inner transport's response, in the message that is its head."""

# Wishes to this cache are not the upstream's business.
WISHES = frozenset({b"x-cache-threshold", b"x-cache-ttl"})
# Of a request's extensions, what a call beside it needs as well; others may be good for one call only.
LASTING = ("timeout",)


class Asked:
    """The request as it goes on. `body`: None where it has to be read, and then `read` has the pieces that were."""

    def __init__(self, request: httpx.Request) -> None:
        self.request = request
        self.body = loaded(request.stream, request)
        self.read: list[bytes] = []
        self.whole = False
        self.raised: BaseException | None = None
        self.called = False
        wishes = any(name.lower() in WISHES for name, _ in request.headers.raw)
        self._drop = WISHES if wishes else frozenset()

    def took(self, piece: bytes | None) -> tuple[bytes, bool]:
        """Note the next piece of the body (None: there is no more): the piece, and whether there may be more."""
        if piece is None:
            self.whole = True
            return b"", False
        self.read.append(piece)
        return piece, True

    def is_trouble_of_cache(self, error: BaseException) -> bool:
        """It was raised neither by the transport inside, nor by the client's own body, nor by what ends a task."""
        return isinstance(error, Exception) and error is not self.raised

    def forwarded(self, rest: SyncBytes | AsyncBytes | None) -> httpx.Request:
        """For the client's own call. `rest`: its body, where only a part of that was read."""
        body: bytes | SyncBytes | AsyncBytes | None = rest
        if self.body is None and self.whole:
            body = b"".join(self.read)
        if body is None and not self._drop:
            return self.request
        return copied(self.request, body, self.request.extensions, self._drop)

    def again(self) -> httpx.Request:
        """For a call beside the client's."""
        body = b"".join(self.read) if self.body is None else self.body
        extensions = {name: each for name, each in self.request.extensions.items() if name in LASTING}
        return copied(self.request, body, extensions, self._drop)


def lower(response: httpx.Response) -> HeaderList:
    """A response's headers as ASGI has them, in order."""
    return [(name.lower(), value) for name, value in response.headers.raw]


def unread(response: httpx.Response, library: Any) -> httpx.Response:
    """The same response with a body that can be read: a transport may have read it whole, to log it, say."""
    if not response.is_stream_consumed or isinstance(response.stream, library.ByteStream):
        return response
    headers = [pair for pair in response.headers.raw if pair[0].lower() not in (b"content-encoding", b"content-length")]
    headers.append((b"Content-Length", b"%d" % len(response.content)))
    decoded: httpx.Response = library.Response(
        response.status_code,
        headers=headers,
        stream=library.ByteStream(response.content),
        extensions=response.extensions,
    )
    return decoded


def answered(
    request: httpx.Request, message: Message, scope: Mapping[str, Any], stream: SyncBytes | AsyncBytes
) -> httpx.Response:
    """The response that an answer's head and body make."""
    headers: HeaderList = message["headers"]
    inner: httpx.Response | None = message.get(INNER)
    hit = scope.get(HIT)
    extensions: dict[str, Any] = {"http_version": b"HTTP/1.1"} if inner is None or hit is not None else inner.extensions
    if hit is not None:
        told = told_of_hit(hit, time.time())
    else:
        passed = 0 if inner is None else sum(not name.startswith(b"x-cache") for name, _ in lower(inner))
        told = told_of_other(headers[passed:])
    response: httpx.Response = library_of(request).Response(
        message["status"], headers=headers, stream=stream, extensions={**extensions, EXTENSION: told}
    )
    return response
