"""A judge behind any endpoint that speaks OpenAI's chat API: is the stored answer right for this question, yes or no?

Bounded in time (one try, given up after `timeout`), in number and in money (`budget`), and asked about a pair only once
while its verdict is kept. What it is asked and how its answer is read is in `prompt`.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.errors import VerifierError
from gateway.inference.budget import Budget, OverBudget, Spend
from gateway.inference.chat import refuse_unusable
from gateway.inference.openai import Late, OpenAIServer, Raw, Refused, Unreachable
from gateway.inference.server import refused
from gateway.verifiers.prompt import quoted, read_verdict, shipped_prompt
from gateway.verifiers.scores import UNJUDGED
from gateway.verifiers.verdicts import VerdictMemory, Verdicts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from openai import AsyncOpenAI, Omit

    from gateway.core.messages import Near

SPECIAL = 64
"""Tokens that a model may put around the messages."""


def uncounted(model: str, prompt_tokens: int, completion_tokens: int) -> None:
    """For those who do not keep accounts."""


def unpriced(prompt_tokens: int, completion_tokens: int) -> float | None:
    """For models whose price is not known."""
    return None


class LlmVerifier:
    """A verifier behind HTTP.

    Args:
        model: as the endpoint knows it.
        base_url: usually ends in `/v1`.
        api_key: empty: no Authorization header is sent, whatever the environment says.
        prompt: instructions; empty: those that are shipped.
        max_tokens: longest answer.
        logprobs: ask for the tokens' log-probabilities, and let a yes count as much as the model gave it.
        options: further members of the request body; None leaves one out.
        connections: calls in flight at once.
        queue: judgements that may wait or be under way at once.
        timeout: seconds until a call is given up.
        calls_per_minute, dollars_per_day: the budget of this process; no limit in dollars where None.
        price: dollars of (prompt tokens, completion tokens) of this model; None where no price is known.
        remember: verdicts kept in memory.
        keep: seconds that they are kept.
        shared: verdicts that outlive the process.
        secret: keys the digests that verdicts are kept under.
        on_used: told (model, prompt tokens, completion tokens) of each answer that counts them.
        clock: Unix seconds.

    Raises ConfigError for a URL or a key that is none, for `options` that would change what is asked, and for a budget in
    dollars without a price.
    """

    batch = 1  # each opinion is paid for: the next candidate is asked about only where this one is not accepted

    def __init__(
        self,
        *,
        model: str,
        base_url: str = "https://api.openai.com/v1",
        api_key: str = "",
        prompt: str = "",
        max_tokens: int = 8,
        logprobs: bool = False,
        options: Mapping[str, str | int | float | bool | None] | None = None,
        connections: int = 8,
        queue: int = 64,
        timeout: float = 2.0,
        calls_per_minute: int = 60,
        dollars_per_day: float | None = None,
        price: Callable[[int, int], float | None] = unpriced,
        remember: int = 10_000,
        keep: float = 30 * 86_400.0,
        shared: VerdictMemory | None = None,
        secret: bytes = b"",
        on_used: Callable[[str, int, int], None] = uncounted,
        clock: Callable[[], float] = time.time,
    ) -> None:
        refuse_unusable(model, options, dollars_per_day, price)
        self._model = model
        self._prompt = prompt or shipped_prompt()
        self._server = OpenAIServer(
            f"llm verifier {model!r}", base_url=base_url, api_key=api_key, timeout=timeout, resource="chat"
        )
        self._body = _body(max_tokens, logprobs, options or {})
        self._max_tokens = max_tokens
        self._line = asyncio.Semaphore(connections)
        self._queue = queue
        self._pending = 0
        self._price = price
        self._budget = Budget(
            self._server.who, calls_per_minute=calls_per_minute, dollars_per_day=dollars_per_day, clock=clock
        )
        self._verdicts = Verdicts(size=remember, keep=keep, clock=clock, shared=shared, secret=secret)
        self._depends_on = (base_url, model, self._prompt, msgspec.json.encode(self._body).decode())
        self._on_used = on_used

    async def open(self) -> None:
        """Import the client; asks nothing of the network. Raises VerifierError once closed."""
        try:
            await self._server.open()
        except Unreachable as trouble:
            raise VerifierError(str(trouble)) from None

    async def judge(self, question: str, others: Sequence[Near]) -> list[float]:
        """One after the other. Raises VerifierError; "queue full" and a budget that is used up at once."""
        return [await self._verdict(question, other.text) for other in others]

    async def ping(self) -> None:
        """Asks about two words, which counts and costs as any question does: nothing less proves the key and the model."""
        await self._ask(quoted("ping", "ping"))

    async def close(self) -> None:
        await self._server.close()

    async def _verdict(self, now: str, before: str) -> float:
        try:
            key = self._verdicts.key(*self._depends_on, before, now)
            message = quoted(before, now)
        except UnicodeEncodeError:
            return UNJUDGED
        known = await self._verdicts.get(key)
        if known is not None:
            return known
        score = await self._ask(message)
        await self._verdicts.put(key, score)
        return score

    async def _ask(self, message: str) -> float:
        if self._pending >= self._queue:
            raise VerifierError(f"queue full: {self._queue} judgements are under way or waiting")
        self._pending += 1
        try:
            async with self._line:
                return await self._call(message)
        finally:
            self._pending -= 1

    async def _call(self, message: str) -> float:
        # No token is less than a byte: more than this it cannot cost.
        most = len(self._prompt.encode()) + len(message.encode()) + SPECIAL
        try:
            spend = self._budget.take(self._price(most, self._max_tokens) or 0.0)
        except OverBudget as over:
            raise VerifierError(str(over)) from None
        body = await self._send(message, spend)
        try:
            verdict = read_verdict(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise VerifierError(f"{self._server.who} did not answer as a chat API does") from None
        if verdict.tokens is not None:
            self._budget.settle(spend, self._price(*verdict.tokens) or 0.0)
            self._on_used(self._model, *verdict.tokens)
        return verdict.score

    async def _send(self, message: str, spend: Spend) -> bytes:
        def create(client: AsyncOpenAI, headers: Mapping[str, str | Omit] | None) -> Awaitable[Raw]:
            return client.chat.completions.with_raw_response.create(
                model=self._model,
                messages=[{"role": "system", "content": self._prompt}, {"role": "user", "content": message}],
                extra_body=self._body,
                extra_headers=headers,
            )

        try:
            return await self._server.ask(create)
        except Refused as answer:
            self._budget.settle(spend, 0.0)
            raise VerifierError(refused(self._server.who, answer.status, answer.code)) from None
        except Unreachable as trouble:
            self._budget.settle(spend, 0.0)
            raise VerifierError(str(trouble)) from None
        except Late as trouble:  # it may have answered after all, and be paid
            raise VerifierError(str(trouble)) from None


def _body(max_tokens: int, logprobs: bool, options: Mapping[str, str | int | float | bool | None]) -> dict[str, Any]:
    usual: dict[str, str | int | float | bool | None] = {"temperature": 0, "max_tokens": max_tokens}
    if logprobs:
        usual |= {"logprobs": True, "top_logprobs": 5}
    return {name: value for name, value in (usual | dict(options)).items() if value is not None}
