"""What models cost: US dollars of tokens, and the name that a model is counted under.

An entry remembers the model that its request named. What a hit on it saved is reckoned when it is served, at the prices
of that time: a price that is written down later counts for what was kept before. A client's words never become labels: a
model is counted under the pattern that names it, in the route's `models` or in `prices`, else as OTHER_MODEL.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import msgspec

from gateway.core.messages import Cost
from gateway.core.models import ModelPattern, compile_model

OTHER_MODEL = "other"
# Names looked up lately; clients choose them, so there is a bound.
REMEMBERED = 1024
PER = 1_000_000


class Price(msgspec.Struct, frozen=True):
    """US dollars per million tokens."""

    model: ModelPattern
    prompt: float
    completion: float

    def dollars(self, prompt: int, completion: int) -> float:
        return (prompt * self.prompt + completion * self.completion) / PER


class Prices:
    """A price table: (pattern of model names, dollars per million prompt tokens, the same for completion tokens). The
    first pattern that matches counts."""

    def __init__(self, table: Iterable[tuple[str, float, float]] = ()) -> None:
        self._table = tuple(Price(compile_model(text), prompt, completion) for text, prompt, completion in table)
        self.find = lru_cache(REMEMBERED)(self._find)

    def dollars(self, model: str, prompt: int, completion: int) -> float | None:
        """What so many tokens of this model cost; None where no price names it."""
        price = self.find(model)
        return None if price is None else price.dollars(prompt, completion)

    def _find(self, model: str) -> Price | None:
        return next((price for price in self._table if price.model.pattern.fullmatch(model)), None)


class Tariff:
    """How one route's answers are counted: by the patterns of its `models`, then by those that have a price."""

    def __init__(self, models: Iterable[ModelPattern] = (), prices: Prices | None = None) -> None:
        self._models = tuple(models)
        self._prices = prices or Prices()
        self._known = lru_cache(REMEMBERED)(self._recognise)

    def count(self, cost: Cost) -> tuple[Cost, float | None]:
        """The cost under a name that may be a label, and its dollars (None: no price is known)."""
        name, price = self._known(cost.model)
        dollars = None if price is None else price.dollars(cost.prompt, cost.completion)
        return Cost(name, cost.prompt, cost.completion), dollars

    def _recognise(self, model: str) -> tuple[str, Price | None]:
        price = self._prices.find(model)
        named = [each.text for each in self._models if each.pattern.fullmatch(model)]
        if named:
            return named[0], price
        return (OTHER_MODEL if price is None else price.model.text), price
