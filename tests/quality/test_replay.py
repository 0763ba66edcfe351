"""A stream through an empty cache: what is kept, what is served, and when that is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.embedding import DIMENSIONS, Vectors, _key
from quality.replay import TOP_K, Replayed, replay
from quality.sources import Stream


def on_a_circle(degrees: dict[str, float | None]) -> Vectors:
    """Texts with angles: the cosine of two is that of the angle between them. None: no vector."""
    found = {}
    for text, angle in degrees.items():
        vector = np.zeros(DIMENSIONS, dtype=np.float32)
        if angle is not None:
            vector[:2] = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        found[_key(text)] = vector
    return Vectors(found)


def stream(*questions: tuple[str, str]) -> Stream:
    return Stream("own", [text for text, _ in questions], [cluster for _, cluster in questions])


def always(_text: str, _kept: str, _near: float) -> bool:
    return True


def test_a_near_question_is_served_and_not_kept() -> None:
    vectors = on_a_circle({"a": 0, "a2": 10, "a3": 25})
    asked = stream(("a", "1"), ("a2", "1"), ("a3", "1"))
    assert replay(asked, vectors, 0.95, always) == Replayed(1, 0)  # a3 is near a2 only, which was not kept


def test_a_hit_of_another_cluster_is_wrong() -> None:
    vectors = on_a_circle({"a": 0, "b": 5})
    assert replay(stream(("a", "1"), ("b", "2")), vectors, 0.95, always) == Replayed(1, 1)


def test_the_nearest_is_asked_first_and_the_next_one_if_it_is_refused() -> None:
    vectors = on_a_circle({"far": -17, "near": 12, "q": 0})
    asked: list[str] = []

    def refuse_near(_text: str, kept: str, _near: float) -> bool:
        asked.append(kept)
        return kept != "near"

    played = replay(stream(("far", "2"), ("near", "1"), ("q", "1")), vectors, 0.9, refuse_near)
    assert asked[-2:] == ["near", "far"]
    assert played == Replayed(1, 1)


def test_no_more_than_five_are_asked() -> None:
    vectors = on_a_circle({f"k{number}": number * 0.1 for number in range(8)} | {"q": 0.0})
    refused = 0

    def refuse(text: str, _kept: str, _near: float) -> bool:
        nonlocal refused
        refused += text == "q"
        return False

    replay(stream(*((f"k{number}", str(number)) for number in range(8)), ("q", "x")), vectors, 0.5, refuse)
    assert refused == TOP_K


def test_the_same_words_need_neither_vector_nor_opinion() -> None:
    vectors = on_a_circle({"a": None, "b": 0})
    refuse = pytest.fail
    assert replay(stream(("a", "1"), ("b", "2"), ("a", "1"), ("b", "3")), vectors, 0.9, refuse) == Replayed(2, 1)


@given(st.lists(st.tuples(st.integers(0, 359), st.integers(0, 3)), max_size=30))
def test_fewer_are_served_at_a_higher_threshold_of_the_first_hit(asked: list[tuple[int, int]]) -> None:
    texts = [f"{number}:{angle}" for number, (angle, _) in enumerate(asked)]
    vectors = on_a_circle({text: angle for text, (angle, _) in zip(texts, asked, strict=True)})
    questions = Stream("own", texts, [str(cluster) for _, cluster in asked])
    plays = [replay(questions, vectors, threshold, always) for threshold in (0.0, 0.9, 1.1)]
    assert all(0 <= play.wrong <= play.hits < max(len(asked), 1) for play in plays)
    assert plays[2] == Replayed(0, 0)
