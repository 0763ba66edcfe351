"""A stored entry in the form that a client asks for, or not at all."""

from __future__ import annotations

import json

import msgspec
import pytest

from gateway.core.dialects.registry import by_name
from gateway.core.messages import Entry, Form, Wanted
from gateway.core.replay import renew, show

CHAT = by_name("openai-chat")
HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
CHUNKS = [
    {**HEAD, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}]},
    {**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
]
SINGLE = {
    **HEAD,
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
}


def stream(*payloads: object) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(each).encode() for each in payloads) + b"data: [DONE]\n\n"


def entry(body: bytes, form: Form, **more: object) -> Entry:
    content_type = b"application/json" if form is Form.SINGLE else b"text/event-stream"
    headers = ((b"content-type", content_type), (b"content-language", b"en"))
    fields = {"id": "i", "route": "r", "scope": b"", "partition": b"", "exact": b"", "status": 200}
    times = {"asked_at": 0.0, "created_at": 0.0, "expires_at": 9.0}
    return Entry(**fields, headers=headers, body=body, form=form, **times, **more)


STREAM = entry(stream(*CHUNKS), Form.SSE, pace=b"\x01\x00\x00\x00\x00\x00\x00\x00")
WITH_USAGE = entry(stream(*CHUNKS, {**HEAD, "choices": [], "usage": USAGE}), Form.SSE, usage_asked=True)
JSON = entry(json.dumps(SINGLE).encode(), Form.SINGLE)


@pytest.mark.parametrize(
    ("stored", "wanted"),
    [
        (JSON, None),
        (STREAM, None),
        (JSON, Wanted(stream=False)),
        (STREAM, Wanted(stream=True)),
        (WITH_USAGE, Wanted(stream=True, usage=True)),
    ],
)
def test_in_its_own_form_an_entry_is_itself(stored, wanted):
    assert show(stored, wanted, CHAT) is stored


def test_a_stream_answers_a_single_request_as_the_api_would():
    shown = show(STREAM, Wanted(stream=False), CHAT)
    assert shown is not None
    assert json.loads(shown.body) == SINGLE
    assert (shown.form, shown.pace) == (Form.SINGLE, b"")
    assert dict(shown.headers) == {b"content-type": b"application/json", b"content-language": b"en"}


def test_a_single_answer_becomes_a_stream():
    shown = show(JSON, Wanted(stream=True), CHAT)
    assert shown is not None
    assert shown.form is Form.SSE
    assert dict(shown.headers)[b"content-type"].startswith(b"text/event-stream")
    back = show(shown, Wanted(stream=False), CHAT)
    assert back is not None
    assert json.loads(back.body) == SINGLE


def test_usage_is_left_out_for_who_did_not_ask_and_never_made_up():
    without = show(WITH_USAGE, Wanted(stream=True), CHAT)
    assert without is not None
    assert without.body == STREAM.body
    assert show(STREAM, Wanted(stream=True, usage=True), CHAT) is None
    assert show(JSON, Wanted(stream=True, usage=True), CHAT) is None


def test_an_upstream_that_tells_no_usage_though_asked_is_replayed_as_it_was():
    stubborn = msgspec.structs.replace(STREAM, usage_asked=True)
    assert show(stubborn, Wanted(stream=True, usage=True), CHAT) is stubborn


def test_without_a_dialect_one_form_never_answers_the_other():
    assert show(STREAM, Wanted(stream=False), None) is None
    assert show(JSON, Wanted(stream=True), None) is None
    assert show(STREAM, Wanted(stream=True), None) is STREAM


@pytest.mark.parametrize("body", [b"data: \xff\n\ndata: [DONE]\n\n", b"data: {}\n\n", b""])
def test_what_cannot_be_read_answers_its_own_form_only(body):
    assert show(entry(body, Form.SSE), Wanted(stream=False), CHAT) is None


@pytest.mark.parametrize("body", [b"\xff", b"[]", b"{}", b'{"choices": 1}'])
def test_what_is_no_answer_of_the_api_is_not_rendered(body):
    assert show(entry(body, Form.SINGLE), Wanted(stream=True), CHAT) is None


def test_a_hit_can_have_an_id_of_its_own_in_every_event():
    payloads = [json.loads(line[6:]) for line in renew(STREAM, CHAT, "abc", 99.5).body.split(b"\n\n")[:-2]]
    assert {(each["id"], each["created"]) for each in payloads} == {("chatcmpl-abc", 99)}
    assert json.loads(renew(JSON, CHAT, "abc", 99.5).body) == {**SINGLE, "id": "chatcmpl-abc", "created": 99}


def test_what_is_no_object_keeps_its_bytes_when_ids_are_renewed():
    assert renew(entry(b"[1, 2]", Form.SINGLE), CHAT, "abc", 1.0).body == b"[1, 2]"
    odd = b": note\n\ndata: [1]\n\ndata: [DONE]\n\n"
    assert renew(entry(odd, Form.SSE), CHAT, "abc", 1.0).body == odd
