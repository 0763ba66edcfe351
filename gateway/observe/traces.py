"""OpenTelemetry: a server span for each request of a route, a span below it for each step, W3C Trace Context both ways.

Steps are made into spans from the events that are counted anyway: what is told in a request's task belongs to its span. A
try of an upstream is begun before it, as the upstream has to be told its span's id. No span holds question text, a raw
scope, a header or a query string. Where spans go is `collector`'s.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import ContextVar

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, format_trace_id, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway.core.asgi import TRACE, App, HeaderList, Message, Receive, Scope, Send
from gateway.core.events import Event, Outcome, Served, Timed, UpstreamTried
from gateway.core.prices import OTHER_MODEL

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"))
OPERATORS = (b"/-/", b"/health")
"""What is not traced: probes and scrapes would drown the rest."""
NANOSECONDS = 1_000_000_000

_propagator = TraceContextTextMapPropagator()


class RequestTrace:
    """The spans of one request; `span` is the server's."""

    def __init__(self, tracer: Tracer, span: Span, method: str) -> None:
        self._tracer = tracer
        self._span = span
        self._method = method
        self._below = set_span_in_context(span)
        self._trying: Span | None = None
        self._ended_at: int | None = None
        self.id = format_trace_id(span.get_span_context().trace_id)

    def try_upstream(self, upstream: str) -> list[tuple[str, str]]:
        """A try begins: the headers that tell the upstream (`core.asgi.TRACE`)."""
        self._end_try(None)
        self._trying = self._tracer.start_span(f"upstream {upstream}", self._below, kind=SpanKind.CLIENT)
        self._trying.set_attribute("semgate.upstream", upstream)
        headers: dict[str, str] = {}
        _propagator.inject(headers, set_span_in_context(self._trying))
        return list(headers.items())

    def tell(self, event: Event, paths: Mapping[str, str]) -> None:
        """`paths` of the routes, by name."""
        match event:
            case Timed():
                now = time.time_ns()
                began = now - int(event.seconds * NANOSECONDS)
                self._tracer.start_span(event.stage.value, self._below, start_time=began).end(now)
            case UpstreamTried():
                self._end_try(event.result)
            case Served() if self._span.is_recording():
                self._served(event, paths.get(event.route, ""))
            case _:
                return

    def answered(self, message: Message) -> None:
        """A message of the answer went out."""
        if message["type"] == "http.response.start":
            status = message["status"]
            self._span.set_attribute("http.response.status_code", status)
            if status >= 500:
                self._span.set_status(Status(StatusCode.ERROR))
        elif not message.get("more_body", False):
            self._ended_at = time.time_ns()

    def end(self) -> None:
        """The span ends with the last byte, though the answer is stored after it."""
        self._end_try(None)
        self._span.end(self._ended_at)

    def _end_try(self, result: str | None) -> None:
        trying, self._trying = self._trying, None
        if trying is None:
            return
        trying.set_attribute("semgate.result", result or "left")
        if result is None or not result.endswith("xx") or result == "5xx":
            trying.set_status(Status(StatusCode.ERROR))
        trying.end()

    def _served(self, event: Served, path: str) -> None:
        told = {
            "semgate.route": event.route,
            "semgate.outcome": event.outcome.value,
            "semgate.source": event.source,
            "semgate.kind": event.kind,
            "semgate.reason": event.reason,
            "semgate.similarity": event.similarity,
            "semgate.entry": event.entry,
            "semgate.client": event.client,
            "http.route": path or None,
            "gen_ai.request.model": _model(event),
        }
        for name, value in told.items():
            if value is not None:
                self._span.set_attribute(name, value)
        if event.outcome is Outcome.ERROR:
            self._span.set_status(Status(StatusCode.ERROR))
        if path:
            self._span.update_name(f"{self._method} {path}")


_CURRENT: ContextVar[RequestTrace | None] = ContextVar("semgate.trace", default=None)


class Tracing:
    """Makes spans in `provider`, for all requests of one worker. `paths` maps the running routes' names to their paths."""

    def __init__(self, provider: TracerProvider) -> None:
        self.paths: Mapping[str, str] = {}
        self._tracer = provider.get_tracer("semgate")

    def around(self, app: App) -> App:
        """The app with a span around each request; outermost, so that nothing is left out."""

        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["raw_path"].startswith(OPERATORS):
                await app(scope, receive, send)
                return
            trace = self._begin(scope)
            scope[TRACE] = trace.try_upstream

            async def watched(message: Message) -> None:
                await send(message)
                trace.answered(message)

            before = _CURRENT.set(trace)
            try:
                await app(scope, receive, watched)
            finally:
                _CURRENT.reset(before)
                trace.end()

        return traced

    def observe(self, event: Event) -> None:
        trace = _CURRENT.get()
        if trace is not None:
            trace.tell(event, self.paths)

    def trace_id(self) -> str | None:
        """Of the request that the current task works for, 32 hex digits."""
        trace = _CURRENT.get()
        return None if trace is None else trace.id

    def _begin(self, scope: Scope) -> RequestTrace:
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        attributes = {
            "http.request.method": method,
            "url.scheme": scope["scheme"],
            "network.protocol.version": scope["http_version"],
        }
        span = self._tracer.start_span(method, _parent(scope["headers"]), SpanKind.SERVER, attributes)
        return RequestTrace(self._tracer, span, method)


def _parent(headers: HeaderList) -> Context:
    """Where the client says that its request belongs; of two `traceparent` neither counts (W3C Trace Context, 3.2.1)."""
    parents = [value for name, value in headers if name == b"traceparent"]
    if len(parents) != 1:
        return Context()
    states = b",".join(value for name, value in headers if name == b"tracestate")
    carrier = {"traceparent": parents[0].decode("latin-1"), "tracestate": states.decode("latin-1")}
    return _propagator.extract(carrier, Context())


def _model(event: Served) -> str | None:
    """Where the routes file names this one model, not a pattern of models."""
    model = OTHER_MODEL if event.cost is None else event.cost.model
    return None if model == OTHER_MODEL or "*" in model else model
