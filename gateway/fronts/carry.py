"""The caller's half of a conversation where the caller is an ASGI app of another loop, around which the cache is to be.

The app runs in the task that was called, and so has its context variables and cancel scopes. Its `send` hands a message
to the cache and returns when the cache has taken it; what the cache has for the client meanwhile is sent by the same
task. So an event of a stream is with the client before the app makes the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gateway.core.asgi import UNSEEN, App, Message, Receive, Scope, Send
from gateway.fronts.application import Hearing, passing_on, see_all
from gateway.fronts.async_talk import Mailbox
from gateway.fronts.conversation import Conversation, Ground
from gateway.fronts.orders import (
    Call,
    Deliver,
    Done,
    Drop,
    Left,
    Next,
    Order,
    Part,
    Read,
    Show,
    nobody_asks,
)


async def carry(ground: Ground, cache: App, app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """Have `cache` (around `ask_caller`, running on `ground`) answer, with `app` as what answers behind it. Returns when
    the exchange is over, what the client does not see included. Raises what the app raised, unchanged."""
    await _Carrier(ground, cache, app, scope, receive, send).run()


class _Carrier:
    def __init__(self, ground: Ground, cache: App, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        self._loop = asyncio.get_running_loop()
        self._app = app
        self._scope = scope
        self._send = send
        self._mail = Mailbox(self._loop)
        self._request = _Request(receive)
        self._watching: asyncio.Task[None] | None = None
        self._unseen: set[asyncio.Task[None]] = set()
        self._sending = asyncio.Lock()
        self._untaken = 0
        self._done = False
        self._conversation = Conversation(
            ground, cache, scope, self._mail.deliver, watches=True, unseen=self._give_away
        )

    async def run(self) -> None:
        self._conversation.begin()
        self._send = passing_on(self._conversation.scope, self._send)
        try:
            while not self._done:
                await self._carry_out(await self._mail.take())
        finally:
            if not self._done:
                self._conversation.leave()
            await self._end_watching()
            for task in self._unseen:
                task.cancel()
            await asyncio.gather(*self._unseen, return_exceptions=True)

    async def _carry_out(self, order: Order) -> None:
        match order:
            case Show(message=message, asks=asks):
                await self._send(message)
                if asks:
                    self._conversation.taken()
            case Read() if self._request.whole:
                self._watching = self._loop.create_task(self._watch())
            case Read():
                self._conversation.read(await self._request.read())
            case Call():
                await self._end_watching()
                see_all(self._scope)
                hearing = Hearing(self._conversation.scope, self._request.again(), None)
                await self._answer(order, self._scope, hearing, self._hand_on)
            case Next():
                self._untaken -= 1
            case Done(error=error):
                self._done = True
                if error is not None:
                    raise error
            case Drop() | Left():
                return

    async def _answer(
        self, call: Call, scope: Scope, hearing: Hearing, hand_on: Callable[[Call, Message], Awaitable[None]]
    ) -> None:
        """Run the app. What it raises comes back with Done, unless that is what ends a task."""

        async def send(message: Message) -> None:
            await hand_on(call, message)

        try:
            await self._app(scope, hearing.receive, hearing.around(send))
        except Exception as error:
            call.tell(Part((), True, error))
        else:
            call.tell(Part((), True))

    async def _hand_on(self, call: Call, message: Message) -> None:
        """Returns when the cache has taken the message, and the client got what there was for it."""
        async with self._sending:
            call.tell(Part((message,)))
            self._untaken += 1
            failure: Exception | None = None
            while self._untaken and not self._done:
                try:
                    await self._carry_out(await self._mail.take())
                except Exception as error:
                    failure = error
            if failure is not None:
                raise failure

    async def _watch(self) -> None:
        """The cache wants to know when the client leaves."""
        self._conversation.read(await self._request.read())

    async def _end_watching(self) -> None:
        """The app is to receive itself."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    def _give_away(self, call: Call) -> Deliver | None:
        """In the cache's loop."""
        mail = Mailbox(self._loop)
        try:
            self._loop.call_soon_threadsafe(self._begin_beside, call, mail)
        except RuntimeError:  # that loop is closed
            return None
        return mail.deliver

    def _begin_beside(self, call: Call, mail: Mailbox) -> None:
        task = self._loop.create_task(self._answer_unseen(call, mail))
        self._unseen.add(task)
        task.add_done_callback(self._unseen.discard)

    async def _answer_unseen(self, call: Call, mail: Mailbox) -> None:
        async def hand_on(call: Call, message: Message) -> None:
            call.tell(Part((message,)))
            await mail.take()

        try:
            await mail.take()
            scope = {**self._scope, UNSEEN: True}
            await self._answer(call, scope, Hearing(scope, self._request.read, self._request.body), hand_on)
        except asyncio.CancelledError:
            call.tell(Part((), True, nobody_asks()))
            raise


class _Request:
    """The request's messages. What the cache read of them is played to the app again."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read: list[Message] = []
        self.whole = False

    async def read(self) -> Message:
        """The next one, for the cache."""
        message = await self._receive()
        self._read.append(message)
        self.whole = not message.get("more_body", False)
        return message

    @property
    def body(self) -> bytes:
        """As far as it was read."""
        return b"".join(message.get("body", b"") for message in self._read)

    def again(self) -> Receive:
        """From the start."""
        read = iter(list(self._read))

        async def play() -> Message:
            for message in read:
                return message
            return await self._receive()

        return play
