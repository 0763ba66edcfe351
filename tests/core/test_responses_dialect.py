"""OpenAI's Responses API: what a stream amounts to, and the stream that a single answer would have been."""

from __future__ import annotations

import asyncio
import copy
import json

import pytest
from dialect_values import JSON, TEXT, UNKNOWN, more
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import AsyncOpenAI, OpenAI

from gateway.core.dialects.base import Assembled
from gateway.core.dialects.openai_responses import OpenAIResponses
from gateway.core.messages import Form, Reason
from gateway.core.streams import split

DIALECT = OpenAIResponses()


def response(*output, **members):
    return {
        "id": "resp_0f1e2d",
        "object": "response",
        "created_at": 1764000000,
        "completed_at": 1764000003,
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "model": "gpt-5-mini-2025-08-07",
        "output": list(output),
        "parallel_tool_calls": True,
        "reasoning": {"effort": "low", "summary": "auto"},
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": 14,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 31,
            "output_tokens_details": {"reasoning_tokens": 20},
            "total_tokens": 45,
        },
        "metadata": {},
        **members,
    }


def text_part(text, **members):
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text, **members}


def message(*content, **members):
    return {
        "id": "msg_0a1b",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": list(content),
        **members,
    }


CITATION = {"type": "url_citation", "start_index": 0, "end_index": 5, "url": "https://example.org/", "title": "Tides"}
LOGPROB = {"token": "Twice", "logprob": -0.02, "bytes": [84], "top_logprobs": [{"token": "Twice", "logprob": -0.02}]}
REASONING = {
    "id": "rs_77",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "**Moon**"}, {"type": "summary_text", "text": "Two bulges."}],
    "encrypted_content": "gAAAA",
}
OPEN_REASONING = {
    "id": "rs_78",
    "type": "reasoning",
    "status": "completed",
    "summary": [],
    "content": [{"type": "reasoning_text", "text": "The user asks about tides."}],
}
CALL = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_9",
    "name": "tide",
    "arguments": '{"place": "Brest"}',
}
CUSTOM_CALL = {"id": "ctc_1", "type": "custom_tool_call", "call_id": "call_a", "name": "sh", "input": "tide -p Brest"}
SEARCH = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "tide"}}
FULL = response(
    REASONING,
    OPEN_REASONING,
    SEARCH,
    message(
        text_part("Twice a day. 🌊", annotations=[CITATION], logprobs=[LOGPROB]),
        {"type": "refusal", "refusal": "No more than that."},
        {"type": "output_hologram", "voxels": [1, 2]},
        phase="final_answer",
    ),
    CALL,
    CUSTOM_CALL,
    {"id": "zz_1", "type": "thought_transfer", "payload": {"deep": [1, {"er": None}]}},
    service_tier="default",
    x_new={"nobody": "knows"},
)
# The client's accumulating stream, unlike its plain one, warns of types that it does not know, and warnings are errors.
ALL_KNOWN = copy.deepcopy(FULL)
del ALL_KNOWN["output"][3]["content"][2], ALL_KNOWN["output"][-1]


def sse(*payloads):
    """A stream of these events; `sequence_number`s are put in."""
    numbered = ({**payload, "sequence_number": number} for number, payload in enumerate(payloads))
    return b"".join(b"event: %s\ndata: %s\n\n" % (p["type"].encode(), json.dumps(p).encode()) for p in numbered)


def assembled(body):
    return DIALECT.assemble(split(body, Form.SSE))


def told(body):
    """The data of a stream's events."""
    return [json.loads(event.data) for event in split(body, Form.SSE) if event.data]


def streamed(*, final, deltas=("Twice", " a day."), item=None):
    """A stream as the API sends one: one message, in two deltas."""
    item = item or message(text_part("Twice a day."))
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    begun = {**final, "status": "in_progress", "output": [], "usage": None}
    return [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.content_part.added", **place, "part": text_part("")},
        *(
            {"type": "response.output_text.delta", **place, "delta": d, "logprobs": [], "obfuscation": "xK3"}
            for d in deltas
        ),
        {"type": "response.output_text.done", **place, "text": "Twice a day.", "logprobs": []},
        {"type": "response.content_part.done", **place, "part": text_part("Twice a day.")},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": final},
    ]


