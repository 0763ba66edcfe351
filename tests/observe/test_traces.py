"""Traces: a real gateway, a real upstream, and a collector that decodes what it is sent."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from collecting import CollectorServer, Span
from running import Exchange, Gateway, RawUpstream, chat, completion, http_answer, serve, until

CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: {name}, access_log: true{tracing}}}
prices: {{gpt-4o: {{prompt: 2, completion: 8}}}}
upstreams:
  llm: {{url: "{url}", retry: {{attempts: 2, on: [503]}}}}
  gone: {{url: "http://127.0.0.1:1", retry: {{attempts: 1}}}}
routes:
  - {{name: chat, path: /v1/chat/completions, upstream: llm, preset: openai-chat, scope: public}}
  - {{name: lost, path: /lost, upstream: gone, preset: json-query, scope: public}}
"""
PATH = "/v1/chat/completions"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=opaque"}


@pytest.fixture
def collector() -> Iterator[CollectorServer]:
    server = CollectorServer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def module_collector() -> Iterator[CollectorServer]:
    server = CollectorServer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def module_upstream() -> Iterator[RawUpstream]:
    server = RawUpstream()
    yield server
    server.stop()


def config(data: Path, name: str, upstream: RawUpstream, tracing: str) -> str:
    return CONFIG.format(data=data, name=name, url=upstream.url, tracing=f", tracing: {tracing}" if tracing else "")


@pytest.fixture(scope="module")
def gateway(
    data_dir: Path,
    module_upstream: RawUpstream,
    module_collector: CollectorServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gateway]:
    tracing = f'{{endpoint: "{module_collector.url}/", headers: {{X-Key: collector-secret}}}}'
    folder = tmp_path_factory.mktemp("traces")
    with serve(folder, config(data_dir, "traces", module_upstream, tracing)) as running:
        yield running


async def answer(exchange: Exchange) -> None:
    await exchange.send(http_answer(completion(f"answer {exchange.nth}")))


def traceparent(exchange: Exchange) -> tuple[str, str, bool]:
    """Trace, parent, and whether it is recorded, as the upstream was told."""
    (value,) = exchange.values(b"traceparent")
    found = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", value.decode())
    assert found is not None
    return found[1], found[2], bool(int(found[3], 16) & 1)


def fresh(nth: int) -> dict[str, str]:
    """A caller with a trace of its own."""
    return {"traceparent": f"00-{nth:032x}-{PARENT}-01"}


def root(spans: list[Span]) -> Span:
    (server,) = [span for span in spans if span.kind == "server"]
    return server


def test_a_miss_and_a_hit_as_spans(gateway: Gateway, module_upstream: RawUpstream, module_collector: CollectorServer):
    module_upstream.behaviour = answer
    asked = len(module_upstream.seen)
    assert gateway.ask(PATH, chat("what is a span?"), CALLER).headers["x-cache"] == "MISS"
    miss = module_collector.trace(TRACE, 6)
    server = root(miss)
    told_trace, told_parent, recorded = traceparent(module_upstream.seen[asked])
    (tried,) = [span for span in miss if span.kind == "client"]
    assert (server.parent, told_trace, told_parent, recorded) == (PARENT, TRACE, tried.id, True)
    assert module_upstream.seen[asked].values(b"tracestate") == [b"vendor=opaque"]
    assert (server.name, tried.name, tried.attributes["semgate.upstream"]) == (f"POST {PATH}", "upstream llm", "llm")
    assert {"postgres-exact", "embed", "nearest", "store"} <= {span.name for span in miss}
    assert {span.parent for span in miss if span is not server} == {server.id}
    assert all(server.start <= span.start <= span.end for span in miss)
    assert server.attributes["http.request.method"] == "POST"
    assert server.attributes["http.response.status_code"] == 200
    assert server.attributes["http.route"] == PATH
    assert server.attributes["semgate.route"] == "chat"
    assert server.attributes["semgate.outcome"] == "miss"
    assert server.attributes["semgate.reason"] == "no-candidate"
    assert not server.failed

    found = gateway.ask(PATH, chat("what is a span?"), fresh(1))
    assert found.headers["x-cache"] == "HIT"
    (hit,) = module_collector.trace(f"{1:032x}", 1)
    assert hit.attributes["semgate.outcome"] == "hit"
    assert hit.attributes["semgate.source"] == "memory"
    assert hit.attributes["semgate.kind"] == "exact"
    assert hit.attributes["semgate.entry"] == found.headers["x-cache-entry"]
    assert hit.attributes["gen_ai.request.model"] == "gpt-4o"
    resource = module_collector.resources[0]
    assert resource["service.name"] == "semgate"
    assert resource["service.version"]
    assert module_collector.headers[0]["x-key"] == "collector-secret"


