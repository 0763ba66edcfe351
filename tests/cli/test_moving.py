"""Export and import: whole files or none, bounded batches, and an import that goes on where it was stopped."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from admin_server import TOKEN, AdminServer, Answer, Asked, ImportedRows, Semgate, problem
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cli.faq import Templates, fill
from gateway.fronts.admin.operations import Imported

SEMGATE = Path(sys.executable).parent / "semgate"
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
def rows(admin: AdminServer) -> ImportedRows:
    imported = ImportedRows()
    admin.answer("POST import", imported)
    return imported


@pytest.fixture
def routes(alone: Path) -> Path:
    (alone / "routes.yaml").write_text(ROUTES)
    return alone


def whole_rows(count: int) -> bytes:
    return b"".join(
        b'{"route": "ask", "body": {"query": "%d"}, "answer": {"a": 1.00}}\n' % each for each in range(count)
    )


def write_questions(file: Path, count: int) -> None:
    lines = [json.dumps({"question": f"Question {each}?", "answer": f"Answer {each}."}) for each in range(count)]
    file.write_text("\n".join(lines) + "\n")


# --- export ---


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


# --- import ---


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


def in_terminal(command: list[Any]) -> str:
    """What a command writes to a terminal of its own."""
    import pty

    main_end, terminal = pty.openpty()
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, close_fds=True)
    os.close(terminal)
    written = io.BytesIO()
    while True:
        try:
            data = os.read(main_end, 65536)
        except OSError:  # Linux says EIO when the other end is closed
            break
        if not data:
            break
        written.write(data)
    os.close(main_end)
    assert process.wait(60) == 0
    return written.getvalue().decode()


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
