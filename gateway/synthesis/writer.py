"""The cheap model, behind any endpoint that speaks OpenAI's chat API: asked to make an answer of kept ones, read as it writes.

Bounded in number and in money; time is the engine's to bound. One try each: a draft that fails is a miss. How the endpoint is
reached is given (`Ask`); what it is shown and how it is read is in `core`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeAlias

import msgspec

from gateway.core.messages import Cost
from gateway.core.synthesis_reading import Reading, Unusable
from gateway.errors import SynthesisError
from gateway.inference.budget import Budget, OverBudget, Spend
from gateway.inference.chat import refuse_unusable

SHIPPED = Path(__file__).parent / "prompts" / "answer.txt"
ADVICE = {
    401: ": check the upstream's `headers`",
    403: ": check the upstream's `headers`",
    404: ": check `path` and `model`",
    429: ": rate limit or quota",
}
LENGTHS = ("max_tokens", "max_completion_tokens")
SPECIAL = 64
"""Tokens that a model may put around the messages."""
BYTES_PER_TOKEN = 4
CLOSING = 0.1
"""Seconds for a server that has said [DONE] to end its answer, so that the connection can be used again."""

Option: TypeAlias = str | int | float | bool | None


class Said(Protocol):
    """An answer of the endpoint."""

    @property
    def status(self) -> int: ...

    @property
    def streams(self) -> bool:
        """Is it a stream of events?"""

    async def more(self) -> bytes:
        """The next bytes of its body; b"" at the end. Raises SynthesisError where it breaks off."""

    def close(self) -> None: ...


Ask: TypeAlias = Callable[[bytes], Awaitable[Said]]
"""Send a request body. Raises SynthesisError where there is no answer; Unpaid, where none can have been made."""


def shipped_prompt() -> str:
    """The instructions that come with semgate. Reads a file."""
    return SHIPPED.read_text(encoding="utf-8")


def unpriced(prompt_tokens: int, completion_tokens: int) -> float | None:
    """For models whose price is not known."""
    return None


class UpstreamWriter:
    """One route's.

    Args:
        ask: reaches the endpoint.
        who: what it is, for messages.
        model: as the endpoint knows it.
        prompt: instructions; empty: those that are shipped.
        max_tokens: longest answer.
        options: further members of the request body; None leaves one out.
        calls_per_minute, dollars_per_day: the budget of this process; no limit in dollars where None.
        price: dollars of (prompt tokens, completion tokens) of this model; None where no price is known.
        clock: Unix seconds.

    Raises ConfigError for `options` that would change what is asked, and for a budget in dollars without a price.
    """

    def __init__(
        self,
        ask: Ask,
        *,
        who: str,
        model: str,
        prompt: str = "",
        max_tokens: int = 1024,
        options: Mapping[str, Option] | None = None,
        calls_per_minute: int = 60,
        dollars_per_day: float | None = None,
        price: Callable[[int, int], float | None] = unpriced,
        clock: Callable[[], float] = time.time,
    ) -> None:
        refuse_unusable(model, options, dollars_per_day, price)
        usual: dict[str, object] = {
            "temperature": 0,
            "max_tokens": max_tokens,
            "stream_options": {"include_usage": True},
        }
        self._ask = ask
        self._who = who
        self._model = model
        self._prompt = prompt or shipped_prompt()
        self._max_tokens = max_tokens
        self._body = {name: value for name, value in (usual | dict(options or {})).items() if value is not None}
        self._price = price
        self._budget = Budget(who, calls_per_minute=calls_per_minute, dollars_per_day=dollars_per_day, clock=clock)

    def order(self, message: str, most_tokens: int | None) -> Dictation | None:
        longest = self._max_tokens if most_tokens is None else min(most_tokens, self._max_tokens)
        read = len(self._prompt.encode()) + len(message.encode())
        try:
            # No token is less than a byte: more than this it cannot cost.
            spend = self._budget.take(self._price(read + SPECIAL, longest) or 0.0)
        except OverBudget:
            return None
        messages = [{"role": "system", "content": self._prompt}, {"role": "user", "content": message}]
        body = self._body | {name: longest for name in LENGTHS if name in self._body}
        asked = msgspec.json.encode({"model": self._model, "messages": messages, "stream": True} | body)
        return Dictation(self, asked, read, spend)

    async def ask(self, body: bytes) -> Said:
        """Raises SynthesisError where there is no answer, or one that refuses."""
        said = await self._ask(body)
        if said.status >= 400:
            said.close()
            raise Unpaid(f"{self._who} answered {said.status}{ADVICE.get(said.status, '')}")
        return said

    def cost(self, prompt: int, completion: int) -> tuple[Cost, float | None]:
        return Cost(self._model, prompt, completion), self._price(prompt, completion)

    def settle(self, spend: Spend, dollars: float | None) -> None:
        self._budget.settle(spend, dollars or 0.0)

    def unusable(self, detail: Exception) -> SynthesisError:
        return SynthesisError(f"{self._who}: {detail}")


class Unpaid(SynthesisError):
    """Nothing was done, and so nothing is paid."""


class Dictation:
    """One answer that is being written: a `Writing` of the engine's. `read` are the bytes that it was shown."""

    def __init__(self, writer: UpstreamWriter, body: bytes, read: int, spend: Spend) -> None:
        self._writer = writer
        self._body = body
        self._read = read
        self._spend = spend
        self._said: Said | None = None
        self._reading = Reading(stream=True)
        self._written = 0
        self._paid = False
        self._over = False
        self._closed = False

    @property
    def cut(self) -> bool:
        return self._reading.cut

    @property
    def cost(self) -> Cost:
        return self._account()[0]

    @property
    def dollars(self) -> float | None:
        return self._account()[1]

    async def more(self) -> str:
        try:
            return await self._more()
        except Unusable as error:
            self._over = True
            raise self._writer.unusable(error) from None
        except SynthesisError:
            self._over = True
            raise

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._said is not None:
            self._said.close()
        if not self._paid:
            self._writer.settle(self._spend, 0.0)
        elif self._reading.tokens is not None:
            self._writer.settle(self._spend, self.dollars)
        # Else it is not known what it cost, and what was set aside for it stays so.

    async def _more(self) -> str:
        if self._over:
            return ""
        if self._said is None:
            self._paid = True  # until the contrary is known: an answer that is late may be paid for
            try:
                self._said = await self._writer.ask(self._body)
            except Unpaid:
                self._paid = False
                raise
            self._reading = Reading(stream=self._said.streams)
        if self._reading.ended:
            await self._let_end(self._said)
            return ""
        while True:
            piece = await self._said.more()
            text = self._reading.feed(piece) if piece else self._reading.finish()
            self._over = not piece
            self._written += len(text.encode("utf-8", "replace"))
            if text or self._over:
                return text
            if self._reading.ended:
                await self._let_end(self._said)
                return ""

    async def _let_end(self, said: Said) -> None:
        """It is whole: what the server does now cannot spoil it."""
        self._over = True
        try:
            async with asyncio.timeout(CLOSING):
                while await said.more():
                    continue
        except (TimeoutError, SynthesisError):
            return

    def _account(self) -> tuple[Cost, float | None]:
        if not self._paid:
            return self._writer.cost(0, 0)
        if self._reading.tokens is not None:
            return self._writer.cost(*self._reading.tokens)
        return self._writer.cost(-(-self._read // BYTES_PER_TOKEN), -(-self._written // BYTES_PER_TOKEN))
