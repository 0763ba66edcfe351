"""`semgate judge`: labelled pairs as a route sees them, with the shipped models and nothing running."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from admin_server import Semgate
from made_questions import PAIRS, PLAIN, TWO, VERIFIED, write_pairs
from terminal import SEMGATE, in_terminal

from gateway.core.evidence import wilson


@pytest.fixture
def plain(alone: Path) -> Path:
    (alone / "routes.yaml").write_text(PLAIN)
    write_pairs(alone / "pairs.csv")
    return alone


@pytest.fixture
def verified(alone: Path) -> Path:
    (alone / "routes.yaml").write_text(VERIFIED)
    write_pairs(alone / "pairs.csv")
    return alone


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_csv_has_every_pair_with_what_was_decided(semgate: Semgate, plain: Path) -> None:
    done = semgate("judge", "pairs.csv", "--format", "csv")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "text_a,text_b,label,similarity,verifier_score,served"
    rows = table(done.stdout)
    assert [(row["text_a"], row["text_b"], row["label"]) for row in rows] == PAIRS
    assert [row["served"] for row in rows] == ["1", "0", "0", "1", "1", "0"]
    for row in rows:
        assert row["verifier_score"] == ""
        assert row["served"] == str(int(float(row["similarity"]) >= 0.9))
    assert float(rows[4]["similarity"]) == 1


def test_a_second_opinion_decides_where_the_route_asks_one(semgate: Semgate, verified: Path) -> None:
    done = semgate("judge", "pairs.csv", "--format", "csv")
    assert done.exit_code == 0
    rows = table(done.stdout)
    for row in rows:
        assert 0 <= float(row["verifier_score"]) <= 1
        near = float(row["similarity"]) >= 0.8
        assert row["served"] == str(int(near and float(row["verifier_score"]) >= 0.5))
    # What is not the same for all thresholds is judged: these are near, and mean another thing.
    assert [row["served"] for row in rows[1:3]] == ["0", "0"]
    assert float(rows[4]["verifier_score"]) == 1


def test_the_table_sums_it_up(semgate: Semgate, plain: Path) -> None:
    done = semgate("judge", "pairs.csv")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "route ask: served at a similarity of 0.9 or above"
    assert lines[1] == "pairs.csv: 6 pairs"
    low, high = wilson(0, 3)
    (right,) = [line for line in lines if line.startswith("same answer (1)")]
    (wrong,) = [line for line in lines if line.startswith("another answer (0)")]
    assert right.split()[3:7] == ["3", "3", "100.0", "%"]
    assert wrong.split()[3:7] == ["3", "0", "0.0", "%"]
    assert f"of 3 served 0 are wrong: 0.0 % ({100 * low:.1f} - {100 * high:.1f} %)" in done.stdout
    assert any(line.split()[0] == "0.90*" for line in lines if line.strip())
    assert "by similarity alone" not in done.stdout


def test_the_table_of_a_second_opinion_is_compared_with_similarity_alone(semgate: Semgate, verified: Path) -> None:
    done = semgate("judge", "pairs.csv")
    assert done.exit_code == 0
    assert "candidates at a similarity of 0.8 or above, served where `pairwise` scores 0.5 or above" in done.stdout
    own, alone = done.stdout.split("by similarity alone, for comparison")
    assert "0.50*" in own
    assert "*" not in alone


def test_pairs_with_a_denied_question_are_served_at_no_threshold(semgate: Semgate, plain: Path) -> None:
    """By its words, and by words near it."""
    (plain / "denied.txt").write_text("# said by nobody\nwhere is my invoice\n")
    (plain / "routes.yaml").write_text(f"{PLAIN}deny: [{{file: denied.txt, at_least: 0.8}}]")
    result = json.loads(semgate("judge", "pairs.csv", "--format", "json").stdout)
    assert (result["pairs"], result["denied"]) == (6, 2)
    assert [each["served"] for each in result["judged"]] == [1, 0, 0, 0, 0, 0]
    assert all(each["right_served"] <= 1 for each in result["thresholds"])
    assert "2 pairs with a question that is denied: not served" in semgate("judge", "pairs.csv").stdout
    (plain / "denied.txt").unlink()
    broken = semgate("judge", "pairs.csv")
    assert broken.exit_code == 1
    assert "denied.txt" in broken.stderr


def test_the_json_has_summary_thresholds_and_pairs(semgate: Semgate, verified: Path) -> None:
    done = semgate("judge", "pairs.csv", "--format", "json", "--out", "judged.json")
    assert (done.exit_code, done.stdout) == (0, "")
    result = json.loads((verified / "judged.json").read_text())
    assert result["pairs"] == 6
    assert result["counts"]["right"] == result["counts"]["wrong"] == 3
    assert len(result["judged"]) == 6
    assert set(result["judged"][0]) == {"text_a", "text_b", "label", "similarity", "verifier_score", "served"}
    own = next(each for each in result["thresholds"] if each["threshold"] == 0.5)
    assert own["right_served"] + own["wrong_served"] == result["served"]
    assert result["similarity_thresholds"]
    steps = [each["threshold"] for each in result["thresholds"]]
    assert steps == sorted(steps)
    served = [each["right_served"] + each["wrong_served"] for each in result["thresholds"]]
    assert served == sorted(served, reverse=True)


def test_an_empty_folder_will_do(semgate: Semgate, alone: Path) -> None:
    write_pairs(alone / "pairs.csv")
    done = semgate("judge", "pairs.csv", "--format", "csv")
    assert done.exit_code == 0
    assert done.stderr == "no routes.yaml here: decided as a route with the preset openai-chat does by default\n"
    assert all(row["verifier_score"] for row in table(done.stdout))
    assert semgate("judge", "pairs.csv", "--route", "chat").exit_code == 2


def test_what_is_no_plain_file_is_written_to_and_not_replaced(semgate: Semgate, plain: Path) -> None:
    (plain / "old.csv").write_text("what was there before")
    (plain / "link.csv").symlink_to("old.csv")
    assert semgate("judge", "pairs.csv", "--format", "csv", "--out", "link.csv").exit_code == 0
    assert (plain / "link.csv").is_symlink()
    assert table((plain / "old.csv").read_text())


def test_pairs_without_labels_are_scored(semgate: Semgate, plain: Path) -> None:
    (plain / "pairs.csv").write_text("text_a,text_b\nWhere is my invoice?,Where can I find my invoice?\n")
    done = semgate("judge", "pairs.csv")
    assert done.exit_code == 0
    assert "pairs.csv: 1 pair without labels, 1 served (100.0 %)" in done.stdout
    (row,) = table(semgate("judge", "pairs.csv", "--format", "csv").stdout)
    assert (row["label"], row["served"]) == ("", "1")
    assert json.loads(semgate("judge", "pairs.csv", "--format", "json").stdout)["counts"] is None
    done = semgate("judge", "pairs.csv", "--plot", "curves.svg")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "no column `label`" in done.stderr


def test_texts_of_other_languages_go_by_their_exact_words(semgate: Semgate, plain: Path) -> None:
    """The shipped model knows English; what it does not know is never near."""
    write_pairs(
        plain / "pairs.csv",
        [("返金はいつですか", "返金はいつ届きますか", "1"), ("返金はいつですか", "返金はいつですか", "1")],
    )
    done = semgate("judge", "pairs.csv", "--format", "csv")
    assert [(row["similarity"], row["served"]) for row in table(done.stdout)] == [("", "0"), ("1.0", "1")]
    assert done.stderr == "1 pair with a text that is looked up by its exact words only: not served\n"


def test_stdin_and_gzip_give_the_same(plain: Path) -> None:
    data = (plain / "pairs.csv").read_bytes()
    (plain / "pairs.bin").write_bytes(gzip.compress(data))
    outputs = [
        subprocess.run(
            [SEMGATE, "judge", *arguments, "--format", "csv"], input=stdin, capture_output=True, timeout=120, check=True
        ).stdout
        for arguments, stdin in (
            (["pairs.csv"], b""),
            (["pairs.bin"], b""),
            (["-"], data),
            (["-"], gzip.compress(data)),
        )
    ]
    assert len(set(outputs)) == 1


def test_which_route_is_meant_is_asked_where_there_are_several(semgate: Semgate, plain: Path) -> None:
    (plain / "routes.yaml").write_text(TWO)
    done = semgate("judge", "pairs.csv")
    assert done.exit_code == 2
    assert "routes.yaml has several routes: --route says which (loose, strict)" in done.stderr
    done = semgate("judge", "pairs.csv", "--route", "lose")
    assert done.exit_code == 2
    assert "there are: loose, strict" in done.stderr
    served = {
        route: json.loads(semgate("judge", "pairs.csv", "--route", route, "--format", "json").stdout)["served"]
        for route in ("loose", "strict")
    }
    assert served == {"loose": 5, "strict": 1}


def test_a_route_that_compares_nothing_cannot_be_judged(semgate: Semgate, plain: Path) -> None:
    done = semgate("judge", "pairs.csv", "--route", "same")
    assert done.exit_code == 2
    assert "route same is `match: exact`" in done.stderr


def test_what_is_wrong_elsewhere_in_the_file_is_of_no_account(semgate: Semgate, plain: Path) -> None:
    """An upstream's key need not be known here; but what decides must be right."""
    assert semgate("judge", "pairs.csv").exit_code == 0
    (plain / "routes.yaml").write_text(PLAIN.replace("hit: 0.9", "hit: 9"))
    done = semgate("judge", "pairs.csv", "--route", "ask")
    assert done.exit_code == 1
    assert "routes.yaml:5:" in done.stderr
    assert "$.routes[0].thresholds.hit" in done.stderr
    (plain / "routes.yaml").write_text(PLAIN.replace("thresholds: {hit: 0.9}", "embedder: none"))
    assert semgate("judge", "pairs.csv").exit_code == 1


