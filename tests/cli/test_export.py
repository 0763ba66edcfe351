"""Export: whole files or none, for their owner only."""

from __future__ import annotations

import gzip
import os
import stat
from pathlib import Path

import pytest
from admin_server import AdminServer, Answer, Semgate, problem
from made_rows import whole_rows


def test_an_export_is_what_the_gateway_says(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("GET export", Answer(200, whole_rows(3), "application/x-ndjson"))
    result = ask("export", "--route", "ask")
    assert (result.exit_code, result.stdout_bytes) == (0, whole_rows(3))
    assert result.stderr == "exported 3 entries\n"
    assert admin.asked[0].query == {"route": "ask"}


def test_an_export_into_a_file_is_whole(ask: Semgate, admin: AdminServer, alone: Path) -> None:
    admin.answer("GET export", Answer(200, whole_rows(3), "application/x-ndjson"))
    assert ask("export", "--out", "all.jsonl").stdout == ""
    assert (alone / "all.jsonl").read_bytes() == whole_rows(3)
    assert ask("export", "--out", "all.jsonl.gz").exit_code == 0
    assert gzip.decompress((alone / "all.jsonl.gz").read_bytes()) == whole_rows(3)
    assert sorted(each.name for each in alone.iterdir()) == ["all.jsonl", "all.jsonl.gz"]


def test_an_export_is_its_owners_only(ask: Semgate, admin: AdminServer, alone: Path) -> None:
    admin.answer("GET export", Answer(200, b'{"route":"chat"}\n', "application/x-ndjson"))
    before = os.umask(0o022)
    try:
        assert ask("export", "--out", "answers.jsonl").exit_code == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE((alone / "answers.jsonl").stat().st_mode) == 0o600


@pytest.mark.parametrize("how", ["refused", "cut off", "cut off in a line"])
def test_a_broken_export_leaves_what_was_there(ask: Semgate, admin: AdminServer, alone: Path, how: str) -> None:
    (alone / "all.jsonl").write_text("the old one")
    if how == "refused":
        admin.answer("GET export", problem(503, "PostgreSQL does not answer"))
    else:
        body = whole_rows(2) if how == "cut off" else whole_rows(2)[:-5]
        admin.answer("GET export", Answer(200, body, "application/x-ndjson", cut=how == "cut off"))
    result = ask("export", "--out", "all.jsonl")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert [each.name for each in alone.iterdir()] == ["all.jsonl"]
    assert (alone / "all.jsonl").read_text() == "the old one"


def test_an_export_to_nowhere_is_wrong_use(ask: Semgate, admin: AdminServer) -> None:
    assert ask("export", "--out", "no/such/folder/all.jsonl").exit_code == 2
    assert admin.asked == []


def test_an_export_into_a_pipe_does_not_replace_it(ask: Semgate, admin: AdminServer, alone: Path) -> None:
    admin.answer("GET export", Answer(200, whole_rows(3), "application/x-ndjson"))
    os.mkfifo(alone / "pipe")
    reader = os.open(alone / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert ask("export", "--out", "pipe").exit_code == 0
        assert os.read(reader, 1 << 16) == whole_rows(3)
    finally:
        os.close(reader)
    assert (alone / "pipe").is_fifo()
