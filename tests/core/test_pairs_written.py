"""How something is written and said: what is only that leaves nothing over, and what looks like it stays apart."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.folding import fold
from gateway.core.pairs import Difference, compare
from gateway.core.pairs_reading import PORTUGUESE, in_one_language, read
from gateway.core.pairs_spelling import mended

KNOWN = frozenset(
    [
        "series",
        "belong",
        "film",
        "show",
        "three",
        "order",
        "pod",
        "password",
        "bread",
        "convert",
        "slide",
        "wait",
        "deck",
        "mueller",
        "muller",
    ]
)


def differ(one: str, other: str) -> Difference:
    return compare(*in_one_language(read(one), read(other)), KNOWN)


def over(one: str, other: str) -> set[str]:
    """The kinds of the words left over."""
    a, b = in_one_language(read(one), read(other))
    found = compare(a, b, KNOWN)
    return {a.kinds[at] for at in found.left} | {b.kinds[at] for at in found.right}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Können Sie mir sagen, wie groß Köln ist?", "Koennen Sie mir sagen, wie gross Koeln ist?"),
        ("¿Dónde está la estación?", "donde esta la estacion"),
        ("A minha encomenda não foi entregue", "A minha encomenda nao foi entregue"),
        ("Wie kann ich 50 Euro überweisen?", "50 Euro überweisen, wie geht das?"),
        ("Je voudrais bloquer ma carte. Comment faire ?", "Comment puis-je bloquer ma carte ?"),
        ("No Linux, como posso ativar o microfone?", "Como posso ativar o microfone no Linux?"),
        ("¿Se puede pagar el lunes, no perdón, el martes?", "¿Se puede pagar el martes?"),
        ("Der Zug nach Bonn, ich meine, nach Ulm ist spät?", "Der Zug nach Ulm ist spät?"),
        ("Is the, you know, red bus late?", "Is the red bus late?"),
        ("Fly to Oslo, sorry, Bergen by bus", "Fly to Bergen by bus"),
        ("Please show a no wait could you roll 6 dice?", "Roll 6 dice"),
        ("Is 1.000,50 euro a lot?", "Is 1,000.50 euros a lot?"),
        ("100g of sugar in 2h", "100 grams of sugar in two hours"),
        ("It costs 5k", "It costs 5,000"),
        ("tax due in Q3", "tax due in the third quarter"),
        ("a meeting on Jun 3", "a meeting on June 3"),
        ("upgrade v6.12 to 9.0", "upgrade 6.12 to v9.0"),
        ("I lost my card. Could you tell me how to block it?", "I lost my card. How do I block it?"),
        (
            "I have been thinking about this for days and could not find an answer, so could you tell me when tax is due?",
            "When is tax due?",
        ),
        ("When is tax due? I would be very glad about a quick answer as I have been waiting.", "When is tax due?"),
        ("reset password", "How do I reset my password?"),
        ("speed limit Chile", "What is the speed limit in Chile?"),
    ],
)
def test_what_is_only_written_or_said_otherwise_leaves_nothing_over(one: str, other: str) -> None:
    found = differ(one, other)
    assert over(one, other) <= {"light"}
    assert not found.numbers and not found.negation and not found.order.exchanged


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("reset password", "Why was my password reset?"),
        ("reset password", "Was my password reset?"),
        ("reset password", "How do I reset his password?"),
        ("Wie kann ich hier zahlen?", "Wann kann ich hier zahlen?"),
        ("Darf ich hier rauchen?", "Muss ich hier rauchen?"),
        ("I was in the army and my wife is from Peru, so could you tell me when tax is due?", "When is tax due?"),
        ("vitamin K", "vitamin"),
        ("I must be there at 9 am", "I must be there at 9 pm"),
    ],
)
def test_what_an_answer_hangs_on_is_left_over(one: str, other: str) -> None:
    found = differ(one, other)
    assert not over(one, other) <= {"light"} or found.telling


def test_a_language_is_told_by_two_of_its_words() -> None:
    assert read("No Linux, como posso ativar o microfone?").language == PORTUGUESE
    assert read("Is the war in the north over?").language == 0


@pytest.mark.parametrize(
    ("one", "other", "exchanged"),
    [
        ("On Monday, what is the lowest price in Lima?", "What's the lowest price in Lima on Monday?", False),
        ("In Europe, which island is the smallest?", "the smallest island in Europe", False),
        ("Word shows error 512. What does it mean?", "What does error 512 in Word mean?", False),
        ("On Monday, is Lima colder than Rome?", "Is Rome colder than Lima on Monday?", True),
        ("Verglichen mit Ulm: Ist Bonn kleiner als im Mai?", "Verglichen mit Bonn: Ist Ulm kleiner als im Mai?", True),
        ("¿Qué trenes van de Vigo a León?", "Muestra trenes de León a Vigo", True),
    ],
)
def test_a_phrase_in_front_is_no_exchange(one: str, other: str, exchanged: bool) -> None:
    assert differ(one, other).order.exchanged is exchanged


@pytest.mark.parametrize(
    ("one", "other", "meant"),
    [
        ("which seires is it", "which series is it", "which series is it"),
        ("show the trhee pods", "show the three pods", "show the three pods"),
        ("I can nto order", "I can not order", "i can not order"),
        ("putmilk there", "put milk there", "put milk there"),
        ("Are owls fast", "r owls fast", "are owls fast"),
        ("the min of a list", "the minimum of a list", "the minimum of a list"),
        ("Quiero ver trwnes de Lima", "Quiero ver trenes de Lima", None),
        ("das Café Müller", "das Cafe Muller", None),
    ],
)
def test_a_slip_or_short_form_is_read_as_what_the_other_side_says(one: str, other: str, meant: str | None) -> None:
    found = mended(one, other, KNOWN)
    assert found is not None
    assert meant is None or meant in found[:2]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a password for Marc", "a password for Mark"),  # names
        ("the film Kalura", "the film Lubri"),
        ("sort in R", "sort in Python"),
        ("order bread", "order a slide"),
        ("pod x7", "pod x8"),
        ("Kaleri sells films", "I ask if Kaleti sells films"),
        ("Wo kann man Schuhe kaufen", "Wo kann man Schuhe laufen"),
    ],
)
def test_another_word_is_no_slip(one: str, other: str) -> None:
    assert mended(one, other, KNOWN) is None


def test_accents_are_folded_as_they_are_typed_without_them() -> None:
    assert fold("größer à la señora œuvre") == "groesser a la senora oeuvre"


WORDS = [
    "no",
    "wait",
    "um",
    "ich",
    "meine",
    "a.",
    "actually",
    "5",
    "k",
    "que",
    "não",
    "r",
    "are",
    "I",
    "am",
    "Could you tell me",
    "so",
    "how",
    "like,",
]


@given(st.lists(st.sampled_from(WORDS)).map(" ".join) | st.text(max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_with_a_kind_for_each_word(text: str) -> None:
    reading = read(text)
    assert len(reading.words) == len(reading.kinds)
    assert all(0 <= start <= end <= len(reading.words) for start, end, _ in reading.breaks)
    assert all(0 < part < len(reading.words) for part in reading.parts)
    mended(text, "can you tell me " + text[::-1], KNOWN)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Is it usual to overtake on the left, I mean, right?", "Is it usual to overtake on the left?"),
        ("Trains to Ulm before 9, no wait, after 9", "Trains to Ulm before 9"),
        ("Bonn nach Ulm vor 9 Uhr, ich meine, nach 9 Uhr", "Bonn nach Ulm vor 9 Uhr"),
        ("Which bills did I pay? I want all of them.", "Which bills did I pay? I want all of us."),
    ],
)
def test_what_was_not_taken_back_and_tells_something_counts(one: str, other: str) -> None:
    found = differ(one, other)
    assert not over(one, other) <= {"light"} or found.telling or found.negation
