"""The model that a route asks for answers made of kept ones: its settings, and the way to it through an upstream's connections.

So what the upstream says of TLS, a proxy, time, retries and its own breaker holds here too. Nothing of a client's request
goes there but the text of its question.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gateway.config import model
from gateway.config.preset import FilledRoute
from gateway.core.connection import NOTHING
from gateway.core.dialects.registry import by_name
from gateway.core.jsonpath import compile_path
from gateway.core.messages import Form
from gateway.core.policy import answer_form
from gateway.core.ports import Emit
from gateway.core.synthesis import SynthesisPolicy
from gateway.engine.synthesis import Synthesis
from gateway.engine.tiers import Tiers
from gateway.errors import SynthesisError, UpstreamError, UpstreamTimeout
from gateway.proxy.body import Held
from gateway.proxy.tries import Taken, Target, take_answer
from gateway.proxy.upstream import Call, Source
from gateway.runtime.models import prices_of
from gateway.synthesis.writer import Said, Unpaid, UpstreamWriter

if TYPE_CHECKING:
    from gateway.runtime.resources import Resources

HEADERS = (
    (b"content-type", b"application/json"),
    (b"accept", b"text/event-stream, application/json"),
    (b"accept-encoding", b"identity"),
    (b"user-agent", b"semgate"),
)


def policy_of_synthesis(route: FilledRoute) -> SynthesisPolicy | None:
    """What may be material on this route; None where nothing is made of it."""
    settings = route.synthesis
    if settings is None or not synthesizes(route):
        return None
    return SynthesisPolicy(
        least=settings.least,
        most=settings.top_k,
        longest=settings.max_material,
        always=settings.mode == "always",
        keep=settings.keep,
        answer=compile_path(settings.answer) if settings.answer and route.dialect is None else None,
    )


def synthesizes(route: model.Route) -> bool:
    return route.synthesis is not None and route.mode != "off" and route.match == "semantic"


def part_of(route: model.Route) -> str:
    """What its troubles are told of."""
    return f"routes.{route.name}.synthesis"


def synthesis_of(route: FilledRoute, tiers: Tiers, resources: Resources) -> Synthesis | None:
    """None where no answers are made."""
    policy, said = policy_of_synthesis(route), route.synthesis
    if policy is None or said is None:
        return None
    writer, guard = resources.writers[route.name]
    return Synthesis(
        policy,
        by_name(route.dialect) if route.dialect else None,
        tiers,
        writer,
        guard,
        model=said.model,
        seconds=float(said.timeout),
        at_once=said.at_once,
    )


def make_writer(settings: model.File, route: model.Route, source: Source, emit: Emit) -> UpstreamWriter:
    """Nothing is connected yet. Raises ConfigError."""
    said = route.synthesis
    assert said is not None
    prices = prices_of(settings)

    def price(prompt: int, completion: int) -> float | None:
        return prices.dollars(said.model, prompt, completion)

    return UpstreamWriter(
        Endpoint(source, said.path.encode(), emit).ask,
        who=f"the model {said.model!r} of upstream {said.upstream!r}",
        model=said.model,
        prompt=said.prompt,
        max_tokens=said.max_tokens,
        options=said.options,
        calls_per_minute=said.budget.calls_per_minute,
        dollars_per_day=said.budget.dollars_per_day,
        price=price,
        clock=time.time,
    )


class Endpoint:
    """A path of an upstream."""

    def __init__(self, source: Source, path: bytes, emit: Emit) -> None:
        self._target = Target(source)
        self._path = path
        self._emit = emit

    async def ask(self, body: bytes) -> Said:
        """As `Ask` has it."""
        call = Call("POST", self._path, b"", HEADERS, NOTHING, [], Held(body))
        try:
            return Answered(await take_answer((self._target,), call, {}, self._emit))
        except UpstreamTimeout as error:
            raise SynthesisError(str(error)) from None
        except UpstreamError as error:
            raise Unpaid(str(error)) from None


class Answered:
    """An answer of it; as `Said` has it."""

    def __init__(self, taken: Taken) -> None:
        self._answer = taken.answer
        self.status = taken.answer.status
        self.streams = answer_form(taken.answer.headers) is Form.SSE

    async def more(self) -> bytes:
        try:
            while not self._answer.ended():
                piece = await self._answer.more()
                if piece:
                    return piece
        except UpstreamError as error:
            raise SynthesisError(str(error)) from None
        return b""

    def close(self) -> None:
        self._answer.close()
