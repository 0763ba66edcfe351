"""Limits while the routes file changes, gateways start anew and the store of the counts is gone."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "stores"))

from limited import DOLLARS, FIVE, config, key, priced_answer, question
from running import RawUpstream, serve, until
from servers import redis_server


@pytest.fixture(autouse=True)
def answering(upstream: RawUpstream) -> None:
    upstream.behaviour = priced_answer


def test_limits_may_change_while_counts_stay(upstream: RawUpstream, data_dir: Path, tmp_path: Path) -> None:
    def text(limit: str) -> str:
        return config(upstream, data_dir, "changing", {"web": limit})

    with serve(tmp_path, text("limits: {requests_per_minute: 3}")) as gateway:
        headers = {"x-api-key": key("web")}

        def ask() -> httpx.Response:
            return gateway.ask("/plain", {"query": "the same"}, headers)

        assert [ask().status_code for _ in range(4)] == [200, 200, 200, 429]
        gateway.file.write_text(gateway.text(text("limits: {requests_per_minute: 5}")))
        assert gateway.admin("POST", "reload").status_code == 200
        assert [ask().status_code for _ in range(3)] == [200, 200, 429]
        gateway.file.write_text(gateway.text(text("limits: {}")))
        assert gateway.admin("POST", "reload").status_code == 200
        assert [ask().status_code for _ in range(6)] == [200] * 6


def test_two_workers_count_together_and_dollars_outlive_a_restart(
    upstream: RawUpstream, data_dir: Path, tmp_path: Path
) -> None:
    text = config(upstream, data_dir, "restarted", {"five": FIVE, "dollars": DOLLARS})
    text = text.replace("access_log: true", "workers: 2")
    for expected in (5, 0):
        with serve(tmp_path, text) as gateway, ExitStack() as stack:
            # Many connections, so that both workers get some.
            clients = [stack.enter_context(httpx.Client(base_url=gateway.url, timeout=30)) for _ in range(12)]
            statuses = [
                client.post("/plain", json={"query": "x"}, headers={"x-api-key": key("five")}).status_code
                for client in clients
            ]
            assert (statuses.count(200), statuses.count(429)) == (expected, 12 - expected)
            spend = [
                gateway.ask("/v1/chat/completions", question(), {"x-api-key": key("dollars")}).status_code
                for _ in range(3 if expected else 1)
            ]
            assert spend[-1] == 429


def test_without_its_store_a_limit_stops_nobody(upstream: RawUpstream, data_dir: Path, tmp_path: Path) -> None:
    with redis_server() as own:
        limits = {"web": "limits: {requests_per_minute: 2, dollars_per_month: 100}"}
        text = config(upstream, data_dir, "down", limits, own.url)
        with serve(tmp_path, text.replace("timeout: 2s", "timeout: 200ms")) as gateway:
            headers = {"x-api-key": key("web")}
            assert [gateway.ask("/plain", {"query": "x"}, headers).status_code for _ in range(3)] == [200, 200, 429]
            own.stop()
            for _ in range(10):
                answer = gateway.ask("/plain", {"query": "x"}, headers)
                assert answer.status_code == 200
                assert "x-ratelimit-limit-requests" not in answer.headers
                assert answer.headers["x-ratelimit-limit-dollars"] == "100.00"
            assert gateway.metric("semgate_trouble_total", part="redis") > 0
            own.start()
            until(
                lambda: gateway.ask("/plain", {"query": "x"}, headers).status_code == 429,
                "limits do not hold again after Redis came back",
            )
