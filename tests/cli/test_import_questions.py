"""Import of questions with answers: the form of the route's preset or of one's own, and files that are none."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from admin_server import ImportedRows, Semgate
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import write_questions

from gateway.cli.faq import Templates, fill

ROUTES = """
version: 1
upstreams: {up: {url: "http://127.0.0.1:9"}}
routes:
  - {name: chat, path: /v1/chat/completions, upstream: up, preset: openai-chat, scope: client}
  - {name: claude, path: /v1/messages, upstream: up, preset: anthropic-messages, scope: client}
  - {name: ollama, path: /api/chat, upstream: up, preset: ollama-chat, scope: public}
  - {name: generate, path: /api/generate, upstream: up, preset: ollama-generate, scope: public}
  - {name: ask, path: /ask, upstream: up, preset: json-query, scope: public}
  - {name: cohere, path: /v2/chat, upstream: up, preset: cohere-chat, scope: public}
"""


@pytest.fixture
def routes(alone: Path) -> Path:
    (alone / "routes.yaml").write_text(ROUTES)
    return alone


def test_questions_with_answers_take_the_form_of_the_routes_preset(
    ask: Semgate, rows: ImportedRows, routes: Path
) -> None:
    write_questions(routes / "faq.jsonl", 3)
    result = ask(
        *("import", "faq.jsonl", "--route", "chat", "--model", "gpt-4o-mini", "--scope", "web", "--tag", "faq"),
        *("--ttl", "7d", "--header", "OpenAI-Project: p1"),
    )
    assert (result.exit_code, result.stderr) == (0, "")
    row = next(iter(rows.rows.values()))
    assert row["body"] == {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Question 0?"}]}
    assert row["answer"]["choices"][0]["message"] == {"role": "assistant", "content": "Answer 0."}
    assert (row["scope"], row["tags"], row["ttl"], row["headers"]) == (
        "web",
        ["faq"],
        604800.0,
        {"OpenAI-Project": "p1"},
    )


@pytest.mark.parametrize("route", ["chat", "claude", "ollama", "generate", "ask"])
def test_every_usual_form_holds_question_and_answer(ask: Semgate, rows: ImportedRows, routes: Path, route: str) -> None:
    (routes / "faq.csv").write_text('question,answer\n"What\'s ""it""?","It is, well:\n{question}"\n')
    assert ask("import", "faq.csv", "--route", route, "--model", "m").exit_code == 0
    (row,) = rows.rows.values()
    assert json.dumps('What\'s "it"?') in json.dumps(row["body"])
    assert json.dumps("It is, well:\n{question}") in json.dumps(row["answer"])


def test_what_a_row_says_itself_wins(ask: Semgate, rows: ImportedRows, routes: Path) -> None:
    (routes / "faq.csv").write_text(
        '\ufeffquestion,answer,scope,tags,unknown\nA?,1,own,"x, y",z\nB?,2,,,\n\n', encoding="utf-8"
    )
    assert ask("import", "faq.csv", "--route", "ask", "--scope", "all", "--tag", "t").exit_code == 0
    first, second = rows.rows.values()
    assert (first["scope"], first["tags"]) == ("own", ["x", "y"])
    assert (second["scope"], second["tags"]) == ("all", ["t"])
    assert "unknown" not in first


def test_headers_of_a_row_the_command_line_and_the_form_are_together(
    ask: Semgate, rows: ImportedRows, routes: Path
) -> None:
    line = {"question": "A?", "answer": "1", "headers": {"X-Own": "o"}}
    (routes / "faq.jsonl").write_text(json.dumps(line))
    arguments = ("--route", "claude", "--model", "m", "--header", "X-All: a", "--header", "x-own: lost")
    assert ask("import", "faq.jsonl", *arguments).exit_code == 0
    (row,) = rows.rows.values()
    assert row["headers"] == {"anthropic-version": "2023-06-01", "X-All": "a", "X-Own": "o"}


def test_templates_of_ones_own(ask: Semgate, rows: ImportedRows, routes: Path) -> None:
    write_questions(routes / "faq.jsonl", 1)
    (routes / "request.json").write_text('{"system": "Be {brief}.", "messages": ["Q: {question}"], "n": 1}')
    (routes / "response.json").write_text('{"said": "{answer}", "to": "{question}"}')
    arguments = ("--route", "cohere", "--request", "request.json", "--response", "response.json")
    assert ask("import", "faq.jsonl", *arguments).exit_code == 0
    (row,) = rows.rows.values()
    assert row["body"] == {"system": "Be {brief}.", "messages": ["Q: Question 0?"], "n": 1}
    assert row["answer"] == {"said": "Answer 0.", "to": "Question 0?"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--route", "chat"), "--model is needed"),
        (("--route", "cohere"), "not known"),
        ((), "not known"),
        (("--preset", "no-such-preset"), "not known"),
        (("--route", "cohere", "--request", "request.json"), "--response is needed"),
        (("--request", "response.json", "--response", "response.json"), "{question}"),
        (("--request", "request.json", "--response", "missing.json"), "cannot be read"),
        (("--request", "request.json", "--response", "faq.csv"), "no JSON"),
        (("--batch", "0"), "--batch"),
    ],
)
def test_questions_without_a_form_are_wrong_use(
    ask: Semgate, rows: ImportedRows, routes: Path, arguments: tuple[str, ...], expected: str
) -> None:
    (routes / "faq.csv").write_text("question,answer\nA?,1\n")
    (routes / "request.json").write_text('{"q": "{question}"}')
    (routes / "response.json").write_text('{"a": "{answer}"}')
    result = ask("import", "faq.csv", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert expected in result.stderr
    assert rows.batches == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("what,is,this\n1,2,3\n", "neither JSON nor a CSV header"),
        ("question,answer\nA?,1,2,3\n", "faq.csv:2: it has 4 columns"),
        ('question,answer\nA?,1\n"unclosed,1\n', "faq.csv:3: not CSV"),
        (b"question,answer\nA?,1\n\xff\xfe?,1\n", "faq.csv:3: not UTF-8"),
        ("question,answer\nA?,1\n ,empty\n", "faq.csv:3: it has no question"),
        ("question,answer\nA?,1\nonly a question\n", "faq.csv:3: it has no answer"),
        ('{"question": ["A?"], "answer": "1"}', "faq.csv:1: its question is no text"),
        (gzip.compress(b"question,answer\n" + os.urandom(9999))[:5000], "cannot be read beyond line"),
    ],
)
def test_files_that_are_not_what_they_should_be(
    ask: Semgate, rows: ImportedRows, routes: Path, content: str | bytes, expected: str
) -> None:
    (routes / "faq.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    result = ask("import", "faq.csv", "--route", "ask")
    assert result.exit_code == 1
    assert expected in result.stderr
    assert "Traceback" not in result.stderr


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
DOCUMENTS: Callable[..., st.SearchStrategy[object]] = lambda leaves: st.recursive(  # noqa: E731
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3), max_leaves=8
)


@settings(deadline=None)
@given(question=ANY_TEXT, answer=ANY_TEXT, document=DOCUMENTS(ANY_TEXT | st.integers() | st.booleans() | st.none()))
def test_nothing_that_is_said_becomes_part_of_the_document(question: str, answer: str, document: object) -> None:
    """Whatever question and answer hold: the document keeps its shape, and they are found in it as they were."""
    template = {"q": "Q: {question}", "deep": [{"a": ["{answer}", "{other}"]}], "rest": document}
    row = json.loads(json.dumps(Templates(template, template).row(question, answer)))
    assert row["body"] == row["answer"]
    assert row["body"]["q"] == f"Q: {question}"
    assert row["body"]["deep"] == [{"a": [answer, "{other}"]}]
    assert shape(row["body"]["rest"]) == shape(document)


def shape(document: object) -> object:
    match document:
        case dict(members):
            return {name: shape(value) for name, value in members.items()}
        case list(items):
            return [shape(item) for item in items]
        case str():
            return "text"
        case _:
            return document


def test_a_placeholder_in_a_name_is_no_placeholder() -> None:
    assert fill({"{question}": "{question}"}, {"question": "?", "answer": "!"}) == {"{question}": "?"}
