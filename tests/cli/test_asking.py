"""Commands that ask: what they send, what they print where, and how they end."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import msgspec
import pytest
from admin_server import TOKEN, AdminServer, Answer, Semgate, entry, pages, problem, whole

from gateway.cli.entries import list_entries
from gateway.cli.options import Reach
from gateway.cli.showing import dollars, plain_table, size, span, visible
from gateway.fronts.admin.operations import (
    EntriesPage,
    LookupAnswer,
    LookupCandidate,
    LookupStep,
    PurgeResult,
    Reloaded,
    RouteStats,
    Saved,
    Stats,
)

ESCAPES = "\x1b[31mred\x1b[0m \x9b2J \u202egnp.exe\nnext line"

HIT = LookupAnswer(
    "hit",
    None,
    [
        LookupCandidate("entry-1", 0.9711, 0.93, True, "How do I reset it?", "accepted"),
        LookupCandidate("entry-2", 0.8123, 0.11, False, None, "the second opinion says no"),
    ],
    {"scope": "ea5bc9ce98223035", "model": "gpt-4o", "form": "json", "characters": 18},
    [LookupStep("memory", "not there", 0.01), LookupStep("nearest", "2 candidates", 1.25)],
)


def route_stats(requests: int, hits: dict[str, int], **more: object) -> RouteStats:
    told = {
        "stale": 0,
        "collapsed": 0,
        "misses": requests - sum(hits.values()),
        "bypasses": {},
        "refused": 0,
        "errors": 0,
        "not_kept": {},
        "saved": Saved(100, 50, 0.25),
        "entries": 7,
        "bytes": 7 * 1024,
        **more,
    }
    return RouteStats(requests=requests, hits=hits, **told)  # type: ignore[arg-type]


STATS = Stats(
    since=1700000000.0,
    routes={
        "chat": route_stats(
            1000, {"exact": 200, "semantic": 50}, bypasses={"no-scope": 3}, not_kept={"status": 4, "too-large": 9}
        ),
        "hello": route_stats(10, {"exact": 5}, saved=Saved(0, 0, None), collapsed=2, entries=None, bytes=None),
    },
)


def test_a_lookup_that_hits_ends_with_0_and_tells_why(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("POST lookup", HIT)
    result = ask("lookup", "chat", "How do I reset my password?", "--scope", "web", "--header", "Accept-Language: de")
    assert (result.exit_code, result.stderr) == (0, "")
    for expected in ("hit on route chat", "0.9711", "entry-1", "How do I reset it?", "memory", "1.25 ms", "(sealed)"):
        assert expected in result.stdout
    assert admin.asked[0].json == {
        "route": "chat",
        "body": None,
        "text": "How do I reset my password?",
        "scope": "web",
        "headers": {"Accept-Language": "de"},
        "path": None,
    }


def test_a_lookup_that_does_not_hit_ends_with_1(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("POST lookup", LookupAnswer("miss", "not-near-enough", []))
    result = ask("lookup", "chat", "Anything?", "--format", "json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["reason"] == "not-near-enough"


def test_a_lookup_takes_a_whole_body_and_several_scope_values(ask: Semgate, admin: AdminServer, alone: Path) -> None:
    admin.answer("POST lookup", HIT)
    (alone / "body.json").write_text('{"n": 1.00, "messages": []}\n')
    assert ask("lookup", "chat", "--body", "body.json", "--scope", "a", "--scope", "b").exit_code == 0
    assert b'"body":{"n": 1.00, "messages": []}' in admin.asked[0].body, "byte for byte: it is part of the key"
    assert admin.asked[0].json["scope"] == ["a", "b"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("lookup", "chat"),
        ("lookup", "chat", "text", "--body", "body.json"),
        ("lookup", "chat", "--body", "missing.json"),
        ("lookup", "chat", "--body", "broken.json"),
        ("lookup", "chat", "text", "--header", "no colon"),
        ("purge",),
        ("purge", "--all", "--route", "chat"),
        ("purge", "--similar-to", "x"),
        ("purge", "--route", "chat", "--at-least", "0.8"),
        ("purge", "--older-than", "7 days"),
        ("entries", "list", "--limit", "0"),
        ("entries", "rm"),
        ("stats", "--format", "yaml"),
        ("stats", "--timeout", "soon"),
        ("top",),
        ("no-such-command",),
    ],
)
def test_wrong_use_ends_with_2_and_asks_nothing(
    ask: Semgate, admin: AdminServer, alone: Path, arguments: tuple[str, ...]
) -> None:
    (alone / "body.json").write_text("{}")
    (alone / "broken.json").write_text("{")
    result = ask(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr
    assert admin.asked == []


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


def test_what_a_question_says_to_a_terminal_is_shown_not_obeyed(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("GET entries", EntriesPage([entry(1, ESCAPES)], None))
    admin.answer("GET entries/entry-1", whole(1, ESCAPES, ESCAPES))
    for result in (ask("entries", "list"), ask("entries", "show", "entry-1")):
        assert result.exit_code == 0
        assert not {"\x1b", "\x9b", "\u202e"} & set(result.stdout)
        assert "\\x1b[31mred" in result.stdout


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


def test_stats_are_shown_by_route_with_a_total(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("GET stats", STATS)
    result = ask("stats")
    assert (result.exit_code, result.stderr) == (0, "")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["route", "requests", "hit", "rate", "exact", "semantic", "misses", "bypasses", "collapsed"] in rows
    assert ["chat", "1,000", "25.0", "%", "200", "50", "750", "3", "0"] in rows
    assert ["total", "1,010", "25.2", "%", "205", "50", "755", "3", "2"] in rows
    assert ["chat", "not", "kept", "too-large", "9"] in rows
    assert ["hello", "?", "?", "0", "0", "-"] in rows
    assert ["total", "?", "?", "100", "50", "$0.2500"] in rows


def test_stats_as_json_are_the_gateways_own(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("GET stats", STATS)
    assert msgspec.json.decode(ask("stats", "--format", "json").stdout, type=Stats) == STATS


def test_a_reload_prints_the_digest_that_runs(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("POST reload", lambda asked: Reloaded("ab" * 32, asked.query.get("force") == "true"))
    assert ask("reload").stdout == f"{'ab' * 32} runs already: nothing has changed\n"
    assert ask("reload", "--force").stdout == f"{'ab' * 32} runs now\n"


def test_a_refused_reload_prints_every_problem_as_check_does(ask: Semgate, admin: AdminServer) -> None:
    found = [
        {"path": "$.routes[0].ttl", "file": "/etc/semgate/routes.yaml", "line": 7, "column": 10, "level": "error"},
        {"path": "$.clients", "file": "/etc/semgate/more.yaml", "line": 2, "column": 1, "level": "warning"},
    ]
    told = [{**found[0], "text": "no duration", "hint": "`24h`"}, {**found[1], "text": "not used", "hint": ""}]
    admin.answer("POST reload", problem(422, "the routes file has 1 error", problems=told))
    result = ask("reload")
    assert result.exit_code == 1
    assert "/etc/semgate/routes.yaml:7:10: error: no duration ($.routes[0].ttl)" in result.stdout
    assert "= `24h`" in result.stdout
    assert "/etc/semgate/more.yaml:2:1: warning: not used" in result.stdout
    assert "the old configuration runs on: the routes file has 1 error" in result.stderr
    assert "::error file=/etc/semgate/routes.yaml,line=7" in ask("reload", "--format", "github").stdout


def test_a_new_client_gets_a_key_whose_hash_is_for_the_file(semgate: Semgate, alone: Path) -> None:
    result = semgate("clients", "new", "web", "--format", "json")
    made = json.loads(result.stdout)
    assert made["key"].startswith("sg-")
    assert len(made["key"]) > 40
    assert made["key_sha256"] == hashlib.sha256(made["key"].encode()).hexdigest()
    assert json.loads(semgate("clients", "new", "web", "--format", "json").stdout)["key"] != made["key"]
    assert list(alone.iterdir()) == []


def test_the_lines_for_the_file_are_what_a_routes_file_takes(semgate: Semgate, alone: Path) -> None:
    for name in ("web", "123", "true", "1e5"):
        printed = semgate("clients", "new", name).stdout
        lines = printed.split("for the routes file:\n")[1]
        (alone / "routes.yaml").write_text(
            "version: 1\nupstreams: {hello: {respond: {body: '{}'}}}\n"
            "routes: [{name: hello, path: /hello, upstream: hello, preset: json-query, scope: client}]\n" + lines
        )
        assert semgate("check").exit_code == 0, semgate("check").stdout
        assert printed.count("sg-") == 1
        assert "sg-" not in lines


def test_a_name_that_no_file_could_hold_is_wrong_use(semgate: Semgate) -> None:
    assert semgate("clients", "new", "no spaces").exit_code == 2


@pytest.mark.parametrize("width", [80, 200])
def test_a_table_in_a_terminal_keeps_what_matters(
    admin: AdminServer, alone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    """An id that is cut off is good for nothing."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    identity = "01a1fea2-56c2-79c3-a75f-73f90ae7c450"
    admin.answer("GET entries", EntriesPage([msgspec.structs.replace(entry(1), id=identity)] * 3, None))
    assert list_entries(Reach(None, admin.url, TOKEN, 30.0), None, 10, "table") == 0
    shown = capsys.readouterr().out
    assert shown.count(identity) == 3
    assert shown.count("Question") == 3
    assert ("expires" in shown) == (width == 200)
    assert "\x1b[3" not in shown
    assert max(map(len, re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines())) <= width


def test_plain_tables_line_up_with_wide_characters() -> None:
    from gateway.cli.showing import Column

    table = plain_table(
        (Column("a"), Column("n", right=True), Column("b")), [("日本", "1", "x"), ("e\u0301", "22", "y")]
    )
    assert table == "a      n  b\n日本   1  x\ne\u0301     22  y\n"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (size(None), "?"),
        (size(1023), "1023 B"),
        (size(1536), "1.5 KiB"),
        (size(1 << 50), "1024.0 TiB"),
        (span(0.25), "250 ms"),
        (span(3 * 3600 + 720), "3 h 12 min"),
        (span(86400 * 5 + 7200), "5 d 2 h"),
        (dollars(None), "-"),
        (dollars(-0.02), "-$0.0200"),
        (dollars(1234.5), "$1,234.50"),
        (visible("a\tb\u2028c\U000e0041"), "a\\tb\\u2028c\\U000e0041"),
        (visible("straße 日本 👩\u200d💻"), "straße 日本 👩\u200d💻"),
    ],
)
def test_figures_and_texts_for_people(shown: str, expected: str) -> None:
    assert shown == expected
