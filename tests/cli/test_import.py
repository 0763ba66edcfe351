"""Import: whole rows in bounded batches, what is wrong with a line, and an import that goes on where it was stopped."""

from __future__ import annotations

import csv
import gzip
import json
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from admin_server import TOKEN, AdminServer, Answer, Asked, ImportedRows, Semgate, problem
from made_rows import whole_rows, write_questions
from terminal import SEMGATE, in_terminal

from gateway.fronts.admin.operations import Imported


def test_whole_rows_pass_byte_for_byte_in_bounded_batches(
    ask: Semgate, admin: AdminServer, rows: ImportedRows, alone: Path
) -> None:
    (alone / "all.jsonl").write_bytes(whole_rows(450).replace(b"\n", b"\n\n"))
    result = ask("import", "all.jsonl")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "all.jsonl: 450 kept, 0 known already, 0 failed\n"
    assert rows.batches == [200, 200, 50]
    assert b'"answer":{"a": 1.00}' in admin.asked[0].body
    assert list(alone.iterdir()) == [alone / "all.jsonl"]


def test_lines_of_an_export_are_left_as_they_are(ask: Semgate, admin: AdminServer, alone: Path) -> None:
    admin.answer("POST import", Imported(1, 0))
    line = b'{"route":"ask","question":"A?","tags":[],"created_at":1.50,"stored":{"scope":"ab"}}\n'
    (alone / "all.jsonl").write_bytes(line)
    assert ask("import", "all.jsonl", "--route", "ask", "--scope", "web", "--tag", "t").exit_code == 0
    assert admin.asked[0].body == line


def test_a_second_import_finds_everything_known(ask: Semgate, rows: ImportedRows, alone: Path) -> None:
    (alone / "all.jsonl.gz").write_bytes(gzip.compress(whole_rows(5)))
    assert ask("import", "all.jsonl.gz").exit_code == 0
    assert json.loads(ask("import", "all.jsonl.gz", "--format", "json").stdout) == {
        "kept": 0,
        "known": 5,
        "failed": 0,
        "problems": [],
    }


def test_large_rows_make_small_batches(ask: Semgate, rows: ImportedRows, alone: Path) -> None:
    filler = "x" * (1 << 20)
    lines = [json.dumps({"body": {"query": str(each)}, "answer": filler}) for each in range(9)]
    (alone / "large.jsonl").write_text("\n".join(lines))
    assert ask("import", "large.jsonl").exit_code == 0
    assert rows.batches == [3, 3, 3]


def test_a_batch_that_is_too_large_on_the_way_is_halved(ask: Semgate, admin: AdminServer, alone: Path) -> None:
    imported = ImportedRows()
    admin.answer(
        "POST import", lambda asked: imported(asked) if asked.body.count(b"\n") < 4 else problem(413, "too large")
    )
    (alone / "all.jsonl").write_bytes(whole_rows(10))
    assert ask("import", "all.jsonl").exit_code == 0
    assert len(imported.rows) == 10
    admin.answer("POST import", problem(413, "at most 8 MiB"))
    (alone / "one.jsonl").write_bytes(whole_rows(1))
    result = ask("import", "one.jsonl")
    assert result.exit_code == 1
    assert "one.jsonl:1: too large for the gateway: at most 8 MiB" in result.stderr


def test_what_is_wrong_is_told_by_its_line_and_the_rest_is_stored(
    ask: Semgate, rows: ImportedRows, alone: Path
) -> None:
    good = whole_rows(2).splitlines()
    lines = [good[0], b"", b"not json", b'{"route": "ask", "answer": 1}', b"[1]", good[1]]
    (alone / "mixed.jsonl").write_bytes(b"\n".join(lines))
    result = ask("import", "mixed.jsonl")
    assert "mixed.jsonl:3: not a JSON object" in result.stderr
    assert "mixed.jsonl:4: a row has a body" in result.stderr
    assert "mixed.jsonl:5: not a JSON object" in result.stderr
    assert result.stdout == "mixed.jsonl: 2 kept, 0 known already, 3 failed\n"
    assert result.exit_code == 1


def test_thousands_of_wrong_lines_are_counted_not_shown(ask: Semgate, rows: ImportedRows, alone: Path) -> None:
    (alone / "wrong.jsonl").write_bytes(b'{"a": 1}\n' * 1000)
    result = ask("import", "wrong.jsonl")
    assert "1,000 failed" in result.stdout
    assert len(result.stderr.splitlines()) == 101


def test_an_empty_file_is_fine(ask: Semgate, rows: ImportedRows, alone: Path) -> None:
    (alone / "empty").write_text("")
    assert ask("import", "empty").stdout == "empty: 0 kept, 0 known already, 0 failed\n"


def test_a_file_that_is_not_there_is_wrong_use(ask: Semgate) -> None:
    assert ask("import", "missing.jsonl").exit_code == 2


