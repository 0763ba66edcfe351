"""What stands between the inner app and the client on a miss: Tee passes on and shows the recording, Buffer holds back.

Both add semgate's own headers to the head and take out an upstream's `X-Cache` look-alikes, which would speak for
another cache. `status` is 0 until a head went by.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from gateway.core.asgi import FINISH, UPSTREAM, Message, Scope, Send
from gateway.core.messages import Reason
from gateway.core.recording import Recording
from gateway.engine.landing import Landing

HeaderList = list[tuple[bytes, bytes]]


class Answered(Protocol):
    """Who answered, as the inner app tells under the scope key UPSTREAM."""

    @property
    def equivalent(self) -> bool:
        """May its answers be kept as the route's own upstream's?"""


class Tee:
    """Every message goes to the client first, then to the recording (None: nothing is kept). `landing` begins before
    the last one."""

    def __init__(
        self,
        scope: Scope,
        send: Send,
        recording: Recording | None,
        headers: HeaderList,
        landing: Landing | None = None,
    ) -> None:
        self.status = 0
        self.ended = False
        self._scope = scope
        self._send = send
        self._recording = recording
        self._headers = headers
        self._landing = landing

    async def send(self, message: Message) -> None:
        recording = self._recording
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"]
            message["headers"] = _without_look_alikes(headers) + self._headers
            await self._send(message)
            if recording is not None:
                start_recording(recording, self._scope, self.status, headers)
            return
        last = not message.get("more_body", False)
        if last and self._landing is not None and recording is not None and recording.reason is None:
            self._landing.begin()
        await self._send(message)
        if recording is not None:
            recording.feed(message.get("body", b""))
            self._scope[FINISH] = recording.reason is None
        self.ended = last


class Buffer:
    """Holds the answer back until it is stored, so that the head can say so; what cannot be kept passes at once.

    `keep` stores the recording and tells whether it did, `headers` makes semgate's headers of that.
    """

    def __init__(
        self,
        scope: Scope,
        send: Send,
        recording: Recording,
        headers: Callable[[bool], HeaderList],
        keep: Callable[[Recording], Awaitable[bool]],
    ) -> None:
        self.status = 0
        self.ended = False
        self._scope = scope
        self._send = send
        self._recording = recording
        self._headers = headers
        self._keep = keep
        self._held: list[Message] | None = []

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            start_recording(self._recording, self._scope, message["status"], message["headers"])
        else:
            self._recording.feed(message.get("body", b""))
            self._scope[FINISH] = self._recording.reason is None
            self.ended = not message.get("more_body", False)
        if self._held is None:
            await self._send(message)
            return
        self._held.append(message)
        if self.ended:
            await self._release(await self._keep(self._recording))
        elif self._recording.reason is not None:
            await self._release(False)

    async def _release(self, stored: bool) -> None:
        held, self._held = self._held or [], None
        head = held[0]
        self.status = head["status"]
        head["headers"] = _without_look_alikes(head["headers"]) + self._headers(stored)
        for message in held:
            await self._send(message)


def start_recording(recording: Recording, scope: Scope, status: int, headers: HeaderList) -> None:
    """Show the head to the recording; names lower-case, as ASGI has them."""
    recording.start(status, tuple(headers))
    answered: Answered | None = scope.get(UPSTREAM)
    if answered is not None and not answered.equivalent:
        recording.abandon(Reason.NOT_EQUIVALENT)


def _without_look_alikes(headers: HeaderList) -> HeaderList:
    return [pair for pair in headers if not pair[0].startswith(b"x-cache")]
