"""Streams of the Responses API put together into its single answer, or not trusted."""

from __future__ import annotations

import json

import pytest
from responses_answers import (
    CALL,
    CUSTOM_CALL,
    REASONING,
    SEARCH,
    TIDES,
    assembled,
    message,
    response,
    sse,
    streamed,
    text_part,
)

from gateway.core.dialects.base import Assembled
from gateway.core.messages import Reason


def test_the_single_answer_is_the_completed_response():
    assert assembled(sse(*streamed(final=TIDES))) == Assembled(TIDES, faithful=True)


def test_a_done_after_the_end_is_borne():
    assert assembled(sse(*streamed(final=TIDES)) + b"data: [DONE]\n\n") == Assembled(TIDES, faithful=True)


def test_events_that_nobody_knows_change_nothing():
    begin, *rest = streamed(final=TIDES)
    news = [{"type": "response.web_search_call.searching", "item_id": "ws_1", "output_index": 0}, {"type": "keepalive"}]
    assert assembled(sse(begin, *news, *rest)) == Assembled(TIDES, faithful=True)


@pytest.mark.parametrize("output", [{"output": []}, {"output": None}, {}])
def test_output_that_the_last_event_leaves_out_is_taken_from_its_items(output):
    final = {name: value for name, value in TIDES.items() if name != "output"} | output
    assert assembled(sse(*streamed(final=final))) == Assembled(TIDES, faithful=True)


def test_items_keep_their_order_and_may_leave_out_numbers():
    final = response()
    first, second = CALL, {**CALL, "id": "fc_2", "call_id": "call_10"}
    events = [
        {"type": "response.output_item.added", "output_index": 0, "item": None},
        {"type": "response.output_item.added", "output_index": 3, "item": second},
        {"type": "response.output_item.added", "output_index": 1, "item": first},
        {"type": "response.function_call_arguments.delta", "output_index": 3, "delta": second["arguments"]},
        {"type": "response.output_item.done", "output_index": 3, "item": second},
        {"type": "response.output_item.done", "output_index": 1, "item": first},
    ]
    rebuilt = response(first, second)
    assert assembled(sse(*events, {"type": "response.completed", "response": final})) == Assembled(rebuilt, True)
    assert assembled(sse(*events, {"type": "response.completed", "response": rebuilt})) == Assembled(rebuilt, True)


@pytest.mark.parametrize(
    "final",
    [
        response(message(text_part("Twice a year."))),
        response(message(text_part("Twice a day."), id="msg_0a1b"), status="completed", output=[SEARCH]),
        response(message()),
        response(message(content="Twice a day.")),
        response(output=["Twice a day."]),
        response(output="Twice a day."),
    ],
)
def test_an_end_that_contradicts_what_was_streamed_is_not_trusted(final):
    result = assembled(sse(*streamed(final=final)))
    assert isinstance(result, Assembled)
    assert not result.faithful


@pytest.mark.parametrize("event", ["response.output_item.added", "response.output_item.done"])
@pytest.mark.parametrize("output", [[], [SEARCH], [CALL, SEARCH], [SEARCH, CALL], [CUSTOM_CALL, CUSTOM_CALL]])
def test_an_item_that_the_end_leaves_out_or_replaces_is_noticed(event, output):
    first = {"type": "response.output_item.done", "output_index": 0, "item": CALL}
    second = {"type": event, "output_index": 1, "item": SEARCH}
    result = assembled(sse(first, second, {"type": "response.completed", "response": response(*output)}))
    done = event == "response.output_item.done"
    assert result.faithful is (output == [CALL, SEARCH] or (output == [] and done))


def test_streamed_text_that_the_end_leaves_out_and_no_item_holds_is_lost_to_a_single_answer():
    events = [event for event in streamed(final=response()) if event["type"] != "response.output_item.done"]
    result = assembled(sse(*events))
    assert isinstance(result, Assembled)
    assert not result.faithful


