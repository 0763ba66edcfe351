"""Anthropic's Messages API: what a stream amounts to, and the stream that a single answer would have been."""

from __future__ import annotations

import copy
import json

import pytest
from dialect_values import JSON, TEXT, UNKNOWN, more
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.dialects.anthropic_messages import AnthropicMessages
from gateway.core.dialects.base import Assembled
from gateway.core.messages import Form, Reason
from gateway.core.streams import split

DIALECT = AnthropicMessages()
PING = {"type": "ping"}
STOP = {"type": "message_stop"}


def message(*content, **members):
    return {
        "id": "msg_01XyZ",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": list(content),
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 21,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 64,
            "service_tier": "standard",
        },
        **members,
    }


def start(**members):
    begun = message(stop_reason=None, **members)
    begun["usage"] = {**begun["usage"], "output_tokens": 2}
    return {"type": "message_start", "message": begun}


def begin(index, **block):
    return {"type": "content_block_start", "index": index, "content_block": block}


def add(index, kind, **delta):
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **delta}}


def close(index):
    return {"type": "content_block_stop", "index": index}


def end(reason="end_turn", usage=None, **members):
    delta = {"stop_reason": reason, "stop_sequence": None}
    return {"type": "message_delta", "delta": delta, "usage": usage or {"output_tokens": 64}, **members}


def sse(*payloads):
    return b"".join(b"event: %s\ndata: %s\n\n" % (p["type"].encode(), json.dumps(p).encode()) for p in payloads)


def assembled(*payloads):
    return DIALECT.assemble(split(sse(*payloads), Form.SSE))


def told(body):
    return [json.loads(event.data) for event in split(body, Form.SSE)]


HELLO = [begin(0, type="text", text=""), PING, add(0, "text_delta", text="Hel"), add(0, "text_delta", text="lo 🌊")]
WHOLE = [start(), *HELLO, close(0), end(), STOP]

CITATION = {"type": "char_location", "cited_text": "Tides", "document_index": 0, "start_char_index": 0}
THINKING = {"type": "thinking", "thinking": "The moon pulls.", "signature": "EqQBCgIYAg=="}
TEXT_BLOCK = {"type": "text", "text": "Twice a day.", "citations": [CITATION, {**CITATION, "start_char_index": 9}]}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "tide", "input": {"place": "Brest", "days": [1, 2]}}
EMPTY_CALL = {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "tides"}}
FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [
        {"type": "web_search_result", "url": "https://example.org/", "title": "Tides", "encrypted_content": "E"}
    ],
}
REDACTED = {"type": "redacted_thinking", "data": "EmwKAhgB"}
FULL = message(
    THINKING,
    REDACTED,
    {"type": "text", "text": "I will look."},
    SEARCH,
    FOUND,
    TEXT_BLOCK,
    CALL,
    EMPTY_CALL,
    stop_reason="tool_use",
    container={"id": "container_1", "expires_at": "2026-01-01T00:00:00Z"},
    stop_details=None,
)
FULL["usage"] |= {
    "cache_read_input_tokens": 7,
    "server_tool_use": {"web_search_requests": 1},
    "output_tokens_details": {"thinking_tokens": 30},
}


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


def test_an_answer_is_told_as_the_api_tells_it():
    body = DIALECT.render(FULL, usage=True)
    events = told(body)
    assert [event.name.decode() for event in split(body, Form.SSE)] == [event["type"] for event in events]
    begun, late = events[0]["message"], events[-2]
    assert (begun["content"], begun["stop_reason"], begun["container"]) == ([], None, None)
    assert begun["usage"] == message()["usage"] | {"output_tokens": 1, "cache_read_input_tokens": 7}
    assert late["delta"] == {
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "stop_details": None,
        "container": FULL["container"],
    }
    assert late["usage"] == {
        "input_tokens": 21,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 7,
        "output_tokens": 64,
        "server_tool_use": {"web_search_requests": 1},
        "output_tokens_details": {"thinking_tokens": 30},
    }
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert [delta["type"] for delta in deltas] == [
        *("thinking_delta", "signature_delta", "text_delta", "input_json_delta", "text_delta"),
        *("citations_delta", "citations_delta", "input_json_delta", "input_json_delta"),
    ]
    assert json.loads(deltas[-1]["partial_json"]) == {}
    starts = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    assert starts[0] == {"type": "thinking", "thinking": "", "signature": ""}
    assert starts[4] == FOUND
    assert starts[5] == {"type": "text", "text": "", "citations": []}
    assert starts[6] == {**CALL, "input": {}}
    assert events[-1] == STOP


