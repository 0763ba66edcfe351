"""What the built-in second opinion says of questions that we wrote, and what it promises of any text."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.messages import Near
from gateway.verifiers.pairwise import FOLDER, Exported, PairwiseVerifier, Trees

VERIFIER = PairwiseVerifier()
SERVED = 0.85
WORDS = ["how", "many", "5", "not", "can't", "from", "to", "Zürich", "3.5", "$", "the", "no", "wait", "um", "before"]
TEXTS = st.text(max_size=200) | st.lists(st.sampled_from(WORDS)).map(" ".join)


@given(TEXTS, TEXTS, st.floats(-1, 1))
@settings(max_examples=300, deadline=None)
def test_any_two_texts_have_a_score_the_same_both_ways(one: str, other: str, similarity: float) -> None:
    score = VERIFIER.score(one, other, similarity)
    assert 0 <= score <= 1
    assert score == VERIFIER.score(other, one, similarity)


@given(TEXTS, TEXTS, st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=200, deadline=None)
def test_the_score_never_falls_when_the_similarity_rises(one: str, other: str, less: float, more: float) -> None:
    less, more = sorted((less, more))
    assert VERIFIER.score(one, other, less) <= VERIFIER.score(one, other, more)


@pytest.mark.parametrize(
    ("one", "other", "similarity"),
    [
        ("How do I renew my library card?", "how do i renew my library card", 0.99),
        ("What's the fare to the airport?", "what is the fare to the airport please", 0.97),
        ("Where can I park my car?", "Where can I park my car? Thanks in advance.", 0.93),
        ("I can't open the attachment", "i cannot open the attachment", 0.98),
        ("How long does the battery last?", "How long does the batery last?", 0.72),
        ("How can I cancel my gym membership?", "how do i cancel my gym membership", 0.99),
        ("How do I run tar -xf on 10 MB?", "how do i run TAR -xf on 10 mb", 0.99),
    ],
)
def test_the_same_question_written_differently_is_accepted(one: str, other: str, similarity: float) -> None:
    assert VERIFIER.score(one, other, similarity) > SERVED


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I enable the alarm?", "How do I disable the alarm?"),
        ("Ferries from Dover to Calais", "Ferries from Calais to Dover"),
        ("Remind me at 6 pm", "Remind me at 7 pm"),
        ("Why is my parcel late?", "When is my parcel late?"),
        ("Should I water the cactus?", "Should I not water the cactus?"),
        ("Trains to Vienna on Saturday", "Trains to Vienna on Sunday"),
        ("Show all invoices", "Show all unpaid invoices from last year"),
        ("Wie kündige ich meinen Vertrag?", "Wie kündige ich meinen Vertrag nicht?"),
        ("¿Dónde compro entradas?", "¿Cuándo compro entradas?"),
        ("What is 4 + 7?", "What is 4 - 7?"),
        ("Who wrote Emma?", "Who wrote Persuasion?"),
        ("What does git branch -d do?", "What does git branch -D do?"),
        ("How do I run ls -r?", "How do I run ls -R?"),
        ("Is a laser of 5 mW dangerous?", "Is a laser of 5 MW dangerous?"),
    ],
)
def test_another_question_is_refused_however_similar(one: str, other: str) -> None:
    assert VERIFIER.score(one, other, 0.99) < SERVED


def test_a_difference_far_into_a_long_text_counts() -> None:
    story = "The cat sat on the mat and looked at the rain. " * 400
    assert VERIFIER.score(f"{story} Summarise it.", f"{story} Translate it.", 0.999) < SERVED
    assert VERIFIER.score(f"Take 3 cats. {story}", f"Take 4 cats. {story}", 0.999) == 0
    assert VERIFIER.score(f"Take 3 cats. {story} Now 5.", f"Take 4 cats. {story} Now 6.", 0.999) == 0


def test_what_is_too_long_to_be_compared_in_full_is_refused() -> None:
    one = " ".join(f"alpha{number}" for number in range(500))
    assert VERIFIER.score(one, one.upper(), 0.999) == 0


def test_texts_without_a_word_are_equal_only_when_they_are_the_same() -> None:
    assert VERIFIER.score("?!", "?!", 1.0) == 1
    assert VERIFIER.score("?!", "...", 1.0) == 0


@pytest.mark.anyio
async def test_all_candidates_are_judged_in_order() -> None:
    near = [Near("Where is the exit?", 0.99), Near("Where is the entrance?", 0.95)]
    scores = await VERIFIER.judge("where is the exit", near)
    assert scores == [VERIFIER.score("where is the exit", each.text, each.similarity) for each in near]
    assert scores[0] > SERVED > scores[1]
    await VERIFIER.ping()
    await VERIFIER.close()


def test_trees_of_other_features_are_refused() -> None:
    exported = msgspec.json.decode((FOLDER / "trees.json").read_bytes(), type=Exported)
    with pytest.raises(ValueError, match="other features"):
        Trees(msgspec.structs.replace(exported, features=("similarity",)))
