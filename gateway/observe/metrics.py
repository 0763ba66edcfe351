"""The names: every metric that semgate has, with its labels. What is counted when is the Observer's.

Labels take their values from the routes file and from closed sets, never from clients. With several workers each one
writes into files of its own in a folder that they share, and each one answers for all (prometheus_client's multiprocess
mode); `multiprocess_mode` says what becomes of a gauge then.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric

from gateway.observe.workers import SharedFolder

disable_created_metrics()  # type: ignore[no-untyped-call]  # a time series beside every counter, which nobody asks for

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
STAGE_SECONDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)
SIMILARITIES = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.99, 1.0)
AGES = (1, 10, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 86400, 3 * 86400, 7 * 86400, 30 * 86400)


class Metrics:
    """The metrics of one worker; `read` and `render` give those of all."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._folder = SharedFolder.of_this_process()
        self.requests = self._counter(
            "requests", "Requests by outcome and the tier that answered", "route", "outcome", "source"
        )
        self.hits = self._counter("hits", "Hits by how they were found", "route", "kind")
        self.misses = self._counter("miss", "Requests for which nothing stored could be served", "route", "reason")
        self.bypasses = self._counter("bypass", "Requests forwarded untouched", "route", "reason")
        self.not_kept = self._counter("not_kept", "Answers that were not stored", "route", "reason")
        self.kept = self._counter("kept", "Answers stored", "route")
        self.kept_bytes = self._counter("kept_bytes", "Bytes of answers stored, as received", "route")
        self.purged = self._counter("purged", "Entries that operators purged")
        self.denied = self._counter("denied", "Denied questions that were asked", "route", "then")
        self.limited = self._counter("limited", "Requests refused to a client", "client", "limit")
        self.request_seconds = self._histogram(
            "request_seconds", "Seconds until the last byte was sent", SECONDS, "route", "outcome"
        )
        self.stage_seconds = self._histogram(
            "stage_seconds", "Seconds of one step of a look-up or store", STAGE_SECONDS, "stage"
        )
        self.similarity = self._histogram(
            "similarity", "Cosine similarity of hits and near misses", SIMILARITIES, "route", "outcome"
        )
        self.entry_age = self._histogram("entry_age_seconds", "Age of served entries", AGES, "route")
        self._count_money()
        self._count_judgements()
        self._count_parts()
        self._show_the_process()

    def _count_money(self) -> None:
        self.tokens_saved = self._counter("tokens_saved", "Tokens that hits did not spend", "route", "model", "kind")
        self.cost_saved = self._counter("cost_saved_usd", "US dollars that hits did not spend", "route", "model")
        self.client_tokens = self._counter("client_tokens", "Tokens of upstream answers to a client", "client", "kind")
        self.client_cost = self._counter("client_cost_usd", "US dollars of upstream answers to a client", "client")
        self.verifier_tokens = self._counter(
            "verifier_tokens", "Tokens that a judge behind an API was paid for", "route", "verifier"
        )
        self.verifier_cost = self._counter(
            "verifier_cost_usd", "US dollars that a judge behind an API was paid", "route", "verifier"
        )
        self.synthesis = self._counter("synthesis", "Answers that were to be made of kept ones", "route", "result")
        self.synthesis_tokens = self._counter(
            "synthesis_tokens", "Tokens of the models that make answers of kept ones", "route", "model", "kind"
        )
        self.synthesis_cost = self._counter(
            "synthesis_cost_usd", "US dollars of the models that make answers of kept ones", "route", "model"
        )
        self.embedding_tokens = self._counter(
            "embedding_tokens", "Tokens that a remote embedder was paid for", "route", "embedder"
        )
        self.embedding_cost = self._counter(
            "embedding_cost_usd", "US dollars that a remote embedder was paid", "route", "embedder"
        )

    def _count_judgements(self) -> None:
        """What shadow mode, audits and feedback find."""
        self.would_be_hits = self._counter(
            "would_be_hits", "Requests that shadow mode would have answered from the cache", "route", "kind"
        )
        self.would_be_tokens_saved = self._counter(
            "would_be_tokens_saved", "Tokens that shadow mode would not have spent", "route", "model", "kind"
        )
        self.would_be_cost_saved = self._counter(
            "would_be_cost_saved_usd", "US dollars that shadow mode would not have spent", "route", "model"
        )
        self.judgements = self._counter(
            "judgements", "Answers from the cache that were found right or wrong", "route", "origin", "finding", "kind"
        )
        self.not_judged = self._counter(
            "not_judged", "Answers from the cache that were to be compared and were not", "route", "origin", "reason"
        )
        self.audit_tokens = self._counter("audit_tokens", "Tokens that audits spent", "route", "model", "kind")
        self.audit_cost = self._counter("audit_cost_usd", "US dollars that audits spent", "route", "model")
        self.served_from = self._gauge(
            "max_error_served_from",
            "Score or similarity from which max_error lets hits be served; +Inf: none",
            "livemax",
            "route",
        )

    def _count_parts(self) -> None:
        self.troubles = self._counter("trouble", "Failures of a store or embedder, late answers included", "part")
        self.breaker_moves = self._counter(
            "breaker_moves", "Times a part began or ceased to be skipped", "part", "state"
        )
        self.upstream_requests = self._counter(
            "upstream_requests", "Tries of an upstream by result", "upstream", "result"
        )
        self.upstream_seconds = self._histogram(
            "upstream_seconds", "Seconds until an upstream's head", SECONDS, "upstream"
        )

    def _show_the_process(self) -> None:
        self.reloads = self._counter("reloads", "Times the routes file was read again", "result")
        self.reload_successful = self._gauge(
            "config_last_reload_successful", "1: the routes file runs as it was last read; 0: an older one", "livemin"
        )
        self.loaded_timestamp = self._gauge(
            "config_loaded_timestamp_seconds",
            "When what runs was loaded, Unix seconds; the oldest of all workers'",
            "livemin",
        )
        self.memory_entries = self._gauge("memory_entries", "Entries in the memory tier", "livesum")
        self.memory_bytes = self._gauge("memory_bytes", "Bytes in the memory tier", "livesum")
        self.in_flight = self._gauge("requests_in_flight", "Requests being answered now", "livesum")
        self.workers = self._gauge("workers", "Processes that serve", "livesum")
        self.log_lines_dropped = self._counter("log_lines_dropped", "Log lines that nobody read in time", "stream")
        self.started = self._gauge("start_time_seconds", "When the gateway started, Unix seconds", "min")
        self.info = self._gauge("info", "1, with the version as a label", "livemax", "version")
        now = time.time()
        self.started.set(now)
        self.loaded_timestamp.set(now)
        self.reload_successful.set(1)
        self.workers.set(1)
        self.info.labels(version("semgate")).set(1)

    def read(self) -> list[Metric]:
        """What was counted so far, by all workers where there are several. Reads files then: a matter of milliseconds.
        Where somebody tidied their folder away, what this one counted."""
        if self._folder is not None:
            with contextlib.suppress(FileNotFoundError):
                return self._folder.read()
        return list(self.registry.collect())

    def render(self) -> bytes:
        """The Prometheus text format of `read`."""
        return generate_latest(_Read(self.read()))

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(f"semgate_{name}", says, labels, registry=self.registry)

    def _histogram(self, name: str, says: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"semgate_{name}", says, labels, buckets=buckets, registry=self.registry)

    def _gauge(self, name: str, says: str, mode: str, *labels: str) -> Gauge:
        return Gauge(f"semgate_{name}", says, labels, multiprocess_mode=mode, registry=self.registry)  # type: ignore[arg-type]


class _Read:
    """What was read already, for those who print registries."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families
