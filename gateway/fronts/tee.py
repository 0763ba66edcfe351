"""The Tee stands between the inner app and the client on a miss: it shows the recording what passes, and passes it on.

It adds semgate's own headers to the head and takes out an upstream's `X-Cache` look-alikes, which would speak for
another cache. It can hold a single answer back until it is stored, and keep an upstream's failure from a client for
whom something stored stands in.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from gateway.core.asgi import UPSTREAM, HeaderList, Message, Scope, Send
from gateway.core.messages import Form, Reason
from gateway.core.policy import FAILURES, answer_form
from gateway.core.recording import Recording
from gateway.engine.landing import Landing


class Answered(Protocol):
    """Who answered, as the inner app tells under the scope key UPSTREAM."""

    @property
    def equivalent(self) -> bool:
        """May its answers be kept as the route's own upstream's?"""


class Tee:
    """`recording` None: nothing is kept. `headers` makes semgate's headers of whether the answer is known to be stored.

    `landing` begins before the last message is sent. `keep`: hold a single answer back and store it first; what cannot
    be kept, and a stream, passes at once. `stand_in`: an answer that says that the upstream failed is not passed on, but
    this is called with its status. `at_end` is called once the
    body has come to its end. Afterwards `status` is the client's (0: it got no head), `failed` that of an answer which was not passed on, `ended`
    tells whether the body came to its end, `kept` whether `keep` was called.
    """

    def __init__(
        self,
        scope: Scope,
        send: Send,
        recording: Recording | None,
        headers: Callable[[bool], HeaderList],
        landing: Landing | None = None,
        *,
        keep: Callable[[Recording], Awaitable[bool]] | None = None,
        stand_in: Callable[[int], Awaitable[None]] | None = None,
        at_end: Callable[[], None] | None = None,
    ) -> None:
        self.status = 0
        self.failed = 0
        self.ended = False
        self.kept = False
        self._scope = scope
        self._send = send
        self._recording = recording
        self._headers = headers
        self._landing = landing
        self._keep = keep
        self._stand_in = stand_in
        self._at_end = at_end
        self._held: list[Message] = []

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._start(message)
            return
        if message["type"] != "http.response.body":
            await self._send(message)  # an extension's: trailers, early hints
            return
        recording = self._recording
        last = not message.get("more_body", False)
        if recording is not None:
            recording.feed(message.get("body", b""), time.monotonic())
        if self._held:
            await self._hold(message, last)
        elif not self.failed:
            if last and self._landing is not None and recording is not None and recording.reason is None:
                self._landing.begin()
            await self._send(message)
        self.ended = last
        if last and self._at_end is not None:
            self._at_end()

    async def _start(self, message: Message) -> None:
        status, recording = message["status"], self._recording
        if recording is not None:
            self._show_head(recording, message)
        if self._stand_in is not None and status in FAILURES:
            self.failed = status
            await self._stand_in(status)
            return
        self.status = status
        single = self._keep is not None and answer_form(message["headers"]) is Form.SINGLE
        if single and recording is not None and recording.reason is None:
            self._held.append(message)
        else:
            await self._send_head(message, stored=False)

    def _show_head(self, recording: Recording, message: Message) -> None:
        answered: Answered | None = self._scope.get(UPSTREAM)
        if answered is not None and not answered.equivalent:
            recording.abandon(Reason.NOT_EQUIVALENT)
        recording.start(message["status"], tuple(message["headers"]))

    async def _hold(self, message: Message, last: bool) -> None:
        """Until the answer is stored, or it is known that it will not be."""
        assert self._recording is not None
        assert self._keep is not None
        self._held.append(message)
        if last:
            self.kept = True
            await self._release(stored=await self._keep(self._recording))
        elif self._recording.reason is not None:
            await self._release(stored=False)

    async def _release(self, *, stored: bool) -> None:
        (head, *rest), self._held = self._held, []
        await self._send_head(head, stored=stored)
        for message in rest:
            await self._send(message)

    async def _send_head(self, message: Message, *, stored: bool) -> None:
        passed = [pair for pair in message["headers"] if not pair[0].startswith(b"x-cache")]
        message["headers"] = passed + self._headers(stored)
        await self._send(message)
