"""The caller's half of a conversation where the caller is a thread: it carries out the cache's orders while it waits.

`head` and `chunks` give the client's answer as it comes; in between, the same thread begins the inner call and takes
its next piece, each only when the cache asks for it. So no stream is collected, and nothing runs beside the caller.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import NoReturn, TypeAlias

from gateway.core.asgi import App, Message, Scope
from gateway.fronts.conversation import Conversation, EngineClosed, Ground
from gateway.fronts.inner_call import LOOK, Ask, InnerCall, answer_unseen
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
    read_message,
)

ReadBody: TypeAlias = Callable[[], tuple[bytes, bool] | None]
"""The next piece of the request's body, and whether there may be more; None: it broke off."""
Beside: TypeAlias = Callable[[Callable[[], None]], bool]
"""Carry this out in another thread, soon; False: it will not be. Must not wait."""


class Broken(Exception):
    """The answer breaks off in its middle, and nothing was raised that would say why; or it was closed by another thread."""


class Talk:
    """One exchange.

    Args:
        ground: where `app`, the cache around `ask_caller`, runs.
        scope: the request's, as ASGI has it.
        ask: begins the inner call, in the thread that waits.
        body: the request's body; or `read`, which is called for as much of it as the cache wants to see.
        finishes: may an answer be read to its end though the client has left? Then `close` does that.
        beside: carries out what the client does not see. Without it `close` does that, in its own thread.
    """

    def __init__(
        self,
        ground: Ground,
        app: App,
        scope: Scope,
        ask: Ask,
        *,
        body: bytes = b"",
        read: ReadBody | None = None,
        finishes: bool = False,
        beside: Beside | None = None,
    ) -> None:
        self._ground = ground
        self._ask = ask
        self._read = read
        self._finishes = finishes
        self._beside = beside
        self._mail: queue.SimpleQueue[tuple[Order, ...]] = queue.SimpleQueue()
        self._orders: deque[Order] = deque()
        self._inner: dict[Call, InnerCall] = {}
        self._later: list[Call] = []
        self._called = False
        self._owed = False
        self._ended = False  # the client has its last message
        self._done = False  # there will be no more orders
        self._closed = False
        self._waiting = False
        self._beginning: Call | None = None
        self._handed_on: Message | None = None
        # What the cache holds leads not to this talk: one that is forgotten shall be collected.
        deliver = self._mail.put
        self.conversation = Conversation(
            ground,
            app,
            scope,
            deliver,
            body=body if read is None else None,
            unseen=(lambda _call: deliver) if beside is None else _giving_away(ground, ask, beside),
        )

    def head(self) -> Message:
        """Begin; the answer's `http.response.start`. Raises what the inner call raised, or the cache itself; RuntimeError in
        the thread of the cache's loop, which would wait for itself."""
        if self._ground.is_here():
            raise RuntimeError("the cache's own thread cannot wait for an answer of the cache")
        try:
            self.conversation.begin()
            while (message := self._next_message()) is not None:
                if message["type"] == "http.response.start":
                    return message
        except BaseException:
            self._give_up()
            raise
        raise Broken("the cache ended without an answer")

    def chunks(self) -> Iterator[bytes]:
        """The answer's body, piece by piece, none of them empty. Raises as `head` does, and Broken."""
        try:
            while not self._ended:
                message = self._next_message()
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

    def hand_on(self, *messages: Message) -> list[Message]:
        """In the middle of `ask`: messages of its answer that are there before it returns, the head first. Returns what is
        to be shown to the client now; a head among that is also what `head` returns."""
        call = self._beginning
        assert call is not None
        call.tell(Part(messages))
        shown: list[Message] = []
        while not self._done:
            match order := self._next_order():
                case Next():
                    return shown
                case Show(message=message, asks=asks):
                    shown.append(message)
                    if message["type"] == "http.response.start":
                        self._handed_on = message
                    if asks:
                        self.conversation.taken()
                case _:
                    self._carry_out(order)
        return self._break_off()

    def close(self) -> None:
        """The client has its answer, or wants no more of it. What it does not see is done now, unless that goes on beside;
        else nothing is waited for. May be called again, and by another thread."""
        if self._closed:
            return
        self._closed = True
        if self._waiting:  # another thread
            self._give_up()
            self._mail.put((Done(Broken("closed by another thread")),))
            self._close_inner()
            return
        try:
            if self._ended:
                self._close_inner()
                if self._beside is None and not self._called:
                    self._stay()
            elif self._finishes and not self._done:
                self.conversation.leave(finishes=True)
                self._drop_until_left()
                self._stay()
            else:
                self._give_up()
        finally:
            self._close_inner()

    def __del__(self) -> None:
        if not self._closed:
            self._give_up()

    def _break_off(self) -> NoReturn:
        raise Broken("the answer broke off")

    def _give_up(self) -> None:
        """No order is carried out any more. Where the client has its answer, the cache goes on alone."""
        if not self._done and not self._ended:
            self.conversation.leave()
        self._done = True

    def _stay(self) -> None:
        """Until nothing more is wanted, unseen calls included. Raises what the seen call does."""
        while self._next_message() is not None or not self._done:
            continue

    def _drop_until_left(self) -> None:
        """What was asked for before the cache knew that the client is gone is void; unseen calls are not."""
        while True:
            match order := self._next_order():
                case Left():
                    return
                case Done():
                    self._orders.appendleft(order)
                    return
                case Call() if order.unseen:
                    self._later.append(order)
                case _:
                    continue

    def _close_inner(self) -> None:
        inner, self._inner = list(self._inner.values()), {}
        for each in inner:
            each.close()

    def _next_message(self) -> Message | None:
        """Carry out orders until there is a message for the client. None: nothing more is wanted."""
        self._waiting = True
        try:
            if self._owed:
                self._owed = False
                self.conversation.taken()
            while not self._done:
                if self._closed and self._later:
                    self._begin(self._later.pop(0))
                order = self._next_order()
                if isinstance(order, Show):
                    self._owed = order.asks
                    return order.message
                self._carry_out(order)
                if self._handed_on is not None:
                    head, self._handed_on = self._handed_on, None
                    return head
            return None
        finally:
            self._waiting = False

    def _next_order(self) -> Order:
        while not self._orders:
            try:
                self._orders.extend(self._mail.get(timeout=LOOK))
            except queue.Empty:
                if not self._ground.is_alive():
                    raise EngineClosed("the cache's loop is gone") from None
        return self._orders.popleft()

    def _carry_out(self, order: Order) -> None:
        match order:
            case Read():
                self.conversation.read(read_message(None if self._read is None else self._read()))
            case Call() if order.unseen:
                self._later.append(order)
            case Call():
                self._called = True
                self._begin(order)
            case Next(call=call):
                call.tell(self._inner[call].go_on())
            case Drop(call=call):
                self._drop(call)
            case Done(error=error):
                self._done = True
                if error is not None:
                    raise error
            case Show() | Left():
                return

    def _begin(self, call: Call) -> None:
        inner = self._inner[call] = InnerCall()
        self._beginning = call
        part = inner.begin(self._ask, call.unseen)
        self._beginning = None
        call.tell(part)

    def _drop(self, call: Call) -> None:
        inner = self._inner.pop(call, None)
        if inner is not None:
            inner.close()


def _giving_away(ground: Ground, ask: Ask, beside: Beside) -> Unseen:
    """To another thread; called in the cache's loop."""

    def give_away(_call: Call) -> Deliver | None:
        mail: queue.SimpleQueue[tuple[Order, ...]] = queue.SimpleQueue()
        return mail.put if beside(partial(answer_unseen, ground, ask, mail)) else None

    return give_away
