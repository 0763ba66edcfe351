"""What a purge covers; and that putting purges together never lets anything escape."""

from __future__ import annotations

import math
import struct

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.purges import FOREVER, Asked, Purge, Similar, coarsen, cosine
from gateway.engine.purges import Purges

ROUTES = ("a", "b")
SCOPES = (b"s" * 32, b"t" * 32)
KEYS = (b"k" * 32, b"l" * 32, b"m" * 32)
TAGS = ("x", "y", "z")


def unit(angle: float) -> bytes:
    return struct.pack("<2f", math.cos(angle), math.sin(angle))


VECTORS = tuple(unit(angle) for angle in (0.0, 0.3, 0.6, 1.5))

asks = st.builds(
    Asked,
    route=st.sampled_from(ROUTES),
    scope=st.sampled_from(SCOPES),
    exact=st.sampled_from(KEYS),
    tags=st.lists(st.sampled_from(TAGS), unique=True, max_size=3).map(tuple),
    asked_at=st.integers(0, 10).map(float),
)
purges = st.builds(
    Purge,
    before=st.integers(0, 10).map(float),
    route=st.sampled_from((None, *ROUTES)),
    scopes=st.frozensets(st.sampled_from(SCOPES), max_size=2),
    tags=st.frozensets(st.sampled_from(TAGS), max_size=2),
    exact=st.frozensets(st.sampled_from(KEYS), max_size=2),
    similar=st.none() | st.builds(Similar, st.just("m"), st.sampled_from(VECTORS), st.sampled_from((0.5, 0.9))),
    until=st.integers(0, 10).map(float),
)
several = st.lists(purges, max_size=12).map(
    lambda made: [msgspec.structs.replace(purge, number=number) for number, purge in enumerate(made, 1)]
)
ASKED = Asked("a", SCOPES[0], KEYS[0], ("x", "y"), 5.0)


@pytest.mark.parametrize(
    ("purge", "covered"),
    [
        (Purge(5.1), True),
        (Purge(5.0), False),
        (Purge(9.0, "a"), True),
        (Purge(9.0, "b"), False),
        (Purge(9.0, scopes=frozenset(SCOPES)), True),
        (Purge(9.0, scopes=frozenset(SCOPES[1:])), False),
        (Purge(9.0, tags=frozenset(["y", "other"])), True),
        (Purge(9.0, tags=frozenset(["other"])), False),
        (Purge(9.0, exact=frozenset(KEYS[:1])), True),
        (Purge(9.0, exact=frozenset(KEYS[1:])), False),
        (Purge(9.0, "a", frozenset(SCOPES), frozenset("x"), frozenset(KEYS)), True),
        (Purge(9.0, "a", frozenset(SCOPES), frozenset("z"), frozenset(KEYS)), False),
    ],
)
def test_what_was_asked_before_and_fits_everything_given_is_covered(purge: Purge, covered: bool) -> None:
    assert purge.covers(ASKED) is covered


def test_by_similarity_what_is_near_is_covered_and_what_cannot_be_compared_too() -> None:
    purge = Purge(9.0, "a", similar=Similar("m", unit(0.0), 0.9))
    assert purge.covers(ASKED, unit(0.1), "m")
    assert not purge.covers(ASKED, unit(1.0), "m")
    assert purge.covers(ASKED)
    assert purge.covers(ASKED, unit(1.0), "another model")
    assert purge.covers(ASKED, struct.pack("<3f", 1.0, 0.0, 0.0), "m")
    assert not purge.covers(ASKED, b"", "m")
    assert not purge.covers(msgspec.structs.replace(ASKED, asked_at=9.0), unit(0.0), "m")


@given(st.floats(0, 3), st.floats(0, 3))
def test_similarity_is_the_cosine(one: float, other: float) -> None:
    assert cosine(unit(one), unit(other)) == pytest.approx(math.cos(one - other), abs=1e-6)


@given(purges, purges, asks, st.none() | st.sampled_from(VECTORS))
def test_what_supersedes_another_covers_all_that_it_covers(
    one: Purge, other: Purge, asked: Asked, vector: bytes | None
) -> None:
    if one.supersedes(other) and other.covers(asked, vector, "m"):
        assert one.covers(asked, vector, "m")


@settings(max_examples=500)
@given(several, asks, st.none() | st.sampled_from(VECTORS), st.integers(1, 6), st.integers(1, 8), st.integers(1, 3))
def test_however_few_they_become_nothing_escapes(
    many: list[Purge], asked: Asked, vector: bytes | None, most: int, most_keys: int, most_similar: int
) -> None:
    bounded = coarsen(many, most=most, most_keys=most_keys, most_similar=most_similar)
    assert len(bounded) <= max(most, 1)
    assert sum(purge.keys for purge in bounded) <= most_keys
    assert sum(purge.similar is not None for purge in bounded) <= most_similar
    if any(purge.covers(asked, vector, "m") for purge in many):
        assert any(purge.covers(asked, vector, "m") for purge in bounded)


@given(several)
def test_within_the_bounds_they_cover_what_they_covered(many: list[Purge]) -> None:
    bounded = coarsen(many)
    assert all(purge in many for purge in bounded)


def test_tags_are_put_together_before_whole_routes_are() -> None:
    many = [
        Purge(float(number), "a", tags=frozenset([f"tag{number}"]), number=number, until=50.0)
        for number in range(1, 101)
    ]
    many.append(Purge(50.0, "b", frozenset(SCOPES), frozenset("x"), number=101, until=50.0))
    bounded = coarsen(many, most=80)
    assert len(bounded) <= 80
    assert all(purge.tags for purge in bounded)
    newest = [purge for purge in bounded if purge.number > 60]
    assert [purge for purge in newest if purge not in many] == []
    together = [purge for purge in bounded if purge.number == 0]
    assert {purge.route for purge in together} == {"a"}
    assert {purge.until for purge in together} == {50.0}


def test_many_purges_are_put_together_in_no_time() -> None:
    many = [Purge(float(number), "a", number=number) for number in range(1, 5_000)]
    many += [Purge(float(number), tags=frozenset([f"t{number}"]), number=number) for number in range(5_000, 15_000)]
    bounded = coarsen(many)
    assert len(bounded) <= 10_000
    assert sum(not purge.keys for purge in bounded) == 1


@settings(max_examples=500)
@given(several, asks, st.none() | st.sampled_from(VECTORS), st.sampled_from((None, "m", "n")))
def test_the_list_of_a_process_says_what_its_purges_say_one_by_one(
    many: list[Purge], asked: Asked, vector: bytes | None, space: str | None
) -> None:
    listed = Purges()
    for purge in many:
        listed.add([purge])
    assert listed.covers(asked, vector, space) is any(purge.covers(asked, vector, space) for purge in many)
    listed.replace(many[:1])
    assert listed.covers(asked, vector, space) is any(purge.covers(asked, vector, space) for purge in many[:1])


def test_without_any_purge_nothing_is_newer_than_an_entry() -> None:
    listed = Purges()
    assert listed.newest == 0.0
    listed.add([Purge(7.0, "a")])
    assert listed.newest == 7.0
    listed.replace([])
    assert listed.newest == 0.0
    assert not listed.covers(ASKED)


def test_a_purge_that_is_not_written_yet_lasts() -> None:
    assert Purge(1.0).until == FOREVER
