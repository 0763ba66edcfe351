"""What is said of an answer: to the client in headers, to the operator in an event. One Teller for each route."""

from __future__ import annotations

import time
from typing import NamedTuple

from gateway.core.asgi import CALLER, HeaderList, Receive, Scope, Send
from gateway.core.events import Audited, Outcome, Served
from gateway.core.freshness import age
from gateway.core.messages import Bypass, Cost, Hit, HitKind, Miss, Reason, Refuse, Request
from gateway.core.ports import Emit
from gateway.core.prices import Tariff
from gateway.core.status import Expose, hit_headers, other_headers, synthesis_headers
from gateway.core.synthesis import Draft


class Exchange(NamedTuple):
    """One request on its way through: what is asked, ASGI's three, and when it began (`time.perf_counter`)."""

    request: Request
    scope: Scope
    receive: Receive
    send: Send
    started: float


class Teller:
    """`added` are headers that go out with every answer of the route; `tariff` says what its hits save."""

    def __init__(self, route: str, expose: Expose, added: HeaderList, emit: Emit, tariff: Tariff | None = None) -> None:
        self._route = route
        self._expose = expose
        self._added = added
        self._emit = emit
        self._tariff = tariff or Tariff()

    def headers(self, verdict: Miss | Bypass | Refuse, *, stored: bool = False, collapsed: bool = False) -> HeaderList:
        """Of an answer that was not stored before."""
        return [*self._added, *other_headers(verdict, self._expose, stored=stored, collapsed=collapsed)]

    def hit_headers(self, hit: Hit, now: float, *, instead: int | None = None) -> HeaderList:
        """Of a stored answer; `instead` as core.status has it."""
        return [*self._added, *hit_headers(hit, self._expose, now, instead=instead)]

    def made_headers(self, draft: Draft, now: float) -> HeaderList:
        """Of an answer that is made of kept ones."""
        return [*self._added, *synthesis_headers(draft, self._expose, now)]

    def made_for_another(self) -> HeaderList:
        """Of such an answer to somebody else's same request."""
        return [*self._added, *synthesis_headers(None, self._expose, 0.0)]

    def made(self, exchange: Exchange, draft: Draft, outcome: Outcome) -> None:
        """Such an answer went out, or broke off. It saved what the nearest of its material had cost, about."""
        nearest = draft.nearest
        cost, dollars = self._tariff.count(nearest.entry.cost) if outcome is Outcome.SYNTHESIS else (None, None)
        self._emit(
            Served(
                self._route,
                outcome,
                time.perf_counter() - exchange.started,
                200,
                similarity=nearest.similarity,
                age=age(draft.provenance.created_at, exchange.request.asked_at),
                cost=cost,
                scope=draft.subject.scope,
                kind=HitKind.SYNTHESIS,
                client=exchange.scope.get(CALLER),
                dollars=dollars,
            )
        )

    def stored(self, exchange: Exchange, hit: Hit, outcome: Outcome) -> None:
        """A stored answer went out."""
        entry = hit.entry
        self._of_entry(exchange, hit, outcome, entry.status, old=age(entry.created_at, exchange.request.asked_at))

    def _of_entry(
        self,
        exchange: Exchange,
        hit: Hit,
        outcome: Outcome,
        status: int,
        *,
        reason: Reason | None = None,
        old: int | None = None,
    ) -> None:
        """`old`: the age that the client was told, if it was given the entry."""
        entry = hit.entry
        cost, dollars = self._tariff.count(entry.cost)
        self._emit(
            Served(
                self._route,
                outcome,
                time.perf_counter() - exchange.started,
                status,
                source=hit.source,
                reason=reason,
                similarity=hit.similarity,
                age=old,
                entry=entry.id,
                cost=cost,
                scope=entry.scope,
                kind=hit.kind,
                client=exchange.scope.get(CALLER),
                dollars=dollars,
            )
        )

    def forwarded(self, exchange: Exchange, verdict: Miss | Bypass | Refuse, outcome: Outcome, status: int) -> None:
        """An upstream's answer went out, or a refusal."""
        match verdict:
            case Miss(reason=Reason.SHADOW, would_be=Hit() as hit) if outcome is Outcome.MISS:
                self._of_entry(exchange, hit, Outcome.SHADOW_HIT, status, reason=Reason.SHADOW)
                return
            case Miss(reason=Reason.SHADOW) if outcome is Outcome.MISS:
                outcome = Outcome.SHADOW_MISS
        miss = verdict if isinstance(verdict, Miss) else None
        recording = None if miss is None else miss.recording
        self._emit(
            Served(
                self._route,
                outcome,
                time.perf_counter() - exchange.started,
                status,
                reason=verdict.reason,
                similarity=None if miss is None else miss.similarity,
                scope=None if recording is None else recording.subject.scope,
                client=exchange.scope.get(CALLER),
            )
        )

    def audited(self, cost: Cost) -> None:
        """An upstream answered an audit."""
        self._emit(Audited(self._route, *self._tariff.count(cost)))
