"""Thresholds from evidence: the one chosen holds its rate on what was not seen, and thin evidence is called thin."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.calibration import (
    SCORES,
    SIMILARITIES,
    Level,
    Outcome,
    Trial,
    calibrate,
    level,
    levels_of,
    more_wrong_pairs,
)
from gateway.core.evidence import wilson

DRAWS = 300


def levels(*counts: tuple[float, int, int]) -> list[Level]:
    return [level(*each) for each in counts]


def test_the_loosest_proven_threshold_is_chosen() -> None:
    found = calibrate(levels((0.99, 100, 0), (0.95, 900, 0), (0.9, 1500, 3), (0.8, 4000, 90)), 0.01)
    assert found.outcome is Outcome.PROVEN
    assert found.level is not None
    assert (found.level.threshold, found.proven, found.more) == (0.9, (0.95, 0.9), 0)


def test_a_threshold_below_one_that_fails_is_not_chosen_even_if_it_looks_good() -> None:
    """Else the best of many would be found, and not the first that is safe."""
    found = calibrate(levels((0.95, 500, 0), (0.9, 600, 9), (0.85, 650, 1)), 0.01)
    assert found.level is not None
    assert found.level.threshold == 0.95


def test_a_few_wrong_ones_where_little_is_served_do_not_end_it() -> None:
    """A second sequence begins where there is four times as much evidence."""
    found = calibrate(levels((0.97, 460, 2), (0.95, 2000, 4), (0.9, 3000, 9)), 0.01)
    assert found.level is not None
    assert (found.level.threshold, found.proven) == (0.9, (0.95, 0.9))


def test_the_threshold_that_the_route_has_is_tested_for_itself() -> None:
    counts = levels((0.97, 460, 2), (0.95, 1100, 3), (0.9, 1200, 3), (0.8, 1300, 20))
    assert calibrate(counts, 0.01).proven == ()
    assert calibrate(counts, 0.01, own=0.95).proven == (0.95, 0.9)
    assert calibrate(counts, 0.01, own=0.8).proven == ()


def test_thin_evidence_says_how_much_more_it_takes() -> None:
    found = calibrate(levels((0.95, 100, 0), (0.9, 300, 0), (0.8, 400, 40)), 0.01)
    assert (found.outcome, found.proven) == (Outcome.THIN, ())
    assert found.level is not None
    assert found.level.threshold == 0.9
    assert found.more > 0
    assert calibrate(levels((0.9, 300 + found.more, 0)), 0.01).outcome is Outcome.PROVEN
    assert calibrate(levels((0.9, 299 + found.more, 0)), 0.01).outcome is Outcome.THIN


def test_no_evidence_at_all_is_thin() -> None:
    found = calibrate(levels((0.95, 0, 0), (0.9, 0, 0)), 0.01)
    assert (found.outcome, found.level) == (Outcome.THIN, None)
    assert calibrate(levels((0.9, found.more, 0)), 0.01).outcome is Outcome.PROVEN


def test_too_much_wrong_everywhere_is_not_called_thin() -> None:
    found = calibrate(levels((0.95, 100, 30), (0.9, 300, 80)), 0.01)
    assert (found.outcome, found.more) == (Outcome.WRONG, 0)
    assert found.level is not None
    assert found.level.threshold == 0.95


@given(
    st.lists(st.tuples(st.integers(0, 2000), st.floats(0, 1)), max_size=30),
    st.sampled_from([0.005, 0.01, 0.05, 0.2]),
)
def test_what_is_proven_has_its_bound_below_the_wish(counts: list[tuple[int, float]], wish: float) -> None:
    served, wrong, all_levels = 0, 0, []
    for place, (more, share) in enumerate(counts):
        served, wrong = served + more, wrong + int(more * share)
        all_levels.append(level(1 - place / 100, served, wrong))
    own = all_levels[len(all_levels) // 2].threshold if all_levels else None
    found = calibrate(all_levels, wish, own)
    proven = [each for each in all_levels if each.threshold in found.proven]
    assert all(each.high <= each.bound <= wish for each in proven)
    assert (found.outcome is Outcome.PROVEN) == bool(proven)
    if found.outcome is Outcome.PROVEN:
        assert found.level is proven[-1]
    if found.outcome is Outcome.THIN:
        assert found.more > 0


def test_trials_are_counted_at_and_above_each_threshold() -> None:
    trials = [Trial(0.95, True), Trial(0.9, False), Trial(0.8, True), Trial(None, True)]
    counted = levels_of(trials, (0.95, 0.9, 0.5))
    assert [(each.served, each.wrong, each.right_share) for each in counted] == [
        (1, 0, pytest.approx(1 / 3)),
        (2, 1, pytest.approx(1 / 3)),
        (3, 1, pytest.approx(2 / 3)),
    ]


def test_the_thresholds_that_are_tried_go_from_strict_to_loose() -> None:
    for steps in (SCORES, SIMILARITIES):
        assert list(steps) == sorted(set(steps), reverse=True)
        assert 0 < steps[-1] < steps[0] < 1


def wrong_above(threshold: float, steepness: float) -> float:
    """Of scores drawn evenly from 0 to 1 and wrong with the chance (1 - score) ** steepness: the wrong share of those at
    the threshold or above."""
    return (1 - threshold) ** steepness / (steepness + 1)


@pytest.mark.parametrize(("steepness", "wish"), [(2.0, 0.05), (1.0, 0.05), (3.0, 0.01), (0.5, 0.2)])
def test_a_calibrated_threshold_holds_its_rate_in_95_of_100_draws(steepness: float, wish: float) -> None:
    chance = random.Random(f"{steepness} {wish}")
    proven = broken = 0
    for _ in range(DRAWS):
        scores = [chance.random() for _ in range(6000)]
        trials = [Trial(score, chance.random() >= (1 - score) ** steepness) for score in scores]
        found = calibrate(levels_of(trials, [step / 50 for step in range(49, 0, -1)]), wish, own=0.5)
        if found.outcome is Outcome.PROVEN and found.level is not None:
            proven += 1
            broken += wrong_above(found.level.threshold, steepness) > wish
    assert proven > DRAWS / 2, "there is evidence enough"
    assert broken <= 0.05 * DRAWS


def test_a_rate_that_is_the_same_everywhere_and_just_too_high_is_seldom_proven() -> None:
    """The hardest case: every threshold is as wrong as the next, a hair above the wish."""
    chance = random.Random(7)
    broken = 0
    for _ in range(DRAWS):
        trials = [Trial(chance.random(), chance.random() >= 0.0505) for _ in range(2000)]
        broken += bool(calibrate(levels_of(trials, [step / 50 for step in range(49, 0, -1)]), 0.05, own=0.5).proven)
    assert broken <= 0.05 * DRAWS


def test_with_a_prior_the_rates_are_those_of_traffic() -> None:
    trials = [Trial(0.9, True)] * 400 + [Trial(0.9, False)] * 20 + [Trial(0.1, True)] * 100 + [Trial(0.1, False)] * 480
    (even,) = levels_of(trials, (0.5,), prior=0.5)
    (rare,) = levels_of(trials, (0.5,), prior=0.95)
    assert even.low < 0.04 / (0.04 + 0.8) < even.high
    assert rare.low < 0.05 * 0.04 / (0.05 * 0.04 + 0.95 * 0.8) < rare.high
    assert rare.high < even.low
    assert rare.hit_share == pytest.approx(0.95 * 0.8 + 0.05 * 0.04)
    assert (even.served, even.wrong) == (rare.served, rare.wrong) == (420, 20)


def test_a_calibration_with_a_prior_holds_its_rate_in_95_of_100_draws() -> None:
    chance = random.Random(11)
    prior, wish, proven, broken = 0.9, 0.05, 0, 0
    for _ in range(DRAWS):
        # Even scores of right ones; of wrong ones the fourth power.
        trials = [Trial(chance.random(), True) for _ in range(3000)]
        trials += [Trial(chance.random() ** 4, False) for _ in range(3000)]
        found = calibrate(levels_of(trials, [step / 50 for step in range(49, 0, -1)], prior), wish, own=0.5)
        if found.level is not None and found.outcome is Outcome.PROVEN:
            at = found.level.threshold
            wrong = (1 - prior) * (1 - at**0.25)
            proven += 1
            broken += wrong / (wrong + prior * (1 - at)) > wish
    assert broken <= 0.05 * DRAWS
    assert proven > DRAWS / 2


def test_with_a_prior_it_takes_more_pairs_that_must_not_be_served() -> None:
    counted = level(0.9, 100, 0, right_share=1.0)
    few = more_wrong_pairs(counted, 0.01, prior=0.9, wrong_pairs=10)
    many = more_wrong_pairs(counted, 0.01, prior=0.5, wrong_pairs=10)
    assert 0 < few < many
    assert wilson(0, 10 + many, 2.394)[1] <= 0.01 / 0.99 < wilson(0, 9 + many, 2.394)[1]