@pytest.mark.parametrize(
    ("kind", "place", "item"),
    [
        ("response.function_call_arguments", {}, CALL | {"arguments": "hello"}),
        ("response.custom_tool_call_input", {}, CUSTOM_CALL | {"input": "hello"}),
        ("response.refusal", {"content_index": 0}, message({"type": "refusal", "refusal": "hello"})),
        ("response.reasoning_summary_text", {"summary_index": 1}, None),
        ("response.reasoning_text", {"content_index": 0}, None),
        ("response.mcp_call_arguments", {}, {"id": "mcp_1", "type": "mcp_call", "arguments": "hello"}),
        ("response.code_interpreter_call_code", {}, {"id": "ci_1", "type": "code_interpreter_call", "code": "hello"}),
    ],
)
def test_all_that_is_told_in_deltas_is_compared(kind, place, item):
    if item is None:
        item = REASONING | {"summary": [REASONING["summary"][0], {"type": "summary_text", "text": "hello"}]}
        item["content"] = [{"type": "reasoning_text", "text": "hello"}]
    place = {"item_id": item["id"], "output_index": 0, **place}
    events = [{"type": f"{kind}.delta", **place, "delta": "hel"}, {"type": f"{kind}.delta", **place, "delta": "lo"}]
    end = {"type": "response.completed", "response": response(item)}
    assert assembled(sse(*events, end)).faithful
    assert not assembled(sse(events[0], end)).faithful


@pytest.mark.parametrize(
    "delta", [{"delta": 5}, {"delta": "Twice", "output_index": "0"}, {"delta": "Twice", "content_index": []}, {}]
)
def test_a_delta_that_cannot_be_read_is_not_passed_over(delta):
    event = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, **delta}
    assert not assembled(sse(event, {"type": "response.completed", "response": TIDES})).faithful


@pytest.mark.parametrize("cut", range(len(streamed(final=TIDES))))
def test_a_stream_without_its_end_is_incomplete(cut):
    events = streamed(final=TIDES)[:cut]
    assert assembled(sse(*events)) is Reason.INCOMPLETE
    assert assembled(sse(*events) + b"data: [DONE]\n\n") is Reason.INCOMPLETE


@pytest.mark.parametrize("end", [{"response": None}, {"response": "resp_1"}, {}])
def test_an_end_without_a_response_is_incomplete(end):
    assert assembled(sse({"type": "response.completed", **end})) is Reason.INCOMPLETE


def test_what_follows_the_end_makes_it_no_end():
    events = streamed(final=TIDES)
    assert assembled(sse(*events, events[4])) is Reason.INCOMPLETE


@pytest.mark.parametrize(
    "end",
    [
        {"type": "response.failed", "response": response(status="failed", error={"code": "server_error"})},
        {"type": "response.incomplete", "response": response(status="incomplete")},
        {"type": "error", "code": "ERR", "message": "Something went wrong", "param": None},
    ],
)
def test_an_end_in_trouble_is_rejected(end):
    *events, completed = streamed(final=TIDES)
    assert assembled(sse(*events, end)) is Reason.REJECTED
    assert assembled(sse(*events, end, completed)) is Reason.REJECTED
    assert assembled(sse(*events, completed, end)) is Reason.REJECTED


def test_an_error_in_a_gateways_own_shape_is_rejected():
    body = sse(*streamed(final=TIDES)[:4]) + b'data: {"error": {"message": "upstream went away"}}\n\n'
    assert assembled(body) is Reason.REJECTED


@pytest.mark.parametrize("data", [b"{", b"[1]", b"5", b'{"a":"\xff"}', b'{"a":' * 5000, b'{"a":"\\ud83d"}', b"hello"])
def test_an_event_that_is_no_object_cannot_be_read(data):
    assert assembled(b"data: " + data + b"\n\n" + sse(*streamed(final=TIDES))) is Reason.NOT_JSON


def test_members_of_the_wrong_kind_break_nothing():
    odd = [{"type": ["x"]}, {"type": None}, {}, {"type": "response.output_item.done", "output_index": [], "item": 1}]
    body = b"".join(b"data: %s\n\n" % json.dumps(each).encode() for each in odd)
    result = assembled(body + sse(*streamed(final=TIDES)))
    assert isinstance(result, Assembled)
    assert not result.faithful