def test_stdin_is_imported(rows: ImportedRows, admin: AdminServer, alone: Path) -> None:
    for data in (whole_rows(3), gzip.compress(whole_rows(4))):
        done = subprocess.run(
            [SEMGATE, "import", "-", "--url", admin.url, "--token", TOKEN], input=data, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
    assert len(rows.rows) == 4
    assert list(alone.iterdir()) == []


def test_a_gateway_that_is_busy_is_asked_again(
    ask: Semgate, admin: AdminServer, rows: ImportedRows, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("gateway.cli.importing.time.sleep", pauses.append)
    attempts = iter([problem(503, "PostgreSQL does not answer"), problem(503, "still not")])
    admin.answer("POST import", lambda asked: next(attempts, None) or rows(asked))
    (alone / "all.jsonl").write_bytes(whole_rows(3))
    assert ask("import", "all.jsonl").exit_code == 0
    assert pauses == [1.0, 2.0]


def test_an_import_that_fails_goes_on_where_it_stopped(
    ask: Semgate, admin: AdminServer, rows: ImportedRows, alone: Path
) -> None:
    write_questions(alone / "faq.jsonl", 500)
    arguments = ("import", "faq.jsonl", "--preset", "json-query", "--batch", "100")
    attempts = iter([rows, rows])
    admin.answer("POST import", lambda asked: next(attempts, lambda _: problem(503, "gone"))(asked))
    stopped = ask(*arguments, "--retries", "0")
    assert stopped.exit_code == 1
    assert "stopped after line 200; the same command goes on from there" in stopped.stderr
    assert (alone / "faq.jsonl.semgate-progress").exists()
    admin.answer("POST import", rows)
    with (alone / "faq.jsonl").open("a") as file:  # more lines behind do not matter
        file.write('{"question": "One more?", "answer": "Yes."}\n')
    done = ask(*arguments)
    assert "goes on after line 200" in done.stderr
    assert done.stdout == "faq.jsonl: 501 kept, 0 known already, 0 failed\n"
    assert rows.batches == [100, 100, 100, 100, 100, 1]
    assert not (alone / "faq.jsonl.semgate-progress").exists()


@pytest.mark.parametrize("change", ["another line", "another preset", "restart", "broken note"])
def test_another_import_begins_anew(
    ask: Semgate, admin: AdminServer, rows: ImportedRows, alone: Path, change: str
) -> None:
    file, noted = alone / "faq.jsonl", alone / "faq.jsonl.semgate-progress"
    write_questions(file, 30)
    arguments = ["import", "faq.jsonl", "--preset", "json-query", "--batch", "10"]
    attempts = iter([rows])
    admin.answer("POST import", lambda asked: next(attempts, lambda _: problem(500, "gone"))(asked))
    assert ask(*arguments).exit_code == 1
    admin.answer("POST import", rows)
    match change:
        case "another line":
            file.write_text(file.read_text().replace("Question 3?", "Question three?"))
        case "another preset":
            arguments += ["--model", "m"]
        case "restart":
            arguments += ["--restart"]
        case _:
            noted.write_bytes(noted.read_bytes()[:20])
    assert ask(*arguments).exit_code == 0
    assert rows.batches == [10, 10, 10, 10]
    assert not noted.exists()


def test_ctrl_c_leaves_an_import_that_can_go_on(admin: AdminServer, rows: ImportedRows, alone: Path) -> None:
    """The command as a process of its own: interrupted while the third batch is on its way."""
    with (alone / "faq.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["question", "answer"])
        writer.writerows([f"Question\n{each}?", "An, answer"] for each in range(50))  # two lines each
    third, release = threading.Event(), threading.Event()

    def answer(asked: Asked) -> Imported | Answer:
        if len(rows.batches) < 2:
            return rows(asked)
        third.set()
        release.wait(60)
        return problem(500, "too late")

    admin.answer("POST import", answer)
    command = [SEMGATE, "import", "faq.csv", "--preset", "json-query", "--batch", "10", "--url", admin.url]
    process = subprocess.Popen([*command, "--token", TOKEN], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert third.wait(60)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    finally:
        release.set()
        process.kill()
    assert (process.returncode, stdout) == (1, "")
    assert stderr == "stopped after line 41; the same command goes on from there\n"
    assert TOKEN not in (alone / "faq.csv.semgate-progress").read_text()
    admin.answer("POST import", rows)
    done = subprocess.run([*command, "--token", TOKEN], capture_output=True, text=True, timeout=60)
    assert done.stdout == "faq.csv: 50 kept, 0 known already, 0 failed\n"
    assert rows.batches == [10, 10, 10, 10, 10]


def test_ten_thousand_rows_at_once(ask: Semgate, rows: ImportedRows, alone: Path) -> None:
    write_questions(alone / "faq.jsonl", 10_000)
    assert ask("import", "faq.jsonl", "--preset", "json-query", "--batch", "1000").exit_code == 0
    assert len(rows.rows) == 10_000
    assert max(rows.batches) == 1000


def test_a_progress_bar_is_drawn_on_a_terminal_only(admin: AdminServer, alone: Path) -> None:
    imported = ImportedRows()

    def slowly(asked: Asked) -> Imported:
        time.sleep(0.2)
        return imported(asked)

    admin.answer("POST import", slowly)
    (alone / "all.jsonl").write_bytes(whole_rows(50))
    shown = in_terminal([SEMGATE, "import", "all.jsonl", "--batch", "10", "--url", admin.url, "--token", TOKEN])
    assert "importing" in shown
    assert "50 kept" in shown
