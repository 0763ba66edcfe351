"""Shares, goals and average precision from judged pairs; the kind of an edit from its words; files that are read."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from quality.figures import average_precision, kind_figures, pair_figures, stream_figures
from quality.judging import COSINE_LOOSE, COSINE_STRICT, VERIFIER, Judged, Setting
from quality.kinds import kind_of
from quality.replay import Replayed
from quality.sources import (
    LabelledPair,
    PairSet,
    UnreadableData,
    handwritten,
    handwritten_later,
    handwritten_third,
    read_folder,
)


def judged(*rows: tuple[float, float, int, str], edits: bool = False) -> Judged:
    """Rows of similarity, score, label and kind."""
    similarity, score, label, kinds = zip(*rows, strict=True)
    pairs = [LabelledPair("a", "b", each, kind) for each, kind in zip(label, kinds, strict=True)]
    setting = Setting(candidate=0.8, at_least=0.5)
    return Judged("own", pairs, edits, np.array(similarity), np.array(score), np.array(label) == 1, setting)


def test_a_pair_is_served_if_it_is_similar_and_its_score_is_high() -> None:
    figures = pair_figures(judged((0.99, 0.9, 1, ""), (0.85, 0.9, 1, ""), (0.7, 0.9, 1, ""), (0.99, 0.1, 0, "")))
    assert (figures.right[VERIFIER].part, figures.right[COSINE_STRICT].part) == (2, 1)
    assert (figures.wrong[VERIFIER].part, figures.wrong[COSINE_STRICT].part) == (0, 1)
    assert all(goal.reached for goal in figures.goals)


def test_half_as_many_wrong_ones_are_the_most() -> None:
    rows = [(0.99, 0.9, 0, ""), (0.99, 0.1, 0, ""), (0.99, 0.9, 1, "")]
    assert [goal.reached for goal in pair_figures(judged(*rows)).goals] == [True, True]
    assert [goal.reached for goal in pair_figures(judged(rows[0], rows[2])).goals] == [True, False]


@pytest.mark.parametrize(
    ("kind", "served", "reached"), [("name", 10, True), ("name", 11, False), ("number", 2, True), ("number", 3, False)]
)
def test_kinds_have_goals_of_their_own(kind: str, served: int, reached: bool) -> None:
    rows = [(0.99, 0.9 if number < served else 0.1, 0, kind) for number in range(100)]
    (figures,) = kind_figures(judged(*rows, edits=True))
    assert figures.goal is not None
    assert figures.goal.reached is reached


def test_rewrites_of_the_surface_and_of_the_wording_have_goals_apart() -> None:
    rows = [(0.99, 0.9, 1, "case")] * 20 + [(0.99, 0.9 if n < 10 else 0.1, 1, "reworded") for n in range(20)]
    figures = pair_figures(judged(*rows, (0.99, 0.1, 0, "name"), edits=True))
    reached = {goal.name: goal.reached for goal in figures.goals}
    assert reached == {"changes served": True, "surface rewrites served": True, "reworded served": False}


def test_a_rewrite_that_hides_another_wording_is_not_one_of_the_surface() -> None:
    assert LabelledPair("a", "b", 1, "case").surface
    assert not LabelledPair("a", "b", 1, "case", further=("reworded",)).surface
    assert not LabelledPair("a", "b", 0, "case").surface


def test_rewrites_have_no_goal_by_kind() -> None:
    (figures,) = kind_figures(judged((0.99, 0.9, 1, "case"), edits=True))
    assert figures.goal is None


def test_a_stream_is_compared_with_what_plain_cosine_gives() -> None:
    played = {COSINE_LOOSE: Replayed(110, 10), COSINE_STRICT: Replayed(50, 2), VERIFIER: Replayed(88, 3)}
    figures = stream_figures(played, "own", 500)
    assert figures.kept == 0.85
    assert [goal.reached for goal in figures.goals] == [True, True]
    played[VERIFIER] = Replayed(88, 4)
    assert [goal.reached for goal in stream_figures(played, "own", 500).goals] == [False, False]


def test_average_precision_is_that_of_the_textbook() -> None:
    ranks, labels = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False])
    assert average_precision(ranks, labels) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.ones(4), labels) == pytest.approx(0.5)
    assert average_precision(ranks, np.zeros(4, dtype=bool)) == 0


@pytest.mark.parametrize(
    ("text_a", "text_b", "label", "kind"),
    [
        ("book 3 seats", "book 4 seats", 0, "number"),
        ("book two seats", "book six seats", 0, "number"),
        ("is it open", "is it not open", 0, "negation"),
        ("I can swim", "I can't swim", 0, "negation"),
        ("turn it on", "turn it off", 0, "antonym"),
        ("from Oslo to Bonn", "from Bonn to Oslo", 0, "direction"),
        ("ask Ann", "ask Bob", 0, "name"),
        ("when is it", "where is it", 0, "question"),
        ("is it open", "Is it OPEN", 1, "case"),
        ("is it open", "is it open?", 1, "punctuation"),
        ("is it open?", "Please tell me: is it open?", 1, "politeness"),
        ("what is it", "what's it", 1, "contraction"),
        ("I can not swim", "I cannot swim", 1, "contraction"),
        ("where is my parcel", "where is my parcle", 1, "typo"),
    ],
)
def test_the_kind_of_an_edit_is_told_from_its_words(text_a: str, text_b: str, label: int, kind: str) -> None:
    assert kind_of(text_a, text_b, label) == kind


@pytest.mark.parametrize(
    ("pairs", "least"), [(handwritten(), 300), (handwritten_later(), 200), (handwritten_third(), 150)]
)
def test_handwritten_pairs_are_many_and_of_both_labels(pairs: PairSet, least: int) -> None:
    assert len(pairs.pairs) >= least
    assert {pair.label for pair in pairs.pairs} == {0, 1}
    assert all(pair.kind for pair in pairs.pairs)
    assert len({(pair.text_a, pair.text_b) for pair in pairs.pairs}) == len(pairs.pairs)


def test_no_question_is_in_two_handwritten_sets() -> None:
    first, later, third = (
        {text for pair in pairs.pairs for text in (pair.text_a, pair.text_b)}
        for pairs in (handwritten(), handwritten_later(), handwritten_third())
    )
    assert not first & later and not first & third and not later & third


def write(path: Path, *rows: str) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(rows) + "\n")


def test_a_folder_is_read_by_its_names(tmp_path: Path) -> None:
    write(tmp_path / "faq.dev.csv.gz", "text_a,text_b,label", "a,b,1", "a,c,0")
    write(tmp_path / "faq.stream.dev.csv.gz", "text,cluster", "a,1", "b,1", "c,2")
    write(tmp_path / "own_nearmiss.csv.gz", "text_a,text_b,label", "take 1,take 2,0")
    pair_sets, streams = read_folder(tmp_path, 2, 2)
    assert [(each.name, len(each.pairs), each.edits) for each in pair_sets] == [
        ("faq", 2, False),
        ("own_nearmiss", 1, True),
    ]
    assert pair_sets[1].pairs[0].kind == "number"
    assert [(each.name, each.texts) for each in streams] == [("faq", ["a", "b"])]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["text_a,text_b", "a,b"], "needs rows with the columns text_a, text_b, label"),
        (["text_a,text_b,label"], "needs rows"),
        (["text_a,text_b,label", "a,b,1", "a,b,yes"], "line 3: the label is 0 or 1, not 'yes'"),
    ],
)
def test_a_file_that_is_no_pair_set_is_named(tmp_path: Path, rows: list[str], message: str) -> None:
    write(tmp_path / "x.csv.gz", *rows)
    with pytest.raises(UnreadableData, match=message) as caught:
        read_folder(tmp_path)
    assert "x.csv.gz" in str(caught.value)


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableData, match=r"holds no \.csv\.gz"):
        read_folder(tmp_path)
    (tmp_path / "x.csv.gz").write_bytes(b"not gzip")
    with pytest.raises(UnreadableData, match="cannot be read"):
        read_folder(tmp_path)
