"""Streams of Anthropic's Messages API put together into its single answer, or not trusted."""

from __future__ import annotations

import json

import pytest
from anthropic_answers import (
    CALL,
    CITATION,
    DIALECT,
    EMPTY_CALL,
    FOUND,
    FULL,
    HELLO,
    PING,
    REDACTED,
    SEARCH,
    STOP,
    TEXT_BLOCK,
    WHOLE,
    add,
    assembled,
    begin,
    close,
    end,
    message,
    sse,
    start,
)

from gateway.core.dialects.base import Assembled
from gateway.core.messages import Form, Reason
from gateway.core.streams import split


def test_a_text_is_its_deltas():
    assert assembled(*WHOLE) == Assembled(message({"type": "text", "text": "Hello 🌊"}), faithful=True)


def test_every_kind_of_block_is_put_together():
    arguments = json.dumps(CALL["input"])
    blocks = [
        [
            begin(0, type="thinking", thinking="", signature=""),
            add(0, "thinking_delta", thinking="The moon "),
            close(0),
        ],
        [begin(1, **REDACTED), close(1)],
        [begin(2, type="text", text="I will "), add(2, "text_delta", text="look."), close(2)],
        [begin(3, **SEARCH | {"input": {}}), add(3, "input_json_delta", partial_json='{"query": "tides"}'), close(3)],
        [begin(4, **FOUND), close(4)],
        [begin(5, type="text", text="", citations=[]), add(5, "text_delta", text="Twice a day."), close(5)],
        [begin(6, **CALL | {"input": {}}), add(6, "input_json_delta", partial_json=""), close(6)],
        [begin(7, **EMPTY_CALL), add(7, "input_json_delta", partial_json=""), close(7)],
    ]
    blocks[0][2:2] = [add(0, "thinking_delta", thinking="pulls."), add(0, "signature_delta", signature="EqQBCgIYAg==")]
    blocks[5][2:2] = [add(5, "citations_delta", citation=each) for each in TEXT_BLOCK["citations"]]
    blocks[6][2:2] = [add(6, "input_json_delta", partial_json=each) for each in (arguments[:9], arguments[9:])]
    usage = {
        "input_tokens": 21,
        "cache_creation_input_tokens": None,
        "cache_read_input_tokens": 7,
        "output_tokens": 64,
        "server_tool_use": {"web_search_requests": 1},
        "output_tokens_details": {"thinking_tokens": 30},
    }
    last = end("tool_use", usage)
    last["delta"] |= {"container": FULL["container"], "stop_details": None}
    events = [event for block in blocks for event in block]
    assert assembled(start(), PING, *events, last, STOP) == Assembled(FULL, faithful=True)


def test_what_a_block_begins_with_is_added_to():
    first, second = TEXT_BLOCK["citations"]
    events = [begin(0, type="text", text="Twice", citations=[first]), add(0, "citations_delta", citation=second)]
    result = assembled(start(), *events, add(0, "text_delta", text=" a day."), close(0), end(), STOP)
    assert result == Assembled(message(TEXT_BLOCK), faithful=True)


def test_usage_is_told_as_totals_and_the_last_one_stands():
    first = end(None, {"output_tokens": 10, "input_tokens": 30})
    result = assembled(start(), *HELLO, close(0), first, end("end_turn", {"output_tokens": 99}), STOP)
    assert result.faithful
    assert result.document["stop_reason"] == "end_turn"
    assert result.document["usage"] == {**message()["usage"], "input_tokens": 30, "output_tokens": 99}


def test_members_that_nobody_knows_are_carried():
    last = end(usage={"output_tokens": 64, "x_tokens": 3}, context_management={"applied_edits": []})
    last["delta"]["x_reason"] = "why not"
    result = assembled(start(x_new={"a": 1}), begin(0, type="x_block", x=[1]), close(0), last, STOP)
    expected = message(
        {"type": "x_block", "x": [1]}, x_new={"a": 1}, x_reason="why not", context_management={"applied_edits": []}
    )
    expected["usage"]["x_tokens"] = 3
    assert result == Assembled(expected, faithful=True)