def test_a_caller_without_a_trace_gets_one_that_is_in_the_access_log(
    gateway: Gateway, module_upstream: RawUpstream, module_collector: CollectorServer
):
    module_upstream.behaviour = answer
    asked = len(module_upstream.seen)
    gateway.ask(PATH, chat("who begins a trace?"))
    trace, _, _ = traceparent(module_upstream.seen[asked])
    assert root(module_collector.trace(trace, 6)).parent == ""
    until(lambda: f'"trace":"{trace}"' in gateway.logged(), "the line of this request")


@pytest.mark.parametrize(
    "headers",
    [
        [("traceparent", "00-zz-1-01"), ("tracestate", "a=b")],
        [("traceparent", f"00-{TRACE}-{PARENT}-01"), ("traceparent", f"00-{TRACE}-{PARENT}-00")],
        [("tracestate", "a=b")],
    ],
)
def test_what_is_no_trace_context_begins_a_new_trace(
    gateway: Gateway, module_upstream: RawUpstream, headers: list[tuple[str, str]]
):
    module_upstream.behaviour = answer
    asked = len(module_upstream.seen)
    gateway.http.post(PATH, json=chat(f"broken {headers}"), headers=headers)
    seen = module_upstream.seen[asked]
    trace, _, recorded = traceparent(seen)
    assert (trace != TRACE, recorded, seen.values(b"tracestate")) == (True, True, [])


def test_a_caller_that_does_not_record_is_not_recorded_but_passed_on(
    gateway: Gateway, module_upstream: RawUpstream, module_collector: CollectorServer
):
    module_upstream.behaviour = answer
    asked = len(module_upstream.seen)
    gateway.ask(PATH, chat("unsampled"), {"traceparent": f"00-{2:032x}-{PARENT}-00"})
    trace, parent, recorded = traceparent(module_upstream.seen[asked])
    assert (trace, recorded) == (f"{2:032x}", False)
    assert parent != PARENT
    gateway.ask(PATH, chat("sampled"), fresh(3))
    module_collector.trace(f"{3:032x}", 6)
    assert not [span for span in module_collector.spans if span.trace == f"{2:032x}"]


def test_each_try_is_a_span_that_its_upstream_knows(
    gateway: Gateway, module_upstream: RawUpstream, module_collector: CollectorServer
):
    asked = len(module_upstream.seen)

    async def second_time_lucky(exchange: Exchange) -> None:
        busy = http_answer({"error": {}}, status="503 Service Unavailable")
        await exchange.send(busy if exchange.nth == asked else http_answer(completion("at last")))

    module_upstream.behaviour = second_time_lucky
    assert gateway.ask(PATH, chat("try again?"), fresh(4)).status_code == 200
    tries = [span for span in module_collector.trace(f"{4:032x}", 7) if span.kind == "client"]
    told = [traceparent(exchange)[1] for exchange in module_upstream.seen[asked:]]
    assert [span.id for span in tries] == told
    assert [(span.failed, span.attributes["semgate.result"]) for span in tries] == [(True, "5xx"), (False, "2xx")]


