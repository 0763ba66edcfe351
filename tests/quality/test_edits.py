"""The generator of near misses and rewrites: the same pairs each time, every kind, and labels that a person agrees with."""

from __future__ import annotations

import re
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.edits import REWRITES, Pair, changes, domains, generate, normalised, rewrite
from quality.edits.frame import FrameError, frames
from quality.edits.saying import another, reworded, said

CHANGES = {
    "antonym", "aspect", "attribute", "comparative", "conjunction", "constraint", "date", "direction", "duration", "format",
    "identifier", "language", "modality", "money", "name", "negation", "number", "order", "percent", "person", "preposition",
    "quantifier", "question", "role", "scope", "tense", "time", "topic", "unit", "version", "weekday", "year",
}  # fmt: skip
KEPT = {*REWRITES, "reworded", "fronting", "voice", "terse", "reorder", "correction", "chat"}


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return generate(seed=7, count=8000)


def test_the_same_seed_gives_the_same_pairs(pairs: list[Pair]) -> None:
    assert generate(seed=7, count=300) == pairs[:300]
    assert generate(seed=8, count=300) != pairs[:300]


def test_half_of_the_pairs_are_of_each_label(pairs: list[Pair]) -> None:
    assert Counter(pair.label for pair in pairs) == {0: 4000, 1: 4000}


def test_every_kind_is_there(pairs: list[Pair]) -> None:
    kinds = {label: {pair.kind.partition("+")[0] for pair in pairs if pair.label == label} for label in (0, 1)}
    assert kinds == {0: CHANGES, 1: KEPT}


def test_changes_hide_among_rewrites(pairs: list[Pair]) -> None:
    changed = [pair for pair in pairs if pair.label == 0]
    assert sum("+" in pair.kind for pair in changed) > len(changed) / 3


def test_no_change_is_one_of_case_or_punctuation_only(pairs: list[Pair]) -> None:
    assert not [pair for pair in pairs if pair.label == 0 and normalised(pair.text_a) == normalised(pair.text_b)]


def test_no_pair_is_twice_the_same_text(pairs: list[Pair]) -> None:
    assert not [pair for pair in pairs if pair.text_a == pair.text_b]


def test_nothing_is_left_unfilled(pairs: list[Pair]) -> None:
    assert not [text for pair in pairs for text in (pair.text_a, pair.text_b) if re.search("[{}|]", text)]


def test_there_are_many_domains_and_several_languages(pairs: list[Pair]) -> None:
    assert len(domains()) >= 25
    languages = Counter(pair.language for pair in pairs)
    assert set(languages) == {"en", "de", "fr", "es", "it", "pt", "nl"}
    assert languages["en"] > len(pairs) / 2


def test_some_domains_alone_can_be_asked_for() -> None:
    assert {pair.domain for pair in generate(seed=1, count=200, only={"music", "sql"})} == {"music", "sql"}


def test_questions_are_short_and_long(pairs: list[Pair]) -> None:
    sizes = [len(text.split()) for pair in pairs for text in (pair.text_a, pair.text_b)]
    assert min(sizes) <= 3
    assert sum(20 <= size <= 45 for size in sizes) > len(sizes) / 20


@pytest.mark.parametrize(
    "frame", frames(), ids=lambda frame: f"{frame.language}-{frame.domain}-{frame.wordings[0].text[:40]}"
)
def test_every_template_can_be_said_and_changed(frame) -> None:  # type: ignore[no-untyped-def]
    chance = Random(3)
    saying = said(frame, chance)
    assert saying.text()
    reworded(saying, chance)
    for variable in frame.variables:
        value = saying.values[variable.name]
        _, other = another(variable, value, chance, frame.language)
        assert other.meaning != value.meaning, variable
        assert not set(map(str.lower, other.words)) & set(map(str.lower, value.words)), variable