@pytest.mark.parametrize(
    "odd",
    [
        [add(0, "x_delta", text="?")],
        [add(0, "text_delta", text="?", x_new=1)],
        [{**add(0, "text_delta", text="?"), "x_new": 1}],
        [add(0, "text_delta", text=5)],
        [add(0, "thinking_delta", thinking="?")],
        [add(0, "input_json_delta", partial_json="{}")],
        [add(0, "signature_delta", signature="?")],
        [add(1, "text_delta", text="?")],
        [add("0", "text_delta", text="?")],
        [{"type": "content_block_delta", "index": 0}],
        [{"type": "content_block_start", "index": 1, "content_block": "text"}],
        [begin(2, type="text", text=""), close(2)],
        [begin(1, type="text", text="")],
        [close(1)],
        [close(0), add(0, "text_delta", text="?"), begin(1, type="text", text="")],
        [start()],
        [{"type": "x_event"}],
        [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": 5}],
        [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "x_new": 5}],
        [{"type": "message_delta", "delta": {"content": []}}],
        [begin(1, type="thinking", thinking="", signature="a"), add(1, "signature_delta", signature="b"), close(1)],
        [begin(1, type="text", text=5), add(1, "text_delta", text="b"), close(1)],
        [begin(1, type="text", text="", citations=5), add(1, "citations_delta", citation=CITATION), close(1)],
        [begin(1, **EMPTY_CALL), add(1, "input_json_delta", partial_json='{"place": "Br'), close(1)],
        [begin(1, **EMPTY_CALL), add(1, "input_json_delta", partial_json='{"a":' * 5000), close(1)],
        [begin(1, **CALL), add(1, "input_json_delta", partial_json='{"place": "Brest"}'), close(1)],
    ],
)
def test_what_a_single_answer_has_no_place_for_is_not_lost_in_silence(odd):
    result = assembled(start(), *HELLO, *odd, close(0), end(), STOP)
    assert isinstance(result, Assembled)
    assert not result.faithful


@pytest.mark.parametrize("data", [b"{}", b'{"type": ["x"]}', b'{"type": null, "index": 0}'])
def test_an_event_of_no_kind_is_not_lost_in_silence(data):
    body = sse(*WHOLE[:3]) + b"data: " + data + b"\n\n" + sse(*WHOLE[3:])
    assert not DIALECT.assemble(split(body, Form.SSE)).faithful


def test_a_message_that_begins_with_content_is_not_understood():
    begun = start()
    begun["message"]["content"] = [{"type": "text", "text": "before"}]
    assert not assembled(begun, *HELLO, close(0), end(), STOP).faithful


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_a_stream_without_its_end_is_incomplete(cut):
    assert assembled(*WHOLE[:cut]) is Reason.INCOMPLETE
    body = sse(*WHOLE[:cut]) + b"data: [DONE]\n\n"
    assert DIALECT.assemble(split(body, Form.SSE)) is Reason.INCOMPLETE


def test_a_stream_without_its_beginning_is_incomplete():
    assert assembled(*WHOLE[1:]) is Reason.INCOMPLETE
    assert assembled(STOP) is Reason.INCOMPLETE


def test_what_follows_the_end_makes_it_no_end():
    assert assembled(*WHOLE, HELLO[2]) is Reason.INCOMPLETE
    assert assembled(*WHOLE, STOP) is Reason.INCOMPLETE


def test_a_ping_or_a_done_after_the_end_is_borne():
    body = sse(*WHOLE, PING) + b"data: [DONE]\n\n"
    assert DIALECT.assemble(split(body, Form.SSE)) == assembled(*WHOLE)


@pytest.mark.parametrize(
    "trouble",
    [
        b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}\n\n',
        b'data: {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}\n\n',
        b'data: {"error": {"message": "upstream went away"}}\n\n',
        b"event: error\ndata: upstream went away\n\n",
    ],
)
@pytest.mark.parametrize("before", [0, 3, len(WHOLE)])
def test_an_error_is_rejected_wherever_it_stands(trouble, before):
    body = sse(*WHOLE[:before]) + trouble + sse(*WHOLE[before:])
    assert DIALECT.assemble(split(body, Form.SSE)) is Reason.REJECTED


@pytest.mark.parametrize("data", [b"{", b"[1]", b'{"a":"\xff"}', b'{"a":' * 5000, b'{"a":"\\ud83d"}', b"hello"])
def test_an_event_that_is_no_object_cannot_be_read(data):
    body = sse(WHOLE[0]) + b"data: " + data + b"\n\n" + sse(*WHOLE[1:])
    assert DIALECT.assemble(split(body, Form.SSE)) is Reason.NOT_JSON
