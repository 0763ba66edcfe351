"""How something is asked: frames around a question, complaints, whose it is, "now" and "any". Each beside what it must not hide."""

from __future__ import annotations

import pytest

from gateway.core.pairs import Difference, compare
from gateway.core.pairs_reading import read

KNOWN: frozenset[str] = frozenset()


def differ(one: str, other: str) -> Difference:
    return compare(read(one), read(other), KNOWN)


def heavy(one: str, other: str) -> list[str]:
    """The words left over that are more than articles and copulas."""
    a, b = read(one), read(other)
    found = compare(a, b, KNOWN)
    over = [(a, at) for at in found.left] + [(b, at) for at in found.right]
    return [reading.words[at] for reading, at in over if reading.kinds[at] != "light"]


@pytest.mark.parametrize(
    ("plain", "framed"),
    [
        ("How do I peel a mango?", "I can't figure out how to peel a mango."),
        ("How do I peel a mango?", "I want to peel a mango, how do I do that?"),
        ("How do I peel a mango?", "I need to peel a mango. How does that work?"),
        ("How do I peel a mango?", "I'd like to peel a mango but I don't know how."),
        ("How do I peel a mango?", "If I wanted to peel a mango, how would I go about that?"),
        ("How do I peel a mango?", "I need some instructions on how to peel a mango."),
        ("How do I peel a mango?", "What steps do I need to take to peel a mango?"),
        ("Where can I buy a ladder?", "I want to buy a ladder, where can I get one?"),
        ("Why is the bridge closed?", "I have no idea why the bridge is closed."),
        ("Why is the bridge closed?", "The bridge is closed and I don't understand why. Can you help me?"),
        ("Why is the bridge closed?", "The bridge is closed. What could be the reason?"),
        ("When does the ferry leave?", "I'm confused as to when the ferry does leave."),
        ("How old are you?", "It would be great if someone could tell me how old you are."),
        ("Can I feed the ducks?", "I was wondering whether I can feed the ducks."),
        ("Is the ferry late?", "I'm not sure if the ferry is late, do you know?"),
        ("Is there a ferry?", "Would you know if there is a ferry?"),
        ("Is the ferry late?", "Is it true that the ferry is late, yes or no?"),
        (
            "open the door to 50%",
            "When you have a moment, and only if it is not too much trouble, could you open the door to 50%?",
        ),
        ("open the door to 50%", "Open the door to 50%. I have been waiting for an answer."),
        ("The bridge is closed.", "I have read the news. I think the bridge is closed."),
    ],
)
def test_a_frame_is_no_part_of_what_is_asked_and_what_it_denies_is_not_denied(plain: str, framed: str) -> None:
    assert heavy(plain, framed) == []
    found = differ(plain, framed)
    assert not found.negation and not found.order.exchanged


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Tell me how to peel a mango", "Don't tell me how to peel a mango"),
        ("list users that know how to swim", "list users that do not know how to swim"),
        ("Is it true that the ferry is late?", "Is it false that the ferry is late?"),
        ("My train is late. What is going on?", "My train is late. What isn't going on?"),
        ("Why can you tell who called?", "Why can't you tell who called?"),
        ("I have trouble sleeping", "I have no trouble sleeping"),
        ("The app says that it can tell who I am", "The app says that it can not tell who I am"),
    ],
)
def test_a_denial_that_is_meant_is_counted(one: str, other: str) -> None:
    assert differ(one, other).negation == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I want to peel a mango, how do I do that?", "I want to peel a mango, when do I do that?"),
        ("Can you tell me if the ferry runs?", "Can you tell me when the ferry runs?"),
        ("The bridge was closed. Why?", "The bridge was closed. How?"),
        ("Do I have to feed the ducks?", "Can I feed the ducks?"),
        ("Tell Ben when I arrive", "When do I arrive?"),
    ],
)
def test_frames_do_not_make_one_question_of_two(one: str, other: str) -> None:
    assert heavy(one, other)
    assert not differ(one, other).told


def test_why_it_is_so_may_be_asked_by_stating_it_and_how_to_do_it_by_wanting_it() -> None:
    for asked, stated in [
        ("Why is my parcel delayed?", "My parcel is delayed."),
        ("Why didn't the lamp come on?", "The lamp didn't come on"),
        ("How do I peel a mango?", "peel a mango"),
        ("How do I peel a mango?", "I want to peel a mango."),
    ]:
        found = differ(asked, stated)
        assert found.told == 1 and not found.extra_asking and not heavy(asked, stated)
    for asked, other in [
        ("Why is my parcel delayed?", "Is my parcel delayed?"),  # asks something else
        ("Why do I have to pay a toll?", "I have to pay a toll"),  # wants no reason
        ("Why did you close the bridge?", "Please close the bridge"),
        ("When is my parcel delayed?", "My parcel is delayed."),
        ("How do I schedule a meeting?", "my meeting schedule"),
    ]:
        found = differ(asked, other)
        assert found.extra_asking and not found.told


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I wash my dog?", "How to wash the dog"),
        ("Where are your parcels made?", "Where are parcels made?"),
        ("What lanes are open?", "What lanes are open at the moment?"),
        ("Is there any limit?", "Is there a limit?"),
        ("make some coffee", "make coffee"),
        ("book me a taxi", "book a taxi for me"),
        ("What exactly is a limit?", "What is a limit?"),
        ("Has it come yet?", "Has it come?"),
        ("Why doesn't it work anymore?", "Why doesn't it work?"),
        ("Will there be a toll?", "Is there a toll?"),
        ("How long does it take?", "How long will it take?"),
        ("The bridge was closed", "The bridge has been closed"),
        ("a box with a lid on it", "a box with a lid"),
        ("Do you have tents?", "Are there any tents?"),
        ("Could you open the door?", "Can you open the door?"),
    ],
)
def test_small_words_that_the_other_side_leaves_out_are_passed_over(one: str, other: str) -> None:
    assert heavy(one, other) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is my limit?", "What is a limit?"),
        ("How do I wash my dog?", "How do I wash his dog?"),
        ("How do I wash my dog?", "How do I wash your dog?"),
        ("How do I order my cup?", "How do I order another cup?"),
        ("What lanes are open now?", "What lanes are open later?"),
        ("What is the toll now?", "What was the toll?"),
        ("Can I use any lane?", "Can I use a lane?"),
        ("Are some cats black?", "Are cats black?"),
        ("email me the file", "email the file"),
        ("It has not come yet", "It has not come"),
        ("Who will paint it?", "Who painted it?"),
        ("Did it open?", "Will it open?"),
        ("Did it open?", "Does it open?"),
        ("The lamp is on it", "The lamp is off"),
        ("Where exactly was she born?", "Where was she born?"),
    ],
)
def test_small_words_that_change_the_answer_are_not(one: str, other: str) -> None:
    assert heavy(one, other)


def test_another_tense_weighs_more_than_a_verb_of_one_side() -> None:
    assert (
        differ("When did it open?", "When does it open?").modal
        > differ("When might it open?", "When does it open?").modal
    )


def test_before_it_happened_is_not_when_it_happened() -> None:
    assert differ("Why does it stop before it is cold?", "Why does it stop when it is cold?").contradicting == 1


def test_courtesies_are_left_out_of_every_sentence() -> None:
    long = "I have looked everywhere and found nothing. Could you please sign my daughter up for the course? Many thanks. Bye."
    assert heavy("Sign my daughter up for the course", long) == []
