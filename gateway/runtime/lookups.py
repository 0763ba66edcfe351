"""`lookup`: what would be served, and why. The route's own cache decides; here its decision is put into words.

A text without a request belongs to no partition, so all of its scope are searched, by similarity alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from gateway.core.body import Document
from gateway.core.denial import Then
from gateway.core.events import Stage
from gateway.core.freshness import NO_WISHES, read_wishes
from gateway.core.messages import Bypass, Candidate, Hit, Miss, Reason, Refuse, Request, Subject, Vector
from gateway.core.policy import CachePolicy, accepted, threshold
from gateway.engine.explain import BELOW, NOT_ACCEPTED, Considered, Step, Trace
from gateway.engine.opinions import Opinions
from gateway.engine.trial import HELD_BACK
from gateway.errors import InvalidOrder, StoreError, TextUnfit, VerifierError
from gateway.fronts.admin.operations import LookupAnswer, LookupCandidate, LookupQuestion, LookupStep
from gateway.runtime.asking import goes_elsewhere, request_of, route_named, scope_of
from gateway.runtime.generation import CompiledRoute, Generation
from gateway.stores.catalog import Catalog, Near

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
        verdict, reason = await _denied(route, text, None, trace) or ("miss", Reason.EXACT_ONLY)
        return LookupAnswer(verdict, reason, [], subject, _steps(trace.steps))
    try:
        vector = await route.tiers.embed(text)
    except TextUnfit as unfit:
        trace.step(Stage.EMBED, str(unfit))
        verdict, reason = await _denied(route, text, None, trace) or ("miss", Reason.EXACT_ONLY)
        return LookupAnswer(verdict, reason, [], subject, _steps(trace.steps))
    trace.embedded(vector)
    denied = await _denied(route, text, vector, trace)
    if denied is not None:
        return LookupAnswer(*denied, [], subject, _steps(trace.steps))
    policy = route.policy
    near = await catalog.near_in_scope(route.settings.name, scope, route.entries.known_space(), vector, policy.top_k)
    best = f", the nearest at {near[0].similarity:.4f}" if near else ""
    at = threshold(policy, NO_WISHES)
    does = "served" if policy.opinion is None else "judged"
    trace.step(Stage.NEAREST, f"{len(near)} asked before{best}; {does} at {at:g} or above")
    judged = [Candidate(each.id, each.similarity, None, b"", each.question) for each in near if each.similarity >= at]
    try:
        scores = await Opinions(policy, route.tiers).scores(text, judged)
    except VerifierError as trouble:
        trace.step(Stage.VERIFY, str(trouble))
        scores = [0.0] * len(judged)
    score_of = {each.id: score for each, score in zip(judged, scores, strict=True)}
    candidates = [_in_scope(policy, each, score_of) for each in near]
    near_enough = any(each.served for each in candidates)
    if near_enough and route.settings.mode == "shadow":
        trace.step("shadow", "this would be served to such a request; instead the upstream answers")
        candidates = [
            msgspec.structs.replace(each, served=False, why=HELD_BACK[Reason.SHADOW]) if each.served else each
            for each in candidates
        ]
        return LookupAnswer("miss", Reason.SHADOW, candidates, subject, _steps(trace.steps))
    if near_enough and route.proof is not None:
        trace.step("proof", route.proof.explain())
        candidates = [_proven(each, route.proof.least) for each in candidates]
    if any(each.served for each in candidates):
        return LookupAnswer("hit", None, candidates, subject, _steps(trace.steps))
    if near_enough:
        return LookupAnswer("miss", Reason.UNPROVEN, candidates, subject, _steps(trace.steps))
    _tell_synthesis(policy, near, trace)
    reason = Reason.UNVERIFIED if judged else Reason.BELOW_THRESHOLD if near else Reason.NO_CANDIDATE
    return LookupAnswer("miss", reason, candidates, subject, _steps(trace.steps))


def _tell_synthesis(policy: CachePolicy, near: Sequence[Near], trace: Trace) -> None:
    """Would an answer be made of what is near, were the request equal in all but its words?"""
    if policy.synthesis is None:
        return
    least = policy.synthesis.least
    count = min(policy.synthesis.most, sum(each.similarity >= least for each in near))
    told = (
        f"an answer would be made of {count} of these" if count else "none of these is near enough to make an answer of"
    )
    trace.step(Stage.SYNTHESIS, f"{told}, at {least:g} or above")


async def _denied(route: CompiledRoute, text: str, vector: Vector | None, trace: Trace) -> tuple[str, Reason] | None:
    """The verdict on a denied question, and on one that cannot be compared with those now; None: it is none of them."""
    if route.cache is None or not route.cache.denials.any:
        return None
    ruling = await route.cache.denials.examine(text, trace, vector)
    if ruling.denied is not None:
        return ("bypass" if ruling.denied.then is Then.FORWARD else "refuse"), Reason.DENIED
    return None if ruling.trouble is None else ("miss", ruling.trouble)


def _in_scope(policy: CachePolicy, near: Near, score_of: dict[str, float | None]) -> LookupCandidate:
    """What would become of it, were the request equal in all but its words."""
    score = score_of.get(near.id)
    served = near.id in score_of and accepted(policy, score)
    why = OTHER_PARTITION if served else NOT_ACCEPTED if near.id in score_of else BELOW
    return LookupCandidate(near.id, near.similarity, score, served, near.question, why)


def _proven(candidate: LookupCandidate, least: float | None) -> LookupCandidate:
    """The same under a bound on errors, which lets be served what is of this strength or more (None: nothing)."""
    strength = candidate.similarity if candidate.verifier_score is None else candidate.verifier_score
    if not candidate.served or (least is not None and strength >= least):
        return candidate
    return msgspec.structs.replace(candidate, served=False, why=HELD_BACK[Reason.UNPROVEN])


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
            verifier_score=each.score,
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
