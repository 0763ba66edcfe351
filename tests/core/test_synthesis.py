"""What answers are made of, and which requests they will do for."""

from __future__ import annotations

import json

import msgspec
import pytest

from gateway.core.dialects.registry import by_name
from gateway.core.freshness import NO_WISHES
from gateway.core.jsonpath import compile_path
from gateway.core.messages import Cost, Entry, Form, Subject, TextOnly
from gateway.core.synthesis import (
    Draft,
    Material,
    SynthesisPolicy,
    choose,
    judged_under,
    least_similarity,
    may_be_material,
    read_answer,
    shown_to_model,
)
from gateway.core.synthesis_asks import read_text_only

SUBJECT = Subject(b"s", b"p", b"e", "now?", False, "m")
POLICY = SynthesisPolicy(least=0.7, most=2, longest=100)


def entry(**changes: object) -> Entry:
    fields = {"id": "i", "route": "r", "scope": b"s", "partition": b"p", "exact": b"x", "status": 200, "headers": ()}
    times = {"body": b"{}", "asked_at": 5.0, "created_at": 10.0, "expires_at": 100.0}
    return Entry(**(fields | times | changes))


@pytest.mark.parametrize(
    ("changes", "may"),
    [
        ({}, True),
        ({"scope": b"other"}, False),
        ({"partition": b"other"}, False),
        ({"synthesized": True}, False),
        ({"expires_at": 50.0, "stale": 1000.0}, False),
        ({"status": 404}, False),
        ({"created_at": 29.0}, False),
    ],
)
def test_material_is_what_could_be_served_itself(changes: dict[str, object], may: bool) -> None:
    wishes = msgspec.structs.replace(NO_WISHES, max_age=30.0)
    made = entry(**({"created_at": 35.0} | changes))
    assert may_be_material(made, SUBJECT, wishes, 60.0) is may


def test_a_client_can_ask_for_nearer_material_and_never_for_farther() -> None:
    assert least_similarity(POLICY, NO_WISHES) == 0.7
    assert least_similarity(POLICY, msgspec.structs.replace(NO_WISHES, threshold=0.9)) == 0.9
    assert least_similarity(POLICY, msgspec.structs.replace(NO_WISHES, threshold=0.1)) == 0.7


def material(answer: str, similarity: float = 0.8, **changes: object) -> Material:
    return Material(entry(**changes), "before?", answer, similarity)


def test_the_nearest_are_chosen_and_none_is_cut() -> None:
    first, long, second, third = material("a" * 40), material("b" * 90), material("c" * 40), material("d")
    assert choose(POLICY, [first, long, second, third]) == (first, second)


def test_an_answer_lives_and_dies_with_its_material() -> None:
    draft = Draft(
        SUBJECT,
        (
            material("a", asked_at=5.0, created_at=10.0, expires_at=100.0, tags=("x", "y"), cost=Cost("m", 1, 2)),
            material("b", asked_at=7.0, created_at=8.0, expires_at=90.0, tags=("y", "z")),
        ),
    )
    made_of = draft.provenance
    assert (made_of.asked_at, made_of.created_at, made_of.expires_at) == (5.0, 8.0, 90.0)
    assert made_of.tags == ("x", "y", "z")
    assert made_of.cost == Cost("m", 1, 2)


@pytest.mark.parametrize("text", ['</data>\n<data>"}', "\u2028\u2029\x85 &", "line\nbreak", '\\u003c/data\\u003e "'])
def test_what_the_model_is_shown_is_one_line_between_two_marks(text: str) -> None:
    draft = Draft(msgspec.structs.replace(SUBJECT, text=text), (material(text),))
    head, line, tail = shown_to_model(draft).split("\n")
    assert (head, tail) == ("<data>", "</data>")
    assert not set("<>&\u2028\u2029\x85") & set(line)
    assert json.loads(line) == {"kept": [{"question": "before?", "answer": text}], "question": text}


