"""The caller's half of a conversation where the caller is a task of another loop: `talk`, awaited.

Orders are carried out by whoever awaits `head` or `chunks`, in that task, so the inner call has its context. What the
client does not see is done by tasks beside, which `beside` starts in the caller's loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, NamedTuple, NoReturn, TypeAlias

from gateway.core.asgi import App, HeaderList, Message, Scope
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
    Unseen,
    body_of,
    head_of,
    nobody_asks,
    read_message,
)
from gateway.fronts.talk import Broken


class AsyncAnswer(NamedTuple):
    """`talk.Answer`, awaited."""

    status: int
    headers: HeaderList
    chunks: AsyncIterator[bytes]
    close: Callable[[], Awaitable[None]] | None = None
    whole: bool = False
    extra: dict[str, object] | None = None


AsyncAsk: TypeAlias = Callable[[bool], Awaitable[AsyncAnswer]]
AsyncReadBody: TypeAlias = Callable[[], Awaitable[tuple[bytes, bool] | None]]
AsyncBeside: TypeAlias = Callable[[Callable[[], Coroutine[Any, Any, None]]], bool]
"""Begin this as a task of the caller's loop; called in the caller's loop. False: it will not be."""


class Mailbox:
    """Orders from the cache's loop to this one. One task takes them at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._orders: deque[Order] = deque()
        self._waiting: asyncio.Future[None] | None = None

    def deliver(self, orders: tuple[Order, ...]) -> None:
        """From any thread. Raises RuntimeError where this loop is closed."""
        self._loop.call_soon_threadsafe(self.put, orders)

    def put(self, orders: tuple[Order, ...]) -> None:
        """In this loop."""
        self._orders.extend(orders)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def take(self) -> Order:
        while not self._orders:
            self._waiting = self._loop.create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        return self._orders.popleft()


class AsyncTalk:
    """One exchange. To be made in the caller's loop; arguments as of `talk.Talk`. An answer that its client leaves is never
    read to its end. Without `beside` nobody makes calls that the client does not see."""

    def __init__(
        self,
        ground: Ground,
        app: App,
        scope: Scope,
        ask: AsyncAsk,
        *,
        body: bytes = b"",
        read: AsyncReadBody | None = None,
        beside: AsyncBeside | None = None,
    ) -> None:
        self._ask = ask
        self._read = read
        loop = asyncio.get_running_loop()
        self._mail = Mailbox(loop)
        self._inner: dict[Call, AsyncInner] = {}
        self._owed = False
        self._ended = False  # the client has its last message
        self._done = False  # there will be no more orders
        self._waiting = False
        # What the cache holds leads not to this talk: one that is forgotten shall be collected.
        self.conversation = Conversation(
            ground,
            app,
            scope,
            self._mail.deliver,
            body=body if read is None else None,
            unseen=None if beside is None else _giving_away(loop, ask, beside),
        )

    async def head(self) -> Message:
        """Begin; the answer's `http.response.start`. Raises what the inner call raised, or the cache itself."""
        try:
            self.conversation.begin()
            while (message := await self._next_message()) is not None:
                if message["type"] == "http.response.start":
                    return message
        except BaseException:
            self._give_up()
            raise
        raise Broken("the cache ended without an answer")

    async def chunks(self) -> AsyncIterator[bytes]:
        """The answer's body, piece by piece, none of them empty. Raises as `head` does, and Broken."""
        try:
            while not self._ended:
                message = await self._next_message()
                if message is None:
                    self._break_off()
                elif message["type"] == "http.response.body":
                    self._ended = not message.get("more_body", False)
                    if message.get("body", b""):
                        yield message["body"]
        except GeneratorExit:
            raise  # whoever left calls `close` as well
        except BaseException:
            self._give_up()
            raise

    async def close(self) -> None:
        """The client has its answer, or wants no more of it; nothing is waited for but the inner call's own close. May be
        called again, and by another task."""
        if self._waiting:
            self._mail.put((Done(Broken("closed by another task")),))
        self._give_up()
        inner, self._inner = list(self._inner.values()), {}
        for each in inner:
            await each.close()

    def __del__(self) -> None:
        self._give_up()

    def _break_off(self) -> NoReturn:
        raise Broken("the answer broke off")

    def _give_up(self) -> None:
        """No order is carried out any more. Where the client has its answer, the cache goes on alone."""
        if not self._done and not self._ended:
            self.conversation.leave()
        self._done = True

    async def _next_message(self) -> Message | None:
        """Carry out orders until there is a message for the client. None: nothing more is wanted."""
        self._waiting = True
        try:
            if self._owed:
                self._owed = False
                self.conversation.taken()
            while not self._done:
                order = await self._mail.take()
                if isinstance(order, Show):
                    self._owed = order.asks
                    return order.message
                await self._carry_out(order)
            return None
        finally:
            self._waiting = False

    async def _carry_out(self, order: Order) -> None:
        match order:
            case Read():
                self.conversation.read(read_message(None if self._read is None else await self._read()))
            case Call():
                inner = self._inner[order] = AsyncInner()
                order.tell(await inner.begin(self._ask, order.unseen))
            case Next(call=call):
                call.tell(await self._inner[call].go_on())
            case Drop(call=call):
                dropped = self._inner.pop(call, None)
                if dropped is not None:
                    await dropped.close()
            case Done(error=error):
                self._done = True
                if error is not None:
                    raise error
            case Show() | Left():
                return


def _giving_away(loop: asyncio.AbstractEventLoop, ask: AsyncAsk, beside: AsyncBeside) -> Unseen:
    """To a task of this loop; called in the cache's."""

    def give_away(call: Call) -> Deliver | None:
        mail = Mailbox(loop)
        try:
            loop.call_soon_threadsafe(begin, call, mail)
        except RuntimeError:  # that loop is closed
            return None
        return mail.deliver

    def begin(call: Call, mail: Mailbox) -> None:
        if not beside(partial(answer_unseen, ask, call, mail)):
            call.tell(Part((), True, nobody_asks()))

    return give_away


async def answer_unseen(ask: AsyncAsk, call: Call, mail: Mailbox) -> None:
    """Carry out one call that the client does not see."""
    inner = AsyncInner()
    over = False
    try:
        while not over:
            match await mail.take():
                case Call():
                    part = await inner.begin(ask, True)
                case Next():
                    part = await inner.go_on()
                case _:
                    return
            over = part.over
            call.tell(part)
    finally:
        if not over:
            call.tell(Part((), True, nobody_asks()))
        await inner.close()


class AsyncInner:
    """One inner call. What it raises is a part of its answer; but what ends a task does so at once."""

    def __init__(self) -> None:
        self._answer: AsyncAnswer | None = None

    async def begin(self, ask: AsyncAsk, unseen: bool) -> Part:
        try:
            answer = self._answer = await ask(unseen)
        except Exception as error:  # raised again by whoever waits for the answer
            return Part((), True, error)
        start = head_of(answer.status, answer.headers, answer.extra)
        if not answer.whole:
            return Part((start,))
        try:
            body = b"".join([piece async for piece in answer.chunks])
        except Exception as error:  # as above
            return Part((start,), True, error)
        return Part((start, body_of(body, more=False)), True)

    async def go_on(self) -> Part:
        assert self._answer is not None
        try:
            async for piece in self._answer.chunks:
                if piece:
                    return Part((body_of(piece, more=True),))
        except Exception as error:  # as above
            return Part((), True, error)
        return Part((body_of(b"", more=False),), True)

    async def close(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and answer.close is not None:
            await answer.close()
