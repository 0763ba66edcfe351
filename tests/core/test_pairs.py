"""What two questions differ in: one test for each thing that is found, on readings of plain sentences."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
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
        ("Which of the two is older?", "Which is older?"),
        ("How far apart are Rome and Oslo?", "How far is it between Rome and Oslo?"),
        ("pages with a small letter", "pages with a lower-case letter"),
        ("the forename and surname of a guest", "the first and last name of a guest"),
        ("What is the number of seats?", "How many seats?"),
        ("the 3rd of May", "the third of May"),
        ("Who is the chief executive officer?", "Who is the CEO?"),
        ("Can I log in twice?", "Can I login twice?"),
        ("the hammer stands before the saw", "the saw stands after the hammer"),
        ("Is the red, no wait, the green bus late?", "Is the green bus late?"),
        ("How um when does it start?", "When does it start?"),
        ("Wo ist der Bahnhof?", "Entschuldigen Sie bitte, wo ist der Bahnhof? Vielen Dank im Voraus!"),
        ("Steps to peel a mango", "What is the procedure for peeling a mango?"),
        ("coffee w/o sugar", "coffee without sugar"),
        ("Remove old pictures", "Deleting old pictures"),
        ("I have looked everywhere and could not find it. How do I block a card?", "How do I block a card?"),
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
        ("For tents, is nylon lighter than cotton?", "Is cotton lighter than nylon for tents?"),
        ("Ghent to Bruges by bus: what is the price?", "the price Bruges to Ghent by bus"),
        ("Who taught Plato?", "Who did Plato teach?"),
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
        ("lines with the word ham or the word egg", "lines with the word egg or the word ham"),
        ("the difference between a hare and a rabbit", "the difference between a rabbit and a hare"),
        ("Does the city clear the snow?", "Is the snow cleared by the city?"),
        ("Who painted the ceiling?", "By whom was the ceiling painted?"),
    ],
)
def test_what_moves_without_turning_the_meaning_is_no_exchange(one: str, other: str) -> None:
    assert not differ(one, other).order.exchanged


def test_a_slip_of_the_pen_is_a_partner_but_another_word_is_not() -> None:
    assert left_over("a recpie for soup", "a recipe for soup") == ([], [])
    assert left_over("the form for soup", "the from for soup") == (["form"], ["from"])


def test_a_no_takes_nothing_back_that_is_not_said_again() -> None:
    assert "bergen" in left_over("Fly to Oslo, no wait, to Bergen", "Fly to Oslo")[0]


def test_what_a_sentence_beside_the_question_tells_is_counted_by_itself() -> None:
    chatter = differ("I have looked all day and found nothing. How do I block a card?", "How do I block a card?")
    assert not chatter.left and not chatter.right and (chatter.telling, chatter.negation) == (0, 0)
    told = differ("I am a widower from Peru. How do I block a card?", "How do I block a card?")
    assert told.asides == 1 and told.telling > 1
    both = differ("I am from Peru. How do I block a card?", "I am from Chile. How do I block a card?")
    assert both.asides == 0 and both.contradicting


def test_and_is_not_or() -> None:
    assert differ("rooms with a bath and a balcony", "rooms with a bath or a balcony").joining
    assert not differ("rooms with a bath and a balcony", "rooms with a balcony and a bath").joining


def test_a_no_that_both_say_or_that_takes_back_nothing_of_weight_is_no_repair() -> None:
    assert differ("erro 12 no Linux", "erro 13 no Linux").numbers == 1
    assert differ("rice and salmon", "rice but no salmon").negation == 1
    assert left_over("das Licht im Bad um 7 Uhr", "das Licht im Flur um 7 Uhr") == (["bad"], ["flur"])


def test_a_question_word_beside_a_noun_of_its_own_is_not_another_question_word() -> None:
    assert differ("where is he from", "which country is he from").asking == 0
    assert differ("where is he from", "when is he from").asking == 1


def test_words_that_a_question_quotes_are_kept() -> None:
    assert "thanks" in read("How do you say thank you in Finnish?").words
    assert "please" in read("How do you spell please?").words


@given(st.text(max_size=300), st.text(max_size=300))
@example("0", "\u19daA")  # a digit, though no decimal one
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


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("rooms with no window", "rooms without a window"),
        ("rooms that do not contain a bed", "rooms without a bed"),
        ("rooms with a bed but no window", "rooms with a bed but without a window"),
    ],
)
def test_without_is_said_in_many_ways(one: str, other: str) -> None:
    found = differ(one, other)
    assert not found.negation and not found.contradicting
    assert differ(one, other.replace("without", "with")).negation
