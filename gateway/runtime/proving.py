"""The bound on errors of a route: its Proof, and the digest of the setting that evidence is about.

A judgement counts only under the setting that it was made under: the same vector space, verifier and thresholds. What
does not change a decision (keys, budgets, queues, devices) is no part of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path

import msgspec

from gateway.config import model
from gateway.config.preset import FilledRoute
from gateway.core.keys import canonical
from gateway.core.policy import CachePolicy
from gateway.core.ports import Emit
from gateway.engine.proof import Proof
from gateway.runtime.entries import RouteEntries
from gateway.runtime.parts import hashable
from gateway.runtime.resources import Resources

BUILT_IN = Path(__file__).parent.parent / "verifiers" / "models" / "pairwise"
# Of a verifier's settings: what says how it works, and not what it says.
WORKINGS = frozenset({"queue", "device", "threads", "batch", "timeout", "api_key", "connections", "budget"})
WORKINGS |= {"remember", "keep"}
DIGEST_BYTES = 16


def setting_of(
    settings: model.File, route: FilledRoute, policy: CachePolicy, entries: RouteEntries
) -> Callable[[], bytes]:
    """16 bytes; b"" while the vector space is not known, which a local model tells when it is loaded, a remote one with its
    first answer. A cross-encoder is known by its name: another model in the same folder is not noticed."""
    opinion = policy.opinion
    decides: list[object] = [policy.hit] if opinion is None else [opinion.candidate, opinion.at_least]
    decides.append(_verifier(settings, route))
    known: dict[str, bytes] = {}

    def setting() -> bytes:
        space = entries.space
        if space is None:
            return b""
        if space not in known:
            known[space] = sha256(canonical([space, *decides])).digest()[:DIGEST_BYTES]
        return known[space]

    return setting


def proof_of(
    settings: model.File,
    route: FilledRoute,
    policy: CachePolicy,
    entries: RouteEntries,
    resources: Resources,
    emit: Emit,
) -> Proof | None:
    """None where the route has no bound. It outlives reloads that change nothing of what it is about."""
    if route.max_error is None or route.mode != "serve" or route.match == "exact":
        return None
    bound, opinion, evidence = float(route.max_error), policy.opinion, resources.evidence.known
    floor = policy.hit if opinion is None else opinion.at_least
    setting = setting_of(settings, route, policy, entries)

    def make() -> Proof:
        strength = "similarity" if opinion is None else "score"
        return Proof(route.name, bound, floor, setting, evidence, emit, random.random, strength=strength)

    # Entries and evidence are parts themselves: the same ones as long as their settings are.
    return resources.proof(
        (route.name, bound, policy.hit, opinion, str(_verifier(settings, route)), entries, evidence), make
    )


def _verifier(settings: model.File, route: FilledRoute) -> object:
    if route.verify is None:
        return None
    declared = settings.verifiers.get(route.verify.by)
    if declared is None:
        return _built_in()
    return {name: value for name, value in msgspec.json.decode(hashable(declared)).items() if name not in WORKINGS}


@cache
def _built_in() -> str:
    files = sorted(path for path in BUILT_IN.iterdir() if path.suffix in (".json", ".npy", ".txt"))
    return sha256(b"".join(sha256(path.read_bytes()).digest() for path in files)).hexdigest()
