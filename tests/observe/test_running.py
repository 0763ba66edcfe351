"""A running gateway seen by its operator: metrics of several workers, money, logs whose reader is stuck, and no secrets."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from collecting import CollectorServer
from running import SEMGATE, Exchange, RawUpstream, chat, completion, free_port, http_answer, serve, until

from gateway.observe.metrics import Metrics

PATH = "/v1/chat/completions"
ROUTES = """
server: {{listen: LISTEN, data_dir: {data}, namespace: {name}{server}}}
{more}
upstreams:
  llm: {{url: "{url}"}}
routes:
  - {{name: chat, path: /v1/chat/completions, upstream: llm, preset: openai-chat, scope: public{route}}}
  - {{name: asks, path: /asks, upstream: llm, preset: json-query, scope: "header:X-Team", match: exact}}
"""


def routes(data: Path, name: str, url: str, *, server: str = "", more: str = "", route: str = "") -> str:
    return ROUTES.format(data=data, name=name, url=url, server=server, more=more, route=route)


async def answer(exchange: Exchange) -> None:
    await exchange.send(http_answer(completion(f"answer {exchange.nth}")))


def parsed(metrics: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in metrics.splitlines() if not line.startswith("#"))
    return {series: float(value) for series, _, value in lines}


def test_two_workers_answer_as_one_and_one_that_is_killed_takes_no_count_with_it(
    data_dir: Path, upstream: RawUpstream, tmp_path: Path
):
    upstream.behaviour = answer
    asked = 0

    def ask(times: int) -> None:
        nonlocal asked
        for _ in range(times):
            # A connection each, so that both workers get some.
            done = httpx.post(
                f"{gateway.url}/asks", json={"query": "who counts?"}, headers={"x-team": "a"}, timeout=30, verify=False
            )
            assert done.status_code == 200
            asked += 1

    def counted() -> float:
        return gateway.metric("semgate_requests_total", route="asks")

    with serve(tmp_path, routes(data_dir, "two", upstream.url, server=", workers: 2")) as gateway:
        until(lambda: gateway.metric("semgate_workers") == 2, "both workers count")
        ask(30)
        until(lambda: counted() == asked, "all are counted")
        assert gateway.metric("semgate_requests_in_flight") == 0
        started = gateway.metric("semgate_start_time_seconds")
        victim = gateway.workers()[-1]
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in gateway.workers() and len(gateway.workers()) >= 2, "another worker")

        def answers() -> bool:
            try:
                return gateway.metric("semgate_workers") == 2
            except httpx.TransportError:
                return False  # a connection to the one that died

        until(answers, "the new worker counts, the dead one does not")
        assert counted() == asked
        ask(20)
        until(lambda: counted() == asked, "the counts go on")
        assert gateway.metric("semgate_start_time_seconds") == started
        assert gateway.metric("semgate_info") == 1


@contextmanager
def embeddings_api() -> Iterator[str]:
    """An embeddings API that bills a token for each word."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
            vector = [1.0 + len(word) % 5 for word in (text.split() * 8)[:8]]
            tokens = len(text.split())
            body = json.dumps(
                {"data": [{"embedding": vector}], "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_what_hits_save_is_priced_when_they_are_served_less_what_embedding_cost(
    data_dir: Path, upstream: RawUpstream, tmp_path: Path
):
    upstream.behaviour = answer
    token = {"Authorization": "Bearer operator-token-0123"}
    with embeddings_api() as url:
        more = (
            "prices: {PRICES}\n"
            f'embedders: {{default: {{type: openai, model: m, base_url: "{url}", window: 100, price: 1000}}}}'
        )
        server = ', admin: {token: "operator-token-0123"}'
        config = routes(data_dir, "money", upstream.url, server=server, more=more)
        with serve(tmp_path, config.replace("PRICES", "")) as gateway:
            file = next(tmp_path.glob("routes-*.yaml"))

            def saved() -> dict[str, Any]:
                found: dict[str, Any] = gateway.http.get("/-/stats", headers=token).json()["routes"]["chat"]["saved"]
                return found

            embedded = gateway.metric("semgate_embedding_tokens_total", embedder="default", route="")  # the first word
            gateway.ask(PATH, chat("one two three four"))
            until(lambda: gateway.metric("semgate_kept_total", route="chat"), "kept")
            assert gateway.metric("semgate_embedding_tokens_total", embedder="default", route="chat") == 4
            assert gateway.metric("semgate_embedding_tokens_total", embedder="default", route="") == embedded
            assert gateway.ask(PATH, chat("one two three four")).headers["x-cache"] == "HIT"
            until(lambda: gateway.metric("semgate_tokens_saved_total", model="other", kind="prompt") == 9, "counted")
            assert saved() == {"prompt_tokens": 9, "completion_tokens": 3, "dollars": pytest.approx(-0.004)}

            text = file.read_text().replace("prices: {}", 'prices: {"gpt-4*": {prompt: 1000, completion: 2000}}')
            assert "gpt-4*" in text
            file.write_text(text)
            assert gateway.http.post("/-/reload", headers=token).status_code == 200
            assert gateway.ask(PATH, chat("one two three four")).headers["x-cache"] == "HIT"
            until(lambda: gateway.metric("semgate_cost_saved_usd_total", model="gpt-4*"), "priced")
            assert gateway.metric("semgate_cost_saved_usd_total", route="chat") == pytest.approx(0.015)
            assert gateway.metric("semgate_tokens_saved_total", model="gpt-4*", kind="completion") == 3
            assert saved() == {"prompt_tokens": 18, "completion_tokens": 6, "dollars": pytest.approx(0.011)}


def test_reloads_are_counted_and_a_bad_file_is_shown(data_dir: Path, upstream: RawUpstream, tmp_path: Path):
    token = {"Authorization": "Bearer operator-token-0123"}
    server = ', watch: 0, admin: {token: "operator-token-0123"}'
    with serve(tmp_path, routes(data_dir, "reloads", upstream.url, server=server)) as gateway:
        file = next(tmp_path.glob("routes-*.yaml"))
        good = file.read_text()
        loaded = gateway.metric("semgate_config_loaded_timestamp_seconds")
        assert gateway.metric("semgate_config_last_reload_successful") == 1
        file.write_text(good + "nonsense: true\n")
        assert gateway.http.post("/-/reload", headers=token).status_code == 422
        assert gateway.metric("semgate_config_last_reload_successful") == 0
        assert gateway.metric("semgate_reloads_total", result="failed") == 1
        file.write_text(good)
        gateway.http.post("/-/reload", headers=token)
        assert gateway.metric("semgate_reloads_total", result="unchanged") == 1
        assert gateway.metric("semgate_config_last_reload_successful") == 1
        assert gateway.metric("semgate_config_loaded_timestamp_seconds") == loaded
        file.write_text(good.replace("name: asks", "name: questions"))
        gateway.http.post("/-/reload", headers=token)
        assert gateway.metric("semgate_reloads_total", result="ok") == 1
        assert gateway.metric("semgate_config_loaded_timestamp_seconds") > loaded


def test_a_stuck_reader_of_the_access_log_holds_up_nobody(data_dir: Path, upstream: RawUpstream, tmp_path: Path):
    upstream.behaviour = answer
    port = free_port()
    file = tmp_path / "routes.yaml"
    config = routes(data_dir, "stuck", upstream.url, server=", access_log: true")
    file.write_text("version: 1\n" + config.replace("LISTEN", f"127.0.0.1:{port}"))
    reading, writing = os.pipe()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([SEMGATE, "serve", file], stdout=writing, stderr=log, cwd=tmp_path)
    os.close(writing)
    try:
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        with client:

            def up() -> bool:
                try:
                    return client.get("/-/ready").status_code == 200
                except httpx.TransportError:
                    return False

            until(up, "the gateway starts")
            ask = {"query": "is anybody reading?"}
            assert client.post("/asks", json=ask, headers={"x-team": "a"}).status_code == 200

            def some(_: int) -> set[int]:
                with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as own:
                    return {own.post("/asks", json=ask, headers={"x-team": "a"}).status_code for _ in range(400)}

            # A pipe takes 64 KiB, and 10,000 lines wait: the rest has nowhere to go.
            with ThreadPoolExecutor(4) as pool:
                answered: set[int] = set()
                for _ in range(30):
                    answered |= set().union(*pool.map(some, range(4)))
                    dropped = parsed(client.get("/-/metrics").text)['semgate_log_lines_dropped_total{stream="stdout"}']
                    if dropped:
                        break
            assert answered == {200}
            assert dropped > 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) is not None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(reading)


