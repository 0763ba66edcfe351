"""What two questions differ in: one test for each thing that is found, on readings of plain sentences."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.pairs import Difference, compare
from gateway.core.pairs_reading import read

KNOWN = frozenset(["form", "from", "recipe", "garden", "tool"])


def differ(one: str, other: str) -> Difference:
    return compare(read(one), read(other), KNOWN)


def left_over(one: str, other: str) -> tuple[list[str], list[str]]:
    a, b = read(one), read(other)
    found = compare(a, b, KNOWN)
    return [a.words[at] for at in found.left], [b.words[at] for at in found.right]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What's the deadline?", "what is the deadline"),
        ("I can't find my keys", "I cannot find my keys"),
        ("Where do I park?", "Hello! Could you tell me where do I park? Many thanks in advance."),
        ("It costs twenty five dollars", "It costs $25"),
        ("a room for 1,000.00 people", "a room for 1000 people"),
        ("The shop shuts at 17:30", "The shop shuts at 5:30 p.m."),
        ("my favourite colour", "my favorite color"),
        ("How can I peel a mango?", "How do I peel a mango?"),
        ("at least 4 eggs", "4 or more eggs"),
        ("What is the number of seats?", "How many seats?"),
        ("the 3rd of May", "the third of May"),
        ("Who is the chief executive officer?", "Who is the CEO?"),
        ("Can I log in twice?", "Can I login twice?"),
        ("the hammer stands before the saw", "the saw stands after the hammer"),
        ("Is the red, no wait, the green bus late?", "Is the green bus late?"),
        ("How um when does it start?", "When does it start?"),
    ],
)
def test_writing_courtesy_and_self_correction_leave_no_content_over(one: str, other: str) -> None:
    a, b = read(one), read(other)
    found = compare(a, b, KNOWN)
    over = [a.kinds[at] for at in found.left] + [b.kinds[at] for at in found.right]
    assert set(over) <= {"light"}
    assert not found.numbers and not found.negation and not found.order.exchanged


def test_numbers_are_compared_by_value() -> None:
    assert differ("a table for six", "a table for 7").numbers == 1
    assert differ("a table for six", "a table for 6").numbers == 0
    assert differ("a table", "a table for 6").extra_numbers == 1
    assert differ("this table", "this one table").extra_numbers == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Should I feed them?", "Should I not feed them?"),
        ("Is it safe?", "Isn't it safe?"),
        ("coffee with milk", "coffee with no milk"),
        ("Darf ich hier parken?", "Darf ich hier nicht parken?"),
        ("Puedo entrar", "Nunca puedo entrar"),
        ("Which rooms have a view?", "Which rooms have no view?"),
    ],
)
def test_a_negation_is_counted_in_any_wording(one: str, other: str) -> None:
    assert differ(one, other).negation == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("turn the heating on", "turn the heating off"),
        ("a flight on Monday", "a flight on Tuesday"),
        ("lock the door", "unlock the door"),
        ("a legal move", "an illegal move"),
        ("the biggest lake", "the smallest lake"),
    ],
)
def test_opposites_and_members_of_one_family_contradict(one: str, other: str) -> None:
    assert differ(one, other).contradicting == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a train from Ghent to Bruges", "a train from Bruges to Ghent"),
        ("Is New Orleans older than Los Alamos?", "Is Los Alamos older than New Orleans?"),
        ("Does the cat fear the dog?", "Does the dog fear the cat?"),
        ("Which guests has this waiter served?", "Which waiter has this guests served?"),
    ],
)
def test_an_exchange_around_a_middle_is_found(one: str, other: str) -> None:
    assert differ(one, other).order.exchanged


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("On Friday, can I borrow the van?", "Can I borrow the van on Friday?"),
        ("salt or pepper on eggs", "pepper or salt on eggs"),
        ("12 inches is how many feet", "how many feet is 12 inches"),
    ],
)
def test_what_moves_without_turning_the_meaning_is_no_exchange(one: str, other: str) -> None:
    assert not differ(one, other).order.exchanged


def test_a_slip_of_the_pen_is_a_partner_but_another_word_is_not() -> None:
    assert left_over("a recpie for soup", "a recipe for soup") == ([], [])
    assert left_over("the form for soup", "the from for soup") == (["form"], ["from"])


def test_a_no_takes_nothing_back_that_is_not_said_again() -> None:
    assert left_over("Fly to Oslo, no wait, to Bergen", "Fly to Oslo") == (["bergen"], [])


def test_words_that_a_question_quotes_are_kept() -> None:
    assert "thanks" in read("How do you say thank you in Finnish?").words
    assert "please" in read("How do you spell please?").words


@given(st.text(max_size=300), st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_two_texts_can_be_compared(one: str, other: str) -> None:
    a, b = read(one), read(other)
    found = compare(a, b, KNOWN)
    assert len(a.words) == len(a.kinds)
    assert found.left == sorted(set(found.left)) and set(found.left) <= set(range(len(a.words)))
    assert found.right == sorted(set(found.right)) and set(found.right) <= set(range(len(b.words)))


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_a_text_does_not_differ_from_itself(text: str) -> None:
    found = differ(text, text)
    assert not found.left and not found.right and not found.negation
    assert found.order.inverted == 0 and not found.order.exchanged


def test_very_long_words_and_numbers_are_read() -> None:
    assert read("9" * 6000 + ":00 " + "x" * 6000).words
