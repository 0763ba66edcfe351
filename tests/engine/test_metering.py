"""What an answer cost is read from its bytes as they pass, however they are cut; what it does not say is estimated."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.preset import presets
from gateway.core.freshness import AllowedWishes
from gateway.core.jsonpath import compile_path
from gateway.core.messages import Cost
from gateway.core.policy import CachePolicy, KeepRule
from gateway.encodings import decode
from gateway.engine.metering import Meter, estimate_tokens

SSE = [(b"content-type", b"text/event-stream; charset=utf-8")]
NDJSON = [(b"content-type", b"application/x-ndjson")]
JSON = [(b"content-type", b"application/json")]


def policy(
    prompt: str = "$.usage.prompt_tokens", completion: str = "$.usage.completion_tokens", most: int = 1 << 20
) -> CachePolicy:
    return CachePolicy(
        hit=0.95,
        top_k=1,
        ttl=60.0,
        keep=KeepRule(frozenset({2}), most, (), (), frozenset(), frozenset()),
        allowed=AllowedWishes(frozenset(), None, None),
        prompt_tokens=compile_path(prompt) if prompt else None,
        completion_tokens=compile_path(completion) if completion else None,
    )


OPENAI = policy()
RESPONSES = policy("$.usage.input_tokens", "$.usage.output_tokens")
ANTHROPIC = RESPONSES
OLLAMA = policy("$.prompt_eval_count", "$.eval_count")
COHERE = policy("$['usage','delta']..tokens.input_tokens", "$['usage','delta']..tokens.output_tokens")


def sse(*payloads: Any, end: bytes = b"\n") -> bytes:
    return b"".join(b"data: " + json.dumps(each).encode() + end * 2 for each in payloads)


def metered(
    rule: CachePolicy,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
    *,
    status: int = 200,
    size: int = 1 << 30,
    whole: bool = True,
    asked: bytes = b"",
) -> Cost:
    meter = Meter(rule, decode)
    meter.start(status, headers)
    for begin in range(0, max(1, len(body)), size):
        meter.feed(body[begin : begin + size], last=whole and begin + size >= len(body))
    meter.read()
    return meter.cost(meter.model, asked)


USAGE = {"prompt_tokens": 9, "completion_tokens": 3}
CHUNK = {"model": "gpt-4o", "choices": [{"index": 0, "delta": {"content": "twelve bytes"}}]}


def test_a_single_answer_says_what_it_cost() -> None:
    body = json.dumps({"model": "gpt-4o", "choices": [], "usage": USAGE}).encode()
    assert metered(OPENAI, JSON, body, size=10) == Cost("gpt-4o", 9, 3)
    assert metered(OPENAI, [*JSON, (b"content-encoding", b"gzip")], gzip.compress(body), size=10) == Cost(
        "gpt-4o", 9, 3
    )


STREAMS = [
    (OPENAI, SSE, sse(CHUNK, CHUNK, {"model": "gpt-4o", "choices": [], "usage": USAGE}, "[DONE]"), Cost("gpt-4o", 9, 3)),
    # Told with every chunk, as a total.
    (OPENAI, SSE, sse({**CHUNK, "usage": {"prompt_tokens": 9, "completion_tokens": 1}}, {**CHUNK, "usage": USAGE}), Cost("gpt-4o", 9, 3)),
    # Told in the choice.
    (OPENAI, SSE, sse(CHUNK, {"model": "kimi", "choices": [{"index": 0, "usage": USAGE}]}), Cost("kimi", 9, 3)),
    (
        ANTHROPIC,
        SSE,
        sse(
            {"type": "message_start", "message": {"model": "claude", "usage": {"input_tokens": 25, "output_tokens": 1}}},
            {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "what output_tokens are"}},
            {"type": "message_delta", "usage": {"output_tokens": 15}},
            end=b"\r\n",
        ),
        Cost("claude", 25, 15),
    ),
    (
        RESPONSES,
        SSE,
        sse(
            {"type": "response.created", "response": {"model": "o4", "usage": None}},
            {"type": "response.completed", "response": {"model": "o4", "usage": {"input_tokens": 7, "output_tokens": 8}}},
        ),
        Cost("o4", 7, 8),
    ),
    (
        OLLAMA,
        NDJSON,
        b'{"model":"llama","response":"x","done":false}\n{"model":"llama","done":true,"prompt_eval_count":4,"eval_count":2}\n',
        Cost("llama", 4, 2),
    ),
    (COHERE, SSE, sse({"type": "message-end", "delta": {"usage": {"tokens": {"input_tokens": 5, "output_tokens": 6}}}}), Cost("", 5, 6)),
]  # fmt: skip


@pytest.mark.parametrize("size", [1, 13, 1 << 20])
@pytest.mark.parametrize(("rule", "headers", "body", "cost"), STREAMS)
def test_a_stream_says_what_it_cost(
    rule: CachePolicy, headers: list[tuple[bytes, bytes]], body: bytes, cost: Cost, size: int
) -> None:
    assert metered(rule, headers, body, size=size) == cost
    coded = [*headers, (b"content-encoding", b"gzip")]
    assert metered(rule, coded, gzip.compress(body), size=size) == cost


def test_a_last_event_without_its_empty_line_counts() -> None:
    assert metered(OPENAI, SSE, sse(CHUNK, {"choices": [], "usage": USAGE}).rstrip()) == Cost("gpt-4o", 9, 3)


def test_the_usage_paths_of_every_preset_are_understood() -> None:
    """A path whose last step is no name could never be found in an event."""
    usages = [preset.route.usage for preset in presets().values()]
    paths = [path for usage in usages for path in (usage.prompt, usage.completion) if path]
    assert len(paths) > 10
    assert all(path.rpartition(".")[2].isidentifier() for path in paths)


def test_a_stream_that_does_not_tell_is_estimated() -> None:
    asked = json.dumps({"messages": [{"role": "user", "content": "sixteen bytes..."}], "stream": True}).encode()
    assert metered(OPENAI, SSE, sse(CHUNK, CHUNK, "[DONE]"), asked=asked) == Cost("gpt-4o", 4, 6)


def test_an_answer_that_broke_off_is_estimated_from_what_there_was() -> None:
    begun = sse(
        {"type": "message_start", "message": {"model": "claude", "usage": {"input_tokens": 25, "output_tokens": 1}}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "twelve bytes"}},
    )
    assert metered(ANTHROPIC, SSE, begun, whole=False) == Cost("claude", 25, 3)
    cut = json.dumps({"choices": [{"message": {"content": "twelve bytes"}}]}).encode()[:-5]
    assert metered(OPENAI, JSON, cut, whole=False, asked=b'{"content": "four"}') == Cost("", 1, 3)


def test_an_error_costs_what_it_says_or_nothing() -> None:
    body = json.dumps({"error": {"message": "x" * 4000}}).encode()
    assert metered(OPENAI, JSON, body, status=429, asked=b'{"content": "four"}') == Cost("", 0, 0)
    body = json.dumps({"error": {"message": "x"}, "usage": USAGE}).encode()
    assert metered(OPENAI, JSON, body, status=500) == Cost("", 9, 3)


def test_no_answer_costs_nothing() -> None:
    meter = Meter(OPENAI, decode)
    meter.read()
    assert meter.cost("", b'{"content": "hello"}') == Cost("", 0, 0)


def test_embeddings_write_nothing() -> None:
    rule = policy(completion="")
    told = json.dumps({"model": "e", "data": [], "usage": {"prompt_tokens": 8}}).encode()
    assert metered(rule, JSON, told) == Cost("e", 8, 0)
    assert metered(rule, JSON, b'{"data": []}', asked=b'{"input": "four bytes.."}') == Cost("", 3, 0)


def test_what_is_larger_than_anything_kept_is_not_held() -> None:
    rule = policy(most=1000)
    meter = Meter(rule, decode)
    meter.start(200, JSON)
    for _ in range(1000):
        meter.feed(b'"x": "' + b"y" * 500, last=False)
        assert len(b"".join(meter._held)) <= 1000
    # An event of a stream likewise; those after it are read.
    body = sse({"content": "z" * 5000}, {"choices": [], "usage": USAGE})
    assert metered(rule, SSE, body, size=400) == Cost("", 9, 3)


def test_a_body_that_is_not_what_its_coding_says_costs_nothing_known() -> None:
    assert metered(OPENAI, [*JSON, (b"content-encoding", b"gzip")], b"no gzip") == Cost("", 0, 0)
    assert metered(OPENAI, [*JSON, (b"content-encoding", b"rot13")], b'{"usage": 1}') == Cost("", 0, 0)


@pytest.mark.parametrize("depth", [90, 150, 5000])
def test_an_answer_that_is_nested_beyond_all_use_is_estimated(depth: int) -> None:
    body = b'{"content": "four", "usage": ' + b"[" * depth + b"]" * depth + b', "input_tokens": 1}'
    assert metered(COHERE, JSON, body) == Cost("", 0, 1)


@given(st.binary(max_size=300), st.sampled_from([JSON, SSE, NDJSON]), st.integers(1, 50))
def test_no_bytes_upset_it(body: bytes, headers: list[tuple[bytes, bytes]], size: int) -> None:
    cost = metered(OPENAI, headers, body + b'"prompt_tokens"', size=size)
    assert cost.prompt >= 0


@pytest.mark.parametrize(
    ("data", "tokens"),
    [
        (b"", 0),
        (b'{"content": ""}', 0),
        (b'{"content": "a"}', 1),
        (b'{"content": "abcde"}', 2),
        (b'{"content":"say \\"four\\""}', 3),
        (b'{"role": "a long role that is no text", "content": "four"}', 1),
        (b'{"image_url": {"url": "data:image/png;base64,AAAAAAAAAAAAAAAA"}}', 0),
        (b'{"content": [{"type": "text", "text": "four"}, {"type": "text", "text": "four"}]}', 2),
        (b'{"content": "cut off in the m', 4),
    ],
)
def test_texts_are_estimated_at_four_bytes_a_token(data: bytes, tokens: int) -> None:
    assert estimate_tokens(data) == tokens
