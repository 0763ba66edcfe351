"""Policies for the tests of what a route decides: of each only what a test is about is said."""

from __future__ import annotations

from gateway.core.freshness import AllowedWishes
from gateway.core.policy import CachePolicy, KeepRule

ALL = AllowedWishes(frozenset({"no-cache", "no-store", "max-age", "only-if-cached"}), 0.9, 3600.0)


def keep_rule(**changes: object) -> KeepRule:
    fields = {
        "statuses": frozenset({2}),
        "max_body": 1000,
        "require": (),
        "reject": (),
        "cookies": frozenset(),
        "vary": frozenset(),
    }
    return KeepRule(**(fields | changes))


def policy(**changes: object) -> CachePolicy:
    fields = {"hit": 0.95, "top_k": 5, "ttl": 100.0, "keep": keep_rule(), "allowed": ALL}
    return CachePolicy(**(fields | changes))