def test_the_last_lines_are_written_before_the_end(data_dir: Path, upstream: RawUpstream, tmp_path: Path):
    upstream.behaviour = answer
    config = routes(data_dir, "last", upstream.url, server=", access_log: true, workers: 2")
    with serve(tmp_path, config) as gateway:
        for nth in range(50):
            httpx.post(
                f"{gateway.url}/asks", json={"query": f"{nth}"}, headers={"x-team": "a"}, timeout=30, verify=False
            )
        gateway.stop()
        assert gateway.logged().count('"event":"request"') == 50


MARKER = "xq7marker"


def test_nothing_that_a_client_writes_shows_anywhere(data_dir: Path, upstream: RawUpstream, tmp_path: Path):
    """Question, scope, credentials, headers, path parameters, query string, model: none of it, wherever operators look."""
    collector = CollectorServer()
    upstream.behaviour = answer
    server = f', access_log: true, tracing: {{endpoint: "{collector.url}"}}, admin: {{token: "operator-token-0123"}}'
    config = routes(
        data_dir, "silent", upstream.url, server=server, more='prices: {"gpt-4*": {prompt: 1, completion: 1}}'
    )
    config = config.replace("path: /asks", 'path: "/asks/{who}"')
    operator = {"Authorization": "Bearer operator-token-0123"}
    headers = {
        "Authorization": f"Bearer {MARKER}-key",
        "X-Team": f"{MARKER}-team",
        "X-Anything": f"{MARKER}-header",
        "Cookie": f"session={MARKER}",
        "User-Agent": f"{MARKER}/1.0",
        "tracestate": f"vendor={MARKER}",
    }
    try:
        with serve(tmp_path, config, env={"PYTHONWARNINGS": "default"}) as gateway:
            for _ in range(2):
                gateway.ask(PATH, {**chat(f"{MARKER} question?"), "model": f"{MARKER}-model"}, headers)
                gateway.ask(f"/asks/{MARKER}?token={MARKER}", {"query": f"{MARKER}?", MARKER: 1}, headers)
            gateway.ask(f"/asks/{MARKER}", {"query": [f"{MARKER}", {"a": MARKER}]}, headers)
            gateway.http.post(f"/asks/{MARKER}", content=f'{{"query": "{MARKER}', headers=headers)
            gateway.http.get(f"/nowhere/{MARKER}?{MARKER}={MARKER}", headers=headers)
            gateway.http.request("PATCH", PATH, headers=headers, content=MARKER)
            until(lambda: gateway.logged().count('"event":"request"') >= 6, "all lines")
            until(lambda: len([span for span in collector.spans if span.kind == "server"]) >= 8, "all spans")
            shown = gateway.metrics()
            assert parsed(shown)['semgate_tokens_saved_total{kind="prompt",model="other",route="chat"}'] == 9
            for page in ("stats", "config", "ready"):
                found = gateway.http.get(f"/-/{page}", headers=operator)
                assert found.status_code == 200
                shown += found.text
            gateway.stop()
            assert MARKER not in gateway.logged()
            assert MARKER not in shown
            assert not [span for span in collector.spans if MARKER in f"{span.name} {span.attributes}"]
            # What remains is the client's own tracestate, which belongs to its trace and to nothing else.
            assert MARKER.encode() not in collector.raw.replace(f"vendor={MARKER}".encode(), b"")
    finally:
        collector.stop()


def test_metrics_are_shown_as_prometheus_reads_them(data_dir: Path, upstream: RawUpstream, tmp_path: Path):
    with serve(tmp_path, routes(data_dir, "shape", upstream.url)) as gateway:
        answer = gateway.http.get("/-/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.text.splitlines()
    assert all(
        re.fullmatch(r"# (HELP|TYPE) \S+ .+|[a-z_]+(\{([a-z_]+=\"[^\"]*\",?)+\})? [-+.0-9einfNa]+", line)
        for line in lines
    )
    shown = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    families = {family.name + "_total" * (family.type == "counter") for family in Metrics().registry.collect()}
    assert shown == families
