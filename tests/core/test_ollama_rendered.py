"""Single answers of Ollama's two APIs told as their streams, there and back, and read by its own client."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime

import pytest
from dialect_values import JSON, TEXT, UNKNOWN, more
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ollama_answers import (
    BOTH,
    CALL,
    CHAT,
    GENERATE,
    LOGPROBS,
    STATISTICS,
    assembled,
    chat_chunk,
    chunk,
    generate_chunk,
    hello,
    lines,
    told,
)

from gateway.core.dialects.base import Assembled
from gateway.core.messages import Form
from gateway.core.streams import split


def test_a_chat_is_told_as_the_api_tells_it():
    whole = chat_chunk(
        6, done=True, content="Twice a day.", thinking="Hm", tool_calls=[CALL], outside={"logprobs": LOGPROBS}
    )
    assert told(CHAT.render(whole, usage=True)) == [
        chat_chunk(6, thinking="Hm"),
        chat_chunk(6, content="Twice a day.", outside={"logprobs": LOGPROBS}),
        chat_chunk(6, tool_calls=[CALL]),
        chat_chunk(6, done=True),
    ]


def test_a_completion_is_told_as_the_api_tells_it():
    whole = generate_chunk(6, done=True, content="Twice a day.", thinking="Hm")
    assert told(GENERATE.render(whole, usage=True)) == [
        generate_chunk(6, thinking="Hm"),
        generate_chunk(6, content="Twice a day."),
        generate_chunk(6, done=True),
    ]
    assert told(GENERATE.render(generate_chunk(6, done=True), usage=True)) == [generate_chunk(6, done=True)]


@BOTH
def test_a_long_text_goes_out_in_lines_that_every_reader_bears(dialect):
    text = "\x00😀" * 30_000
    body = dialect.render(chunk(dialect, done=True, content=text, thinking=text), usage=False)
    assert dialect.assemble(split(body, Form.NDJSON)).document == chunk(dialect, done=True, content=text, thinking=text)
    assert max(map(len, body.splitlines())) < 65_536


@BOTH
@pytest.mark.parametrize(
    "change",
    [
        {"done": False},
        {"done": None},
        {"error": "model not found"},
        {"message": "Hello", "response": 5},
        {"message": {"content": ["Hello"]}, "response": ["Hello"]},
        {"message": {"thinking": True}, "thinking": True},
        {"message": {"tool_calls": {}}, "tool_calls": {}},
        {"logprobs": {}},
    ],
)
def test_what_a_stream_cannot_say_is_not_said(dialect, change):
    assert dialect.render({**chunk(dialect, done=True), **change}, usage=True) is None


@BOTH
@pytest.mark.parametrize("document", [None, [], "Hello", {}, {"done": True, "message": None, "response": 5}])
def test_what_is_no_answer_is_not_told(dialect, document):
    assert dialect.render(document, usage=True) is None


@BOTH
def test_rendering_and_assembling_leave_what_they_are_given_as_it_was(dialect):
    document = chunk(dialect, done=True, content="Hello", thinking="Hm", tool_calls=[CALL], outside={"logprobs": []})
    before = copy.deepcopy(document)
    dialect.render(document, usage=True)
    assert document == before


INSIDE = {"thinking": st.none() | TEXT, "tool_calls": st.none() | st.lists(JSON, max_size=2)}


OUTSIDE = {
    "model": TEXT,
    "created_at": TEXT,
    "logprobs": st.none() | st.lists(JSON, max_size=2),
    "done_reason": TEXT,
    "eval_count": st.integers(),
    "context": st.lists(st.integers(), max_size=3),
}


MESSAGES = more({}, role=st.just("assistant"), content=st.none() | TEXT, images=JSON, **INSIDE)


DOCUMENTS = st.one_of(
    st.tuples(st.just(CHAT), more({"done": st.just(True), "message": MESSAGES}, **OUTSIDE)),
    st.tuples(st.just(GENERATE), more({"done": st.just(True)}, response=st.none() | TEXT, **INSIDE, **OUTSIDE)),
)


@settings(deadline=None)
@given(DOCUMENTS)
def test_an_answer_comes_back_from_its_stream(case):
    dialect, document = case
    body = dialect.render(document, usage=True)
    assert body is not None
    assert dialect.assemble(split(body, Form.NDJSON)) == Assembled(document, faithful=True)


@st.composite
def streams(draw):
    """Streams of either API, with members that nobody knows in any of their lines."""
    dialect = draw(st.sampled_from([CHAT, GENERATE]))
    begin = draw(
        st.lists(st.fixed_dictionaries({}, optional={"content": TEXT, "outside": UNKNOWN, **INSIDE}), max_size=5)
    )
    return dialect, [
        *(chunk(dialect, second, **members) for second, members in enumerate(begin)),
        chunk(dialect, 59, done=True, outside=draw(UNKNOWN)),
    ]


@settings(deadline=None)
@given(streams())
def test_what_a_stream_amounts_to_amounts_to_itself(case):
    dialect, chunks = case
    first = assembled(dialect, *chunks)
    assert isinstance(first, Assembled)
    again = dialect.assemble(split(dialect.render(first.document, usage=True), Form.NDJSON))
    assert again == Assembled(first.document, faithful=True)


@settings(deadline=None)
@given(streams())
def test_a_stream_that_is_trusted_keeps_all_that_it_said(case):
    dialect, chunks = case
    result = assembled(dialect, *chunks)
    inside = [each["message"] if dialect is CHAT else each for each in chunks]
    whole = result.document["message"] if dialect is CHAT else result.document
    text = "content" if dialect is CHAT else "response"
    assert whole[text] == "".join(each[text] for each in inside)
    assert (whole.get("thinking") or "") == "".join(each.get("thinking") or "" for each in inside)
    assert (whole.get("tool_calls") or []) == [call for each in inside for call in each.get("tool_calls") or []]
    if result.faithful:
        for each in chunks:
            unknown = {name: value for name, value in each.items() if name.startswith("x_") and value is not None}
            assert (
                unknown.items() <= result.document.items() if _flat(unknown) else unknown.keys() <= {*result.document}
            )


def _flat(members):
    return not any(isinstance(value, dict | list) for value in members.values())


@BOTH
def test_the_recorded_stream_goes_out_as_it_came(dialect):
    body = lines(*hello(dialect)).replace(b"\n", b"\r\n\n")
    assert dialect.adapt(split(body, Form.NDJSON), usage=False) == body
    assert dialect.adapt(split(body, Form.NDJSON), usage=True) == body


@BOTH
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("2023-08-04T19:22:45.499127Z", "2026-02-02T02:40:00.750000Z"),
        ("2023-08-04T08:52:19.385406455-07:00", "2026-02-02T02:40:00.750000000Z"),
        ("2023-08-04T19:22:45.4Z", "2026-02-02T02:40:00.7Z"),
        ("2023-08-04T19:22:45Z", "2026-02-02T02:40:00Z"),
        ("yesterday", "yesterday"),
        (1690000000, 1690000000),
    ],
)
def test_a_renewed_answer_was_made_now(dialect, before, after):
    payload = {**chunk(dialect, done=True), "created_at": before}
    dialect.renew(payload, "T", 1770000000.75)
    assert payload == {**chunk(dialect, done=True), "created_at": after}


@BOTH
def test_an_answer_without_a_time_gets_none(dialect):
    payload = {"done": True}
    dialect.renew(payload, "T", 1770000000.75)
    assert payload == {"done": True}


@given(st.integers(0, 253402300799), st.integers(0, 999))
@example(0, 0)
@example(951782400, 1)  # 29 February 2000
@example(4107542399, 999)  # the last of 28 February 2100, which has no 29th
@example(4107542400, 0)
@example(253402300799, 999)
def test_times_are_those_of_the_calendar(second, millisecond):
    payload = {"created_at": "2023-08-04T19:22:45.499Z"}
    at = second + millisecond / 1000
    CHAT.renew(payload, "T", at)
    found = datetime.fromisoformat(payload["created_at"])
    assert found.tzinfo == UTC
    assert abs(found.timestamp() - at) <= 0.0011


ANSWERS = [
    chat_chunk(6, done=True, content="Twice a day.", thinking="Hm", tool_calls=[CALL], outside={"logprobs": LOGPROBS}),
    chat_chunk(6, done=True),
]


@pytest.mark.parametrize("document", ANSWERS)
def test_ollamas_client_reads_a_rendered_chat(served, document):
    ollama = pytest.importorskip("ollama", reason="Ollama's own client is not installed")
    body = CHAT.render(document, usage=True)
    streaming = ollama.Client(host=served(CHAT.stream_type, body))
    chunks = [part.model_dump(exclude_unset=True) for part in streaming.chat(model="qwen3", stream=True)]
    single = ollama.Client(host=served(CHAT.single_type, json.dumps(document).encode())).chat(model="qwen3")
    assert "".join(part["message"].get("content") or "" for part in chunks) == single.message.content
    assert "".join(part["message"].get("thinking") or "" for part in chunks) == (single.message.thinking or "")
    calls = [call for part in chunks for call in part["message"].get("tool_calls") or []]
    assert calls == [call.model_dump(exclude_unset=True) for call in single.message.tool_calls or []]
    last = chunks[-1]
    whole = single.model_dump(exclude_unset=True)
    assert {name: whole[name] for name in STATISTICS} == {name: last[name] for name in STATISTICS}


def test_ollamas_client_reads_a_rendered_completion(served):
    ollama = pytest.importorskip("ollama", reason="Ollama's own client is not installed")
    document = generate_chunk(6, done=True, content="Twice a day.", thinking="Hm")
    body = GENERATE.render(document, usage=True)
    client = ollama.Client(host=served(GENERATE.stream_type, body))
    chunks = list(client.generate(model="qwen3", prompt="?", stream=True))
    assert "".join(part.response for part in chunks) == "Twice a day."
    assert "".join(part.thinking or "" for part in chunks) == "Hm"
    assert [part.done for part in chunks] == [False, False, True]
    assert chunks[-1].context == [128006, 882]


def test_ollamas_client_reads_an_assembled_chat(served):
    ollama = pytest.importorskip("ollama", reason="Ollama's own client is not installed")
    document = assembled(CHAT, *hello(CHAT)).document
    client = ollama.Client(host=served(CHAT.single_type, json.dumps(document).encode()))
    assert client.chat(model="qwen3").message.content == "Hello 🌊"
