"""What a cheap model says, read in any pieces: its text, its end, and whether it declines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.synthesis_reading import (
    LONGEST_ANSWER,
    LONGEST_BEGINNING,
    LONGEST_EVENT,
    Beginning,
    Reading,
    Unusable,
    declines_after_all,
)


def chunk(content: str | None = None, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": content} if content is not None else {}, "finish_reason": finish}
    return b"data: %s\n\n" % json.dumps({"choices": [choice], **more}).encode()


USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}\n\n'
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_stream_is_read_in_whatever_pieces_it_comes(size: int, line_end: bytes) -> None:
    whole = b"".join([b": hello\n\n", chunk("On "), chunk("Sundays é"), chunk(finish="stop"), USAGE, DONE])
    whole = whole.replace(b"\n", line_end)
    reading = Reading(stream=True)
    said = "".join(reading.feed(whole[at : at + size]) for at in range(0, len(whole), size)) + reading.finish()
    assert said == "On Sundays é"
    assert (reading.ended, reading.cut, reading.tokens) == (True, False, (7, 2))


def test_an_answer_that_is_no_stream_is_read_at_its_end() -> None:
    reading = Reading(stream=False)
    body = {"choices": [{"message": {"content": "At 11."}, "finish_reason": "length"}], "usage": None}
    assert reading.feed(json.dumps(body).encode()) == ""
    assert reading.finish() == "At 11."
    assert (reading.cut, reading.tokens) == (True, None)


def test_a_stream_whose_server_never_says_done_has_ended_with_its_reason() -> None:
    reading = Reading(stream=True)
    assert reading.feed(chunk("x") + chunk(finish="stop")) + reading.finish() == "x"
    assert reading.ended


@pytest.mark.parametrize(
    "raw",
    [
        b"data: <html>\n\n",
        b'data: {"error": {"message": "overloaded"}}\n\n',
        b"event: error\ndata: {}\n\n",
        chunk(finish="content_filter"),
        chunk(finish="tool_calls"),
        b'data: {"choices": [{"delta": {"refusal": "I cannot"}}]}\n\n',
        b'data: {"choices": [{"delta": {"tool_calls": [{"index": 0}]}}]}\n\n',
        b'data: {"choices": [{"delta": {"content": ["a", "b"]}}]}\n\n',
        b"data: \xff\n\n",
        b"x" * (LONGEST_EVENT + 1),
    ],
)
def test_what_is_no_text_cannot_be_used(raw: bytes) -> None:
    with pytest.raises(Unusable):
        Reading(stream=True).feed(raw)


@pytest.mark.parametrize("raw", [b"", chunk("half an answer"), b"data: {"])
def test_a_stream_without_its_end_is_not_whole(raw: bytes) -> None:
    reading = Reading(stream=True)
    reading.feed(raw)
    with pytest.raises(Unusable):
        reading.finish()


def heard(*texts: str) -> tuple[list[str], Beginning]:
    beginning = Beginning()
    passed = [beginning.hear(text) for text in texts]
    return [*passed, beginning.hear("", last=True)], beginning


@pytest.mark.parametrize(
    "words",
    [
        ["NOT_ENOUGH"],
        ["NOT", "_", "ENOUGH", "."],
        ["Not", " enough", " information is given."],
        ["**NOT ENOUGH**"],
        ["\n`not-en", "ough`"],
        ["<think>It says 9.", "</think>\n", "NOT_ENOUGH"],
        ["NOT\\_ENOUGH"],
        ["“NOT_ENOUGH”"],
        ["\ufeffNOT\u2011ENOUGH"],
        ["| NOT\u00a0ENOUGH |"],
        ["ＮＯＴ＿ＥＮＯＵＧＨ"],
    ],
)
def test_a_model_declines_in_these_words_and_nothing_of_them_passes(words: list[str]) -> None:
    passed, beginning = heard(*words)
    assert beginning.declined
    assert "".join(passed) == ""


@pytest.mark.parametrize(
    ("words", "passed"),
    [
        (["On ", "Sundays"], ["On ", "Sundays", ""]),
        (["N", "o, it is closed."], ["", "No, it is closed.", ""]),
        (["Not", "e that it is closed."], ["", "Note that it is closed.", ""]),
        (["No"], ["", "No"]),
        (["42"], ["42", ""]),
        (["<th", "ink>NOT_ENOUGH?", "</think> At", " 11."], ["", "", "At", " 11.", ""]),
        (["<b>11</b>"], ["<b>11</b>", ""]),
        (["<"], ["", "<"]),
        (["👍"], ["", "👍"]),
        (["-" * 300, "\n11"], ["-" * 300, "\n11", ""]),
        (["word " * 20_000], ["word " * 20_000, ""]),
    ],
)
def test_other_words_pass_as_soon_as_they_cannot_be_those(words: list[str], passed: list[str]) -> None:
    found, beginning = heard(*words)
    assert found == passed
    assert beginning.clear
    assert not beginning.declined


@pytest.mark.parametrize("words", [[""], [" \n "], ["<think>and so on"], ['"'], ["\ufeff"]])
def test_nothing_said_is_neither(words: list[str]) -> None:
    passed, beginning = heard(*words)
    assert not beginning.clear
    assert not beginning.declined
    assert "".join(passed) == ""


@pytest.mark.parametrize(
    ("text", "declines"),
    [("It is not said. NOT_ENOUGH", True), ('{"answer": "NOT\\\\_ENOUGH"}', True), ("That is not enough.", False)],
)
def test_the_word_itself_declines_wherever_it_stands(text: str, declines: bool) -> None:
    assert declines_after_all(text) is declines


@pytest.mark.parametrize(
    "usage",
    [{"prompt_tokens": None}, {"prompt_tokens": 10**30}, {"prompt_tokens": 1.5, "completion_tokens": 2}, [1], "9"],
)
def test_a_count_that_cannot_be_is_none_and_costs_no_answer(usage: Any) -> None:
    reading = Reading(stream=True)
    assert reading.feed(chunk("At 11.", finish="stop", usage=usage)) == "At 11."
    assert reading.tokens is None


def test_an_answer_has_an_end() -> None:
    reading = Reading(stream=True)
    with pytest.raises(Unusable):
        for _ in range(LONGEST_ANSWER // 1000 + 1):
            reading.feed(chunk("x" * 1000))


def test_thoughts_have_an_end() -> None:
    beginning = Beginning()
    beginning.hear("<think>")
    with pytest.raises(Unusable):
        beginning.hear("x" * LONGEST_BEGINNING)