TIDES = response(message(text_part("Twice a day.")))


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


def test_an_answer_is_told_as_the_api_tells_it():
    body = DIALECT.render(FULL, usage=True)
    events = told(body)
    assert [event.name.decode() for event in split(body, Form.SSE)] == [event["type"] for event in events]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"].removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "content_part.added",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
        "output_item.added",
        "output_item.done",
        "completed",
    ]
    begun = events[0]["response"]
    assert (begun["status"], begun["output"], begun["usage"], begun["completed_at"]) == ("in_progress", [], None, None)
    assert begun["model"] == FULL["model"]
    assert events[-1]["response"] == FULL
    items = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert items == FULL["output"]


def test_items_and_parts_begin_empty():
    events = told(DIALECT.render(FULL, usage=True))
    added = {e["item"]["id"]: e["item"] for e in events if e["type"] == "response.output_item.added"}
    assert added["msg_0a1b"]["content"] == []
    assert added["msg_0a1b"]["status"] == added["fc_1"]["status"] == "in_progress"
    assert added["fc_1"]["arguments"] == added["ctc_1"]["input"] == ""
    assert "status" not in added["ctc_1"]
    assert added["rs_77"]["summary"] == []
    parts = [e["part"] for e in events if e["type"] == "response.content_part.added"]
    assert parts[1] == {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    delta = next(e for e in events if e["type"] == "response.output_text.delta")
    assert delta["logprobs"] == [LOGPROB]


def test_a_long_text_goes_out_in_lines_that_every_reader_bears():
    text = "\x00😀" * 30_000
    body = DIALECT.render(response(message(text_part(text))), usage=False)
    deltas = [event for event in split(body, Form.SSE) if event.name == b"response.output_text.delta"]
    assert "".join(json.loads(event.data)["delta"] for event in deltas) == text
    assert max(len(event.raw) for event in deltas) < 65_536


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "x",
        {},
        response(status="in_progress"),
        response(status="incomplete"),
        response(error={"code": "server_error"}),
        response(output=None),
        response("text"),
        response({**message(), "id": None}),
        response({**message(), "content": "text"}),
        response({**CALL, "arguments": {"place": "Brest"}}),
        response({name: value for name, value in CALL.items() if name != "id"}),
    ],
)
def test_what_a_stream_cannot_say_is_not_said(document):
    assert DIALECT.render(document, usage=True) is None


def test_rendering_leaves_the_document_as_it_was():
    document = copy.deepcopy(FULL)
    DIALECT.render(document, usage=True)
    assert document == FULL


PARTS = (
    more(
        {"type": st.just("output_text"), "text": TEXT},
        annotations=st.lists(JSON, max_size=2),
        logprobs=st.none() | st.lists(JSON, max_size=2),
    )
    | more({"type": st.just("refusal"), "refusal": TEXT})
    | more({"type": st.sampled_from(["reasoning_text", "summary_text", "output_new"])}, text=JSON)
)
IDS = st.text(min_size=1, max_size=8)
ITEMS = st.one_of(
    more({"type": st.just("message"), "id": IDS, "content": st.lists(PARTS, max_size=3)}, status=st.just("completed")),
    more(
        {"type": st.just("reasoning"), "id": IDS, "summary": st.lists(PARTS, max_size=2)},
        content=st.none() | st.lists(PARTS, max_size=2),
        encrypted_content=TEXT,
    ),
    more({"type": st.just("function_call"), "id": IDS, "arguments": TEXT}, status=st.just("completed"), name=JSON),
    more({"type": st.just("custom_tool_call"), "id": IDS, "input": TEXT}),
    more({"type": st.sampled_from(["mcp_call", "brand_new"])}, id=IDS, arguments=JSON, content=JSON),
)
DOCUMENTS = st.builds(
    lambda output, unknown: response(*output, **unknown), st.lists(ITEMS, max_size=4), UNKNOWN
) | more({"status": st.just("completed"), "output": st.lists(ITEMS, max_size=4)}, id=JSON, usage=JSON)


