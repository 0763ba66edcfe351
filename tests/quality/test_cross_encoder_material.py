"""What the pair model is trained on, and who judges what: nothing is judged by a model that has seen it."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import cast

from quality.cross_encoder.judge import PairJudge
from quality.cross_encoder.material import NEAR, labelled, of_questions, of_templates, sample
from quality.edits import domains
from quality.embedding import Vectors
from quality.sources import LabelledPair, PairSet
from quality.train_cross_encoder import HALVES, Unseen, halves

QUESTIONS = [
    "How many seats are left on the bus to Lyon on March 3?",
    "Can I pay the fee of 20 euros before Monday?",
    "Which trains do not stop in Basel after 9 pm?",
    "Please turn on the heating in the large office",
    "Who teaches the evening course in Italian?",
]


class Similar:
    """Vectors of one number: pairs are as similar as their second text says."""

    def similarity(self, _: str, other: str) -> float:
        return float(other.rsplit(" ", 1)[1])


def pairs(label: int, *cosines: float) -> list[LabelledPair]:
    return [LabelledPair(f"question {number}", f"another {cosine}", label) for number, cosine in enumerate(cosines)]


def drawn(piles: dict[str, list[LabelledPair]], most: int) -> Counter[tuple[int, float]]:
    rows = sample(piles, cast("Vectors", Similar()), most, Random(1))
    return Counter((row.label, row.cosine) for row in rows)


def test_only_near_pairs_are_trained_on() -> None:
    found = drawn({"a": pairs(1, 0.9, NEAR, NEAR - 0.01) + pairs(0, 0.8, 0.1)}, 100)
    assert found == {(1, 0.9): 1, (1, NEAR): 1, (0, 0.8): 1}


def test_sources_and_labels_have_equal_shares_as_far_as_there_are() -> None:
    large = pairs(1, *[0.91] * 50) + pairs(0, *[0.92] * 50)
    small = pairs(1, *[0.81] * 3) + pairs(0, *[0.82] * 40)
    assert drawn({"large": large, "small": small}, 40) == {(1, 0.81): 3, (0, 0.82): 12, (1, 0.91): 12, (0, 0.92): 13}


def test_edits_of_questions_are_half_right_and_the_same_each_time() -> None:
    asked = [LabelledPair(text, text, 1) for text in QUESTIONS]
    made = of_questions(asked, 8, 3)
    labels = Counter(pair.label for pair in made)
    assert labels[0] == labels[1] > 0
    assert made == of_questions(asked, 8, 3)
    assert all(pair.text_a != pair.text_b for pair in made)
    assert {pair.text_a for pair in made if pair.label} <= set(QUESTIONS)


def test_templates_of_domains_that_are_left_out_are_not_used() -> None:
    kept = domains()[0]
    everything = set(domains()) - {kept}
    assert of_templates(20, everything, 5) != of_templates(20, {kept}, 5)
    assert len(of_templates(20, everything, 5)) == 20


def test_sets_of_edits_are_never_trained_on() -> None:
    sets = [PairSet("a", []), PairSet("b", []), PairSet("nearmiss_open", [], edits=True)]
    assert set(labelled(sets, {"b"})) == {"a"}


def test_every_source_and_every_domain_is_left_out_by_one_of_the_two_models() -> None:
    first, second = halves()
    assert not first.sources & second.sources
    assert not first.domains & second.domains
    assert first.domains | second.domains == set(domains())


def test_a_pair_is_judged_by_the_model_that_has_not_seen_it() -> None:
    judges = {name: cast("PairJudge", name) for name in HALVES}
    sets = [PairSet("banking77", [LabelledPair("Where is my card?", "My card?", 1)])]
    unseen = Unseen(judges, sets)
    for fold in halves():
        assert {unseen.of(source, LabelledPair("a", "b", 1)) for source in fold.sources} == {fold.name}
        assert {unseen.of("generated", LabelledPair("a", "b", 1, domain=domain)) for domain in fold.domains} == {
            fold.name
        }
    # `nearmiss_open` is made of the questions of two sources, one in each half.
    of_banking = LabelledPair("where is my card?", "where is not my card?", 0)
    assert unseen.of("nearmiss_open", of_banking) == unseen.of("banking77", of_banking)
    assert unseen.of("nearmiss_open", LabelledPair("set an alarm", "set no alarm", 0)) == unseen.of(
        "clinc150", of_banking
    )
