"""`lookup`: what would be served, and why. The route's own cache decides; here its decision is put into words.

A text without a request belongs to no partition, so all of its scope are searched, by similarity alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from gateway.core.body import Document
from gateway.core.events import Stage
from gateway.core.freshness import read_wishes
from gateway.core.messages import Bypass, Hit, Miss, Reason, Refuse, Request, Subject
from gateway.engine.explain import BELOW, Considered, Step, Trace
from gateway.errors import InvalidOrder, StoreError, TextUnfit
from gateway.fronts.admin.operations import LookupAnswer, LookupCandidate, LookupQuestion, LookupStep
from gateway.runtime.asking import goes_elsewhere, request_of, route_named, scope_of
from gateway.runtime.generation import CompiledRoute, Generation
from gateway.stores.catalog import Catalog

OTHER_PARTITION = "near enough: served to a request that is equal in all but its words"


async def look_up(generation: Generation, catalog: Catalog, question: LookupQuestion) -> LookupAnswer:
    """Raises InvalidOrder, StoreError, EmbedError."""
    route = route_named(generation, question.route)
    body = b"" if bytes(question.body) == b"null" else bytes(question.body)
    if question.text is not None:
        if body or question.path is not None:
            raise InvalidOrder("give `text` alone, or a request (`body`, `headers`, `path`)")
        return await _look_for_text(generation, catalog, route, question, question.text)
    if not body and question.path is None:
        raise InvalidOrder("give the `body` of a request, or a `text`")
    request = request_of(generation, route, body, question.headers, question.path)
    return await _look_for_request(catalog, route, request, scope_of(generation, route, question.scope))


async def _look_for_request(
    catalog: Catalog, route: CompiledRoute, request: Request, scope: bytes | None
) -> LookupAnswer:
    cache = route.cache
    if cache is None:
        return _bypassed(Reason.OFF)
    if len(request.body) > route.settings.max_body:
        return _bypassed(Reason.BODY_TOO_LARGE)
    document, trace = Document(request.body), Trace(time.monotonic)
    elsewhere = goes_elsewhere(route, request, document)
    if elsewhere:
        trace.step("route", elsewhere)
    wishes = read_wishes(request.headers, route.policy.allowed)
    verdict = await cache.explain(request, document, wishes, trace, scope)
    reason: Reason | None = None
    match verdict:
        case Hit():
            name = "hit"
        case Miss(reason=reason):
            name = "miss"
        case Bypass(reason=reason):
            name = "bypass"
            if trace.subject is None:
                trace.step("subject", _no_subject(reason))
        case Refuse(reason=reason):
            name = "refuse"
    return LookupAnswer(
        verdict=name,
        reason=reason,
        candidates=await _show(catalog, trace.candidates),
        subject={} if trace.subject is None else _subject(trace.subject),
        steps=_steps(trace.steps),
    )


async def _look_for_text(
    generation: Generation, catalog: Catalog, route: CompiledRoute, question: LookupQuestion, text: str
) -> LookupAnswer:
    scope = scope_of(generation, route, question.scope)
    if scope is None and route.rule.scope == "public":
        scope = scope_of(generation, route, "public")
    if scope is None:
        raise InvalidOrder(f"say whose: the route {route.settings.name} is not public, so a text needs a `scope`")
    if not text.strip() or route.tiers is None or route.entries is None:
        return _bypassed(Reason.OFF if route.tiers is None else Reason.NO_TEXT)
    trace = Trace(time.monotonic)
    trace.step("subject", f"a text of {len(text)} characters; in all partitions of its scope")
    subject: dict[str, str | int | bool | None] = {"scope": scope.hex(), "text_length": len(text)}
    if route.tiers.embedder is None:
        trace.step(Stage.EMBED, "this route compares exact words only: ask with a whole request")
        return LookupAnswer("miss", Reason.EXACT_ONLY, [], subject, _steps(trace.steps))
    try:
        vector = await route.tiers.embed(text)
    except TextUnfit as unfit:
        trace.step(Stage.EMBED, str(unfit))
        return LookupAnswer("miss", Reason.EXACT_ONLY, [], subject, _steps(trace.steps))
    trace.embedded(vector)
    policy = route.policy
    near = await catalog.near_in_scope(route.settings.name, scope, route.entries.known_space(), vector, policy.top_k)
    best = f", the nearest at {near[0].similarity:.4f}" if near else ""
    trace.step(Stage.NEAREST, f"{len(near)} asked before{best}; served at {policy.hit:g} or above")
    candidates = [
        LookupCandidate(
            entry=each.id,
            similarity=each.similarity,
            verifier_score=None,
            served=each.similarity >= policy.hit,
            question=each.question,
            why=OTHER_PARTITION if each.similarity >= policy.hit else BELOW,
        )
        for each in near
    ]
    if any(each.served for each in candidates):
        return LookupAnswer("hit", None, candidates, subject, _steps(trace.steps))
    reason = Reason.BELOW_THRESHOLD if near else Reason.NO_CANDIDATE
    return LookupAnswer("miss", reason, candidates, subject, _steps(trace.steps))


def _bypassed(reason: Reason) -> LookupAnswer:
    return LookupAnswer("bypass", reason, [], steps=[LookupStep("subject", _no_subject(reason), 0.0)])


def _no_subject(reason: Reason) -> str:
    return f"there is none to look up ({reason})"


async def _show(catalog: Catalog, considered: Sequence[Considered]) -> list[LookupCandidate]:
    try:
        questions = await catalog.questions([each.id for each in considered]) if considered else {}
    except StoreError:
        questions = {}  # the decision stands: it was made from what did answer
    return [
        LookupCandidate(
            entry=each.id,
            similarity=each.similarity,
            verifier_score=None,
            served=each.served,
            question=questions.get(each.id),
            why=each.why,
        )
        for each in considered
    ]


def _subject(subject: Subject) -> dict[str, str | int | bool | None]:
    """Without a secret: digests are keyed, and of the text only its length is told."""
    wanted = subject.wanted
    return {
        "scope": subject.scope.hex(),
        "partition": subject.partition.hex(),
        "exact": subject.exact.hex(),
        "model": subject.model,
        "form": "any" if wanted is None else "stream" if wanted.stream else "single",
        "exact_only": subject.exact_only,
        "text_length": len(subject.text),
    }


def _steps(steps: Sequence[Step]) -> list[LookupStep]:
    return [LookupStep(each.name, each.result, round(each.seconds * 1000, 3)) for each in steps]
