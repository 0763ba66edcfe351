"""`semgate calibrate`: from evidence to the lines for the routes file, or to what it would take."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from admin_server import Semgate
from made_questions import PLAIN, USUAL, VERIFIED, write_log, write_pairs

from gateway.config.load import read
from gateway.config.model_routes import CANDIDATE
from gateway.core.evidence import wilson

THINGS = [
    "password",
    "router",
    "thermostat",
    "passport",
    "invoice",
    "mortgage",
    "bicycle",
    "garden",
    "kitchen",
    "laptop",
    "printer",
    "camera",
    "subscription",
    "wallet",
    "boiler",
    "keyboard",
    "prescription",
    "insurance",
    "parcel",
    "warranty",
    "calendar",
    "fridge",
    "contract",
    "membership",
    "ticket",
]
SAME = [(f"How do I replace my {thing}?", f"What is the way to replace my {thing}?", "1") for thing in THINGS]
OTHER = [
    (f"How do I replace my {thing}?", f"How do I replace my {other}?", "0")
    for thing, other in zip(THINGS, THINGS[1:] + THINGS[:1], strict=True)
]


@pytest.fixture
def plain(alone: Path) -> Path:
    (alone / "routes.yaml").write_text(PLAIN)
    return alone


@pytest.fixture
def verified(alone: Path) -> Path:
    (alone / "routes.yaml").write_text(VERIFIED)
    return alone


def write_shadow(path: Path, lines: Iterable[tuple[str, float, float | None]], **others: object) -> Path:
    text = [
        json.dumps({"verdict": verdict, "similarity": similarity, "verifier_score": score, **others})
        for verdict, similarity, score in lines
    ]
    path.write_text("\n".join(text) + "\n")
    return path


def calibrated(semgate: Semgate, *arguments: object, exit_code: int = 0) -> dict[str, Any]:
    done = semgate("calibrate", *arguments, "--format", "json")
    assert done.exit_code == exit_code, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def paste(file: Path, name: str, lines: str) -> None:
    """Put the printed lines under the route in place of what it says of it."""
    begun, _, rest = file.read_text().partition(f"{{name: {name},")
    route, _, after = rest.partition("}\n") if "thresholds" not in rest.split("\n")[0] else rest.partition("}}\n")
    route = route.split(", thresholds")[0]
    members = ", ".join(lines.split("\n"))
    file.write_text(f"{begun}{{name: {name},{route}, {members}}}\n{after}")


def test_a_shadow_log_gives_the_loosest_threshold_that_holds(semgate: Semgate, plain: Path) -> None:
    lines = [("right", 0.97, None)] * 900 + [("right", 0.93, None)] * 600 + [("wrong", 0.93, None)] * 2
    lines += [("right", 0.9, None)] * 100 + [("wrong", 0.9, None)] * 60
    write_shadow(plain / "shadow.jsonl", lines)
    result = calibrated(semgate, "--shadow", "shadow.jsonl")
    assert (result["outcome"], result["by"], result["threshold"], result["max_error"]) == (
        "proven",
        "similarity",
        0.905,
        0.01,
    )
    assert result["yaml"] == "thresholds: {hit: 0.905}\nverify: none"
    chosen = next(each for each in result["levels"] if each["threshold"] == 0.905)
    assert (chosen["served"], chosen["wrong"]) == (1502, 2)
    assert [chosen["low"], chosen["high"]] == pytest.approx(list(wilson(2, 1502)))
    assert chosen["high"] < chosen["bound"] <= 0.01
    thresholds = [each["threshold"] for each in result["levels"]]
    assert thresholds == sorted(thresholds, reverse=True)
    assert min(thresholds) == 0.9, "the log knows of nothing looser"


def test_the_lines_fit_into_the_routes_file(semgate: Semgate, plain: Path) -> None:
    write_shadow(plain / "shadow.jsonl", [("right", 0.95, None)] * 900)
    result = calibrated(semgate, "--shadow", "shadow.jsonl")
    paste(plain / "routes.yaml", "ask", result["yaml"])
    route = read(plain / "routes.yaml", {"A_KEY_THAT_IS_NOT_SET": "x"}).settings
    assert route is not None
    assert route.routes[0].thresholds.hit == result["threshold"] == 0.95
    assert route.routes[0].verify == "none"


def test_of_a_second_opinion_the_score_is_calibrated(semgate: Semgate, verified: Path) -> None:
    lines = [("right", 0.9, 0.9)] * 900 + [("right", 0.85, 0.6)] * 900 + [("wrong", 0.99, 0.55)] * 100
    write_shadow(verified / "shadow.jsonl", lines, route="ask")
    (verified / "routes.yaml").write_text(USUAL)
    result = calibrated(semgate, "--shadow", "shadow.jsonl")
    assert (result["by"], result["threshold"]) == ("verifier_score", 0.56)
    usual = f"thresholds: {{candidate: {CANDIDATE:g}}}"
    assert result["yaml"] == f"{usual}\nverify: {{with: pairwise, at_least: 0.56}}"
    paste(verified / "routes.yaml", "ask", result["yaml"])
    loaded = read(verified / "routes.yaml", {})
    assert loaded.settings is not None, loaded.problems


def test_what_is_unsure_counts_as_wrong_and_feedback_not_at_all(semgate: Semgate, plain: Path) -> None:
    write_shadow(plain / "a.jsonl", [("right", 0.95, None)] * 900)
    write_shadow(plain / "b.jsonl", [("unsure", 0.95, None)] * 50)
    write_shadow(plain / "c.jsonl", [("wrong", 0.95, None)] * 50, origin="feedback")
    (plain / "ab.jsonl").write_text((plain / "a.jsonl").read_text() + (plain / "b.jsonl").read_text())
    (plain / "ac.jsonl").write_text((plain / "a.jsonl").read_text() + (plain / "c.jsonl").read_text())
    unsure = calibrated(semgate, "--shadow", "ab.jsonl", exit_code=3)
    assert unsure["outcome"] == "wrong"
    assert "50 comparisons (5.3 %) unsure: they count as wrong" in unsure["notes"]
    assert calibrated(semgate, "--shadow", "ac.jsonl")["outcome"] == "proven"


def test_the_same_two_texts_in_a_shadow_log_count_once(semgate: Semgate, plain: Path) -> None:
    write_shadow(plain / "shadow.jsonl", [("right", 0.95, None)] * 900, text_a="Why?", text_b="And why?")
    result = calibrated(semgate, "--shadow", "shadow.jsonl", exit_code=3)
    assert result["levels"][-1]["served"] == 1
    assert "899 comparisons left out: the same two texts again" in result["notes"]


def test_thin_evidence_ends_with_3_and_says_what_it_takes(semgate: Semgate, plain: Path) -> None:
    write_shadow(plain / "shadow.jsonl", [("right", 0.95, None)] * 300)
    done = semgate("calibrate", "--shadow", "shadow.jsonl")
    assert done.exit_code == 3
    assert (
        "not proven: the evidence is too thin. The nearest: at a similarity of 0.95 or above 0 of 300 are wrong"
        in done.stdout
    )
    assert "about 149 further hits, none of them wrong, would prove it there" in done.stdout
    assert "routes file" not in done.stdout
    result = calibrated(semgate, "--shadow", "shadow.jsonl", exit_code=3)
    assert (result["threshold"], result["yaml"], result["more"]) == (None, "", 149)
    write_shadow(plain / "shadow.jsonl", [("right", 0.95, None)] * 449)
    assert calibrated(semgate, "--shadow", "shadow.jsonl")["threshold"] == 0.95


def test_what_is_wrong_at_every_threshold_is_said_to_be(semgate: Semgate, plain: Path) -> None:
    write_shadow(plain / "shadow.jsonl", [("right", 0.999, None)] * 70 + [("wrong", 0.999, None)] * 30)
    done = semgate("calibrate", "--shadow", "shadow.jsonl")
    assert done.exit_code == 3
    assert "no threshold holds 1 %: at a similarity of 1.00 or above 0 of 0" not in done.stdout
    assert "no threshold holds 1 %: at a similarity of" in done.stdout
    assert "30 of 100 are wrong" in done.stdout


def test_a_log_of_other_settings_is_refused(semgate: Semgate, verified: Path) -> None:
    write_shadow(verified / "shadow.jsonl", [("right", 0.95, None)] * 10)
    done = semgate("calibrate", "--shadow", "shadow.jsonl")
    assert done.exit_code == 1
    assert "has no scores of a verifier, and route ask asks one" in done.stderr
    (verified / "routes.yaml").write_text(PLAIN)
    write_shadow(verified / "shadow.jsonl", [("right", 0.95, 0.9)] * 10)
    done = semgate("calibrate", "--shadow", "shadow.jsonl", "--route", "ask")
    assert "has scores of a verifier, and route ask asks none" in done.stderr


def test_lines_of_other_routes_are_left_out(semgate: Semgate, plain: Path) -> None:
    write_shadow(plain / "a.jsonl", [("right", 0.95, None)] * 900, route="ask")
    write_shadow(plain / "b.jsonl", [("wrong", 0.95, None)] * 900, route="other")
    (plain / "shadow.jsonl").write_text((plain / "a.jsonl").read_text() + (plain / "b.jsonl").read_text())
    assert calibrated(semgate, "--shadow", "shadow.jsonl")["outcome"] == "proven"
    done = semgate("calibrate", "--shadow", "b.jsonl")
    assert (done.exit_code, done.stderr) == (1, "error: b.jsonl has no line of route ask\n")


def test_without_a_routes_file_the_log_says_what_was_asked(semgate: Semgate, alone: Path) -> None:
    write_shadow(alone / "a.jsonl", [("right", 0.95, None)] * 900, route="mine")
    write_shadow(alone / "b.jsonl", [("right", 0.95, 0.9)] * 900, route="mine")
    assert calibrated(semgate, "--shadow", "a.jsonl")["by"] == "similarity"
    assert calibrated(semgate, "--shadow", "b.jsonl")["by"] == "verifier_score"


def test_pairs_say_what_they_cannot_tell(semgate: Semgate, plain: Path) -> None:
    write_pairs(plain / "pairs.csv", [*SAME, *OTHER, SAME[0], ("Why?", "Why?", "1")])
    done = semgate("calibrate", "--pairs", "pairs.csv", "--max-error", "25%")
    assert done.exit_code == 0, done.stdout
    assert "pairs.csv: 50 pairs, 25 of them with the same answer" in done.stdout
    assert "2 rows left out: the same words, or the same pair again" in done.stderr
    assert "50.0 % of these pairs have the same answer; in traffic another share" in done.stderr
    assert "for the routes file, under this route:\nthresholds: {hit: 0." in done.stdout
    assert "served of the pairs with the same answer: " in done.stdout


def test_with_a_prior_the_rate_is_that_of_traffic(semgate: Semgate, plain: Path) -> None:
    write_pairs(plain / "pairs.csv", [*SAME, *OTHER])
    lenient = calibrated(semgate, "--pairs", "pairs.csv", "--prior", "95%", "--max-error", "5%")
    assert lenient["outcome"] == "proven"
    strict = calibrated(semgate, "--pairs", "pairs.csv", "--prior", "30%", "--max-error", "5%", exit_code=3)
    assert strict["outcome"] == "thin"
    done = semgate("calibrate", "--pairs", "pairs.csv", "--prior", "30%", "--max-error", "5%")
    assert "further pairs labelled 0, none of them served, would prove it there" in done.stdout
    assert f"about {strict['more']} " in done.stdout


def test_pairs_of_one_label_say_nothing_of_traffic(semgate: Semgate, plain: Path) -> None:
    write_pairs(plain / "pairs.csv", SAME)
    done = semgate("calibrate", "--pairs", "pairs.csv", "--prior", "90%")
    assert (done.exit_code, done.stderr) == (
        1,
        "error: pairs.csv has pairs of one label only: with --prior it takes both\n",
    )
    write_pairs(plain / "pairs.csv", [("Why?", "Why?", "1")])
    done = semgate("calibrate", "--pairs", "pairs.csv")
    assert (done.exit_code, done.stderr) == (1, "error: pairs.csv has no pair of different texts\n")


@pytest.mark.parametrize("routes", [PLAIN, VERIFIED])
def test_a_log_of_questions_is_played_at_every_threshold(semgate: Semgate, alone: Path, routes: str) -> None:
    (alone / "routes.yaml").write_text(routes)
    log = [(row[0], row[0]) for row in SAME] + [(row[1], row[0]) for row in SAME] + [(SAME[0][0], SAME[0][0])] * 30
    write_log(alone / "log.csv", log)
    result = calibrated(semgate, "--stream", "log.csv", "--max-error", "25%")
    assert result["outcome"] == "proven"
    assert all(each["served"] <= len(SAME) for each in result["levels"]), "repeats prove nothing"
    chosen = next(each for each in result["levels"] if each["threshold"] == result["threshold"])
    assert chosen["wrong"] <= 2
    # Repeats are hits all the same.
    assert chosen["hit_share"] >= (30 + chosen["served"]) / len(log)
    done = semgate("calibrate", "--stream", "log.csv", "--max-error", "25%")
    assert "expected hit rate: " in done.stdout
    assert "of this log's questions" in done.stdout


def test_the_csv_has_the_evidence_at_each_threshold(semgate: Semgate, plain: Path) -> None:
    write_shadow(plain / "shadow.jsonl", [("right", 0.95, None)] * 500)
    done = semgate("calibrate", "--shadow", "shadow.jsonl", "--format", "csv", "--out", "levels.csv")
    assert (done.exit_code, done.stdout) == (0, "")
    rows = list(csv.DictReader(io.StringIO((plain / "levels.csv").read_text())))
    assert [(row["threshold"], row["served"], row["proven"]) for row in rows][-1] == ("0.95", "500", "1")
    assert {row["hit_share"] for row in rows} == {""}


def test_a_plot_is_drawn(semgate: Semgate, plain: Path) -> None:
    pytest.importorskip("matplotlib")
    write_shadow(plain / "shadow.jsonl", [("right", 0.95, None)] * 500)
    assert semgate("calibrate", "--shadow", "shadow.jsonl", "--plot", "evidence.svg").exit_code == 0
    drawn = (plain / "evidence.svg").read_text()
    assert "proven: 0.95" in drawn
    assert "wished: 1 %" in drawn


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ((), "give one of --pairs, --stream and --shadow"),
        (("--pairs", "a.csv", "--stream", "b.csv"), "give one of --pairs, --stream and --shadow"),
        (("--stream", "b.csv", "--prior", "50%"), "--prior belongs to --pairs"),
        (("--stream", "b.csv", "--max-error", "2"), "'2' is not a share like `1%` or `0.01`"),
        (("--stream", "b.csv", "--max-error", "0%"), "'0%' is not between 0 and 100 %"),
    ],
)
def test_wrong_use_is_told(semgate: Semgate, plain: Path, arguments: tuple[str, ...], wanted: str) -> None:
    done = semgate("calibrate", *arguments)
    assert done.exit_code == 2
    assert wanted in done.stderr
