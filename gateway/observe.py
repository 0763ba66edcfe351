"""Events -> Prometheus metrics and JSON log lines. The one place that knows metric names.

Labels take their values from the routes file and from closed sets, never from clients. Log lines hold no question text,
no raw scope, no credential.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.core.events import (
    BreakerMoved,
    Embedded,
    Event,
    Kept,
    Limited,
    NotKept,
    Outcome,
    Purged,
    Reloaded,
    Served,
    Spent,
    Stage,
    Timed,
    Trouble,
    UpstreamTried,
)
from gateway.core.messages import Cost, Reason, Source

LOG = logging.getLogger("semgate")

disable_created_metrics()  # type: ignore[no-untyped-call]  # a time series beside every counter, which nobody asks for

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_STAGE_SECONDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)
_SIMILARITIES = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.99, 1.0)
_AGES = (1, 10, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 86400, 3 * 86400, 7 * 86400, 30 * 86400)


class Metrics:
    """The metrics of one worker. With several workers, PROMETHEUS_MULTIPROC_DIR makes every worker answer for all."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "semgate_requests",
            "Requests by outcome and the tier that answered",
            ["route", "outcome", "source"],
            registry=registry,
        )
        self.bypasses = Counter(
            "semgate_bypass", "Requests forwarded untouched", ["route", "reason"], registry=registry
        )
        self.not_kept = Counter(
            "semgate_not_kept", "Answers that were not stored", ["route", "reason"], registry=registry
        )
        self.kept = Counter("semgate_kept", "Answers stored", ["route"], registry=registry)
        self.kept_bytes = Counter(
            "semgate_kept_bytes", "Bytes of answers stored, as received", ["route"], registry=registry
        )
        self.request_seconds = Histogram(
            "semgate_request_seconds",
            "Seconds until the last byte was sent",
            ["route", "outcome"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.stage_seconds = Histogram(
            "semgate_stage_seconds",
            "Seconds of one step of a look-up or store",
            ["stage"],
            buckets=_STAGE_SECONDS,
            registry=registry,
        )
        self.similarity = Histogram(
            "semgate_similarity",
            "Cosine similarity of hits and near misses",
            ["route", "outcome"],
            buckets=_SIMILARITIES,
            registry=registry,
        )
        self.entry_age = Histogram(
            "semgate_entry_age_seconds", "Age of served entries", ["route"], buckets=_AGES, registry=registry
        )
        self.tokens_saved = Counter(
            "semgate_tokens_saved",
            "Tokens that hits did not spend; a model that no `models:` names is `other`",
            ["route", "model", "kind"],
            registry=registry,
        )
        self.troubles = Counter(
            "semgate_trouble", "Failures of a store or embedder, late answers included", ["part"], registry=registry
        )
        self.breaker_moves = Counter(
            "semgate_breaker_moves", "Times a part began or ceased to be skipped", ["part", "state"], registry=registry
        )
        self.upstream_requests = Counter(
            "semgate_upstream_requests", "Tries of an upstream by result", ["upstream", "result"], registry=registry
        )
        self.upstream_seconds = Histogram(
            "semgate_upstream_seconds",
            "Seconds until an upstream's head",
            ["upstream"],
            buckets=_SECONDS,
            registry=registry,
        )

    def render(self) -> bytes:
        """The Prometheus text format, of all workers where there are several."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:  # prometheus_client's own variable
            return generate_latest(self.registry)
        merged = CollectorRegistry()
        MultiProcessCollector(merged)  # type: ignore[no-untyped-call]
        return generate_latest(merged)


class _ServedChildren(NamedTuple):
    """What every answer of one route, outcome and source is counted by."""

    requests: Callable[[], None]
    seconds: Callable[[float], None]
    age: Callable[[float], None]


class Observer:
    """The sink of all events. `access_log` writes a JSON line per request."""

    def __init__(self, metrics: Metrics, access_log: bool) -> None:
        self.metrics = metrics
        self._access_log = access_log
        # Looking labels up costs several times what counting costs; the sets are closed, so children are remembered.
        self._served_children: dict[tuple[str, str, Source | None], _ServedChildren] = {}
        self._bypass_children: dict[tuple[str, Reason], Callable[[], None]] = {}
        self._tried_children: dict[tuple[str, str], tuple[Callable[[], None], Callable[[float], None]]] = {}
        self._saved_children: dict[tuple[str, str, str], Callable[[float], None]] = {}
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
                LOG.warning("trouble", extra={"fields": {"part": event.part, "detail": event.detail}})
            case BreakerMoved():
                state = "open" if event.open else "closed"
                self.metrics.breaker_moves.labels(event.part, state).inc()
                LOG.warning("breaker", extra={"fields": {"part": event.part, "state": state}})
            case Reloaded() | Purged() | Limited() | Spent() | Embedded():
                pass

    def _served(self, event: Served) -> None:
        metrics, outcome = self.metrics, event.outcome.value
        children = self._served_children.get((event.route, outcome, event.source)) or self._remember(event)
        children.requests()
        children.seconds(event.seconds)
        if event.age is not None:
            children.age(event.age)
        if event.cost is not None:
            self._saved(event.route, event.cost)
        if event.similarity is not None:
            metrics.similarity.labels(event.route, outcome).observe(event.similarity)
        if event.outcome is Outcome.BYPASS and event.reason is not None:
            self._bypassed(event.route, event.reason)
        if self._access_log:
            _write_line(_access_fields(event))

    def _bypassed(self, route: str, reason: Reason) -> None:
        child = self._bypass_children.get((route, reason))
        if child is None:
            child = self._bypass_children[route, reason] = self.metrics.bypasses.labels(route, reason.value).inc
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

    def _saved(self, route: str, cost: Cost) -> None:
        for kind, tokens in (("prompt", cost.prompt), ("completion", cost.completion)):
            if tokens:
                labels = (route, cost.model, kind)
                child = self._saved_children.get(labels)
                if child is None:
                    child = self._saved_children[labels] = self.metrics.tokens_saved.labels(*labels).inc
                child(tokens)

    def _remember(self, event: Served) -> _ServedChildren:
        metrics, route, outcome = self.metrics, event.route, event.outcome.value
        source = "" if event.source is None else event.source.value
        children = self._served_children[route, outcome, event.source] = _ServedChildren(
            metrics.requests.labels(route, outcome, source).inc,
            metrics.request_seconds.labels(route, outcome).observe,
            metrics.entry_age.labels(route).observe,
        )
        return children


def _access_fields(event: Served) -> dict[str, object]:
    fields: dict[str, object] = {
        "event": "request",
        "route": event.route,
        "outcome": event.outcome.value,
        "status": event.status,
        "ms": round(event.seconds * 1000, 3),
    }
    optional = {
        "source": event.source,
        "reason": event.reason,
        "similarity": event.similarity,
        "entry": event.entry,
        "scope": None if event.scope is None else event.scope.hex()[:16],
    }
    return fields | {name: value for name, value in optional.items() if value is not None}


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, event, and what the call added as `fields`."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": _timestamp(record.created),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        fields |= getattr(record, "fields", {})
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(fields).decode()


def log_to_stderr(level: str) -> None:
    """Send every log record of this process to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def _write_line(fields: dict[str, object]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode({"time": _timestamp(time.time()), **fields}) + b"\n")
    sys.stdout.buffer.flush()


def _timestamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"
