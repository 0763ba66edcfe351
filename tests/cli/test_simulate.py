"""`semgate simulate`: a log of questions through a route's decision, with the shipped models and nothing running."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from admin_server import Semgate
from made_questions import LOG, PLAIN, VERIFIED, write_csv, write_log
from terminal import SEMGATE, in_terminal

FIGURES = {"requests", "hits", "right", "wrong", "misses", "missed", "same_words", "denied", "interval"}


@pytest.fixture
def plain(alone: Path) -> Path:
    (alone / "routes.yaml").write_text(PLAIN)
    write_log(alone / "log.csv")
    return alone


@pytest.fixture
def verified(alone: Path) -> Path:
    (alone / "routes.yaml").write_text(VERIFIED)
    write_log(alone / "log.csv")
    return alone


def simulated(semgate: Semgate, *arguments: object) -> dict[str, Any]:
    done = semgate("simulate", *arguments, "--format", "json")
    assert done.exit_code == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def figures(shown: dict[str, Any]) -> dict[str, int]:
    return {name: shown[name] for name in ("requests", "hits", "right", "wrong", "misses", "missed", "same_words")}


def test_the_json_counts_in_all_and_at_each_threshold(semgate: Semgate, plain: Path) -> None:
    result = simulated(semgate, "log.csv")
    assert figures(result) == {
        "requests": 7, "hits": 3, "right": 3, "wrong": 0, "misses": 4, "missed": 1, "same_words": 1,
    }  # fmt: skip
    assert result["similarity_thresholds"] == []
    for each in result["thresholds"]:
        assert set(each) == FIGURES | {"threshold"}
        assert each["requests"] == each["hits"] + each["misses"] == 7
        assert each["hits"] == each["right"] + each["wrong"]
        assert each["missed"] <= each["misses"]
        assert each["same_words"] >= 1
    at = {each["threshold"]: each for each in result["thresholds"]}
    assert figures(at[0.9]) == figures(result)
    assert (at[0.99]["hits"], at[0.99]["missed"]) == (1, 3)
    # `disable` is 0.876 from `enable`, and not of its cluster.
    assert (at[0.86]["right"], at[0.86]["wrong"], at[0.9]["wrong"]) == (3, 1, 0)


def test_a_second_opinion_has_thresholds_of_its_own(semgate: Semgate, verified: Path) -> None:
    result = simulated(semgate, "log.csv")
    assert result["wrong"] == 0
    assert {each["threshold"] for each in result["thresholds"]} >= {0.05, 0.5, 0.99}
    own = next(each for each in result["thresholds"] if each["threshold"] == 0.5)
    assert figures(own) == figures(result)
    alone = {each["threshold"]: each for each in result["similarity_thresholds"]}
    assert (alone[0.86]["wrong"], alone[0.9]["hits"]) == (1, 3)


def test_the_table_says_it_in_words(semgate: Semgate, plain: Path) -> None:
    done = semgate("simulate", "log.csv")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "log.csv: 7 questions" in done.stdout
    assert "hits    3 (42.9 %), 1 of them in the same words" in done.stdout
    assert "misses  4 (57.1 %); for 1 of them the right answer was there" in done.stdout
    assert "0.90*" in done.stdout


def test_the_csv_has_a_row_for_each_threshold(semgate: Semgate, verified: Path) -> None:
    done = semgate("simulate", "log.csv", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {row["by"] for row in rows} == {"verifier_score", "similarity"}
    assert all(int(row["requests"]) == int(row["hits"]) + int(row["misses"]) for row in rows)


@pytest.mark.parametrize(
    ("config", "deny", "denied", "hits"),
    [
        (PLAIN, "{text: where is my INVOICE, at_least: 1, then: refuse}", 2, 1),
        (PLAIN, "{text: where is my INVOICE}", 3, 1),
        # What the verifier takes for another question is not denied, however near it is.
        (VERIFIED, "{text: how can I disable two-factor login, at_least: 0.8}", 1, 2),
        (VERIFIED, "{text: how can I disable two-factor login, at_least: 0.8, verify: false}", 3, 2),
    ],
)
def test_denied_questions_are_neither_served_nor_kept(
    semgate: Semgate, alone: Path, config: str, deny: str, denied: int, hits: int
) -> None:
    (alone / "routes.yaml").write_text(f"{config}deny: [{deny}]")
    write_log(alone / "log.csv")
    result = simulated(semgate, "log.csv")
    assert (result["requests"], result["denied"], result["hits"], result["wrong"]) == (7, denied, hits, 0)
    assert all(each["denied"] == denied for each in (*result["thresholds"], *result["similarity_thresholds"]))
    assert f", {denied} of them are denied" in semgate("simulate", "log.csv").stdout


def test_scopes_do_not_share_answers(semgate: Semgate, plain: Path) -> None:
    rows = [(*row, str(place % 2)) for place, row in enumerate([("Where is my invoice?", "invoice")] * 4)]
    write_csv(plain / "log.csv", ("text", "cluster", "scope"), rows)
    assert simulated(semgate, "log.csv")["hits"] == 2


def test_texts_of_other_languages_are_found_by_their_exact_words(semgate: Semgate, plain: Path) -> None:
    write_log(plain / "log.csv", [("返金はいつですか", "a"), ("返金はいつ届きますか", "a"), ("返金はいつですか", "a")])
    result = simulated(semgate, "log.csv")
    assert (result["hits"], result["same_words"], result["missed"]) == (1, 1, 1)


def test_a_repeat_with_another_answer_is_a_wrong_hit(semgate: Semgate, plain: Path) -> None:
    """The same words, and yet not the same answer: no threshold can tell."""
    write_log(plain / "log.csv", [("What is new?", "monday"), ("What is new?", "tuesday")])
    result = simulated(semgate, "log.csv")
    assert (result["hits"], result["wrong"]) == (1, 1)


def test_stdin_and_gzip_give_the_same(plain: Path) -> None:
    data = (plain / "log.csv").read_bytes()
    outputs = {
        subprocess.run(
            [SEMGATE, "simulate", "-", "--format", "csv"], input=stdin, capture_output=True, timeout=120, check=True
        ).stdout
        for stdin in (data, gzip.compress(data))
    }
    assert len(outputs) == 1


@pytest.mark.parametrize("name", ["curves.svg", "curves.png"])
def test_a_plot_is_drawn(semgate: Semgate, verified: Path, name: str) -> None:
    pytest.importorskip("matplotlib")
    assert semgate("simulate", "log.csv", "--plot", name).exit_code == 0
    assert (verified / name).read_bytes().startswith(b"\x89PNG" if name.endswith("png") else b"<?xml")


def test_more_questions_than_can_be_compared_are_refused(
    semgate: Semgate, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.runtime.offline_stream.MOST_QUESTIONS", len(LOG) - 1)
    done = semgate("simulate", "log.csv")
    assert done.exit_code == 1
    assert done.stderr == "error: more than 6 questions: take a part of them\n"
    monkeypatch.setattr("gateway.runtime.offline_stream.MOST_QUESTIONS", 100)
    monkeypatch.setattr("gateway.runtime.offline_stream.MOST_NEIGHBOURS", 1)
    done = semgate("simulate", "log.csv")
    assert done.exit_code == 1
    assert "pairs of questions have a similarity of 0.7 or above: take a part of the log" in done.stderr


def test_a_terminal_shows_a_table_and_the_progress(plain: Path) -> None:
    shown = in_terminal([SEMGATE, "simulate", "log.csv"])
    assert "playing" in shown
    assert "wrong of hits" in shown
