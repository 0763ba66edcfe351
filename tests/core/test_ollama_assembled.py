"""Streams of Ollama's two APIs put together into their single answers, or not trusted."""

from __future__ import annotations

import pytest
from ollama_answers import (
    BOTH,
    CALL,
    CHAT,
    LOGPROBS,
    assembled,
    chat_chunk,
    chunk,
    hello,
    lines,
)

from gateway.core.dialects.base import Assembled
from gateway.core.messages import Form, Reason
from gateway.core.streams import split

OTHER_CALL = {"id": "call_2", "function": {"index": 1, "name": "now", "arguments": {}}}


@BOTH
def test_the_answer_is_the_last_line_with_the_text_of_all(dialect):
    assert assembled(dialect, *hello(dialect)) == Assembled(chunk(dialect, 3, done=True, content="Hello 🌊"), True)


@BOTH
def test_thinking_calls_and_log_probabilities_add_up(dialect):
    result = assembled(
        dialect,
        chunk(dialect, 1, thinking="The moon "),
        chunk(dialect, 2, thinking="pulls."),
        chunk(dialect, 3, content="Twice", outside={"logprobs": LOGPROBS[:1]}),
        chunk(dialect, 4, tool_calls=[CALL]),
        chunk(dialect, 5, content=" a day.", tool_calls=[OTHER_CALL], outside={"logprobs": LOGPROBS[1:]}),
        chunk(dialect, 6, done=True),
    )
    whole = chunk(
        dialect,
        6,
        done=True,
        content="Twice a day.",
        thinking="The moon pulls.",
        tool_calls=[CALL, OTHER_CALL],
        outside={"logprobs": LOGPROBS},
    )
    assert result == Assembled(whole, faithful=True)
    assert [*result.document][:3] == [*whole][:3]  # people read them too


@BOTH
def test_one_line_may_be_all(dialect):
    whole = chunk(dialect, done=True, content="Hello", thinking="Hm", tool_calls=[CALL])
    assert assembled(dialect, whole) == Assembled(whole, faithful=True)


@BOTH
def test_statistics_that_come_with_every_line_are_those_of_the_last(dialect):
    early = chunk(dialect, 1, content="Hello", outside={"eval_count": 1, "total_duration": 7, "done_reason": ""})
    assert assembled(dialect, early, chunk(dialect, 3, done=True)) == Assembled(
        chunk(dialect, 3, done=True, content="Hello"), faithful=True
    )


@BOTH
def test_members_that_nobody_knows_are_carried(dialect):
    news = {"remote_model": "qwen3:480b", "x_new": {"a": [1]}}
    body = [chunk(dialect, 1, content="Hello", outside=news), chunk(dialect, 2, outside={"x_later": None})]
    result = assembled(dialect, *body, chunk(dialect, 3, done=True, outside={"x_last": 1}))
    whole = chunk(dialect, 3, done=True, content="Hello", outside={**news, "x_later": None, "x_last": 1})
    assert result == Assembled(whole, faithful=True)


def test_members_of_the_message_that_nobody_knows_are_carried():
    result = assembled(CHAT, chat_chunk(1, content="Hello", x_mood="calm"), chat_chunk(3, done=True))
    assert result == Assembled(chat_chunk(3, done=True, content="Hello", x_mood="calm"), faithful=True)


@BOTH
@pytest.mark.parametrize(
    "odd",
    [
        {"outside": {"x_new": 1}},
        {"outside": {"model": "llama3"}},
        {"outside": {"logprobs": "none"}},
        {"content": 5},
        {"thinking": ["Hm"]},
        {"tool_calls": {"function": {}}},
    ],
)
def test_lines_that_do_not_add_up_are_no_single_answer(dialect, odd):
    known = {"thinking": "Hm", "content": "Hello", "tool_calls": [CALL], "outside": {"x_new": 2, "logprobs": LOGPROBS}}
    result = assembled(dialect, chunk(dialect, 1, **known), chunk(dialect, 2, **odd), chunk(dialect, 3, done=True))
    assert isinstance(result, Assembled)
    assert not result.faithful


@pytest.mark.parametrize("odd", [{"message": "Hello"}, {"message": None}, {}])
def test_a_line_without_a_message_is_no_part_of_a_chat(odd):
    line = {name: value for name, value in chat_chunk(1).items() if name != "message"} | odd
    assert not assembled(CHAT, line, *hello(CHAT)).faithful


def test_a_message_that_changes_its_role_is_no_single_answer():
    assert not assembled(CHAT, chat_chunk(1, role="tool"), *hello(CHAT)).faithful


@BOTH
@pytest.mark.parametrize("cut", range(3))
def test_a_stream_without_its_end_is_incomplete(dialect, cut):
    assert assembled(dialect, *hello(dialect)[:cut]) is Reason.INCOMPLETE


@BOTH
@pytest.mark.parametrize("done", ["true", 1, None])
def test_only_true_is_done(dialect, done):
    *begin, last = hello(dialect)
    assert assembled(dialect, *begin, {**last, "done": done}) is Reason.INCOMPLETE


@BOTH
def test_what_follows_the_end_makes_it_no_end(dialect):
    for more_done in (False, True):
        last = chunk(dialect, 4, content="!", done=more_done)
        assert assembled(dialect, *hello(dialect), last) is Reason.INCOMPLETE


@BOTH
@pytest.mark.parametrize("before", [0, 1, 3])
def test_an_error_is_rejected_wherever_it_stands(dialect, before):
    events = hello(dialect)
    events.insert(before, {"error": "an error was encountered while running the model"})
    assert assembled(dialect, *events) is Reason.REJECTED


@BOTH
@pytest.mark.parametrize("data", [b"{", b"[1]", b'{"a":"\xff"}', b'{"a":' * 5000, b'{"a":"\\ud83d"}', b"data: {}"])
def test_a_line_that_is_no_object_cannot_be_read(dialect, data):
    assert dialect.assemble(split(data + b"\n" + lines(*hello(dialect)), Form.NDJSON)) is Reason.NOT_JSON


@BOTH
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n"])
def test_lines_may_end_as_they_like_and_the_last_not_at_all(dialect, end):
    body = lines(*hello(dialect)).rstrip().replace(b"\n", end)
    assert dialect.assemble(split(body, Form.NDJSON)) == assembled(dialect, *hello(dialect))
