"""Streams of OpenAI's chat and completions put together into their single answers, or not trusted."""

from __future__ import annotations

import json

import pytest
from openai_answers import CHAT, COMPLETIONS, DONE, HEAD, USAGE, assembled, chunk, events_of, text_chunk

from gateway.core.dialects.base import Assembled
from gateway.core.messages import Form, Reason
from gateway.core.streams import split


def message_of(*deltas):
    """The message that these deltas amount to, which must be certain."""
    answer = assembled(*map(chunk, deltas), chunk(finish="stop"))
    assert answer.faithful
    return answer.document["choices"][0]["message"]


def test_a_stream_of_openai_becomes_its_json_answer():
    head = {**HEAD, "service_tier": "default", "system_fingerprint": "fp_1"}
    always = {"usage": None, "obfuscation": "xY"}
    answer = assembled(
        chunk({"role": "assistant", "content": "", "refusal": None}, head=head, top=always, logprobs=None),
        chunk({"content": "Grüß"}, head=head, top=always, logprobs=None),
        chunk({"content": " Gott"}, head=head, top=always, logprobs=None),
        chunk(finish="stop", head=head, top=always, logprobs=None),
        {**head, "choices": [], "usage": USAGE, "obfuscation": ""},
    )
    message = {"role": "assistant", "content": "Grüß Gott", "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    assert answer == Assembled({**head, "object": "chat.completion", "choices": [choice], "usage": USAGE}, True)


def test_tool_calls_grow_each_at_its_index_and_lose_it():
    message = message_of(
        {"role": "assistant", "content": None},
        {"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"x":'}}]},
        {"tool_calls": [{"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": "{"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}, {"index": 1, "function": {"arguments": "}"}}]},
    )
    first = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
    second = {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}}
    assert message == {"role": "assistant", "content": None, "tool_calls": [first, second]}


def test_a_message_without_content_says_null():
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert message_of({"role": "assistant", "content": ""}, {"tool_calls": [call]})["content"] is None
    assert message_of({"content": ""}, {"refusal": "No"}, {"refusal": "."}) == {
        "role": "assistant",
        "content": None,
        "refusal": "No.",
    }
    assert message_of({"content": ""})["content"] == ""


def test_labels_that_come_again_with_every_piece_are_not_joined():
    call = {"index": 0, "id": "a", "type": "function"}
    message = message_of(
        {"role": "assistant", "tool_calls": [{**call, "function": {"name": "f", "arguments": "{"}}]},
        {"role": "assistant", "tool_calls": [{**call, "id": "", "function": {"name": None, "arguments": "}"}}]},
    )
    assert message["role"] == "assistant"
    assert message["tool_calls"] == [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


def test_the_legacy_function_call_is_joined():
    message = message_of(
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": '{"a"'}},
        {"function_call": {"arguments": ":2}"}},
    )
    assert message["function_call"] == {"name": "f", "arguments": '{"a":2}'}


def test_reasoning_and_members_that_nobody_knows_survive():
    detail = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0}
    message = message_of(
        {
            "reasoning_content": "Hm",
            "reasoning": "Hm",
            "reasoning_details": [{**detail, "text": "Hm"}],
            "new": {"a": 1},
        },
        {"reasoning_content": "Hm", "reasoning": "Hm", "reasoning_details": [{**detail, "text": "Hm"}], "ids": [1, 2]},
        {"content": "Ah", "reasoning_details": [{**detail, "signature": "s"}], "new": {"b": "x"}, "ids": [3]},
    )
    assert message["reasoning_content"] == message["reasoning"] == "HmHm"
    assert message["reasoning_details"] == [{**detail, "text": "HmHm", "signature": "s"}]
    assert message["new"] == {"a": 1, "b": "x"}
    assert message["ids"] == [1, 2, 3]


def test_several_choices_come_in_the_order_of_their_index():
    answer = assembled(
        chunk({"content": "b"}, index=1),
        chunk({"content": "a"}),
        {**HEAD, "choices": [{"index": i, "delta": {"content": "!"}, "finish_reason": "stop"} for i in (1, 0)]},
    )
    assert [(each["index"], each["message"]["content"]) for each in answer.document["choices"]] == [
        (0, "a!"),
        (1, "b!"),
    ]


def test_log_probabilities_are_put_in_a_row():
    def entry(token):
        return {"token": token, "logprob": -0.5, "bytes": list(token.encode()), "top_logprobs": []}

    answer = assembled(
        chunk({"content": "a"}, logprobs={"content": [entry("a")], "refusal": None}),
        chunk({"content": "bc"}, logprobs={"content": [entry("b"), entry("c")], "refusal": None}),
        chunk(finish="stop", logprobs=None),
    )
    assert answer.faithful
    logprobs = answer.document["choices"][0]["logprobs"]
    assert logprobs == {"content": [entry("a"), entry("b"), entry("c")], "refusal": None}


def test_azure_begins_with_a_remark_and_speaks_of_its_filters():
    nobody = {"id": "", "object": "", "created": 0, "model": ""}
    safe = {"hate": {"filtered": False, "severity": "safe"}}
    remark = {"index": 0, "finish_reason": None, "content_filter_results": safe}
    answer = assembled(
        {**nobody, "choices": [], "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": safe}]},
        chunk({"role": "assistant", "content": ""}, content_filter_results={}),
        chunk({"content": "Hi"}, content_filter_results=safe),
        {**nobody, "choices": [{**remark, "content_filter_offsets": {"check_offset": 4, "end_offset": 9}}]},
        chunk(finish="stop", content_filter_results={}),
        {**nobody, "choices": [{**remark, "content_filter_offsets": {"check_offset": 9, "end_offset": 12}}]},
    )
    assert answer.faithful
    assert answer.document["id"] == "chatcmpl-1"
    assert (answer.document["model"], answer.document["created"]) == ("m", 1)
    assert answer.document["prompt_filter_results"] == [{"prompt_index": 0, "content_filter_results": safe}]
    assert answer.document["choices"][0]["content_filter_results"] == safe
    assert "content_filter_offsets" not in answer.document["choices"][0]


