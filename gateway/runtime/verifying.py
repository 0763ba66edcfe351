"""The verifier that a route asks: the built-in one, or one of the file's; its module is imported only where it is used."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Protocol

import msgspec

from gateway.config import model
from gateway.config.model_routes import PAIRWISE
from gateway.config.preset import compares, verify_of
from gateway.core.events import Advised, Trouble
from gateway.core.ports import Emit, Verifier
from gateway.core.prices import Prices
from gateway.engine.tiers import WORKING_FOR
from gateway.errors import StoreError
from gateway.runtime.models import prices_of
from gateway.runtime.parts import Made, hashable
from gateway.stores.verdicts import PostgresVerdicts

if TYPE_CHECKING:
    from gateway.stores.postgres import Database
    from gateway.verifiers.verdicts import VerdictMemory

# Pure arithmetic on this process's own thread, within a millisecond: no budget could end it earlier.
PAIRWISE_TIMEOUT = 1.0


class Opened(Verifier, Protocol):
    """What this project's verifiers are: the port, and what their owner must do with them."""

    async def open(self) -> None:
        """Load or connect now instead of at the first pair. Raises VerifierError; may be tried again."""


def not_told(tokens: int, dollars: float | None) -> None:
    """For those who keep no accounts."""


class Around(msgspec.Struct, frozen=True):
    """What a judge behind an API needs of the process: what models cost, where verdicts are kept, whom to tell what was paid
    (tokens, dollars), and what keys the digests of verdicts."""

    prices: Prices = Prices()
    shared: VerdictMemory | None = None
    on_paid: Callable[[int, float | None], None] = not_told
    secret: bytes = b""


def verifiers_of(settings: model.File) -> list[str]:
    """The names of those that routes ask."""
    asked = (verify_of(route) for route in settings.routes if route.mode != "off")
    return sorted({verify.by for verify in asked if verify is not None})


def judges_of(settings: model.File) -> dict[str, str]:
    """By route, the name of the verifier that compares its answers; of the others what is built in does."""
    found: dict[str, str] = {}
    for route in settings.routes:
        verify = verify_of(route)
        name = route.compare or ("" if verify is None else verify.by)
        if compares(route) and isinstance(settings.verifiers.get(name), model.LlmVerifier):
            found[route.name] = name
    return found


def timeout_of(settings: model.File, name: str) -> float:
    """Seconds for one opinion."""
    return PAIRWISE_TIMEOUT if name == PAIRWISE else float(settings.verifiers[name].timeout)


def verifier_key(settings: model.File, name: str) -> tuple[Hashable, ...]:
    """Equal where the same verifier would be made."""
    prices = tuple((model_name, price.prompt, price.completion) for model_name, price in settings.prices.items())
    described = settings.verifiers.get(name)
    if described is None:
        return ()
    return (hashable(described), prices) if isinstance(described, model.LlmVerifier) else (hashable(described),)


def verifier_part(
    settings: model.File, name: str, database: Database, secret: bytes, emit: Emit, *, of_answers: bool = False
) -> Made[Opened]:
    """The verifier as a part of the running gateway, with what it needs around it; `of_answers`: its instructions are those
    for comparing answers. Raises ConfigError."""
    described = settings.verifiers.get(name)
    if of_answers and isinstance(described, model.LlmVerifier):
        from gateway.verifiers.prompt import answers_prompt

        described = msgspec.structs.replace(described, prompt=answers_prompt())
    around = Around()
    if isinstance(described, model.LlmVerifier):

        def trouble(error: StoreError) -> None:
            emit(Trouble("postgres", str(error)))

        def paid(tokens: int, dollars: float | None) -> None:
            emit(Advised(name, tokens, dollars, WORKING_FOR.get()))

        kept = PostgresVerdicts(database, keep=float(described.keep), clock=time.time, on_trouble=trouble)
        around = Around(prices_of(settings), kept, paid, secret)
    verifier = make_verifier(described, around)
    return Made(verifier, f"verifiers.{name}", verifier.open, verifier.close)


def make_verifier(settings: model.Verifier | None, around: Around | None = None) -> Opened:
    """Not opened yet; None: the built-in one. Raises ConfigError."""
    match settings:
        case None:
            from gateway.verifiers.pairwise import PairwiseVerifier

            return PairwiseVerifier()
        case model.CrossEncoderVerifier():
            from gateway.verifiers.cross_encoder import CrossEncoderVerifier

            return CrossEncoderVerifier(
                model=settings.model,
                backend=settings.backend,
                device=settings.device,
                threads=settings.threads,
                window=settings.window,
                label=settings.label,
                scale=settings.scale,
                weight=settings.weight,
                middle=settings.middle,
                batch=settings.batch,
                queue=settings.queue,
            )
        case model.LlmVerifier():
            return _judge(settings, around or Around())


def _judge(settings: model.LlmVerifier, around: Around) -> Opened:
    from gateway.verifiers.llm import LlmVerifier

    def price(prompt: int, completion: int) -> float | None:
        return around.prices.dollars(settings.model, prompt, completion)

    def used(_model: str, prompt: int, completion: int) -> None:
        around.on_paid(prompt + completion, price(prompt, completion))

    return LlmVerifier(
        model=settings.model,
        base_url=settings.base_url,
        api_key=settings.api_key,
        prompt=settings.prompt,
        max_tokens=settings.max_tokens,
        logprobs=settings.logprobs,
        options=settings.options,
        connections=settings.connections,
        queue=settings.queue,
        timeout=float(settings.timeout),
        calls_per_minute=settings.budget.calls_per_minute,
        dollars_per_day=settings.budget.dollars_per_day,
        price=price,
        remember=settings.remember,
        keep=float(settings.keep),
        shared=around.shared,
        secret=around.secret,
        on_used=used,
    )