def test_a_long_text_goes_out_in_lines_that_every_reader_bears():
    text = "\x00😀" * 30_000
    body = DIALECT.render(message({"type": "text", "text": text}, {**CALL, "input": {"q": text}}), usage=False)
    events = split(body, Form.SSE)
    assert DIALECT.assemble(events).document["content"][0]["text"] == text
    assert DIALECT.assemble(events).document["content"][1]["input"] == {"q": text}
    assert max(len(event.raw) for event in events) < 65_536


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        message(content="Twice a day."),
        message("Twice a day."),
        message({"text": "Twice a day."}),
        message(usage=None),
        message(usage={"input_tokens": 1}),
    ],
)
def test_what_a_stream_cannot_say_is_not_said(document):
    assert DIALECT.render(document, usage=True) is None


def test_rendering_leaves_the_document_as_it_was():
    document = copy.deepcopy(FULL)
    DIALECT.render(document, usage=True)
    assert document == FULL


BLOCKS = st.one_of(
    more({"type": st.just("text"), "text": TEXT}, citations=st.none() | st.lists(JSON, max_size=2)),
    more({"type": st.just("thinking"), "thinking": TEXT}, signature=TEXT),
    more({"type": st.sampled_from(["tool_use", "server_tool_use", "mcp_tool_use"]), "id": TEXT}, input=JSON, name=TEXT),
    more({"type": st.just("redacted_thinking"), "data": TEXT}),
    more(
        {"type": st.sampled_from(["text", "thinking", "x_tool_use", "x_result"])}, input=JSON, content=JSON, data=JSON
    ),
)
COUNTS = st.integers(0, 10**6)
USAGE = more(
    {"output_tokens": COUNTS},
    input_tokens=COUNTS,
    cache_read_input_tokens=st.none() | COUNTS,
    server_tool_use=st.none() | st.dictionaries(TEXT, COUNTS, max_size=2),
    output_tokens_details=st.none() | st.dictionaries(TEXT, COUNTS, max_size=2),
    service_tier=TEXT,
)
DOCUMENTS = more(
    {"type": st.just("message"), "content": st.lists(BLOCKS, max_size=4), "usage": USAGE},
    id=JSON,
    model=TEXT,
    stop_reason=st.none() | TEXT,
    stop_sequence=st.none() | TEXT,
    stop_details=JSON,
    container=JSON,
    context_management=JSON,
)


@settings(deadline=None)
@given(DOCUMENTS)
def test_an_answer_comes_back_from_its_stream(document):
    body = DIALECT.render(document, usage=True)
    assert body is not None
    assert DIALECT.assemble(split(body, Form.SSE)) == Assembled(document, faithful=True)


DELTAS = st.one_of(
    st.builds(lambda text: {"type": "text_delta", "text": text}, TEXT),
    st.builds(lambda text: {"type": "thinking_delta", "thinking": text}, TEXT),
    st.builds(lambda text: {"type": "input_json_delta", "partial_json": text}, st.sampled_from(["", "{", "}", "1"])),
    st.builds(lambda text: {"type": "signature_delta", "signature": text}, TEXT),
    st.builds(lambda value: {"type": "citations_delta", "citation": value}, JSON),
    st.builds(lambda unknown: {"type": "x_delta", **unknown}, UNKNOWN),
)