@settings(deadline=None)
@given(DOCUMENTS)
def test_an_answer_comes_back_from_its_stream(document):
    body = DIALECT.render(document, usage=True)
    assert body is not None
    assert assembled(body) == Assembled(document, faithful=True)
    # The same, were the last event to leave the output out.
    *events, end = told(body)
    end["response"] = {**end["response"], "output": []}
    assert assembled(sse(*events, end)) == Assembled(document, faithful=True)


@settings(deadline=None)
@given(DOCUMENTS, st.data())
def test_an_event_that_went_missing_never_makes_another_answer(document, data):
    events = split(DIALECT.render(document, usage=True), Form.SSE)
    lost = data.draw(st.integers(0, len(events) - 1))
    result = DIALECT.assemble(events[:lost] + events[lost + 1 :])
    if lost == len(events) - 1:
        assert result is Reason.INCOMPLETE
    else:
        assert isinstance(result, Assembled)
        assert result.document == document


def test_the_recorded_stream_goes_out_as_it_came():
    body = b": hello\r\n\r\n" + sse(*streamed(final=TIDES))
    assert DIALECT.adapt(split(body, Form.SSE), usage=False) == body
    assert DIALECT.adapt(split(body, Form.SSE), usage=True) == body


def test_a_renewed_answer_has_another_id_and_time_everywhere():
    single = copy.deepcopy(TIDES)
    DIALECT.renew(single, "n3w", 1770000000.75)
    assert single == {**TIDES, "id": "resp_n3w", "created_at": 1770000000, "completed_at": 1770000003}
    for event in told(DIALECT.render(TIDES, usage=True)):
        before = copy.deepcopy(event)
        DIALECT.renew(event, "n3w", 1770000000.75)
        if "response" in event:
            assert (event["response"]["id"], event["response"]["created_at"]) == ("resp_n3w", 1770000000)
        else:
            assert event == before


@pytest.mark.parametrize(
    ("before", "after"), [("resp_a_b", "resp_a_T"), ("resp-1", "resp-T"), ("plain", "T"), (None, None), (5, 5)]
)
def test_the_prefix_of_an_id_stays(before, after):
    payload = {"id": before, "created_at": 1.5}
    DIALECT.renew(payload, "T", 2.5)
    assert payload == {"id": after, "created_at": 2.5}


def dumped(parsed):
    """What the client understood, without what it added."""
    return parsed.to_dict(warnings=False)  # without it complains of types that it does not know


@pytest.mark.parametrize("document", [TIDES, ALL_KNOWN, response(CALL), response()])
def test_openais_client_reads_the_rendered_stream(served, document):
    body = DIALECT.render(document, usage=True)
    with (
        OpenAI(base_url=served(DIALECT.stream_type, body), api_key="none", max_retries=0) as client,
        client.responses.stream(model="m", input="i") as stream,
    ):
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds == [event["type"] for event in told(body)]
    assert final.output_text == "".join(
        part["text"]
        for item in document["output"]
        for part in item.get("content") or []
        if part["type"] == "output_text"
    )
    understood = dumped(final)
    for item in understood["output"]:
        item.pop("parsed_arguments", None)
        for part in item.get("content") or []:
            part.pop("parsed", None)
    assert understood == document


async def read_async(base_url):
    async with AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
        return [dumped(event) async for event in await client.responses.create(model="m", input="i", stream=True)]


def test_openais_async_client_reads_every_event(served):
    body = DIALECT.render(FULL, usage=True)
    assert asyncio.run(read_async(served(DIALECT.stream_type, body))) == told(body)


def test_openais_client_reads_the_assembled_answer(served):
    document = assembled(sse(*streamed(final=response()))).document
    with OpenAI(base_url=served(DIALECT.single_type, json.dumps(document).encode()), api_key="n") as client:
        answer = client.responses.create(model="m", input="i")
    assert answer.output_text == "Twice a day."
    assert dumped(answer) == TIDES
