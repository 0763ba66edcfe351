"""The sink of all events: what is counted, logged and traced when something happens.

Looking labels up costs several times what counting costs, and the sets are closed, so children are remembered.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol, assert_never

from gateway.core.events import (
    Advised,
    Audited,
    BreakerMoved,
    Denied,
    Embedded,
    Event,
    Judged,
    Kept,
    Limited,
    NotKept,
    Outcome,
    Proven,
    Purged,
    Reloaded,
    Restarted,
    Served,
    Spent,
    Stage,
    Synthesized,
    Timed,
    Trouble,
    Unjudged,
    UpstreamTried,
)
from gateway.core.messages import Cost, HitKind, Reason, Source
from gateway.observe.lines import STDERR, STDOUT
from gateway.observe.logs import warn_of_part, write_access_line
from gateway.observe.metrics import Metrics

LOG = logging.getLogger("semgate")
FAILED = "failed"


class Tracer(Protocol):
    """Where there are traces: it is told every event, in the task that it happened in."""

    def observe(self, event: Event) -> None: ...

    def trace_id(self) -> str | None:
        """Of the request that the current task works for."""


class _ServedChildren(NamedTuple):
    """What every answer of one route, outcome, source and kind is counted by."""

    requests: Callable[[], None]
    seconds: Callable[[float], None]
    age: Callable[[float], None]
    similarity: Callable[[float], None]
    hit: Callable[[], None] | None


class Observer:
    """`access_log`: is a line written for each request? It may change. `tracer`, where there is one, is told every event."""

    def __init__(self, metrics: Metrics, access_log: bool = False) -> None:
        self.metrics = metrics
        self.access_log = access_log
        self.tracer: Tracer | None = None
        self._served_children: dict[tuple[str, Outcome, Source | None, HitKind | None], _ServedChildren] = {}
        self._reason_children: dict[tuple[str, Outcome, Reason], Callable[[], None]] = {}
        self._tried_children: dict[tuple[str, str], tuple[Callable[[], None], Callable[[float], None]]] = {}
        self._saved_children: dict[tuple[str, str, str], Callable[[float], None]] = {}
        STDOUT.dropped = metrics.log_lines_dropped.labels("stdout").inc
        STDERR.dropped = metrics.log_lines_dropped.labels("stderr").inc
        self._seconds = {stage: metrics.stage_seconds.labels(stage.value).observe for stage in Stage}

    def __call__(self, event: Event) -> None:
        match event:
            case Timed():
                self._seconds[event.stage](event.seconds)
            case Served():
                self._served(event)
            case Kept():
                self.metrics.kept.labels(event.route).inc()
                self.metrics.kept_bytes.labels(event.route).inc(event.bytes)
            case NotKept():
                self.metrics.not_kept.labels(event.route, event.reason.value).inc()
            case UpstreamTried():
                self._tried(event)
            case Trouble():
                self.metrics.troubles.labels(event.part).inc()
                warn_of_part(event)
            case Restarted():
                warn_of_part(event)
            case BreakerMoved():
                state = "open" if event.open else "closed"
                self.metrics.breaker_moves.labels(event.part, state).inc()
                LOG.warning("breaker", extra={"fields": {"part": event.part, "state": state}})
            case Spent():
                self._spent(event)
            case Advised():
                self.metrics.verifier_tokens.labels(event.route, event.verifier).inc(event.tokens)
                self.metrics.verifier_cost.labels(event.route, event.verifier).inc(event.dollars or 0.0)
            case Embedded():
                self.metrics.embedding_tokens.labels(event.route, event.embedder).inc(event.tokens)
                self.metrics.embedding_cost.labels(event.route, event.embedder).inc(event.dollars)
            case Synthesized():
                self._synthesized(event)
            case Judged() | Unjudged() | Audited():
                self._judged(event)
            case Proven():
                self._proven(event)
            case Denied():
                self.metrics.denied.labels(event.route, event.then.value).inc()
            case Reloaded() | Purged() | Limited():
                self._operated(event)
            case _:
                assert_never(event)
        if self.tracer is not None:
            self.tracer.observe(event)

    def _served(self, event: Served) -> None:
        key = (event.route, event.outcome, event.source, event.kind)
        children = self._served_children.get(key) or self._remember(event)
        children.requests()
        children.seconds(event.seconds)
        if children.hit is not None:
            children.hit()
        if event.similarity is not None:
            children.similarity(event.similarity)
        if event.outcome is Outcome.SHADOW_HIT:
            self._would_be(event)
        else:
            if event.age is not None:
                children.age(event.age)
            if event.cost is not None:
                self._saved(event.route, event.cost, event.dollars)
        if event.reason is not None and event.outcome in (Outcome.BYPASS, Outcome.MISS):
            self._forwarded(event.route, event.outcome, event.reason)
        if self.access_log:
            write_access_line(event, None if self.tracer is None else self.tracer.trace_id())

    def _would_be(self, event: Served) -> None:
        """What shadow mode found, and did not serve."""
        metrics, cost = self.metrics, event.cost
        if event.kind is not None:
            metrics.would_be_hits.labels(event.route, event.kind.value).inc()
        if cost is not None:
            for kind, tokens in (("prompt", cost.prompt), ("completion", cost.completion)):
                if tokens:
                    metrics.would_be_tokens_saved.labels(event.route, cost.model, kind).inc(tokens)
            if event.dollars is not None:
                metrics.would_be_cost_saved.labels(event.route, cost.model).inc(event.dollars)

    def _forwarded(self, route: str, outcome: Outcome, reason: Reason) -> None:
        child = self._reason_children.get((route, outcome, reason))
        if child is None:
            counter = self.metrics.misses if outcome is Outcome.MISS else self.metrics.bypasses
            child = self._reason_children[route, outcome, reason] = counter.labels(route, reason.value).inc
        child()

    def _tried(self, event: UpstreamTried) -> None:
        children = self._tried_children.get((event.upstream, event.result))
        if children is None:
            children = self._tried_children[event.upstream, event.result] = (
                self.metrics.upstream_requests.labels(event.upstream, event.result).inc,
                self.metrics.upstream_seconds.labels(event.upstream).observe,
            )
        count, observe = children
        count()
        observe(event.seconds)

    def _saved(self, route: str, cost: Cost, dollars: float | None) -> None:
        if cost.prompt:
            self._saved_child(route, cost.model, "prompt")(cost.prompt)
        if cost.completion:
            self._saved_child(route, cost.model, "completion")(cost.completion)
        if dollars is not None:
            self._saved_child(route, cost.model, "")(dollars)

    def _saved_child(self, route: str, model: str, kind: str) -> Callable[[float], None]:
        """Of tokens of this kind, or of dollars."""
        child = self._saved_children.get((route, model, kind))
        if child is None:
            metrics = self.metrics
            family = (
                metrics.tokens_saved.labels(route, model, kind) if kind else metrics.cost_saved.labels(route, model)
            )
            child = self._saved_children[route, model, kind] = family.inc
        return child

    def _spent(self, event: Spent) -> None:
        for kind, tokens in (("prompt", event.cost.prompt), ("completion", event.cost.completion)):
            if tokens:
                self.metrics.client_tokens.labels(event.client, kind).inc(tokens)
        if event.dollars is not None:
            self.metrics.client_cost.labels(event.client).inc(event.dollars)

    def _synthesized(self, event: Synthesized) -> None:
        metrics, cost = self.metrics, event.cost
        metrics.synthesis.labels(event.route, event.result.value).inc()
        if cost is not None:
            for kind, tokens in (("prompt", cost.prompt), ("completion", cost.completion)):
                if tokens:
                    metrics.synthesis_tokens.labels(event.route, cost.model, kind).inc(tokens)
            if event.dollars is not None:
                metrics.synthesis_cost.labels(event.route, cost.model).inc(event.dollars)

    def _proven(self, event: Proven) -> None:
        least = math.inf if event.least is None else event.least
        self.metrics.served_from.labels(event.route).set(least)
        LOG.info("max_error", extra={"fields": {"route": event.route, "detail": event.detail}})

    def _judged(self, event: Judged | Unjudged | Audited) -> None:
        """What is known of answers from the cache, and what it cost to find out."""
        metrics = self.metrics
        match event:
            case Judged():
                labels = event.route, event.origin.value, event.finding.value, event.kind.value
                metrics.judgements.labels(*labels).inc()
            case Unjudged():
                metrics.not_judged.labels(event.route, event.origin.value, event.reason.value).inc()
            case Audited():
                for kind, tokens in (("prompt", event.cost.prompt), ("completion", event.cost.completion)):
                    if tokens:
                        metrics.audit_tokens.labels(event.route, event.cost.model, kind).inc(tokens)
                if event.dollars is not None:
                    metrics.audit_cost.labels(event.route, event.cost.model).inc(event.dollars)
            case _:
                assert_never(event)

    def _operated(self, event: Reloaded | Purged | Limited) -> None:
        """What is rare."""
        metrics = self.metrics
        match event:
            case Limited():
                metrics.limited.labels(event.client, event.limit).inc()
            case Purged():
                metrics.purged.inc(event.entries)
                LOG.info("purge", extra={"fields": {"entries": event.entries}})
            case Reloaded():
                failed = event.result == FAILED
                metrics.reloads.labels(event.result).inc()
                metrics.reload_successful.set(0 if failed else 1)
                if event.result == "ok":
                    metrics.loaded_timestamp.set(time.time())
                fields = {"result": event.result} | ({"detail": event.detail} if event.detail else {})
                LOG.log(logging.ERROR if failed else logging.INFO, "reload", extra={"fields": fields})
            case _:
                assert_never(event)

    def _remember(self, event: Served) -> _ServedChildren:
        metrics, route, outcome = self.metrics, event.route, event.outcome.value
        source = "" if event.source is None else event.source.value
        hit = None
        if event.outcome is Outcome.HIT and event.kind is not None:
            hit = metrics.hits.labels(route, event.kind.value).inc
        children = _ServedChildren(
            metrics.requests.labels(route, outcome, source).inc,
            metrics.request_seconds.labels(route, outcome).observe,
            metrics.entry_age.labels(route).observe,
            metrics.similarity.labels(route, outcome).observe,
            hit,
        )
        self._served_children[route, event.outcome, event.source, event.kind] = children
        return children
