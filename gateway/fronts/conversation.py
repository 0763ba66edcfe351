"""One exchange between a cache that runs in one loop and a caller elsewhere: in another thread, or in another loop.

The cache's loop runs CacheMiddleware around `ask_caller`, an ASGI app that finds the Conversation in the scope and gives
the caller *orders*: Read (the next of the request's body), Call (begin the inner call), Next (its next messages), Show
(a message to the client), Done. The caller carries them out in its own thread or task, so the inner call has the
caller's context, and at most one piece of an answer is under way. The callers are in `talk`, `async_talk` and `carry`.
Everything in a Conversation happens in the cache's loop, but for what says otherwise.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, NoReturn, Protocol

from gateway.core.asgi import DIRECT, FINISH, UNSEEN, App, Message, Receive, Scope, Send
from gateway.errors import SemgateError, UpstreamError
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
    nobody_asks,
)

LOG = logging.getLogger("semgate")

CONVERSATION: Final = "semgate.conversation"
"""The Conversation that a request came by, for `ask_caller`."""

# Bytes that may be on their way to a caller that does not come back for more.
HELD = 1 << 18


class Ground(Protocol):
    """The loop that the cache runs in, as other threads see it."""

    def begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run it as a task. Raises RuntimeError where the loop is gone, or belongs to another process."""

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Call it in the loop, soon. Raises RuntimeError as `begin` does."""

    def is_alive(self) -> bool:
        """Does the loop still run, in this process?"""

    def is_here(self) -> bool:
        """Is it the loop's own thread that asks?"""


class Raised(Exception):
    """The inner call raised `error`, which goes to the caller unchanged."""

    def __init__(self, error: BaseException) -> None:
        super().__init__("the inner call raised")
        self.error = error


class Unreachable(UpstreamError):
    """Nobody answered the inner call: a stale answer may stand in, else `error` goes to the caller unchanged. Whoever
    carries out the inner call raises it."""

    def __init__(self, error: BaseException) -> None:
        super().__init__("nobody answered the inner call", "")
        self.error = error


class EngineClosed(RuntimeError):
    """The cache's loop was closed in the middle of an exchange: the process is about to end."""


