"""The libraries whose transports these are: httpx, and httpx2, its successor, on which the newer SDKs stand.

They have one API and two sets of classes, and a client takes only its own. So what a transport here hands on is made of
the classes of the library from which the request came. For the type checker all of that is httpx, and a transport is
one of both.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    import httpx2

    class SyncTransport(httpx.BaseTransport, httpx2.BaseTransport):
        """A transport for the clients of both libraries."""

        def __enter__(self) -> Any: ...
        def handle_request(self, request: Any) -> Any: ...

    class AsyncTransport(httpx.AsyncBaseTransport, httpx2.AsyncBaseTransport):
        """A transport for the async clients of both libraries."""

        async def __aenter__(self) -> Any: ...
        async def handle_async_request(self, request: Any) -> Any: ...

    class SyncBytes(httpx.SyncByteStream, httpx2.SyncByteStream):
        """A body for both libraries."""

    class AsyncBytes(httpx.AsyncByteStream, httpx2.AsyncByteStream):
        """A body for the async clients of both libraries."""

else:
    _LIBRARIES = [httpx]
    try:
        import httpx2
    except ImportError:
        pass  # SDKs bring it with them: where it is not there, no request can come from it
    else:
        if httpx2 is not httpx:  # `httpx2.alias_httpx()` makes them one
            _LIBRARIES.append(httpx2)

    def _both(name):
        return tuple(getattr(library, name) for library in _LIBRARIES)

    # Clients call a transport whatever it is. But some SDKs on httpx2 refuse what has to do with httpx, so a transport
    # says to be one of the newer library only; a body must be what its client's library takes for one.
    SyncTransport = _LIBRARIES[-1].BaseTransport
    AsyncTransport = _LIBRARIES[-1].AsyncBaseTransport

    class SyncBytes(*_both("SyncByteStream")):
        """A body for both libraries."""

    class AsyncBytes(*_both("AsyncByteStream")):
        """A body for the async clients of both libraries."""


def library_of(request: httpx.Request) -> ModuleType:
    """httpx or httpx2."""
    if isinstance(request, httpx.Request):
        return httpx
    import httpx2

    return httpx2


class ReplayedBytes(SyncBytes):
    """A request's body of which a part was read already: that part, then the rest. Once only, as the rest can be."""

    def __init__(self, read: list[bytes], rest: Iterator[bytes]) -> None:
        self._read = read
        self._rest = rest

    def __iter__(self) -> Iterator[bytes]:
        yield from self._read
        yield from self._rest


class AsyncReplayedBytes(AsyncBytes):
    """The same for async clients."""

    def __init__(self, read: list[bytes], rest: AsyncIterator[bytes]) -> None:
        self._read = read
        self._rest = rest

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._read:
            yield piece
        async for piece in self._rest:
            yield piece


def loaded(stream: object, request: httpx.Request) -> bytes | None:
    """The bytes of a body that is there already; None for one that has to be read."""
    return b"".join(stream) if isinstance(stream, library_of(request).ByteStream) else None


def copied(
    request: httpx.Request,
    body: bytes | SyncBytes | AsyncBytes | None,
    extensions: dict[str, Any],
    drop: frozenset[bytes],
) -> httpx.Request:
    """The same request with another body (None: its own) and these extensions, without the headers of these names (lower
    case)."""
    library = library_of(request)
    stream = request.stream if body is None else library.ByteStream(body) if isinstance(body, bytes) else body
    headers = [pair for pair in request.headers.raw if pair[0].lower() not in drop]
    copy: httpx.Request = library.Request(
        request.method, request.url, headers=headers, stream=stream, extensions=extensions
    )
    return copy
