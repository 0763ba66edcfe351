"""Commands that ask for a look-up, figures, a reload or a new key: what they send, what they print where, how they end."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import msgspec
import pytest
from admin_server import AdminServer, Semgate, problem
from made_stats import told_stats

from gateway.fronts.admin.operations import LookupAnswer, LookupCandidate, LookupStep, Reloaded, Saved, Stats

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

STATS = Stats(
    since=1700000000.0,
    routes={
        "chat": told_stats(
            1000, {"exact": 200, "semantic": 50}, bypasses={"no-scope": 3}, not_kept={"status": 4, "too-large": 9}
        ),
        "hello": told_stats(10, {"exact": 5}, saved=Saved(0, 0, None), collapsed=2, entries=None, bytes=None),
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


def test_stats_of_shadow_mode_have_their_would_be_hits(ask: Semgate, admin: AdminServer) -> None:
    shadow = told_stats(10, {}, misses=0, would_be={"exact": 1, "verified": 5})
    admin.answer("GET stats", Stats(since=1700000000.0, routes={"shadow": shadow}))
    rows = [line.split() for line in ask("stats").stdout.splitlines()]
    assert ["route", "requests", "hit", "rate", "misses", "bypasses", "would-be", "hits"] in rows
    assert ["total", "10", "0.0", "%", "0", "0", "6"] in rows


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
