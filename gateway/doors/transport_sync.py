"""One request of a sync client through the cache: it is carried out in the thread that asks, piece by piece as it is read."""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from gateway.core.asgi import Scope
from gateway.doors.opening import Reached, SharedCache
from gateway.doors.transport_exchange import INNER, Asked, answered, lower, unread
from gateway.doors.transport_library import ReplayedBytes, SyncBytes, library_of
from gateway.fronts.conversation import EngineClosed, Unreachable
from gateway.fronts.inner_call import Answer
from gateway.fronts.talk import Beside, Broken, Talk


class Exchange:
    """`below` sends the request on, `beside` does what the client does not see."""

    def __init__(
        self, request: httpx.Request, scope: Scope, reached: Reached, below: httpx.BaseTransport, beside: Beside
    ) -> None:
        self._asked = asked = Asked(request)
        self._below = below
        self._rest: Iterator[bytes] | None = None
        read = self._read if asked.body is None else None
        self._talk = Talk(
            reached.ground, reached.inside, scope, self._ask, body=asked.body or b"", read=read, beside=beside
        )

    def response(self, cache: SharedCache) -> httpx.Response:
        """The answer, whose body is still to be read. Raises what the transport below raises."""
        request = self._asked.request
        try:
            message = self._talk.head()
        except BaseException as error:
            self._talk.close()
            if not self._asked.is_trouble_of_cache(error):
                raise
            cache.failed(error)
            if self._asked.called:
                raise library_of(request).ReadError("the cache broke off") from error
            return self._below.handle_request(self._forwarded())
        return answered(request, message, self._talk.conversation.scope, PulledBytes(self._talk, request))

    def _read(self) -> tuple[bytes, bool]:
        try:
            if self._rest is None:
                self._rest = iter(self._asked.request.stream)  # type: ignore[arg-type]
            piece = next(self._rest, None)
        except Exception as error:
            self._asked.raised = error
            raise
        return self._asked.took(piece)

    def _forwarded(self) -> httpx.Request:
        partly = self._rest is not None and not self._asked.whole
        return self._asked.forwarded(ReplayedBytes(self._asked.read, self._rest) if partly and self._rest else None)

    def _ask(self, unseen: bool) -> Answer:
        asked, library = self._asked, library_of(self._asked.request)
        try:
            request = asked.again() if unseen else self._forwarded()
            asked.called = asked.called or not unseen
            response = unread(self._below.handle_request(request), library)
        except Exception as error:
            if not unseen:
                asked.raised = error
            raise Unreachable(error) from error
        stream = response.stream
        assert isinstance(stream, library.SyncByteStream)
        whole = isinstance(stream, library.ByteStream)
        return Answer(response.status_code, lower(response), iter(stream), response.close, whole, {INNER: response})


class PulledBytes(SyncBytes):
    """An answer's body, which comes as it is read."""

    def __init__(self, talk: Talk, request: httpx.Request) -> None:
        self._talk = talk
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._talk.chunks()
        except (Broken, EngineClosed) as error:
            raise library_of(self._request).ReadError("the answer broke off") from error

    def close(self) -> None:
        self._talk.close()
