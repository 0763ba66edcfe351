"""`semgate deny`: what is sent, what is printed, and how it ends."""

from __future__ import annotations

import json

import pytest
from admin_server import AdminServer, Answer, Asked, Semgate, problem

from gateway.core.denial import Then
from gateway.fronts.admin.deny_shapes import DeniedPage, DeniedShown, SparedShown

CANCEL = DeniedShown(
    "api-1",
    "chat",
    "How do I cancel?\x1b[2J",
    "cancelling",
    "api",
    0.85,
    then=Then.REFUSE,
    answer="Call us.",
    hits=1234,
    created_at=1700000000.0,
    false_positives=[SparedShown("spared-1", "How do I cancel my alarm?")],
)
WORDS = DeniedShown("file-1", None, "What time is it?", "deny[0]", "file", 1.0, compared="words")


def test_all_are_listed_page_after_page_with_what_they_do_not_mean(ask: Semgate, admin: AdminServer) -> None:
    pages = {None: DeniedPage([WORDS], "file-1"), "file-1": DeniedPage([CANCEL])}
    admin.answer("GET deny", lambda asked: pages[asked.query.get("after")])
    result = ask("deny", "list", "--route", "chat")
    assert result.exit_code == 0
    first, second, third = result.stdout.splitlines()[1:]
    assert " ".join(first.split()) == "file-1 (all) deny[0] file forward words 0 What time is it?"
    assert second.endswith("1,234  How do I cancel?\\x1b[2J")
    assert " ".join(third.split()) == "spared-1 but not: How do I cancel my alarm?"
    assert {each.query["route"] for each in admin.asked} == {"chat"}
    lines = ask("deny", "list", "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["file-1", "api-1"]
    assert json.loads(ask("deny", "list", "--format", "json").stdout)[1]["answer"] == "Call us."


def test_nothing_denied_is_an_empty_result(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("GET deny", DeniedPage([]))
    result = ask("deny", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no question is denied" in result.stderr


def test_a_gateway_that_gives_one_page_for_ever_is_not_followed_for_ever(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("GET deny", DeniedPage([WORDS], "same"))
    result = ask("deny", "list")
    assert result.exit_code == 1
    assert "again and again" in result.stderr


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ([], {"at_least": 0.9, "then": "forward", "verify": True, "route": None, "answer": None, "name": None}),
        (["--route", "chat", "--at-least", "0.8", "--no-verify"], {"route": "chat", "at_least": 0.8, "verify": False}),
        (["--refuse", "--name", "mine"], {"then": "refuse", "answer": None, "name": "mine"}),
        (["--answer", "Call us."], {"then": "refuse", "answer": "Call us."}),
    ],
)
def test_a_question_is_added(ask: Semgate, admin: AdminServer, options: list[str], sent: dict[str, object]) -> None:
    admin.answer("POST deny", CANCEL)
    result = ask("deny", "add", "How do I cancel?", *options)
    assert (result.exit_code, result.stdout) == (0, "api-1: refused, on route chat\n")
    (asked,) = admin.asked_for("POST deny")
    assert asked.json["text"] == "How do I cancel?"
    assert {name: asked.json[name] for name in sent} == sent


def test_it_is_said_where_only_the_words_count(ask: Semgate, admin: AdminServer) -> None:
    shown = DeniedShown("api-2", None, "A long text", "api-2", "api", 0.9, compared="words")
    admin.answer("POST deny", shown)
    result = ask("deny", "add", "A long text")
    assert result.stdout == "api-2: forwarded, and not kept, on all routes\n"
    assert "by its very words only" in result.stderr
    admin.answer("POST deny", WORDS)
    assert ask("deny", "add", "What time is it?", "--at-least", "1").stderr == ""


def test_what_the_gateway_does_not_take_is_said(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("POST deny", problem(422, "`text` is a text"))
    result = ask("deny", "add", " ")
    assert result.exit_code == 1
    assert "`text` is a text" in result.stderr
    assert ask("deny", "add", "How?", "--at-least", "0").exit_code == 2


def test_some_are_removed_and_missing_ones_are_named(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("DELETE deny/api-1", Answer(204, b""))
    admin.answer("DELETE deny/file-1", problem(422, "the routes file denies this question: it is taken back there"))
    result = ask("deny", "remove", "api-1", "file-1")
    assert (result.exit_code, result.stdout) == (1, "removed api-1\n")
    assert "file-1: the routes file denies this question" in result.stderr
    assert ask("deny", "remove", "api-1").exit_code == 0


def test_a_false_positive_is_reported(ask: Semgate, admin: AdminServer) -> None:
    def answer(asked: Asked) -> SparedShown:
        return SparedShown("spared-1", asked.json["question"])

    admin.answer("POST deny/api-1/false-positive", answer)
    result = ask("deny", "report", "api-1", "How do I cancel my alarm?")
    assert (result.exit_code, result.stdout) == (0, "spared-1: not denied by api-1 any more\n")
    shown = json.loads(ask("deny", "report", "api-1", "How?", "--format", "json").stdout)
    assert shown == {"id": "spared-1", "question": "How?"}
    assert ask("deny", "report", "gone", "How?").exit_code == 1
