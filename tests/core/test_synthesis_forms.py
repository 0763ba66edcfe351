"""A text as an API's answer: the stream that is sent while it is written amounts to the single answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.answers import read_meaning
from gateway.core.dialects.base import Assembled
from gateway.core.dialects.registry import by_name
from gateway.core.jsonpath import compile_path
from gateway.core.messages import Entry, Form, Wanted
from gateway.core.streams import split
from gateway.core.synthesis_forms import CannotTell, StreamedAnswer, Told, filled_in, single_answer

DIALECTS = (
    "openai-chat",
    "openai-completions",
    "openai-responses",
    "anthropic-messages",
    "ollama-chat",
    "ollama-generate",
)
PIECES = ["On Sundays", ' it opens\nat "11" é <b>', "."]
TEXT = "".join(PIECES)
TOLD = Told("tiny", "abc123", 1_700_000_000.5)
WHOLE = Told("tiny", "abc123", 1_700_000_000.5, 7, 3)


def streamed(name: str, *, usage: bool = False, cut: bool = False, pieces: list[str] = PIECES) -> bytes:
    answer = StreamedAnswer(by_name(name), Wanted(stream=True, usage=usage), TOLD)
    parts = [answer.begin(), *(answer.piece(piece) for piece in pieces)]
    return b"".join([*parts, answer.end(prompt=7, completion=3, cut=cut)])


def assembled(name: str, body: bytes) -> Assembled:
    dialect = by_name(name)
    found = dialect.assemble(split(body, dialect.form))
    assert isinstance(found, Assembled)
    return found


@pytest.mark.parametrize("name", DIALECTS)
def test_a_single_answer_says_the_text_and_nothing_else(name: str) -> None:
    body = single_answer(by_name(name), TEXT, WHOLE)
    texts, *others = read_meaning(by_name(name), Form.SINGLE, body)  # type: ignore[misc]
    assert texts == [TEXT]
    assert not any(others)
    document = json.loads(body)
    assert document["model"] == "tiny"
    assert "abc123" in document.get("id", "abc123")
    assert str(document.get("created", document.get("created_at", 0))).startswith(("17000", "2023-11-14T22:13:20", "0"))


@pytest.mark.parametrize("name", DIALECTS)
def test_the_stream_amounts_to_the_single_answer(name: str) -> None:
    found = assembled(name, streamed(name, usage=True))
    assert found.faithful
    assert found.document == json.loads(single_answer(by_name(name), TEXT, WHOLE))


@pytest.mark.parametrize("name", DIALECTS)
def test_each_piece_is_an_event_of_its_own(name: str) -> None:
    dialect = by_name(name)
    answer = StreamedAnswer(dialect, Wanted(stream=True), TOLD)
    answer.begin()
    for piece in PIECES:
        (event,) = split(answer.piece(piece), dialect.form)
        assert json.dumps(piece, ensure_ascii=False).encode() in (event.data or b"")


@pytest.mark.parametrize("name", ["openai-chat", "openai-completions"])
def test_usage_is_told_to_those_who_asked_for_it(name: str) -> None:
    assert b'"usage":{' in streamed(name, usage=True)
    assert b'"usage"' not in streamed(name)


def test_the_events_of_responses_are_numbered_through() -> None:
    events = split(streamed("openai-responses"), Form.SSE)
    numbers = [json.loads(event.data or b"{}")["sequence_number"] for event in events]
    assert numbers == list(range(len(events)))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("openai-chat", "length"),
        ("openai-completions", "length"),
        ("anthropic-messages", "max_tokens"),
        ("ollama-chat", "length"),
        ("ollama-generate", "length"),
    ],
)
def test_a_stream_that_was_cut_off_says_so(name: str, reason: str) -> None:
    document: dict[str, Any] = assembled(name, streamed(name, cut=True)).document
    choice = document.get("choices", [{}])[0]
    assert reason in (choice.get("finish_reason"), document.get("stop_reason"), document.get("done_reason"))


def test_where_a_stream_cannot_say_so_it_breaks_off() -> None:
    with pytest.raises(CannotTell):
        streamed("openai-responses", cut=True)


def test_a_model_that_writes_the_mark_does_no_harm() -> None:
    pieces = ["\ue000text\ue001", "x"]
    document: dict[str, Any] = assembled("openai-chat", streamed("openai-chat", pieces=pieces)).document
    assert document["choices"][0]["message"]["content"] == "".join(pieces)


def kept(body: object) -> Entry:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Entry("i", "r", b"", b"", b"", 200, (), raw, 0.0, 0.0, 9.0)


@pytest.mark.parametrize(
    ("body", "path", "filled"),
    [
        ({"answer": "old", "n": 1}, "$.answer", {"answer": "new", "n": 1}),
        ({"a": [{"b": "old"}]}, "$.a[0].b", {"a": [{"b": "new"}]}),
        ("old", "$", "new"),
        ({"n": 1}, "$.answer", None),
        ({"a": ["x", "y"]}, "$.a[*]", None),
        (b"no json", "$.answer", None),
    ],
)
def test_a_kept_answer_lends_its_form(body: object, path: str, filled: object) -> None:
    found = filled_in(kept(body), compile_path(path), "new")
    assert (None if found is None else json.loads(found)) == filled
