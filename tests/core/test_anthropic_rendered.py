"""Single answers of Anthropic's Messages API told as its stream, there and back, and read by its own client."""

from __future__ import annotations

import copy
import json

import pytest
from anthropic_answers import (
    CALL,
    DIALECT,
    EMPTY_CALL,
    FOUND,
    FULL,
    PING,
    STOP,
    WHOLE,
    add,
    assembled,
    begin,
    close,
    end,
    message,
    sse,
    start,
    told,
)
from dialect_values import JSON, TEXT, UNKNOWN, more
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.dialects.base import Assembled
from gateway.core.messages import Form, Reason
from gateway.core.streams import split


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
