"""Who is asked: an upstream, perhaps again, then those that stand in for it; always before the first byte of an answer.

An upstream is tried again for what its `retry.on` lists, if the body can be sent again. A request that it may have acted
on already (the connection broke after the request went out) is sent to it again only where its method is idempotent (RFC
9110, 9.2.2), or where the operator lists `timeout` and so takes doing it twice into the bargain. A stand-in is asked after
any failure: it was named for that. An upstream whose breaker is open is passed over.
"""

from __future__ import annotations

import asyncio
import math
import random
import time

import msgspec

from gateway.core.events import BreakerMoved, UpstreamTried
from gateway.core.ports import Emit
from gateway.core.routing import fill_template
from gateway.errors import UpstreamError, UpstreamResting
from gateway.proxy.answer import Answer
from gateway.proxy.headers import retry_after
from gateway.proxy.upstream import TIMEOUT, Call, Failure, Source

LONGEST_PAUSE = 0.2
IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
BREAKS = frozenset((429, 500, 502, 503, 504, 529))
"""Statuses that a breaker counts as failures (529: Anthropic's "overloaded"). Any other answer shows that the upstream is at work."""

# What is replaced where there are traces (W3C Trace Context).
_TRACE_FIELDS = frozenset((b"traceparent", b"tracestate"))

# Bytes of a path that mean something else in a query.
_IN_QUERY = {b"&": b"%26", b"+": b"%2B", b"=": b"%3D", b";": b"%3B"}


class Target(msgspec.Struct, frozen=True):
    """One of a proxy's upstreams. `equivalent`: its answers may be kept as the first one's (the first always is). `path`
    replaces the path asked for, and the query too where it has a `?`; it may hold `{name}` parts of the route's path."""

    source: Source
    equivalent: bool = True
    path: str | None = None

    @property
    def name(self) -> str:
        return self.source.name

    def address(self, call: Call, variables: dict[str, bytes]) -> Call:
        """The call as this target takes it; `variables` are raw bytes of the client's path."""
        if self.path is None:
            return call
        path, own_query, query = self.path.partition("?")
        return msgspec.structs.replace(
            call,
            path=fill_template(path, variables),
            query=fill_template(query, _quoted(variables)) if own_query else call.query,
        )


class Taken(msgspec.Struct, frozen=True):
    """The answer that goes to the client, whose it is, and what the breaker must hear if it breaks off."""

    target: Target
    answer: Answer
    era: int
    set_back: int

    def broke_off(self, emit: Emit) -> None:
        source = self.target.source
        was_open = source.breaker.open
        source.breaker.failed(self.era, set_back=self.set_back)
        _tell(source, was_open, emit)


async def take_answer(targets: tuple[Target, ...], call: Call, variables: dict[str, bytes], emit: Emit) -> Taken:
    """The first acceptable answer, else the last answer there was. Raises the last failure where there was none, or
    UpstreamResting where nobody could be asked."""
    kept: Taken | None = None
    failure: UpstreamError | None = None
    resendable = True
    for target in targets:
        source, addressed = target.source, target.address(call, variables)
        nth = 0
        pause: float | None = 0.0
        while pause is not None:
            if pause:
                await asyncio.sleep(pause)
            if (era := source.breaker.enter()) is None:
                break
            nth += 1
            result, set_back = await _try(source, addressed, era, emit)
            resendable = call.body.resendable
            pause = _pause_before(nth + 1, source, call.method, result)
            match result:
                case Failure():
                    failure = result.error
                    if not resendable:
                        raise failure
                case Answer():
                    taken = Taken(target, result, era, set_back)
                    last = pause is None and target is targets[-1]
                    if last or not resendable or result.status not in source.retry_on:
                        return taken
                    try:
                        if not await result.hold():
                            return taken
                        kept = taken
                    except UpstreamError as broken:
                        failure = broken
    if kept is not None:
        return kept
    raise failure or _resting(targets)


async def _try(source: Source, call: Call, era: int, emit: Emit) -> tuple[Answer | Failure, int]:
    """One try, counted and timed; and what `Breaker.succeeded` returned for it."""
    breaker = source.breaker
    if call.trace is not None:
        added = [*call.added, *call.trace(source.name)]
        call = msgspec.structs.replace(call, dropped=call.dropped | _TRACE_FIELDS, added=added)
    started = time.perf_counter()
    try:
        result = await source.ask(call)
    except BaseException:
        breaker.left(era)
        raise
    seconds = time.perf_counter() - started
    was_open, set_back = breaker.open, 0
    match result:
        case Failure(kind=outcome):
            breaker.failed(era)
        case Answer(status=status):
            outcome = f"{status // 100}xx"
            if status in BREAKS:
                breaker.failed(era, retry_after(result.headers, time.time()) or 0.0)
            else:
                set_back = breaker.succeeded(era)
    emit(UpstreamTried(source.name, outcome, seconds))
    _tell(source, was_open, emit)
    return result, set_back


def _tell(source: Source, was_open: bool, emit: Emit) -> None:
    if source.breaker.open != was_open:
        emit(BreakerMoved(f"upstreams.{source.name}", open=source.breaker.open))


def _pause_before(nth: int, source: Source, method: str, result: Answer | Failure) -> float | None:
    """Seconds to wait before the nth try of this upstream; None: it is not tried again."""
    if nth > source.attempts or not _may_be_tried_again(source, method, result):
        return None
    # 50 to 100 ms before the second try, then up to 200 ms, never in step with other callers.
    longest = min(LONGEST_PAUSE, 0.1 * (nth - 1))
    pause = random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, guards nothing
    if isinstance(result, Answer):
        asked = retry_after(result.headers, time.time()) or 0.0
        if asked > source.max_wait:
            return None
        pause = max(pause, asked)
    return pause if source.breaker.rests() <= pause else None


def _may_be_tried_again(source: Source, method: str, result: Answer | Failure) -> bool:
    match result:
        case Answer():
            return result.status in source.retry_on
        case Failure():
            safe = not result.sent or method in IDEMPOTENT or TIMEOUT in source.retry_on
            return safe and result.kind in source.retry_on


def _resting(targets: tuple[Target, ...]) -> UpstreamResting:
    names = ", ".join(repr(target.name) for target in targets)
    seconds = max(1, math.ceil(min(target.source.breaker.rests() for target in targets)))
    detail = f"upstream {names}: left alone after repeated failures (breaker); try again in {seconds} s"
    return UpstreamResting(detail, targets[0].name, seconds)


def _quoted(variables: dict[str, bytes]) -> dict[str, bytes]:
    quoted = {}
    for name, value in variables.items():
        for byte, escape in _IN_QUERY.items():
            value = value.replace(byte, escape)
        quoted[name] = value
    return quoted
