"""Feedback: somebody's word that an answer from the cache was right or wrong. A wrong one goes, everywhere, and is noted.

An operator may speak of any entry, a declared client of those in its own scope; of others it learns no more than of
entries that there never were. What a client calls right proves nothing, and what it calls wrong is believed: so one that
lies costs hits, and makes nobody believe in wrong ones. How often it may is bounded.
"""

from __future__ import annotations

import time
from contextlib import suppress
from hashlib import blake2b

from gateway.core.asgi import HeaderList
from gateway.core.judgement import CLIENT, FEEDBACK, Finding, Judgement, Origin
from gateway.core.keys import frame
from gateway.core.messages import Entry, HitKind, Request
from gateway.core.purges import Purge
from gateway.core.quota import Limit
from gateway.core.subject import read_scope, scopes_named
from gateway.core.synthesis import judged_under
from gateway.errors import StoreError, TooManyRequests
from gateway.fronts.admin.judged import FeedbackOrder, FeedbackResult
from gateway.fronts.clients import Caller
from gateway.runtime.generation import CompiledRoute, Generation

MOST_AN_HOUR = 200
"""Judgements of one client."""
HOUR = 3600.0
OPERATOR = b"operator"
WRONG = Finding.WRONG.value
_HALF = 8  # of an id's 16 bytes: who said it, and what


async def take_feedback(
    generation: Generation, order: FeedbackOrder, caller: Caller | None, headers: HeaderList
) -> FeedbackResult | None:
    """`caller` None: the operator. None where there is no such entry, or it is none of the caller's. Raises StoreError,
    TooManyRequests."""
    resources = generation.resources
    told = _Told(resources.key, order, caller)
    known = await resources.evidence.store.find(told.id)
    if known is not None:
        return FeedbackResult(order.entry, order.verdict, evicted=order.verdict == WRONG, noted=False)
    whole = await resources.catalog.show(order.entry)
    if whole is None or whole.entry is None:
        return None
    entry = whole.entry
    route = generation.routes.get(entry.route)
    if caller is not None:
        if route is None or not _is_theirs(route, entry, order, caller, headers):
            return None
        await _check_pace(generation, told, caller)
    judgement = _judgement(route, entry, whole.listed.question, order, caller)
    wrong = judgement.finding is Finding.WRONG
    if wrong:
        await resources.purging.log.purge(Purge(time.time(), entry.route, exact=frozenset([entry.exact])))
    noted = resources.evidence.known.note(judgement, told.id)
    with suppress(StoreError):  # it is written with the next turn, which tells
        await resources.evidence.write()
    return FeedbackResult(order.entry, order.verdict, evicted=wrong, noted=noted)


class _Told:
    """The id of what was said: the same from the same caller is the same judgement. All of one caller's begin alike."""

    def __init__(self, key: bytes, order: FeedbackOrder, caller: Caller | None) -> None:
        who = OPERATOR if caller is None else frame(b"client", caller.identity or b"")
        what = frame(who, order.entry.encode(), order.verdict.encode(), (order.question or "").encode())
        self.by = blake2b(who, key=key, digest_size=_HALF, person=b"semgate.told").digest()
        self.id = self.by + blake2b(what, key=key, digest_size=_HALF, person=b"semgate.told").digest()


def _is_theirs(route: CompiledRoute, entry: Entry, order: FeedbackOrder, caller: Caller, headers: HeaderList) -> bool:
    if caller.client is None or not caller.client.may_use(entry.route):
        return False
    if order.scope is not None and not isinstance(route.rule.scope, str):
        named = [order.scope] if isinstance(order.scope, str) else order.scope
        return entry.scope in scopes_named(route.rule, route.keyer, named)
    request = Request(
        method="POST",
        path=b"",
        query_string=b"",
        headers=headers,
        body=b"",
        path_params={},
        upstream_path=b"",
        client=caller.identity,
        asked_at=time.time(),
    )
    return read_scope(route.rule, route.keyer, request, None) == entry.scope


async def _check_pace(generation: Generation, told: _Told, caller: Caller) -> None:
    """Raises TooManyRequests."""
    since = time.time() - HOUR
    oldest = await generation.resources.evidence.store.oldest_of(told.by, since, MOST_AN_HOUR)
    if oldest is not None:
        name = "" if caller.client is None else caller.client.name
        raise TooManyRequests(
            f"the client {name!r} has given feedback {MOST_AN_HOUR} times within an hour",
            Limit.REQUESTS,
            max(1, round(oldest - since)),
        )


def _judgement(
    route: CompiledRoute | None, entry: Entry, before: str | None, order: FeedbackOrder, caller: Caller | None
) -> Judgement:
    """Without a question the word is on the entry's own ones: those of an exact hit, or of who did not say."""
    exact, kind = entry.exact, HitKind.SYNTHESIS if entry.synthesized else HitKind.EXACT
    if order.question is not None and order.question != before and route is not None:
        exact = route.keyer.exact(entry.partition, [order.question.encode()])
        kind = HitKind.SEMANTIC if route.policy.opinion is None else HitKind.VERIFIED
    return Judgement(
        route=entry.route,
        at=time.time(),
        origin=Origin.FEEDBACK,
        finding=Finding(order.verdict),
        how=FEEDBACK if caller is None else CLIENT,
        kind=kind,
        similarity=None,
        score=None,
        entry=entry.id,
        exact=exact,
        other=judged_under(entry.exact) if entry.synthesized else entry.exact,
        question=order.question if order.question is not None else before,
        asked_before=before,
        served=True,
        scope=entry.scope,
    )
