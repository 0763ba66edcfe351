"""One entry for both forms: a kept stream answers who wants a single answer, and the reverse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from raw_upstream import always
from running import NDJSON, Gateway, RawUpstream, chat, completion, events, http_answer, serve, stream, until
from streamed import question, verdict

CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: stream-forms}}
upstreams:
  llm: {{url: "{url}", timeout: {{first_byte: 5s, idle: 5s}}, breaker: {{failures: 0}}}}
routes:
  - {{name: chat, path: /v1/chat/completions, upstream: llm, preset: openai-chat, scope: public}}
  - {{name: ollama, path: /api/chat, upstream: llm, preset: ollama-chat, scope: public}}
  - {{name: fresh, path: /fresh, upstream: llm, preset: openai-chat, scope: public, response: {{fresh_ids: true}}}}
  - {{name: single, path: /single, upstream: llm, preset: openai-chat, scope: public, response: {{hit: single}}}}
"""


@pytest.fixture(scope="module")
def gateway(upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serve(tmp_path_factory.mktemp("forms"), CONFIG.format(data=data_dir, url=upstream.url)) as running:
        yield running


def test_a_kept_stream_answers_a_single_request(gateway: Gateway, upstream: RawUpstream):
    text = question()
    upstream.behaviour = stream(events("Hel", "lo", " 😀", usage=True))
    asked = chat(text, stream=True, stream_options={"include_usage": True})
    assert verdict(gateway.ask("/v1/chat/completions", asked)) == "MISS"
    single = gateway.ask("/v1/chat/completions", chat(text))
    assert verdict(single) == "HIT"
    assert single.headers["content-type"].startswith("application/json")
    assert single.json() == completion("Hello 😀")


def test_a_kept_single_answer_answers_a_request_for_a_stream(gateway: Gateway, upstream: RawUpstream):
    text = question()
    upstream.behaviour = always(http_answer(completion("Hello there")))
    assert verdict(gateway.ask("/v1/chat/completions", chat(text))) == "MISS"
    streamed = gateway.ask("/v1/chat/completions", chat(text, stream=True))
    assert verdict(streamed) == "HIT"
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.content.endswith(b"data: [DONE]\n\n")
    chunks = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: {")]
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "Hello there"
    assert not any(chunk.get("usage") for chunk in chunks), "nobody asked for it"
    asked = chat(text, stream=True, stream_options={"include_usage": True})
    with_usage = gateway.ask("/v1/chat/completions", asked)
    assert verdict(with_usage) == "HIT"
    assert b'"total_tokens":12' in with_usage.content


def test_a_stream_without_usage_is_not_served_to_who_asked_for_usage(gateway: Gateway, upstream: RawUpstream):
    text = question()
    upstream.behaviour = stream(events("Hello"))
    assert verdict(gateway.ask("/v1/chat/completions", chat(text, stream=True))) == "MISS"
    upstream.behaviour = stream(events("Hello", usage=True))
    asked = chat(text, stream=True, stream_options={"include_usage": True})
    answers = [gateway.ask("/v1/chat/completions", asked) for _ in range(2)]
    assert [verdict(answer) for answer in answers] == ["MISS", "HIT"]
    assert answers[1].content == b"".join(events("Hello", usage=True))
    without = gateway.ask("/v1/chat/completions", chat(text, stream=True))
    assert (verdict(without), without.content) == ("HIT", b"".join(events("Hello")))


def test_ollama_streams_unless_told_otherwise(gateway: Gateway, upstream: RawUpstream):
    text = question()
    body = {"model": "llama3", "messages": [{"role": "user", "content": text}]}
    head = {"model": "llama3", "created_at": "2026-01-01T00:00:00.5Z"}
    lines = [
        {**head, "message": {"role": "assistant", "content": "Hel"}, "done": False},
        {**head, "message": {"role": "assistant", "content": "lo"}, "done": False},
        {**head, "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop", "eval_count": 2},
    ]
    upstream.behaviour = stream([json.dumps(line).encode() + b"\n" for line in lines], content_type=NDJSON)
    assert verdict(gateway.ask("/api/chat", body)) == "MISS"
    single = gateway.ask("/api/chat", {**body, "stream": False})
    assert verdict(single) == "HIT"
    assert single.json() == {**lines[2], "message": {"role": "assistant", "content": "Hello"}}


def test_hits_can_have_ids_of_their_own(gateway: Gateway, upstream: RawUpstream):
    text = question()
    upstream.behaviour = always(http_answer(completion("Hello")))
    gateway.ask("/fresh", chat(text))
    one, other = gateway.ask("/fresh", chat(text)).json(), gateway.ask("/fresh", chat(text)).json()
    assert len({"chatcmpl-1", one["id"], other["id"]}) == 3
    assert one["id"].startswith("chatcmpl-")
    assert one["created"] > 1700000000
    assert one["choices"] == other["choices"] == completion("Hello")["choices"]
    streamed = gateway.ask("/fresh", chat(text, stream=True)).text
    ids = {json.loads(line[6:])["id"] for line in streamed.splitlines() if line.startswith("data: {")}
    assert len(ids) == 1
    assert not ids & {"chatcmpl-1", one["id"], other["id"]}


def test_a_route_can_leave_streams_alone(gateway: Gateway, upstream: RawUpstream):
    upstream.behaviour = stream(events("Hello"))
    answers = [gateway.ask("/single", chat("leave me alone", stream=True)) for _ in range(2)]
    assert [verdict(answer) for answer in answers] == ["BYPASS", "BYPASS"]
    assert answers[0].headers["cache-status"] == "semgate; fwd=bypass; detail=stream"


def test_streams_survive_a_restart_in_both_forms(
    upstream: RawUpstream, data_dir: Path, tmp_path: Path, gateway: Gateway
):
    upstream.behaviour = stream(events("Hello", usage=True))
    text = question()
    asked = chat(text, stream=True, stream_options={"include_usage": True})
    assert verdict(gateway.ask("/v1/chat/completions", asked)) == "MISS"
    until(lambda: gateway.metric("semgate_stage_seconds_count", stage="store") > 0, "stored")
    with serve(tmp_path, CONFIG.format(data=data_dir, url=upstream.url)) as other:
        again = other.ask("/v1/chat/completions", asked)
        assert (verdict(again), again.headers["x-cache-source"]) == ("HIT", "postgres")
        assert again.content == b"".join(events("Hello", usage=True))
        assert other.ask("/v1/chat/completions", chat(text)).json() == completion("Hello")