@st.composite
def streams(draw):
    """Streams with deltas of every kind on blocks of every kind, most of which make sense."""
    events = [start(**draw(UNKNOWN))]
    for index, block in enumerate(draw(st.lists(BLOCKS, max_size=3))):
        known = {"text": DELTAS.filter(lambda d: d["type"] in ("text_delta", "citations_delta"))}
        deltas = draw(st.lists(known.get(block["type"], DELTAS), max_size=4))
        events += [begin(index, **block), *(add(index, d["type"], **d) for d in deltas), close(index)]
    usage = {"output_tokens": draw(COUNTS), **draw(UNKNOWN)}
    return [*events, PING, end(draw(TEXT), usage), STOP]


@settings(deadline=None)
@given(streams())
def test_what_a_stream_amounts_to_amounts_to_itself(events):
    first = assembled(*events)
    assert isinstance(first, Assembled)
    again = DIALECT.assemble(split(DIALECT.render(first.document, usage=True), Form.SSE))
    assert again == Assembled(first.document, faithful=True)


@settings(deadline=None)
@given(streams())
def test_no_text_of_a_stream_that_is_trusted_is_lost(events):
    result = assembled(*events)
    if result.faithful:
        said = json.dumps(result.document["content"])
        for event in events:
            delta = event["delta"] if event["type"] == "content_block_delta" else {}
            for member in ("text", "thinking", "signature"):
                assert json.dumps(delta.get(member, ""))[1:-1] in said


@settings(deadline=None)
@given(DOCUMENTS, st.data())
def test_a_stream_that_lost_an_event_is_not_mistaken_for_another_whole_one(document, data):
    events = split(DIALECT.render(document, usage=True), Form.SSE)
    lost = data.draw(st.integers(0, len(events) - 1))
    result = DIALECT.assemble(events[:lost] + events[lost + 1 :])
    name = events[lost].name
    if name in (b"message_start", b"message_stop"):
        assert result is Reason.INCOMPLETE
    elif name in (b"content_block_start", b"content_block_stop"):
        assert not result.faithful


def test_the_recorded_stream_goes_out_as_it_came():
    body = b": hello\r\n\r\n" + sse(*WHOLE)
    assert DIALECT.adapt(split(body, Form.SSE), usage=False) == body
    assert DIALECT.adapt(split(body, Form.SSE), usage=True) == body


def test_a_renewed_answer_has_another_id_where_it_is_told():
    single = copy.deepcopy(FULL)
    DIALECT.renew(single, "n3w", 1770000000.75)
    assert single == {**FULL, "id": "msg_n3w"}
    body = DIALECT.render(FULL, usage=True)
    events = told(body)
    for event in events:
        DIALECT.renew(event, "n3w", 1770000000.75)
    assert events[0]["message"].pop("id") == "msg_n3w"
    before = told(body)
    del before[0]["message"]["id"]
    assert events == before


def understood(answer, *, all_members=False):
    return answer.to_dict(mode="json", exclude_unset=not all_members)


@pytest.mark.parametrize("document", [FULL, message({"type": "text", "text": "Hello"}), message(EMPTY_CALL), message()])
def test_anthropics_client_accumulates_the_rendered_stream_to_the_answer(served, document):
    anthropic = pytest.importorskip("anthropic", reason="Anthropic's own client is not installed")
    body = DIALECT.render(document, usage=True)
    ask = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "?"}]}
    with anthropic.Anthropic(base_url=served(DIALECT.stream_type, body), api_key="none", max_retries=0) as client:
        with client.messages.stream(**ask) as stream:
            kinds = [event.type for event in stream]
            final = stream.get_final_message()
        with client.messages.create(**ask, stream=True) as plain:
            raw = [event.to_dict(mode="json") for event in plain]
    assert {event["type"] for event in told(body)} <= {*kinds}
    assert raw == told(body)
    with anthropic.Anthropic(
        base_url=served(DIALECT.single_type, json.dumps(document).encode()), api_key="none", max_retries=0
    ) as client:
        single = client.messages.create(**ask)
    assert understood(single) == document
    accumulated = understood(final, all_members=True)
    for block in accumulated["content"]:
        block.pop("parsed_output", None)  # which only accumulated messages have
    assert accumulated == understood(single, all_members=True)