def test_a_route_that_is_off_is_judged_as_if_it_served(semgate: Semgate, plain: Path) -> None:
    (plain / "routes.yaml").write_text(PLAIN.replace("hit: 0.9}", "hit: 0.9}, mode: off"))
    done = semgate("judge", "pairs.csv", "--format", "json")
    assert done.exit_code == 0
    assert "route ask is `mode: off`: decided as if it served" in done.stderr
    assert json.loads(done.stdout)["served"] == 3


def test_a_model_that_cannot_be_had_is_said_on_one_line(semgate: Semgate, plain: Path) -> None:
    broken = PLAIN.replace("upstreams:", "embedders: {mine: {type: onnx, model: ./nowhere}}\nupstreams:", 1)
    (plain / "routes.yaml").write_text(broken.replace("scope: public, thres", "scope: public, embedder: mine, thres"))
    done = semgate("judge", "pairs.csv")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["curves.svg", "curves.png"])
def test_a_plot_is_drawn(semgate: Semgate, verified: Path, name: str) -> None:
    pytest.importorskip("matplotlib")
    assert semgate("judge", "pairs.csv", "--plot", name).exit_code == 0
    drawn = (verified / name).read_bytes()
    assert drawn.startswith(b"\x89PNG" if name.endswith("png") else b"<?xml")
    if name.endswith("svg"):
        assert b"score of pairwise at least" in drawn
        assert b"similarity alone" in drawn
    assert semgate("judge", "pairs.csv", "--plot", name).exit_code == 0
    assert (verified / name).read_bytes() == drawn