def test_openrouter_comments_while_it_works():
    answer = assembled(
        b": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n",
        chunk({"role": "assistant", "content": "Hi"}, top={"provider": "P"}, native_finish_reason=None),
        chunk({"role": "assistant", "content": ""}, "stop", top={"provider": "P"}, native_finish_reason="end_turn"),
        chunk({"role": "assistant", "content": ""}, top={"provider": "P", "usage": {**USAGE, "cost": 0.1}}),
    )
    assert answer.faithful
    assert answer.document["provider"] == "P"
    assert answer.document["usage"] == {**USAGE, "cost": 0.1}
    assert answer.document["choices"][0]["native_finish_reason"] == "end_turn"


def test_usage_is_found_wherever_a_server_puts_it():
    vllm = [chunk({"content": c}, top={"usage": {"completion_tokens": n}}) for n, c in enumerate("ab")]
    assert assembled(*vllm, chunk(finish="stop", top={"usage": USAGE})).document["usage"] == USAGE
    moonshot = assembled(chunk({"content": "a"}), chunk(finish="stop", usage=USAGE)).document
    assert moonshot["usage"] == USAGE
    assert "usage" not in moonshot["choices"][0]
    assert "usage" not in assembled(chunk({"content": "a"}, "stop", top={"usage": None})).document


