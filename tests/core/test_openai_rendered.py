"""Single answers of OpenAI's chat and completions told as their streams, and read by its own client."""

from __future__ import annotations

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk
from openai_answers import (
    CHAT,
    COMPLETIONS,
    DONE,
    HEAD,
    TEXT_HEAD,
    USAGE,
    assembled,
    chunk,
    data_of,
    events_of,
    text_chunk,
)

from gateway.core.dialects.base import Assembled
from gateway.core.messages import Form
from gateway.core.streams import split

ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hi", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": USAGE,
    "system_fingerprint": "fp_1",
}


def changed(**members):
    return {**ANSWER, "choices": [{**ANSWER["choices"][0], **members}]}


def test_an_answer_becomes_the_stream_of_openai():
    first, second, last, usage = data_of(CHAT.render(ANSWER, usage=True))
    head = {**HEAD, "system_fingerprint": "fp_1"}
    assert first == chunk(
        {"role": "assistant", "content": "", "refusal": None, "annotations": []},
        head=head,
        top={"usage": None},
        logprobs=None,
    )
    assert second == chunk({"content": "Hi"}, head=head, top={"usage": None}, logprobs=None)
    assert last == chunk(finish="stop", head=head, top={"usage": None}, logprobs=None)
    assert usage == {**head, "choices": [], "usage": USAGE}
    assert CHAT.render(ANSWER, usage=True).endswith(b"\n\n" + DONE)


def test_usage_is_told_to_those_who_want_it_only():
    stream = CHAT.render(ANSWER, usage=False)
    assert b'"usage"' not in stream
    assert all(each["choices"] for each in data_of(stream))
    without = {name: value for name, value in ANSWER.items() if name != "usage"}
    assert CHAT.render(without, usage=True) is None
    assert CHAT.render(without, usage=False) == stream


def test_a_tool_call_is_opened_and_then_filled():
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
    answer = changed(message={"role": "assistant", "content": None, "tool_calls": [call]}, finish_reason="tool_calls")
    deltas = [each["choices"][0]["delta"] for each in data_of(CHAT.render(answer, usage=False))]
    assert deltas == [
        {"role": "assistant", "content": None},
        {"tool_calls": [{"index": 0, **call, "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"x":1}'}}]},
        {},
    ]


def test_no_line_is_longer_than_readers_bear():
    text = "\x01😀 word" * 40_000
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": text}}
    answer = changed(message={"role": "assistant", "content": text, "reasoning": text, "tool_calls": [call]})
    stream = CHAT.render(answer, usage=False)
    assert max(map(len, stream.splitlines())) < 65_536
    assert CHAT.assemble(split(stream, Form.SSE)).document["choices"] == answer["choices"]


def test_a_chunk_carries_the_probability_of_its_own_token():
    entries = [{"token": token, "logprob": -0.1, "bytes": None, "top_logprobs": []} for token in ("Gr", "üß")]
    answer = changed(message={"role": "assistant", "content": "Grüß"}, logprobs={"content": entries, "refusal": None})
    choices = [each["choices"][0] for each in data_of(CHAT.render(answer, usage=False))]
    assert [(each["delta"].get("content"), each["logprobs"]) for each in choices] == [
        ("", None),
        ("Gr", {"content": entries[:1], "refusal": None}),
        ("üß", {"content": entries[1:], "refusal": None}),
        (None, None),
    ]


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {"choices": []},
        {"choices": [1]},
        {**ANSWER, "object": "list"},
        {**ANSWER, "error": {"message": "late"}},
        {**ANSWER, "id": "x" * 5000},
        changed(index="0"),
        changed(finish_reason=None),
        changed(message=None),
        changed(message={"role": "assistant", "content": "a", "parts": [{"index": 3}, {"index": 3}]}),
        changed(logprobs=[]),
        changed(message={"role": "assistant", "tool_calls": [{}] * 30_000}),
    ],
)
def test_what_a_stream_cannot_say_is_not_rendered(document):
    assert CHAT.render(document, usage=False) is None


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": None, "refusal": "No."},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "assistant", "content": [{"type": "text", "text": "a"}]},
        {"role": "assistant", "content": "a", "tool_calls": None, "function_call": None, "audio": None},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "type": "custom", "custom": {"input": "x"}}]},
        {"role": "assistant", "content": "a", "annotations": [{"type": "url_citation"}, {"type": "url_citation"}]},
    ],
)
def test_a_message_comes_back_from_its_stream(message):
    again = CHAT.assemble(split(CHAT.render(changed(message=message), usage=True), Form.SSE))
    assert again == Assembled(changed(message=message), True)