def test_a_plot_needs_an_ending_and_matplotlib(plain: Path, semgate: Semgate) -> None:
    done = semgate("judge", "pairs.csv", "--plot", "curves.pdf")
    assert done.exit_code == 2
    assert "a plot is a .png or an .svg file" in done.stderr
    script = "import sys; sys.modules['matplotlib.figure'] = None; from gateway.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "judge", "pairs.csv", "--plot", "curves.png"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "error: --plot needs matplotlib: pip install 'semgate[plot]'\n"


def test_a_result_that_cannot_be_written_leaves_nothing_behind(semgate: Semgate, plain: Path) -> None:
    before = sorted(plain.iterdir())
    done = semgate("judge", "pairs.csv", "--out", "nowhere/judged.txt")
    assert done.exit_code == 2
    assert "nowhere/judged.txt cannot be written" in done.stderr
    (plain / "folder").mkdir()
    assert semgate("judge", "pairs.csv", "--out", "folder").exit_code == 2
    assert sorted(plain.iterdir()) == [plain / "folder", *before]


def test_a_result_in_a_file_is_its_owners_only_and_replaces_what_was_there(semgate: Semgate, plain: Path) -> None:
    (plain / "judged.txt").write_text("old")
    assert semgate("judge", "pairs.csv", "--out", "judged.txt").exit_code == 0
    assert (plain / "judged.txt").read_text() == semgate("judge", "pairs.csv").stdout
    assert (plain / "judged.txt").stat().st_mode & 0o777 == 0o600


def test_a_terminal_shows_a_table_and_the_progress(plain: Path) -> None:
    shown = in_terminal([SEMGATE, "judge", "pairs.csv"])
    assert "judging" in shown
    assert "95 % interval" in shown