@pytest.mark.parametrize(
    ("text", "kind", "changed"),
    [
        ("Is the pool open on Monday?", "weekday", r"Is the pool open on (?!Monday)\w+day\?"),
        (
            "What should I do in an earthquake?",
            "negation",
            r"What should I not do in an earthquake\?|What shouldn't I .*",
        ),
        ("Why is my cat not eating?", "negation", r"Why is my cat eating\?"),
        ("Fly me from Oslo to Rome", "direction", r"Fly me from Rome to Oslo"),
        ("Convert Celsius to Kelvin", "direction", r"Convert Kelvin to Celsius"),
        ("Give me 12 eggs", "number", r"Give me (?!12\b)\d+ eggs"),
        ("Who was king in 1750?", "number", r"Who was king in (?!1750)\d+\?"),
        ("enable cookies", "antonym", r"disable cookies"),
        ("Where is the fair?", "question", r"(?!Where)\w+ is the fair\?"),
        ("Rename all files with spaces", "antonym", r"Rename all files without spaces"),
        ("Is tea cheaper than milk?", "comparative", r"Is tea more expensive than milk\?"),
        ("reset my PIN", "person", r"reset (?:his|her|your|our|their) PIN"),
        ("apples and pears", "conjunction", r"apples or pears"),
    ],
)
def test_one_edit_changes_any_text(text: str, kind: str, changed: str) -> None:
    found = [new for each, new in changes(text, Random(1)) if each == kind]
    assert any(re.fullmatch(changed, new) for new in found), found


@pytest.mark.parametrize(
    "text",
    [
        "Which is older, tea or coffee?",
        "What is the difference between tea and coffee?",
        "What came first, the egg or the hen?",
    ],
)
def test_a_choice_is_no_conjunction_that_could_be_another_one(text: str) -> None:
    assert "conjunction" not in {kind for kind, _ in changes(text, Random(1))}


def test_the_to_of_an_infinitive_is_no_direction() -> None:
    assert "preposition" not in {kind for kind, _ in changes("I want to sing", Random(1))}
    assert "preposition" in {kind for kind, _ in changes("A letter to my aunt", Random(1))}


@pytest.mark.parametrize(
    ("text", "kind", "rewritten"),
    [
        ("WHERE IS IT", "case", {"where is it", "wHERE IS IT", "Where Is It"}),
        ("I do not know", "contraction", {"I don't know"}),
        ("What's new?", "contraction", {"What is new?"}),
        ("my favourite colour", "spelling", {"my favorite colour", "my favourite color"}),
        ("It takes 12 days", "numberform", {"It takes twelve days"}),
        ("5 percent of it", "numberform", {"5% of it"}),
        ("open at 5pm", "numberform", {"open at 17:00"}),
        ("Zürich", "diacritics", {"Zurich"}),
    ],
)
def test_rewrites_say_the_same(text: str, kind: str, rewritten: set[str]) -> None:
    found = {rewrite(text, kind, Random(seed)) for seed in range(40)} - {None}
    assert found
    assert found <= rewritten


@given(st.text(max_size=80), st.integers(0, 10))
def test_any_text_can_be_edited(text: str, seed: int) -> None:
    for _, changed in changes(text, Random(seed)):
        assert normalised(changed) != normalised(text)
    for kind in REWRITES:
        assert rewrite(text, kind, Random(seed)) != text


@given(st.from_regex(r"[A-Za-z ]{0,12}\b[0-9]{1,3}\b[A-Za-z ]{0,12}", fullmatch=True), st.integers(0, 5))
def test_a_typo_touches_no_number(text: str, seed: int) -> None:
    mistyped = rewrite(text, "typo", Random(seed))
    if mistyped is not None:
        assert re.findall(r"\d+", mistyped) == re.findall(r"\d+", text)


def test_a_template_that_leaves_a_variable_out_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "en-x.txt").write_text("do: feed the {a}\nsay: Feed it!\na name = cat | dog\n")
    monkeypatch.setattr("quality.edits.frame.FOLDER", tmp_path)
    with pytest.raises(FrameError, match=r"en-x.txt, block 1: 'Feed it!' leaves out \['a'\]"):
        frames.__wrapped__()