def test_spellings_that_mean_the_same_do_not_keep_an_answer_from_being_rendered():
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    for message in ({"content": "", "tool_calls": [call]}, {"tool_calls": [call]}):
        assert CHAT.render(changed(message=message), usage=False) is not None


def test_openais_own_client_reads_the_same_answer():
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
    entries = [{"token": token, "logprob": -0.1, "bytes": [1], "top_logprobs": []} for token in ("Gr", "üß")]
    said = {"role": "assistant", "content": "Grüß", "new": {"a": [1, {"b": 2}], "c": "x"}}
    answer = {
        **ANSWER,
        "choices": [
            {"index": 0, "message": {"role": "assistant", "tool_calls": [call, call]}, "finish_reason": "tool_calls"},
            {"index": 1, "message": said, "logprobs": {"content": entries}, "finish_reason": "stop"},
        ],
    }
    state = ChatCompletionStreamState()
    for data in data_of(CHAT.render(answer, usage=True)):
        state.handle_chunk(ChatCompletionChunk.model_validate(data))
    read = state.get_final_completion().to_dict(exclude_none=True)
    for each in read["choices"][0]["message"]["tool_calls"]:
        del each["index"]
    assert read == answer


def test_the_usage_chunk_is_dropped_for_those_who_did_not_ask():
    told = b'data: {"choices" : [], "usage" : {"total_tokens": 5}}\r\n\r\n'
    before = b': hi\n\ndata: {"choices":[{"index":0,"delta":{"content":"\\"usage\\":{"}}],"usage":null}\n\n'
    remark = b'data: {"choices":[],"prompt_filter_results":[],"usage":null}\n\n'
    events = split(remark + before + told + DONE, Form.SSE)
    assert CHAT.adapt(events, usage=False) == remark + before + DONE
    assert CHAT.adapt(events, usage=True) == remark + before + told + DONE
    assert CHAT.adapt(split(remark + before + DONE, Form.SSE), usage=True) is None
    assert CHAT.adapt(split(remark + before + DONE, Form.SSE), usage=False) == remark + before + DONE


def test_usage_told_together_with_a_choice_bothers_nobody():
    events = events_of(chunk({"content": "a"}), chunk(finish="stop", top={"usage": USAGE}))
    stream = b"".join(event.raw for event in events)
    assert CHAT.adapt(events, usage=True) == CHAT.adapt(events, usage=False) == stream
    moonshot = events_of(chunk({"content": "a"}), chunk(finish="stop", usage=USAGE))
    assert CHAT.adapt(moonshot, usage=True) == b"".join(event.raw for event in moonshot)


def test_ids_and_times_are_made_anew():
    for known, new in (("chatcmpl-aB9", "chatcmpl-T1"), ("cmpl_x-9", "cmpl_x-T1"), ("42", "T1")):
        payload = {"id": known, "created": 1, "model": "m"}
        CHAT.renew(payload, "T1", 1234.9)
        assert payload == {"id": new, "created": 1234, "model": "m"}
    remark = {"id": "", "created": 0, "choices": []}
    CHAT.renew(remark, "T1", 1234.9)
    assert remark == {"id": "", "created": 0, "choices": []}


def test_a_text_is_joined_and_taken_apart():
    def logprobs(*tokens):
        return {
            "tokens": list(tokens),
            "token_logprobs": [-0.5] * len(tokens),
            "top_logprobs": None,
            "text_offset": [7] * len(tokens),
        }

    answer = assembled(
        text_chunk("Gr", logprobs=logprobs("Gr")),
        text_chunk("x", index=1, logprobs=None),
        text_chunk("üß", logprobs=logprobs("ü", "ß"), stop_reason=None),
        text_chunk("", "stop", logprobs=None, stop_reason="."),
        text_chunk("", "stop", index=1, logprobs=None),
        {**TEXT_HEAD, "choices": [], "usage": USAGE},
        dialect=COMPLETIONS,
    )
    first = {
        "index": 0,
        "text": "Grüß",
        "logprobs": logprobs("Gr", "ü", "ß"),
        "finish_reason": "stop",
        "stop_reason": ".",
    }
    second = {"index": 1, "text": "x", "logprobs": None, "finish_reason": "stop"}
    assert answer == Assembled({**TEXT_HEAD, "choices": [first, second], "usage": USAGE}, True)
    stream = COMPLETIONS.render(answer.document, usage=True)
    shares = [each["choices"][0] for each in data_of(stream)[:-1]]
    assert [each["text"] for each in shares] == ["Gr", "ü", "ß", "", "x", ""]
    assert shares[1]["logprobs"] == logprobs("ü")
    assert COMPLETIONS.assemble(split(stream, Form.SSE)) == answer
