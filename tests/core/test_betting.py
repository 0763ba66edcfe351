"""Bets against a wrong rate: right however often they are looked at, and known numbers where they can be reckoned."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.betting import STAKES, Bet, Watch, at_most, right_needed

counts = st.integers(0, 400)


def test_all_that_there_is_is_put_on_some_rate():
    assert sum(stake for _, stake in STAKES) == pytest.approx(1)
    assert all(0 <= share < 1 for share, _ in STAKES)


def test_nothing_found_is_nothing_won():
    assert Bet(0.01).capital(0, 0) == pytest.approx(0)


@given(st.integers(0, 40), st.sampled_from([0.01, 0.05, 0.2]))
def test_at_the_bound_the_bets_are_fair(trials: int, bound: float):
    """The mean of capital over all that may be found, were the rate exactly the bound, is what was there at first."""
    bet, mean = Bet(bound), 0.0
    for wrong in range(trials + 1):
        chance = math.comb(trials, wrong) * bound**wrong * (1 - bound) ** (trials - wrong)
        mean += chance * math.exp(bet.capital(trials - wrong, wrong))
    assert mean == pytest.approx(1)


@given(counts, counts)
def test_every_right_one_wins_and_every_wrong_one_loses(right: int, wrong: int):
    bet = Bet(0.05)
    now = bet.capital(right, wrong)
    assert bet.capital(right + 1, wrong) > now
    assert bet.capital(right, wrong + 1) < now
    assert bet.capital(right, wrong + 1) <= bet.capital(right, wrong, reported=1) < now


@pytest.mark.parametrize("bound", [0.005, 0.01, 0.02, 0.05, 0.2])
def test_about_three_over_the_bound_clean_ones_prove_it(bound: float):
    needed = right_needed(bound, 0.05)
    assert Bet(bound).capital(needed, 0) >= math.log(20)
    assert Bet(bound).capital(needed - 1, 0) < math.log(20)
    fixed = math.log(0.05) / math.log1p(-bound)  # were it looked at once only
    assert fixed < needed < 1.25 * fixed + 1


def test_the_figures_in_the_docs():
    assert [right_needed(0.01, 0.04, wrong) + wrong for wrong in (0, 1, 5)] == [366, 715, 1497]


@given(counts, st.integers(0, 20))
def test_the_rate_that_is_not_exceeded_is_the_bound_that_is_just_proven(right: int, wrong: int):
    rate = at_most(0.05, right, wrong)
    assert wrong / max(1, right + wrong) <= rate <= 1
    if rate < 0.99:
        assert Bet(rate * 1.001).capital(right, wrong) >= math.log(20)
        assert Bet(rate * 0.999).capital(right, wrong) < math.log(20)


def test_who_looks_after_each_finding_is_still_seldom_wrong():
    """The rate is just the bound. A bound for a fixed count would be beaten several times as often as it says."""
    bet, ever, streams = Bet(0.05), 0, 400
    for seed in range(streams):
        draw, right, wrong = Random(seed), 0, 0
        for _ in range(1_000):
            missed = draw.random() < 0.05
            right, wrong = right + (not missed), wrong + missed
            if bet.capital(right, wrong) >= math.log(20):
                ever += 1
                break
    # Of 400 at 5 %: more than 32 would come out once in 200 times.
    assert ever <= 32


def test_a_watch_sees_a_rate_that_has_risen():
    draw, watch, seen = Random(1), Watch(0.01), 0
    while watch.level < 1000:
        watch.see(wrong=draw.random() < 0.05)
        seen += 1
        assert seen < 2_000


def test_a_watch_says_nothing_while_the_rate_is_below_the_bound():
    draw, watch = Random(1), Watch(0.01)
    for _ in range(20_000):
        watch.see(wrong=draw.random() < 0.005)
        assert watch.level < 1000


def test_a_watch_that_has_lost_everything_begins_anew():
    watch = Watch(0.01)
    for _ in range(1_000):
        watch.see(wrong=False)
    assert watch.level == 1
    watch.see(wrong=True)
    assert watch.level > 3


def test_a_report_weighs_less_than_what_was_drawn():
    drawn, reported = Watch(0.01), Watch(0.01)
    drawn.see(wrong=True)
    reported.see(wrong=True, weight=0.05)
    assert 1 < reported.level < drawn.level
