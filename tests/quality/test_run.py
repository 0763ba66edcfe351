"""`make quality` from end to end, on a small folder of questions that were written for this test."""

from __future__ import annotations

import csv
import gzip
import json
import sys
from pathlib import Path

import pytest

from quality import run
from quality.documenting import BEGIN, END, PICTURES, document

PAIRS = [
    ("How do I open the window?", "How can I open the window?", 1),
    ("How do I open the window?", "How do I close the window?", 0),
    ("Where is my bicycle?", "where is my bicycle", 1),
    ("Where is my bicycle?", "What is the capital of Peru?", 0),
]
STREAM = [
    ("Where is my bicycle?", "1"),
    ("where is my bicycle", "1"),
    ("Where is my bicycle?", "1"),
    ("Is it raining?", "2"),
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for name, head, rows in (
        ("own", ("text_a", "text_b", "label"), PAIRS),
        ("own.stream", ("text", "cluster"), STREAM),
    ):
        with gzip.open(folder / f"{name}.csv.gz", "wt", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(head)
            writer.writerows(rows)
    return folder


def ask(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(run, "QUICK_GENERATED", 60)
    monkeypatch.setattr(sys, "argv", ["quality/run.py", *arguments])
    return run.main()


def test_a_run_leaves_tables_json_csv_and_curves(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert ask(monkeypatch, "--data", str(data), "--out", str(out), "--quick") in (0, 1)
    assert "written to" in capsys.readouterr().out
    result = json.loads((out / "quality.json").read_text())
    own = result["pairs"][0]
    assert (own["name"], own["right"]["verifier"]["whole"], own["wrong"]["verifier"]["whole"]) == ("own", 2, 2)
    written = ["handwritten", "handwritten_later", "handwritten_third"]
    assert [each["name"] for each in result["pairs"]] == ["own", "generated", *written]
    assert result["streams"][0]["questions"] == 4
    assert result["streams"][0]["hits"]["cosine 0.95"] == 2
    with (out / "kinds.csv").open(newline="") as file:
        assert {"number", "case"} <= {row["kind"] for row in csv.DictReader(file)}
    assert "own" in (out / "tables.txt").read_text()
    for name in ("pairs.png", "kinds.png", "streams.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")


def test_a_folder_without_questions_is_wrong_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(monkeypatch, "--data", str(tmp_path / "none")) == 2
    assert "is no folder" in capsys.readouterr().out


def test_figures_are_put_into_the_page(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "docs" / "quality.md"
    page.parent.mkdir()
    page.write_text(f"# Before\n\n{BEGIN}\nold\n{END}\n\nAfter\n")
    monkeypatch.setattr(run, "PAGE", page)
    ask(monkeypatch, "--data", str(data), "--out", str(tmp_path / "out"), "--quick", "--docs")
    text = page.read_text()
    assert text.startswith(f"# Before\n\n{BEGIN}\n")
    assert text.endswith(f"{END}\n\nAfter\n")
    assert "old" not in text
    assert "| own | " in text
    for name in PICTURES:
        assert (page.parent / "images" / f"quality-{name}.png").exists()
        assert f"images/quality-{name}.png" in text


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "quality.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="has no part between"):
        document(None, tmp_path, page)  # type: ignore[arg-type]
    assert page.read_text() == "nothing"
