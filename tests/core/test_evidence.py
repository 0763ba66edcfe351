"""Bounds of a share: that they hold, that they agree with each other, and with published values."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.evidence import at_most, clean_trials, trials_to_prove, upper_bound, wilson

COUNTS = st.integers(0, 5000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))
RATES = st.floats(0.001, 0.2)


@pytest.mark.parametrize(
    ("successes", "trials", "expected"),
    # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I.
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)), (1, 29, (0.0061, 0.1718))],
)
def test_the_interval_is_the_published_one(successes: int, trials: int, expected: tuple[float, float]) -> None:
    assert wilson(successes, trials) == pytest.approx(expected, abs=5e-5)


@given(COUNTS)
def test_an_interval_holds_the_share_and_lies_within_0_and_1(counts: tuple[int, int]) -> None:
    successes, trials = counts
    low, high = wilson(successes, trials)
    assert 0 <= low <= high <= 1
    if trials:
        assert low <= successes / trials <= high
    assert (1 - high, 1 - low) == pytest.approx(wilson(trials - successes, trials), abs=1e-9)


@given(COUNTS)
def test_more_of_the_same_narrows_it(counts: tuple[int, int]) -> None:
    successes, trials = counts
    low, high = wilson(successes, trials)
    narrower = wilson(2 * successes, 2 * trials)
    assert low - 1e-12 <= narrower[0]
    assert narrower[1] <= high + 1e-12


def test_nothing_tried_proves_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert upper_bound(0, 0) == 1.0


@pytest.mark.parametrize("counts", [(-1, 5), (6, 5), (1, 0)])
def test_what_is_no_share_is_refused(counts: tuple[int, int]) -> None:
    for bound in (wilson, upper_bound):
        with pytest.raises(ValueError, match="no share"):
            bound(*counts)


@pytest.mark.parametrize("rate", [0.001, 0.003, 0.01, 0.03, 0.05, 0.1])
def test_the_upper_end_errs_in_at_most_2_7_percent_of_draws(rate: float) -> None:
    """Computed, not drawn: the chance of so few wrong ones that the interval ends below the true rate."""
    worst = 0.0
    for trials in [*range(1, 400, 3), *range(400, 5001, 53)]:
        fewest = trials * rate - 1.96 * math.sqrt(trials * rate * (1 - rate))
        wrong = math.ceil(fewest) - 1  # the most for which the end is below the rate
        if wrong >= 0:
            assert wilson(wrong, trials)[1] < rate
            worst = max(worst, at_most(wrong, trials, rate))
    assert worst < 0.027


@given(COUNTS, st.sampled_from([0.8, 0.95, 0.99]))
def test_the_exact_bound_is_where_so_few_become_unlikely(counts: tuple[int, int], confidence: float) -> None:
    wrong, trials = counts
    bound = upper_bound(wrong, trials, confidence)
    assert 0 <= bound <= 1
    if wrong < trials:
        assert at_most(wrong, trials, bound) == pytest.approx(1 - confidence, rel=1e-6)


@given(st.integers(0, 60), st.integers(1, 60), st.floats(0, 1))
def test_the_chance_of_few_is_the_binomial_sum(wrong: int, trials: int, rate: float) -> None:
    exact = math.fsum(
        math.comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in range(min(wrong, trials) + 1)
    )
    assert at_most(wrong, trials, rate) == pytest.approx(exact, abs=1e-9)


def test_three_hundred_clean_trials_prove_one_percent() -> None:
    assert clean_trials(0.01) == 299
    assert clean_trials(0.05) == 59
    assert clean_trials(0.01, 0.99) == 459


@given(RATES, st.sampled_from([0.8, 0.95, 0.99]))
def test_clean_trials_are_just_enough(rate: float, confidence: float) -> None:
    needed = clean_trials(rate, confidence)
    assert upper_bound(0, needed, confidence) <= rate + 1e-12
    assert upper_bound(0, needed - 1, confidence) > rate - 1e-12


@given(RATES, st.integers(0, 200))
def test_the_trials_that_prove_a_rate_are_just_enough(rate: float, wrong: int) -> None:
    needed = trials_to_prove(rate, wrong)
    assert wilson(wrong, needed)[1] <= rate
    assert wilson(wrong, needed - 1)[1] > rate


@pytest.mark.parametrize("rate", [0.0, 1.0, -1.0])
def test_a_rate_that_nothing_can_prove_is_refused(rate: float) -> None:
    for needed in (clean_trials, trials_to_prove):
        with pytest.raises(ValueError, match="between 0 and 1"):
            needed(rate)
