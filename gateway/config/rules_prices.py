"""Rules for prices, and for what a price is put on: which routes say what their answers used?"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.findings import Findings
from gateway.config.model import File, LlmVerifier, Route
from gateway.config.problem import Place
from gateway.config.syntax import covers


def check_prices(found: Findings, file: File) -> None:
    _check_order(found, file)
    judges = any(isinstance(verifier, LlmVerifier) for verifier in file.verifiers.values())
    writers = any(route.synthesis is not None for route in file.routes)
    if file.prices and not judges and not writers and not any(counts_tokens(route) for route in file.routes):
        text = "`prices` has no effect: no route says where an answer's tokens are"
        hint = "write `usage: {prompt: $..., completion: $...}` in a route"
        found.warning(("prices",), text, hint, tuple(judging_tokens(file)))


def _check_order(found: Findings, file: File) -> None:
    """The first pattern that matches counts: is each ever the first?"""
    patterns = list(file.prices)
    for later, pattern in enumerate(patterns):
        earlier = next((each for each in patterns[:later] if covers(each, pattern)), None)
        if pattern and earlier is not None:
            at, first = ("prices", pattern), ("prices", earlier)
            text = f"this price is never used: `{earlier[:40]}` on {found.where(first, at)} matches first"
            found.warning(at, text, "put the narrower pattern first")


def counts_tokens(route: Route) -> bool:
    """Does it say where its answers tell what they used? That is read whether the route is cached or not."""
    return bool(route.usage.prompt or route.usage.completion)


def judging_tokens(file: File) -> Iterator[Place]:
    """The places that `counts_tokens` goes by."""
    yield ("routes",)
    for index in range(len(file.routes)):
        place: Place = ("routes", index)
        yield from (place, *((*place, key) for key in ("usage", "preset", "name", "upstream")))
