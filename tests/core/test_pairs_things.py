"""Words that add nothing beside the words they stand with, each with the sentence in which they do."""

from __future__ import annotations

import pytest

from gateway.core.pairs import compare
from gateway.core.pairs_reading import read

_KNOWN = """
account album book city colour command company country delete directory file film find flat form garden guitar house key lid list
movie number option pin play recipe report show shop song string student teacher the user word zip
"""
KNOWN = frozenset(_KNOWN.split())


def left_over(one: str, other: str) -> set[str]:
    """The words that one side alone has, but for those on which no answer hangs."""
    a, b = read(one), read(other)
    found = compare(a, b, KNOWN)
    over = [(a, at) for at in found.left] + [(b, at) for at in found.right]
    return {reading.words[at] for reading, at in over if reading.kinds[at] != "light"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Which museums does the city of Oslo have?", "Which museums does Oslo have?"),
        ("Who wrote the book Dune?", "Who wrote Dune?"),
        ("Delete the file notes.txt", "Delete notes.txt"),
        ("Delete notes in the /tmp directory", "Delete notes in /tmp"),
        ("reports owned by user vkumar", "reports owned by vkumar"),
        ("lines with the string 'garden'", "lines with 'garden'"),
        ("lines with the word 'garden'", "lines with the string 'garden'"),
        ("lines with the string 'garden' or the string 'key'", "lines with 'garden' or 'key'"),
        ("How do I use option -r?", "How do I use -r?"),
        ("the grade of the student named Kim", "the grade of Kim"),
        ("films released in the year 1999", "films released in 1999"),
        ("I lost my PIN code", "I lost my PIN"),
        ("turn a pdf file into html", "turn a pdf into html"),
        ("a word with a capital letter", "a word with a capital"),
    ],
)
def test_what_a_name_stands_for_adds_nothing_to_it(one: str, other: str) -> None:
    assert not left_over(one, other)


@pytest.mark.parametrize(
    ("one", "other", "over"),
    [
        ("Who wrote the book Dune?", "Who wrote the film Dune?", {"book", "movie"}),
        ("the grade of the student named Kim", "the grade of the teacher Kim", {"student", "named", "teacher"}),
        ("Close the Google account", "Close Google", {"account"}),
        ("Show the Volvo company", "Show the Volvo", {"company"}),
        ("Which company did Volvo buy?", "Which Volvo did buy?", {"company"}),
        ("Can I book Hilton rooms?", "Can I Hilton rooms?", {"book"}),
        ("apples of a tree under the roof", "apples under the roof", {"tree"}),
        ("Delete the file list", "Delete the list", {"file"}),
        ("the colour of the house key", "the colour of the key", {"house"}),
        ("capital letter", "capital city", {"letter", "town"}),
    ],
)
def test_a_noun_that_says_more_than_the_name_stays(one: str, other: str, over: set[str]) -> None:
    assert left_over(one, other) & over


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("list all flights to Rome", "list flights to Rome"),
        ("Show me all the shops in Rome", "Show me the shops in Rome"),
        ("show the names of all students", "show the names of students"),
        ("find all users that owe money", "list all users that owe money"),
        ("find all drafts and delete them", "delete all drafts"),
        ("orders with at least one guitar", "orders with a guitar"),
        ("clean the whole house", "clean the house"),
        ("jars with a lid on the shelf", "jars with a lid on the shelf"),
        ("jars with honey in them", "jars with honey"),
        ("letters that were posted in May", "letters posted in May"),
        ("keys under /opt and below", "keys under /opt"),
    ],
)
def test_what_goes_without_saying_is_not_left_over(one: str, other: str) -> None:
    assert not left_over(one, other)


@pytest.mark.parametrize(
    ("one", "other", "over"),
    [
        ("delete all flights to Rome", "delete flights to Rome", "all"),
        ("students enrolled in all courses", "students enrolled in courses", "all"),
        ("find students who passed all exams", "find students who passed exams", "all"),
        ("show me all recipes", "show me a recipe", "all"),
        ("list all flights", "list some flights", "all"),
        ("remind me at least once a week", "remind me a week", "atleast"),
        ("orders with at least one guitar", "orders with exactly one guitar", "atleast"),
        ("clean the whole house", "clean half the house", "whole"),
        ("letters that were posted", "letters that are posted", "were"),
        ("keys in /opt and below", "keys in /opt", "below"),
        ("find main.py", "show main.py", "find"),
    ],
)
def test_the_same_words_stay_where_they_say_something(one: str, other: str, over: str) -> None:
    assert over in left_over(one, other)


@pytest.mark.parametrize(
    ("one", "other", "members"),
    [
        ("tea with milk and sugar", "tea with milk", {"sugar"}),
        ("tea with milk, sugar and lemon", "tea with milk and lemon", {"sugar"}),
        ("cheap tea with milk and lemon", "tea with milk and lemon", set()),
    ],
)
def test_members_that_one_list_alone_has_are_found(one: str, other: str, members: set[str]) -> None:
    assert compare(read(one), read(other), KNOWN).members == members