def test_a_failure_is_marked(gateway: Gateway, module_collector: CollectorServer):
    assert gateway.ask("/lost", {"query": "anybody there?"}, fresh(5)).status_code == 502
    spans = module_collector.trace(f"{5:032x}", 5)
    server = root(spans)
    assert (server.failed, server.attributes["http.response.status_code"]) == (True, 502)
    assert server.attributes["semgate.outcome"] == "error"
    (tried,) = [span for span in spans if span.kind == "client"]
    assert (tried.failed, tried.attributes["semgate.result"]) == (True, "connect")


def test_a_path_without_a_route_is_a_span_without_its_path(gateway: Gateway, module_collector: CollectorServer):
    assert gateway.ask("/secret/path?secret=query", {}, fresh(6)).status_code == 404
    (span,) = module_collector.trace(f"{6:032x}", 1)
    assert span.name == "POST"
    assert "secret" not in str(span.attributes)


def test_operators_paths_are_not_traced(gateway: Gateway, module_collector: CollectorServer):
    gateway.http.get("/-/ready", headers=fresh(7))
    gateway.http.get("/health", headers=fresh(7))
    gateway.ask(PATH, chat("after the probes"), fresh(8))
    module_collector.trace(f"{8:032x}", 1)
    assert not [span for span in module_collector.spans if span.trace == f"{7:032x}"]


def test_without_tracing_the_clients_own_context_passes_untouched(
    data_dir: Path, upstream: RawUpstream, tmp_path: Path
):
    upstream.behaviour = answer
    own = {"traceparent": "whatever the client writes", "tracestate": "x=1"}
    with serve(tmp_path, config(data_dir, "untraced", upstream, "")) as gateway:
        gateway.ask(PATH, chat("no traces here"), own)
        gateway.ask(PATH, chat("none given"))
    assert upstream.seen[0].values(b"traceparent") == [b"whatever the client writes"]
    assert upstream.seen[0].values(b"tracestate") == [b"x=1"]
    assert upstream.seen[1].values(b"traceparent") == []


def test_only_the_sampled_part_is_recorded(
    data_dir: Path, upstream: RawUpstream, collector: CollectorServer, tmp_path: Path
):
    upstream.behaviour = answer
    tracing = f'{{endpoint: "{collector.url}", sample: 0}}'
    with serve(tmp_path, config(data_dir, "sampled", upstream, tracing)) as gateway:
        for nth in range(5):
            gateway.ask(PATH, chat(f"question {nth}"))
        gateway.ask(PATH, chat("but this one"), CALLER)
        collector.trace(TRACE, 6)
        assert {span.trace for span in collector.spans} == {TRACE}


@pytest.mark.parametrize("trouble", ["gone", "failing", "stuck"])
def test_a_collector_in_trouble_is_no_trouble_of_the_clients(
    data_dir: Path, upstream: RawUpstream, collector: CollectorServer, tmp_path: Path, trouble: str
):
    upstream.behaviour = answer
    endpoint = collector.url
    if trouble == "gone":
        endpoint = "http://127.0.0.1:1"
    elif trouble == "failing":
        collector.status = 500
    else:
        collector.gate.clear()
    with serve(tmp_path, config(data_dir, f"trouble-{trouble}", upstream, f'{{endpoint: "{endpoint}"}}')) as gateway:
        gateway.ask(PATH, chat("first"))
        for _ in range(200):
            assert gateway.ask(PATH, chat("first")).headers["x-cache"] == "HIT"
        until(lambda: gateway.metric("semgate_trouble_total", part="tracing"), "trouble is told", 60)
        assert gateway.ask(PATH, chat("first")).headers["x-cache"] == "HIT"
        began = time.monotonic()
        gateway.stop()
        assert time.monotonic() - began < 20  # not the half minute that the exporter would take by itself
    assert "Traceback" not in gateway.logged()
