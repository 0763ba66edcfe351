"""The rules across settings: `check(draft)` gives every problem, errors and warnings, and touches nothing outside.

Each part of the file has its own module of rules; this one says which there are. A rule reports what can never work or
can never have an effect as an error; what works but was hardly meant is a warning.
"""

from __future__ import annotations

from gateway.config.findings import Draft, Findings
from gateway.config.problem import Problem
from gateway.config.rules_clients import check_clients
from gateway.config.rules_credentials import check_credentials
from gateway.config.rules_deny import check_deny
from gateway.config.rules_fallback import check_fallbacks
from gateway.config.rules_kind import check_kinds
from gateway.config.rules_prices import check_prices
from gateway.config.rules_query import check_queries
from gateway.config.rules_route import check_routes
from gateway.config.rules_server import check_server
from gateway.config.rules_serving import check_serving
from gateway.config.rules_stores import check_embedders, check_stores
from gateway.config.rules_synthesis import check_synthesis
from gateway.config.rules_upstream import check_upstreams
from gateway.config.rules_verify import check_verifying

RULES = (
    check_server,
    check_clients,
    check_prices,
    check_stores,
    check_embedders,
    check_kinds,
    check_upstreams,
    check_fallbacks,
    check_credentials,
    check_routes,
    check_queries,
    check_serving,
    check_verifying,
    check_deny,
    check_synthesis,
)


def check(draft: Draft) -> tuple[Problem, ...]:
    """All problems across settings, in no particular order."""
    found = Findings(draft)
    for rule in RULES:
        rule(found, draft.file)
    return tuple(found.problems)
