"""Where spans go: an OpenTelemetry collector, over OTLP/HTTP.

They are exported in batches by a thread, from a bounded queue: a collector that is slow or gone costs spans, never a
request's time. The packages are the `otel` extra's, and imported here and in `traces` only.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from gateway.core.events import Trouble
from gateway.core.ports import Emit

QUEUE = 4096
"""Spans that may wait; what comes beyond pushes the oldest out."""
AT_ONCE = 512
EVERY_SECONDS = 2.0
EXPORT_SECONDS = 5.0
"""How long one export may take, tries included."""
LAST_SECONDS = 2.0
"""How long the end of the process waits for the collector."""
PART = "tracing"


class Collector:
    """The way to one collector.

    Args:
        endpoint: its base URL; `/v1/traces` is added.
        sample: part of the traces begun here that is recorded, 0 to 1; a caller's own decision is kept.
        headers: sent to the collector.
        emit: told when spans could not be exported, from the exporting thread.
    """

    def __init__(self, endpoint: str, sample: float, headers: Mapping[str, str], emit: Emit) -> None:
        # Its own logger has a line for each span that is dropped; what is wrong is told by `emit`, once for each batch.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        resource = Resource.create({"service.name": "semgate", "service.version": version("semgate")})
        self.provider = TracerProvider(
            ParentBased(TraceIdRatioBased(sample)), resource=resource, shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", headers=dict(headers), timeout=EXPORT_SECONDS)
        self.provider.add_span_processor(
            BatchSpanProcessor(
                Telling(exporter, emit),
                max_queue_size=QUEUE,
                schedule_delay_millis=EVERY_SECONDS * 1000,
                max_export_batch_size=AT_ONCE,
            )
        )

    def close(self) -> None:
        """Export what is left, for so long as the end of a process may wait. Blocks."""
        closing = threading.Thread(target=self.provider.shutdown, name="semgate traces", daemon=True)
        closing.start()
        closing.join(LAST_SECONDS)


class Telling:
    """An exporter that says when it fails."""

    def __init__(self, exporter: OTLPSpanExporter, emit: Emit) -> None:
        self._exporter = exporter
        self._emit = emit

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._emit(Trouble(PART, f"{len(spans)} spans could not be exported to the collector"))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """It keeps nothing back."""
        return True
