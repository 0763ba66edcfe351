"""OpenAI's chat and text completions: streams become the answer they amount to, answers the stream they would have been."""

from __future__ import annotations

import json

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from gateway.core.dialects.base import Assembled
from gateway.core.dialects.registry import by_name
from gateway.core.messages import Form, Reason
from gateway.core.streams import split

CHAT, COMPLETIONS = by_name("openai-chat"), by_name("openai-completions")
HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
TEXT_HEAD = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
DONE = b"data: [DONE]\n\n"


def events_of(*chunks):
    """Chunks (objects, or bytes as they are) as events of a stream that ends as it should."""
    sent = (each if isinstance(each, bytes) else b"data: " + json.dumps(each).encode() + b"\n\n" for each in chunks)
    return split(b"".join([*sent, DONE]), Form.SSE)


def chunk(delta=None, finish=None, index=0, head=HEAD, top=(), **more):
    choice = {"index": index, "delta": {} if delta is None else delta, "finish_reason": finish, **more}
    return {**head, "choices": [choice], **dict(top)}


def text_chunk(text, finish=None, index=0, **more):
    return {**TEXT_HEAD, "choices": [{"index": index, "text": text, "finish_reason": finish, **more}]}


def assembled(*chunks, dialect=CHAT):
    answer = dialect.assemble(events_of(*chunks))
    assert isinstance(answer, Assembled), answer
    return answer


def message_of(*deltas):
    """The message that these deltas amount to, which must be certain."""
    answer = assembled(*map(chunk, deltas), chunk(finish="stop"))
    assert answer.faithful
    return answer.document["choices"][0]["message"]


def data_of(stream):
    return [json.loads(event.data) for event in split(stream, Form.SSE) if event.data and event.data != b"[DONE]"]


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