class Conversation:
    """The cache's half.

    Args:
        ground: where `app` runs.
        app: the cache around `ask_caller`.
        scope: the request's; it is copied, and never changed.
        deliver: takes orders, in the cache's loop: must not wait. A RuntimeError from it: the caller is gone.
        body: the request's whole body, where it is known; else it is asked for.
        watches: Read is answered also once the request is whole: when the client leaves.
        unseen: who carries out calls that the client does not see; called in the cache's loop. Returns what takes the
            orders of this call (`deliver` itself: the caller, when it has the time), or None where it is not to be
            made. By default nobody does.
    """

    def __init__(
        self,
        ground: Ground,
        app: App,
        scope: Scope,
        deliver: Deliver,
        *,
        body: bytes | None = None,
        watches: bool = False,
        unseen: Unseen | None = None,
    ) -> None:
        self.scope = {**scope, CONVERSATION: self, DIRECT: True}
        self._ground = ground
        self._app = app
        self._deliver = deliver
        self._body = body
        self._watches = watches
        self._unseen = unseen
        self._calls: list[Call] = []  # those that are carried out where the client waits
        self._orders: list[Order] = []
        self._flushing = False
        self._whole = False
        self._reading: asyncio.Future[Message] | None = None
        self._taking: asyncio.Future[None] | None = None
        self._under_way = 0
        self._left: asyncio.Future[None] | None = None
        self._finishes = True

    def begin(self) -> None:
        """From the caller's thread. Raises RuntimeError where the cache's loop is gone."""
        self._ground.begin(self._run)

    def tell(self, function: Callable[..., None], *arguments: object) -> None:
        """From any thread: call it in the cache's loop. Where that is gone, so is everybody who would listen."""
        try:
            self._ground.call(function, *arguments)
        except RuntimeError:
            return

    def read(self, message: Message) -> None:
        """From any thread: what Read asked for."""
        self.tell(self._settle_reading, message)

    def taken(self) -> None:
        """From any thread: the message of a Show that asked is under way."""
        self.tell(self._settle_taking)

    def leave(self, *, finishes: bool = False) -> None:
        """From any thread: the client is gone. `finishes`: orders are carried out from Left on, so that the answer may be
        read to its end for the cache; else none is any more, but those of unseen calls."""
        self.tell(self._leave, finishes)

    async def receive(self) -> Message:
        """ASGI's, for the cache."""
        if self._body is not None:
            body, self._body, self._whole = self._body, None, True
            return {"type": "http.request", "body": body, "more_body": False}
        if self._gone.done() or (self._whole and not self._watches):
            await asyncio.shield(self._gone)
            return {"type": "http.disconnect"}
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_future()
            self._order(Read())
        message = await asyncio.shield(self._reading)  # what was asked for may be fetched again
        self._reading = None
        self._whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """ASGI's, for the cache: waits only for a caller that does not come back for more."""
        if self._gone.done():
            return
        self._under_way += len(message.get("body", b""))
        asks = self._under_way > HELD
        self._order(Show(message, asks))
        if asks:
            self._under_way = 0
            self._taking = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._taking, self._gone], return_when=asyncio.FIRST_COMPLETED)
            self._taking = None

    async def ask(self, scope: Scope, send: Send) -> None:
        """The inner app: have the caller answer, message by message."""
        call = self._call(unseen=UNSEEN in scope)
        if not self._is_wanted(call, scope):
            return
        over = False
        try:
            self._order(call, call)
            part = await call.part()
            while True:
                over = part.over
                for message in part.messages:
                    await send(message)
                if part.error is not None:
                    self._fail(call, part.error)
                if over or not self._is_wanted(call, scope):
                    return
                self._order(Next(call), call)
                part = await call.part()
        finally:
            if not over:
                self._order(Drop(call), call)

    @property
    def _gone(self) -> asyncio.Future[None]:
        if self._left is None:
            self._left = asyncio.get_running_loop().create_future()
        return self._left

    def _is_wanted(self, call: Call, scope: Scope) -> bool:
        """Is the inner answer to be read on?"""
        if call.unseen or not self._gone.done():
            return True
        return self._finishes and FINISH in scope and bool(scope[FINISH]())

    def _call(self, *, unseen: bool) -> Call:
        """Raises UpstreamError where nobody carries it out."""
        call = Call(self.tell, self._deliver, unseen=unseen)
        if unseen:
            deliver = None if self._unseen is None else self._unseen(call)
            if deliver is None or (deliver is self._deliver and not self._finishes):
                raise nobody_asks()
            call.deliver = deliver
        if call.deliver is self._deliver:
            self._calls.append(call)
        return call

    def _fail(self, call: Call, error: BaseException) -> NoReturn:
        """Raise what the inner call did. That of a call which the client does not see goes to the program's log only."""
        if isinstance(error, Unreachable) or (call.unseen and isinstance(error, SemgateError)):
            raise error
        if call.unseen:
            LOG.error("unseen-call-raised", exc_info=error)
            raise UpstreamError("the inner call raised", "")
        raise Raised(error)

    def _order(self, order: Order, call: Call | None = None) -> None:
        """Orders of one turn of the loop go out together: waking the caller is what costs."""
        if call is not None and call.deliver is not self._deliver:
            self._hand_over(call.deliver, (order,))
            return
        self._orders.append(order)
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        orders, self._orders = tuple(self._orders), []
        if orders and self._finishes:
            self._hand_over(self._deliver, orders)

    def _hand_over(self, deliver: Deliver, orders: tuple[Order, ...]) -> None:
        try:
            deliver(orders)
        except RuntimeError:  # the caller's loop is closed
            self._leave(finishes=False)

    async def _run(self) -> None:
        error: BaseException | None = None
        try:
            await self._app(self.scope, self.receive, self.send)
        except (Raised, Unreachable) as raised:
            error = raised.error
        except asyncio.CancelledError:
            error = EngineClosed("semgate was closed in the middle of an exchange")
        except BaseException as raised:  # the caller's to raise; this loop must outlive it
            error = raised
        self._orders.append(Done(error))
        self._flush()
        del error

    def _settle_reading(self, message: Message) -> None:
        if self._reading is not None and not self._reading.done():
            self._reading.set_result(message)

    def _settle_taking(self) -> None:
        if self._taking is not None and not self._taking.done():
            self._taking.set_result(None)

    def _leave(self, finishes: bool) -> None:
        self._finishes = self._finishes and finishes
        if not self._gone.done():
            self._gone.set_result(None)
        self._settle_reading({"type": "http.disconnect"})
        for call in self._calls:
            if not call.unseen:
                call.void(Part())
            elif not self._finishes:
                call.void(Part((), True, nobody_asks()))
        self._order(Left())


async def ask_caller(scope: Scope, _receive: Receive, send: Send) -> None:
    """The inner app of every cache that is shared by callers. Raises Raised, Unreachable, and any UpstreamError for what the
    client does not see."""
    conversation: Conversation = scope[CONVERSATION]
    await conversation.ask(scope, send)
