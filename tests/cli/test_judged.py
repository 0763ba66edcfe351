"""`semgate shadow` and `semgate feedback`: what they send, print and end with."""

from __future__ import annotations

import csv
import io
import json

import msgspec
import pytest
from admin_server import AdminServer, Answer, Semgate, problem
from made_stats import told_stats

from gateway.fronts.admin import examples
from gateway.fronts.admin.judged import FeedbackResult, ShadowReport, ShadowReset
from gateway.fronts.admin.operations import Stats

REPORT = msgspec.convert(examples.REPORT, ShadowReport)
NOTHING = ShadowReport(0.0, {})


def test_the_table_has_look_ups_savings_and_wrong_rates_with_their_intervals(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("GET shadow", REPORT)
    result = ask("shadow", "report", "--route", "chat", "--since", "7d")
    assert (result.exit_code, result.stderr) == (0, "")
    assert admin.asked[0].query == {"route": "chat", "since": "7d"}
    for said in (
        "the last 7d",
        "route chat, mode shadow",
        "1,000",
        "520, 52.0 % (120 exact, 400 verified)",
        "5,400 prompt and 81,000 completion tokens, $0.8235",
        "similarity 0.94 to 0.96",
        "score 0.9 to 0.95",
        "0.75 %",
        "0.26 to 2.19 %",
        "0.75 to 1.00 % (0.26 to 2.54 %)",
        "clients said: 4 right, 1 wrong",
        "by prose: of right answers 0.00 % are found wrong (0.00 to 3.77 %) and 30.6 % unsure; of wrong ones 3.60 %",
    ):
        assert said in result.stdout, said


def test_nothing_to_tell_is_told(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("GET shadow", NOTHING)
    result = ask("shadow", "report")
    assert (result.exit_code, admin.asked[0].query) == (0, {})
    assert "no route is in shadow mode" in result.stderr


def test_json_is_the_report_and_csv_a_row_for_each_group(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("GET shadow", REPORT)
    assert json.loads(ask("shadow", "report", "--format", "json").stdout) == json.loads(msgspec.json.encode(REPORT))
    rows = list(csv.DictReader(io.StringIO(ask("shadow", "report", "--format", "csv").stdout)))
    assert [(row["by"], row["group"]) for row in rows] == [
        ("all", ""),
        ("origin", "shadow"),
        ("kind", "verified"),
        ("how", "prose"),
        ("similarity", "0.94 to 0.96"),
        ("score", "0.9 to 0.95"),
    ]
    assert {row["route"] for row in rows} == {"chat"}
    assert (rows[0]["wrong"], float(rows[0]["high"])) == ("3", pytest.approx(0.0218684))


def test_jsonl_is_the_log_as_it_came_but_for_what_a_terminal_would_act_on(ask: Semgate, admin: AdminServer) -> None:
    line = '{"text_a": "right\u202eto left", "verdict": "wrong"}'
    admin.answer("GET shadow/log", Answer(200, f"{line}\n{line}\n".encode(), "application/x-ndjson"))
    result = ask("shadow", "report", "--format", "jsonl", "--since", "24h")
    assert admin.asked[0].query == {"since": "24h"}
    first, second = result.stdout.splitlines()
    assert first == second
    assert "\u202e" not in first
    assert json.loads(first) == json.loads(line)


def test_a_log_that_breaks_off_is_an_error(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("GET shadow/log", Answer(200, b'{"verdict": "ri', "application/x-ndjson"))
    result = ask("shadow", "report", "--format", "jsonl")
    assert (result.exit_code, "broke off" in result.stderr) == (1, True)


def test_a_reset_says_what_would_go_and_does_it_when_told(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("GET shadow", REPORT)
    admin.answer("DELETE shadow", ShadowReset(405))
    result = ask("shadow", "reset", "chat")
    assert result.stdout == "405 judgements of route chat would be forgotten\n"
    assert "--yes" in result.stderr
    assert not admin.asked_for("DELETE shadow")
    assert ask("shadow", "reset", "chat", "--yes").stdout == "forgot 405 judgements of route chat\n"
    assert admin.asked_for("DELETE shadow")[0].query == {"route": "chat"}


def test_a_word_is_sent_as_it_was_given(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("POST feedback", FeedbackResult("entry-1", "wrong", evicted=True, noted=True))
    result = ask("feedback", "entry-1", "wrong", "--question", "How do I turn it off?")
    assert (result.exit_code, result.stdout) == (0, "entry-1: wrong, noted, and removed\n")
    assert admin.asked[0].json == {
        "entry": "entry-1",
        "verdict": "wrong",
        "question": "How do I turn it off?",
        "scope": None,
    }
    admin.answer("POST feedback", FeedbackResult("entry-1", "right", evicted=False, noted=False))
    assert ask("feedback", "entry-1", "right").stdout == "entry-1: right, known already\n"


def test_an_entry_that_is_not_there_is_1_and_an_unknown_verdict_wrong_use(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("POST feedback", problem(404, "no entry has the id 'x'"))
    result = ask("feedback", "x", "wrong")
    assert (result.exit_code, "no entry has the id" in result.stderr) == (1, True)
    assert ask("feedback", "x", "perhaps").exit_code == 2


def test_stats_have_a_table_of_what_was_found(ask: Semgate, admin: AdminServer) -> None:
    judged = {"audit": {"right": 118, "wrong": 2, "unsure": 6}, "feedback": {"wrong": 1}}
    admin.answer("GET stats", Stats(0.0, {"chat": told_stats(10, {"exact": 5}, judged=judged)}))
    shown = ask("stats").stdout.split("\nright and wrong\n")[1].splitlines()
    assert shown[1].split() == ["chat", "audit", "118", "2", "6", "1.7", "%", "0.5", "to", "5.9", "%"]
    assert shown[2].split() == ["chat", "feedback", "0", "1", "0", "-", "-"]
