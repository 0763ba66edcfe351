"""An OpenTelemetry collector for tests: it takes spans over OTLP/HTTP, and can be slow, failing or gone."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from running import until


class Span:
    """One span as it arrived; ids are hex digits, `parent` is empty at a trace's root, times are Unix nanoseconds."""

    def __init__(self, sent: Any) -> None:
        self.name: str = sent.name
        self.id = sent.span_id.hex()
        self.trace = sent.trace_id.hex()
        self.parent = sent.parent_span_id.hex()
        self.start: int = sent.start_time_unix_nano
        self.end: int = sent.end_time_unix_nano
        self.failed: bool = sent.status.code == 2
        self.kind = {1: "internal", 2: "server", 3: "client"}[sent.kind]
        self.attributes = {each.key: _value(each.value) for each in sent.attributes}


def _value(sent: Any) -> str | int | float | bool:
    found: str | int | float | bool = getattr(sent, sent.WhichOneof("value"))
    return found


class CollectorServer:
    """`answers` is the status it gives; while `gate` is not set it does not answer at all."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resources: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.raw = b""
        self.status = 200
        self.gate = threading.Event()
        self.gate.set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.gate.wait(30)
                assert self.path == "/v1/traces"
                if collector.status == 200:
                    collector.take(dict(self.headers), body)
                self.send_response(collector.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def take(self, headers: dict[str, str], body: bytes) -> None:
        self.headers.append({name.lower(): value for name, value in headers.items()})
        self.raw += body
        sent = ExportTraceServiceRequest.FromString(body)
        for resource in sent.resource_spans:
            self.resources.append({each.key: _value(each.value) for each in resource.resource.attributes})
            for scope in resource.scope_spans:
                self.spans += [Span(span) for span in scope.spans]

    def trace(self, trace: str, spans: int) -> list[Span]:
        """The spans of a trace, at least so many, by their start."""

        def found() -> list[Span]:
            there = [span for span in self.spans if span.trace == trace]
            return there if len(there) >= spans else []

        return sorted(until(found, f"{spans} spans of {trace}"), key=lambda span: (span.start, span.parent))

    def stop(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
