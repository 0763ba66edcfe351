"""May an answer be kept, by its head and by its body, and what did it cost."""

from __future__ import annotations

import pytest
from policies import keep_rule, policy

from gateway.core.jsonpath import compile_path
from gateway.core.messages import Cost, Form, Reason, Wanted
from gateway.core.policy import compile_terminal, examine_body, read_cost, reject_head


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        (200, (), None),
        (201, (), None),
        (206, (), Reason.STATUS),
        (404, (), Reason.STATUS),
        (500, (), Reason.STATUS),
        (200, ((b"cache-control", b"no-store"),), Reason.CACHE_CONTROL),
        (200, ((b"cache-control", b'private="x"'),), Reason.CACHE_CONTROL),
        (200, ((b"cache-control", b"max-age=0"),), Reason.CACHE_CONTROL),
        (200, ((b"cache-control", b"no-cache"),), None),
        (200, ((b"set-cookie", b"session=1"),), Reason.SET_COOKIE),
        (200, ((b"set-cookie", b"__cf_bm=1; path=/"),), None),
        (200, ((b"vary", b"Accept-Encoding, Accept-Language"),), None),
        (200, ((b"vary", b"Origin"),), Reason.VARY),
        (200, ((b"vary", b"*"),), Reason.VARY),
        (200, ((b"content-type", b"text/event-stream; charset=utf-8"),), Reason.STREAM),
        (200, ((b"content-length", b"1001"),), Reason.TOO_LARGE),
    ],
)
def test_what_a_head_says_about_keeping(status, headers, reason):
    rule = keep_rule(cookies=frozenset({b"__cf_bm"}), vary=frozenset({"accept-language"}))
    assert reject_head(rule, None, status, headers) is reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"choices": [{"finish_reason": "stop"}]}', None),
        (b'{"choices": [{"finish_reason": "stop"}], "error": null}', None),
        (b'{"choices": [{"finish_reason": "length"}]}', Reason.REJECTED),
        (b'{"choices": [], "error": {"message": "no"}}', Reason.REJECTED),
        (b'{"other": 1}', Reason.REJECTED),
        (b'{"choices": [', Reason.NOT_JSON),
        (b"", Reason.NOT_JSON),
        (b'{"choices":[],"choices":[]}', Reason.AMBIGUOUS_JSON),
        (b'{"choices": "' + b"x" * 1000 + b'"}', Reason.TOO_LARGE),
    ],
)
def test_what_a_body_says_about_keeping(body, reason):
    rule = keep_rule(
        require=(compile_path("$.choices"),),
        reject=(compile_path("$.error"), compile_path("$.choices[?@.finish_reason=='length']")),
    )
    assert (None if isinstance(found := examine_body(rule, Form.SINGLE, body), list) else found) is reason


def test_what_an_answer_cost_is_read_where_usage_points():
    counting = policy(
        prompt_tokens=compile_path("$.usage.prompt_tokens"), completion_tokens=compile_path("$.usage.completion_tokens")
    )
    holders = [[{"usage": {"prompt_tokens": 9, "completion_tokens": "3"}}]]
    assert read_cost(counting, "gpt-4o", holders) == Cost("gpt-4o", 9, 0)
    assert read_cost(counting, None, holders) == Cost("", 9, 0)
    assert len(read_cost(counting, "x" * 10_000, holders).model) == 256
    assert read_cost(counting, "m", [[{"usage": {"prompt_tokens": 10**400, "completion_tokens": -1}}]]) == Cost(
        "m", 0, 0
    )


SSE = ((b"content-type", b"text/event-stream; charset=utf-8"),)


NDJSON = ((b"content-type", b"application/x-ndjson"),)


@pytest.mark.parametrize(
    ("wanted", "headers", "terminal", "reason"),
    [
        (None, SSE, "[DONE]", None),
        (None, SSE, "", Reason.STREAM),
        (Wanted(stream=True), SSE, "[DONE]", None),
        (Wanted(stream=True), NDJSON, "$.done", None),
        (Wanted(stream=True), (), "[DONE]", Reason.FORM),
        (Wanted(stream=False), SSE, "[DONE]", Reason.FORM),
        (Wanted(stream=False), (), "[DONE]", None),
    ],
)
def test_an_answer_in_the_other_form_than_asked_for_is_not_kept(wanted, headers, terminal, reason):
    rule = keep_rule(terminal=(compile_terminal(terminal),) if terminal else ())
    assert reject_head(rule, wanted, 200, headers) is reason


@pytest.mark.parametrize(
    ("terminal", "stream", "reason"),
    [
        ("[DONE]", b'data: {"a": 1}\n\ndata: [DONE]\n\n', None),
        ("[DONE]", b'data: {"a": 1}\r\n\r\ndata: [DONE]\r\n\r\n', None),
        ("[DONE]", b'data: {"a": 1}\n\ndata: [DONE]', None),
        ("[DONE]", b'data: {"a": 1}\n\ndata:[DONE]\n\n: bye\n\n', None),
        ("[DONE]", b'data: {"a": 1}\n\n', Reason.INCOMPLETE),
        ("[DONE]", b'data: [DONE]\n\ndata: {"a": 1}\n\n', Reason.INCOMPLETE),
        ("[DONE]", b": only a comment\n\n", Reason.INCOMPLETE),
        ("[DONE]", b"", Reason.INCOMPLETE),
        ("[DONE]", b'data: {"error": {"message": "no"}}\n\ndata: [DONE]\n\n', Reason.REJECTED),
        ("[DONE]", b'event: error\ndata: {"a": 1}\n\ndata: [DONE]\n\n', Reason.REJECTED),
        ("event:end", b'data: {"a": 1}\n\nevent: end\ndata: {}\n\n', None),
        ("event:end", b'event: end\ndata: {}\n\ndata: {"a": 1}\n\n', Reason.INCOMPLETE),
        ("$.done", b'data: {"a": 1}\n\ndata: {"done": true}\n\n', None),
        ("$.done", b'data: {"a": 1}\n\ndata: {"done": false}\n\n', Reason.INCOMPLETE),
        ("[DONE]", b'data: {"b": 1}\n\ndata: [DONE]\n\n', Reason.REJECTED),
    ],
)
def test_a_stream_is_kept_only_after_its_terminal_event(terminal, stream, reason):
    rule = keep_rule(
        terminal=(compile_terminal(terminal),), require=(compile_path("$.a"),), reject=(compile_path("$.error"),)
    )
    found = examine_body(rule, Form.SSE, stream)
    assert (None if isinstance(found, list) else found) is reason


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b'{"a": 1}\n{"done": true}\n', None),
        (b'{"a": 1}\n{"done": true}', None),
        (b'{"a": 1}\n{"done": tr', Reason.NOT_JSON),
        (b'{"a": 1}\n', Reason.INCOMPLETE),
        (b'{"error": "no"}\n{"done": true}\n', Reason.REJECTED),
    ],
)
def test_lines_of_json_are_a_stream_as_well(stream, reason):
    rule = keep_rule(terminal=(compile_terminal("$.done"),), reject=(compile_path("$.error"),))
    found = examine_body(rule, Form.NDJSON, stream)
    assert (None if isinstance(found, list) else found) is reason


def test_what_a_stream_said_last_is_what_it_cost():
    counting = policy(completion_tokens=compile_path("$.usage.out"))
    holders = [[{"usage": {"out": 1}}], [{"usage": {"out": 7}}], [{"usage": None}], [None]]
    assert read_cost(counting, "m", holders).completion == 7
