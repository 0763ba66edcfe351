"""What tokens cost, and under which name a model is counted."""

from __future__ import annotations

import pytest

from gateway.core.messages import Cost
from gateway.core.models import compile_model
from gateway.core.prices import Prices, Tariff

PRICES = Prices([("gpt-4o-mini*", 0.15, 0.6), ("gpt-4o*", 2.5, 10.0), ("free", 0.0, 0.0)])


def test_dollars_are_those_of_the_first_pattern_that_matches():
    assert PRICES.dollars("gpt-4o-mini-2024", 1_000_000, 1_000_000) == pytest.approx(0.75)
    assert PRICES.dollars("gpt-4o", 2_000_000, 100_000) == pytest.approx(6.0)
    assert PRICES.dollars("free", 5, 5) == 0.0


@pytest.mark.parametrize("model", ["o3", "", "GPT-4o", "my-gpt-4o"])
def test_a_model_without_a_price_costs_nobody_knows_what(model):
    assert PRICES.dollars(model, 10, 10) is None


@pytest.mark.parametrize(
    ("model", "counted_as"),
    [
        ("gpt-4o", "gpt-*"),
        ("gpt-9", "gpt-*"),
        ("o3", "o3"),
        ("free", "free"),
        ("somebody's secret", "other"),
        ("", "other"),
        ("gpt-*", "gpt-*"),
    ],
)
def test_a_model_is_counted_under_a_name_of_the_routes_file(model, counted_as):
    tariff = Tariff((compile_model("gpt-*"), compile_model("o3")), PRICES)
    cost, _dollars = tariff.count(Cost(model, 1, 2))
    assert cost == Cost(counted_as, 1, 2)


def test_the_name_of_a_route_comes_before_that_of_a_price_and_the_price_is_the_models_own():
    tariff = Tariff((compile_model("gpt-*"),), PRICES)
    assert tariff.count(Cost("gpt-4o-mini", 1_000_000, 0)) == (Cost("gpt-*", 1_000_000, 0), pytest.approx(0.15))
    assert tariff.count(Cost("gpt-3.5", 1, 1)) == (Cost("gpt-*", 1, 1), None)
    assert Tariff((), PRICES).count(Cost("gpt-4o-mini", 0, 1_000_000)) == (
        Cost("gpt-4o-mini*", 0, 1_000_000),
        pytest.approx(0.6),
    )


def test_names_that_clients_make_up_are_not_remembered_without_bound():
    tariff = Tariff((), PRICES)
    for nth in range(5000):
        tariff.count(Cost(f"made-up-{nth}", 1, 1))
    assert tariff._known.cache_info().currsize <= 1024
    assert PRICES.find.cache_info().currsize <= 1024
