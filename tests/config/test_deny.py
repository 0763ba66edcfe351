"""Files of denied questions: what is read of them, that a changed line is a changed setting, and that nothing in one raises."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config import deny_files as module
from gateway.config.deny_files import questions_of
from gateway.config.explain import explain
from gateway.config.load import Loaded, load, read

SMALL = """\
version: 1
upstreams: {api: {url: "https://api.example.com"}}
routes:
  - {name: ask, path: /ask, upstream: api, preset: json-query, scope: client, thresholds: {hit: 0.9}}
deny: [{file: denied.txt, at_least: 0.85}]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "routes.yaml"
    path.write_text(SMALL)
    return path


def denied(loaded: Loaded) -> tuple[str, ...]:
    assert loaded.settings is not None, loaded.problems
    return tuple(text for deny in loaded.settings.deny for text in questions_of(deny))


def test_each_line_is_a_question_but_blank_ones_and_comments(path: Path) -> None:
    (path.parent / "denied.txt").write_bytes(
        b"\xef\xbb\xbf# Staff\r\nHow?\r\n\n  \tWhy not? # or so \n#\n\xc3\xbcber\xe2\x80\xa8uns"
    )
    loaded = read(path, {})
    assert denied(loaded) == ("How?", "Why not? # or so", "über\u2028uns")
    assert loaded.watched == (path, path.parent / "denied.txt")


def test_a_changed_line_is_a_changed_setting_and_a_comment_is_none(path: Path) -> None:
    file = path.parent / "denied.txt"
    digests = []
    for text in ("How?\n", "# Staff\nHow?\n", "How?\nWhy?\n"):
        file.write_text(text)
        digests.append(read(path, {}).digest)
    assert digests[0] == digests[1] != digests[2]


def test_a_file_that_is_not_there_is_watched_and_loads_without_checks_too(path: Path) -> None:
    for loaded in (read(path, {}), load(path, {})):
        assert loaded.settings is None
        assert loaded.watched == (path, path.parent / "denied.txt")
        assert [problem.path for problem in loaded.problems] == ["$.deny[0].file"]


def test_it_is_looked_for_beside_the_file_that_names_it(path: Path) -> None:
    (path.parent / "denied.txt").write_text("How?\n")
    inner = path.parent / "inner"
    inner.mkdir()
    (inner / "more.txt").write_text("Why?\n")
    (inner / "more.yaml").write_text("deny: [{file: more.txt}]\n")
    path.write_text(SMALL + "include: [inner/more.yaml]\n")
    loaded = read(path, {})
    assert denied(loaded) == ("How?", "Why?")
    assert inner / "more.txt" in loaded.watched


def test_an_absolute_name_and_one_from_outside(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.txt"
    file.write_text("How?\n")
    path.write_text(SMALL.replace("denied.txt", '"${DENIED}"'))
    assert denied(read(path, {"DENIED": str(file)})) == ("How?",)
    (problem,) = read(path, {"DENIED": "/secret-place"}).problems
    assert "secret" not in problem.text
    assert "the value of ${DENIED}" in problem.text


@pytest.mark.parametrize(
    ("bound", "value", "text", "says"),
    [
        ("MOST_QUESTIONS", 2, "a\nb\nc\n", "more than 2 questions"),
        ("LONGEST_QUESTION", 3, "a\nabcd\n", "line 2 is longer than 3 characters"),
        ("MAX_BYTES", 1 << 20, "a" * (1 << 20) + "b", "larger than 1 MiB"),
        ("MAX_BYTES", 1 << 20, "a\nb\x07\n", "control character in line 2"),
    ],
)
def test_there_are_bounds(
    path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, value: int, text: str, says: str
) -> None:
    (path.parent / "denied.txt").write_text(text)
    assert read(path, {}).settings is not None or "control" in says or "larger" in says or "longer" in says
    monkeypatch.setattr(module, bound, value)
    (problem,) = read(path, {}).problems
    assert says in problem.text


def test_a_pipe_is_not_waited_for(path: Path, tmp_path: Path, mkfifo: Callable[[Path], None]) -> None:
    mkfifo(tmp_path / "denied.txt")
    (problem,) = read(path, {}).problems
    assert "it is a pipe" in problem.text


@pytest.fixture
def mkfifo() -> Callable[[Path], None]:
    import os

    return os.mkfifo


def test_explained_it_names_the_file_and_not_its_lines(path: Path) -> None:
    (path.parent / "denied.txt").write_text("How do I cancel?\n")
    text = explain(read(path, {}), "ask")
    assert "deny:\n- file: denied.txt\n  at_least: 0.85\n" in text
    assert "cancel" not in text
    again = path.parent / "explained.yaml"
    again.write_text(text)
    assert denied(read(again, {})) == ("How do I cancel?",)


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_in_a_file_raises(path: Path, data: bytes) -> None:
    (path.parent / "denied.txt").write_bytes(data)
    loaded = read(path, {})
    if loaded.settings is not None:
        assert all(text and text == text.strip() and "\n" not in text for text in denied(loaded))
    else:
        assert loaded.problems
