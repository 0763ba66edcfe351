"""Single answers of the Responses API told as its stream, there and back, and read by OpenAI's own clients."""

from __future__ import annotations

import asyncio
import copy
import json

import pytest
from dialect_values import JSON, TEXT, UNKNOWN, more
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import AsyncOpenAI, OpenAI
from responses_answers import (
    ALL_KNOWN,
    CALL,
    DIALECT,
    FULL,
    LOGPROB,
    TIDES,
    assembled,
    message,
    response,
    sse,
    streamed,
    text_part,
    told,
)

from gateway.core.dialects.base import Assembled
from gateway.core.messages import Form, Reason
from gateway.core.streams import split


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
