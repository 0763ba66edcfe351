"""The inner call of a caller that is a thread: begun, and taken piece by piece, when the cache orders it."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from gateway.core.asgi import HeaderList
from gateway.fronts.conversation import Ground
from gateway.fronts.orders import Call, Next, Order, Part, body_of, head_of

# Seconds between two looks at whether the cache's loop is still there.
LOOK = 5.0


class Answer(NamedTuple):
    """What the inner call gave.

    `chunks` are taken one by one, as they are asked for; `whole`: they are all there already. `close` is called once, at
    the end, whatever happened. `extra` members go into the head's message, for who gave them to know it by. `begun`: the
    head was handed on before (`Talk.hand_on`).
    """

    status: int
    headers: HeaderList
    chunks: Iterator[bytes]
    close: Callable[[], None] | None = None
    whole: bool = False
    extra: dict[str, object] | None = None
    begun: bool = False


Ask: TypeAlias = Callable[[bool], Answer]
"""Begin the inner call; True: the client sees nothing of it. What it raises goes to whoever waits, unchanged."""


def answer_unseen(ground: Ground, ask: Ask, mail: queue.SimpleQueue[tuple[Order, ...]]) -> None:
    """Carry out one call that the client does not see."""
    inner = InnerCall()
    try:
        while True:
            try:
                (order,) = mail.get(timeout=LOOK)
            except queue.Empty:
                if not ground.is_alive():
                    return
                continue
            match order:
                case Call():
                    part = inner.begin(ask, True)
                    order.tell(part)
                case Next(call=call):
                    part = inner.go_on()
                    call.tell(part)
                case _:
                    return
            if part.over:
                return
    finally:
        inner.close()


class InnerCall:
    """One inner call. What it raises is a part of its answer; but what ends a thread does so at once."""

    def __init__(self) -> None:
        self._answer: Answer | None = None

    def begin(self, ask: Ask, unseen: bool) -> Part:
        try:
            answer = self._answer = ask(unseen)
        except Exception as error:  # raised again by whoever waits for the answer
            return Part((), True, error)
        start = () if answer.begun else (head_of(answer.status, answer.headers, answer.extra),)
        if not answer.whole:
            return Part(start)
        try:
            body = b"".join(answer.chunks)
        except Exception as error:  # as above
            return Part(start, True, error)
        return Part((*start, body_of(body, more=False)), True)

    def go_on(self) -> Part:
        assert self._answer is not None
        try:
            for piece in self._answer.chunks:
                if piece:
                    return Part((body_of(piece, more=True),))
        except Exception as error:  # as above
            return Part((), True, error)
        return Part((body_of(b"", more=False),), True)

    def close(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and answer.close is not None:
            answer.close()
