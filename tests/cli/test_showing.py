"""How commands show things: a table that keeps what matters, figures for people, and no text that a terminal obeys."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from admin_server import TOKEN, AdminServer, Semgate, entry, problem, whole
from made_stats import told_stats

from gateway.cli.entries import list_entries
from gateway.cli.options import Reach
from gateway.cli.showing import Column, dollars, plain_table, size, span, visible
from gateway.fronts.admin.operations import EntriesPage, LookupAnswer, Reloaded, Stats

ESCAPES = "\x1b[31mred\x1b[0m \x9b2J \u202egnp.exe\nnext line"


def test_what_a_question_says_to_a_terminal_is_shown_not_obeyed(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("GET entries", EntriesPage([entry(1, ESCAPES)], None))
    admin.answer("GET entries/entry-1", whole(1, ESCAPES, ESCAPES))
    for result in (ask("entries", "list"), ask("entries", "show", "entry-1")):
        assert result.exit_code == 0
        assert not {"\x1b", "\x9b", "\u202e"} & set(result.stdout)
        assert "\\x1b[31mred" in result.stdout


def test_in_json_as_well_and_programs_read_what_was_said(ask: Semgate, admin: AdminServer) -> None:
    told = f"{ESCAPES} Größe 😀 \U000e0001"
    admin.answer("GET entries", EntriesPage([entry(1, told)], None))
    for form in ("json", "jsonl"):
        printed = ask("entries", "list", "--format", form).stdout
        assert not {"\x1b", "\x9b", "\u202e", "\U000e0001"} & set(printed)
        assert "Größe 😀" in printed
        [read] = json.loads(printed) if form == "json" else [json.loads(printed)]
        assert read["question"] == told


def test_what_a_gateway_says_to_a_terminal_is_shown_not_obeyed(ask: Semgate, admin: AdminServer) -> None:
    acting = ESCAPES.partition("\n")[0]
    admin.answer("DELETE entries/x", problem(404, acting))
    admin.answer("POST reload", Reloaded(acting, changed=True))
    admin.answer("POST lookup", LookupAnswer(acting, acting, [], {acting: acting}, []))
    admin.answer("GET stats", Stats(since=1.0, routes={acting: told_stats(1, {acting: 1}, bypasses={acting: 1})}))
    admin.answer("GET entries/y", msgspec.structs.replace(whole(1, "", ""), encoding=acting))
    for command in (("entries", "rm", "x"), ("reload",), ("lookup", "chat", "?"), ("stats",), ("entries", "show", "y")):
        result = ask(*command)
        printed = result.stdout + result.stderr
        assert not {"\x1b", "\x9b", "\u202e"} & set(printed), command
        assert "\\x1b[31mred" in printed, command


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