def test_what_llama_cpp_and_vllm_add_is_kept():
    answer = assembled(
        chunk({"role": "assistant", "content": None}, top={"created": 1, "prompt_token_ids": [7]}, token_ids=None),
        chunk({"content": "a"}, top={"created": 2, "timings": {"predicted_n": 1}}, token_ids=[1]),
        chunk({"content": "b"}, top={"created": 3, "timings": {"predicted_n": 2}}, token_ids=[2]),
        chunk({"tool_calls": []}, "stop", stop_reason=None, token_ids=[3]),
    )
    assert answer.faithful
    assert answer.document["created"] == 1
    assert answer.document["timings"] == {"predicted_n": 2}
    assert answer.document["prompt_token_ids"] == [7]
    assert answer.document["choices"][0]["token_ids"] == [1, 2, 3]


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk({"role": "assistant"}), chunk({"role": "tool"})],
        [chunk({"content": "a"}), chunk({"content": ["b"]})],
        [chunk({"content": "a"}), chunk({"content": "b"}, top={"model": "n"})],
        [chunk({"content": "a"}, "length"), chunk({}, "stop")],
        [chunk({"new": "a"}), chunk({"new": "a"})],  # a label or a stutter?
        [chunk({"new": 1}), chunk({"new": 2})],  # a sum or a state?
        [chunk({"blocks": [{"text": "a"}]}), chunk({"blocks": [{"text": "b"}]})],  # one block or two?
        [chunk({"tool_calls": [{"index": 0, "id": i, "function": {"name": "f"}}]}) for i in "ab"],
        [chunk({"tool_calls": [{"index": i, "id": "a", "function": {"name": "f"}}]}) for i in (1, 0)],
        [chunk({"content": "a"}, phase=1), chunk({"content": "b"}, phase=2)],
        [chunk({"content": "a"}, message={"content": "a"}), chunk({"content": "b"}, message={"content": "ab"})],
        [chunk({"content": "a"}, logprobs=[1])],
        [{**HEAD, "choices": [{"delta": {"content": "a"}}]}],
    ],
)
def test_what_one_answer_cannot_say_is_not_faithful(chunks):
    assert not assembled(*chunks, chunk(finish="stop")).faithful


@pytest.mark.parametrize("dialect", [CHAT, COMPLETIONS])
def test_half_a_stream_is_incomplete(dialect):
    def stream(*sent):
        return split(b"".join(sent), Form.SSE)

    piece, end = text_chunk("a", delta={}), text_chunk("", "stop", delta={})
    one, last = (b"data: " + json.dumps(each).encode() + b"\n\n" for each in (piece, end))
    assert dialect.assemble(stream(one, last)) is Reason.INCOMPLETE
    assert dialect.assemble(stream(one, DONE)) is Reason.INCOMPLETE
    assert dialect.assemble(stream(one, last, DONE, one)) is Reason.INCOMPLETE
    assert dialect.assemble(stream(DONE)) is Reason.INCOMPLETE
    assert dialect.assemble(stream(last.replace(b'"index": 0', b'"index": 1'), one, DONE)) is Reason.INCOMPLETE
    assert isinstance(dialect.assemble(stream(one, last, DONE, b": bye\n\n", b"data:\n\n")), Assembled)
    assert isinstance(dialect.assemble(stream(one, last, DONE.rstrip())), Assembled)


@pytest.mark.parametrize(
    "sent",
    [
        {"error": {"message": "overloaded"}},
        {**HEAD, "choices": [], "error": {"code": 502}},
        chunk({"content": ""}, "error", error={"code": 502}),
        b"event: error\ndata: overloaded\n\n",
    ],
)
@pytest.mark.parametrize("ending", [DONE, b""])
def test_an_error_in_a_stream_is_never_an_answer(sent, ending):
    events = events_of(chunk({"content": "a"}), sent)[:-1] + split(ending, Form.SSE)
    assert CHAT.assemble(events) is Reason.REJECTED


@pytest.mark.parametrize(
    "sent",
    [
        b"data: {\n\n",
        b"data: 1\n\n",
        b'data: {"choices": 1}\n\n',
        b'data: {"choices": [1]}\n\n',
        b'data: {"choices": [{"index": "0"}]}\n\n',
        b"data: " + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"\n\n",
    ],
)
def test_what_is_no_chunk_cannot_be_read(sent):
    assert CHAT.assemble(events_of(chunk({"content": "a"}, "stop"), sent)) is Reason.NOT_JSON