CHAT = {"choices": [{"message": {"role": "assistant", "content": "At 9."}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "At 9."}, "At 9."),
        ({"content": "At 9.", "refusal": None, "tool_calls": []}, "At 9."),
        ({"content": "At 9.", "reasoning_content": "Hm."}, "At 9."),
        ({"content": None, "refusal": "No."}, None),
        ({"content": "At 9.", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}, None),
        ({"content": None}, None),
    ],
)
def test_only_an_answer_that_is_a_text_is_material(message: dict[str, object], text: str | None) -> None:
    body = json.dumps({"choices": [{"message": message}]}).encode()
    assert read_answer(entry(body=body), by_name("openai-chat"), None) == text


def test_a_kept_stream_is_material_as_well() -> None:
    chunks = [
        {"choices": [{"index": 0, "delta": {"content": "At "}}]},
        {"choices": [{"index": 0, "delta": {"content": "9."}, "finish_reason": "stop"}]},
    ]
    body = b"".join(b"data: %s\n\n" % json.dumps(each).encode() for each in chunks) + b"data: [DONE]\n\n"
    assert read_answer(entry(body=body, form=Form.SSE), by_name("openai-chat"), None) == "At 9."


@pytest.mark.parametrize(
    ("body", "text"),
    [(b'{"a": "x"}', "x"), (b'{"a": 5}', None), (b'{"a": " "}', None), (b"{}", None), (b"no", None), (b'["x"]', None)],
)
def test_without_a_dialect_the_text_is_where_the_operator_says(body: bytes, text: str | None) -> None:
    assert read_answer(entry(body=body), None, compile_path("$.a")) == text


@pytest.mark.parametrize(
    ("name", "request_body", "found"),
    [
        ("openai-chat", {"model": "m", "messages": [], "temperature": 1, "stream": True, "n": 1}, TextOnly()),
        ("openai-chat", {"messages": [], "max_tokens": 50, "max_completion_tokens": 40}, TextOnly(40)),
        ("openai-chat", {"messages": [], "tools": [], "stop": None, "response_format": {"type": "text"}}, TextOnly()),
        ("openai-chat", {"messages": [], "n": 2}, None),
        ("openai-chat", {"messages": [], "response_format": {"type": "json_schema"}}, None),
        ("openai-chat", {"messages": [], "audio": {"voice": "a"}}, None),
        ("openai-chat", {"messages": [], "nobody_knows": 0}, None),
        ("openai-chat", [], None),
        ("openai-completions", {"prompt": "a", "echo": False, "max_tokens": 16}, TextOnly(16)),
        ("openai-completions", {"prompt": "a", "suffix": "b"}, None),
        ("openai-responses", {"input": "a", "max_output_tokens": 9, "text": {"format": {"type": "text"}}}, TextOnly(9)),
        ("openai-responses", {"input": "a", "text": {"format": {"type": "json_schema"}}}, None),
        ("openai-responses", {"input": "a", "include": ["reasoning.encrypted_content"]}, None),
        ("anthropic-messages", {"messages": [], "max_tokens": 99, "system": "be kind"}, TextOnly(99)),
        ("anthropic-messages", {"messages": [], "max_tokens": 99, "thinking": {"type": "enabled"}}, None),
        ("anthropic-messages", {"messages": [], "max_tokens": 99, "stop_sequences": ["."]}, None),
        ("ollama-chat", {"messages": [], "options": {"num_predict": 5, "seed": 1}}, TextOnly(5)),
        ("ollama-chat", {"messages": [], "options": {"num_predict": -1}}, TextOnly()),
        ("ollama-chat", {"messages": [], "format": "json"}, None),
        ("ollama-generate", {"prompt": "a", "images": ["b"]}, None),
        ("ollama-generate", {"prompt": "a", "options": {"stop": ["."]}}, None),
    ],
)
def test_a_request_for_more_than_a_text_is_told_apart(name: str, request_body: object, found: object) -> None:
    assert read_text_only(by_name(name), [request_body]) == found


def test_a_judgement_on_an_answer_to_the_same_words_is_a_pair() -> None:
    assert judged_under(b"e" * 32) != b"e" * 32
    assert judged_under(b"e" * 32) != judged_under(b"f" * 32)
