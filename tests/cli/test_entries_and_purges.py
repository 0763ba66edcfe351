"""Commands on what is stored: entries are listed, shown and removed one by one, or purged together."""

from __future__ import annotations

import json

from admin_server import AdminServer, Answer, Semgate, entry, pages, problem, whole

from gateway.fronts.admin.operations import EntriesPage, PurgeResult


def test_entries_are_listed_page_after_page(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("GET entries", pages([entry(number) for number in range(250)], 40))
    result = ask("entries", "list", "--all", "--format", "jsonl", "--route", "chat")
    assert result.exit_code == 0
    ids = [json.loads(line)["id"] for line in result.stdout.splitlines()]
    assert ids == [f"entry-{number}" for number in range(250)]
    assert {each.query["route"] for each in admin.asked} == {"chat"}


def test_entries_are_limited_and_it_is_said_that_there_are_more(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("GET entries", pages([entry(number) for number in range(250)], 40))
    result = ask("entries", "list", "--limit", "45", "--format", "json")
    assert len(json.loads(result.stdout)) == 45
    assert "the first 45" in result.stderr
    admin.answer("GET entries", pages([entry(number) for number in range(45)], 40))
    assert ask("entries", "list", "--limit", "45").stderr == ""


def test_a_gateway_that_gives_one_page_for_ever_is_not_followed_for_ever(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("GET entries", EntriesPage([entry(1)], "same"))
    result = ask("entries", "list", "--all")
    assert result.exit_code == 1
    assert "again and again" in result.stderr


def test_no_entries_is_an_empty_result(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("GET entries", EntriesPage([], None))
    result = ask("entries", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no entries" in result.stderr


def test_an_entry_is_shown_whole(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("GET entries/entry-1", whole(1, '{"answer": "Open\\nSettings"}', "How?"))
    result = ask("entries", "show", "entry-1")
    for expected in ("How?", "content-type: application/json", '{"answer": "Open\\nSettings"}', "doc-1"):
        assert expected in result.stdout
    assert json.loads(ask("entries", "show", "entry-1", "--format", "json").stdout)["question"] == "How?"


def test_an_entry_that_is_not_there_ends_with_1(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("GET entries/gone", problem(404, "no entry has the id 'gone'"))
    result = ask("entries", "show", "gone")
    assert result.exit_code == 1
    assert "no entry has the id 'gone'" in result.stderr


def test_entries_are_removed_and_missing_ones_are_named(ask: Semgate, admin: AdminServer) -> None:
    for known in ("entry-1", "entry-3"):
        admin.answer(f"DELETE entries/{known}", Answer(204, b""))
    admin.answer("DELETE entries/entry-2", problem(404, "no entry has the id 'entry-2'"))
    result = ask("entries", "rm", "entry-1", "entry-2", "entry-3")
    assert result.exit_code == 1
    assert result.stdout == "removed entry-1\nremoved entry-3\n"
    assert "entry-2" in result.stderr


def test_an_id_is_one_segment_of_the_path_whatever_it_says(ask: Semgate, admin: AdminServer) -> None:
    for name in ("../purge", "a/b?c#d", ".."):
        assert ask("entries", "rm", name).exit_code == 1
    assert all(each.path.startswith("entries/") and "/" not in each.path[8:] for each in admin.asked)


def test_a_purge_is_counted_before_it_is_done(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("POST purge", lambda asked: PurgeResult(12, 0 if asked.json["dry_run"] else 12))
    dry = ask("purge", "--route", "chat", "--tag", "a", "--tag", "b", "--older-than", "24h")
    assert (dry.exit_code, dry.stdout) == (0, "12 entries of route chat would be purged\n")
    assert "--yes" in dry.stderr
    done = ask("purge", "--route", "chat", "--similar-to", "refunds", "--at-least", "0.85", "--yes")
    assert (done.stdout, done.stderr) == ("purged 12 entries of route chat\n", "")
    first, second = (each.json for each in admin.asked)
    assert (first["tags"], first["older_than"], first["dry_run"]) == (["a", "b"], 86400.0, True)
    assert (second["similar_to"], second["dry_run"]) == ({"text": "refunds", "at_least": 0.85}, False)


def test_everything_is_purged_only_when_it_is_said_twice(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("POST purge", PurgeResult(3, 3))
    assert json.loads(ask("purge", "--all", "--yes", "--format", "json").stdout) == {"matched": 3, "purged": 3}
    assert admin.asked[0].json["dry_run"] is False
