"""Relations that say the same the other way round, and the same words that do not."""

from __future__ import annotations

import pytest

from gateway.core.pairs import Difference, compare
from gateway.core.pairs_reading import read

KNOWN = frozenset(["form", "from", "cello", "easier", "harder", "painted", "paint", "taught", "teach"])


def differ(one: str, other: str) -> Difference:
    return compare(read(one), read(other), KNOWN)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a hammer before a saw", "a saw after a hammer"),
        ("pages with a long table after a short list", "pages with a short list followed by a long table"),
        ("notes with a hammer or a saw after a drill", "notes with a drill before a saw or a hammer"),
        ("Is cello harder to learn than drums?", "Are drums easier to learn than cello?"),
        ("Is it harder to learn cello than drums?", "Are drums easier to learn than cello?"),
        ("Is Rome larger than Oslo?", "Is Oslo smaller than Rome?"),
        ("Compared to Rome, is Oslo colder?", "Is Oslo colder than Rome?"),
        ("paintings that were painted by Klee", "paintings that Klee painted"),
        ("Who painted the ceiling?", "By whom was the ceiling painted?"),
        ("Was the hen chased by the fox?", "Did the fox chase the hen?"),
        ("You teach which courses?", "Which courses do you teach?"),
        ("What's the difference between plan 12 and plan 15?", "What is the difference between plan 15 and plan 12?"),
        ("Send it to Mr Kim and Ann", "Send it to Ann and Mr Kim"),
        ("On Monday, which shop in Rome is open?", "Which shop in Rome is open on Monday?"),
        ("After washing the coat, may I dry it?", "May I dry the coat after washing it?"),
    ],
)
def test_the_same_relation_the_other_way_round_is_no_exchange(one: str, other: str) -> None:
    found = differ(one, other)
    assert not found.order.exchanged and not found.contradicting


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a hammer before a saw", "a saw before a hammer"),
        ("a hammer before a saw", "a hammer after a saw"),
        ("a drill before a saw or a hammer", "a saw after a drill or a hammer"),
        ("Is cello harder to learn than drums?", "Is cello easier to learn than drums?"),
        ("Is cello harder to learn than drums?", "Are drums harder to learn than cello?"),
        ("Compared to Oslo, is Rome colder?", "Is Oslo colder than Rome?"),
        ("Can the hen be chased by the fox?", "Can the hen chase the fox?"),
        ("Was the crate sent from Rome to Oslo by Kim?", "Did Kim send the crate from Oslo to Rome?"),
        ("Go from Rome to Oslo before lunch with tea", "Go with tea after lunch from Oslo to Rome"),
        ("who taught Kim", "whom did Kim teach"),
        ("trains from Rome to Oslo", "trains from Oslo to Rome"),
        ("From Rome to New Delhi, how far is it?", "How far is it from Delhi to Rome?"),
        ("May I wash the coat after drying it?", "May I dry the coat after washing it?"),
    ],
)
def test_who_is_first_and_who_acts_is_still_told_apart(one: str, other: str) -> None:
    found = differ(one, other)
    assert found.order.exchanged or found.contradicting


def test_a_word_said_twice_has_its_partner_beside_the_same_words() -> None:
    found = differ("lines with words with a tab before a dot", "lines with words holding a tab before a dot")
    assert not found.order.inverted
