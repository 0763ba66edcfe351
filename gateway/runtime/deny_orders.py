"""An operator's orders about denied questions -> what is denied, what is not, and a list of it all.

What an order puts into effect is so in this process before it is answered, and in the others at their next look.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from gateway.core.denial import LONGEST_QUESTION, DeniedQuestion, Spared, Then, normalised
from gateway.errors import InvalidOrder
from gateway.fronts.admin.deny_shapes import DeniedPage, DeniedShown, DenyOrder, SparedShown
from gateway.runtime.asking import route_named
from gateway.runtime.deny_parts import DenyParts
from gateway.runtime.denying import denied_id
from gateway.runtime.generation import Generation
from gateway.stores.denials import MOST_ADDED

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


async def list_denied(generation: Generation, *, route: str | None, limit: int, after: str | None) -> DeniedPage:
    """Those of the routes file in its order, then those that were added, the oldest first. `route`: that one's and those of
    all routes. Raises InvalidOrder, StoreError."""
    if route is not None:
        route_named(generation, route)
    parts = generation.resources.denials
    denying = parts.denying
    await denying.write_uses()
    await denying.load()
    uses = await denying.log.uses()
    listed = [each for each in _all(parts, uses) if route is None or each.route in (None, route)]
    start = 0
    if after is not None:
        places = [place for place, each in enumerate(listed) if each.id == after]
        if not places:
            raise InvalidOrder("`after` is the `next` of the page before; the list has changed since: begin anew")
        start = places[0] + 1
    page = listed[start : start + limit]
    return DeniedPage(page, page[-1].id if start + limit < len(listed) else None)


async def deny(generation: Generation, order: DenyOrder) -> DeniedShown:
    """From now on; asked for the same words and route again, it takes the place of what was there. Raises InvalidOrder,
    StoreError."""
    if order.route is not None:
        route_named(generation, order.route)
    _check_text("text", order.text)
    if not 0 < order.at_least <= 1:
        raise InvalidOrder("`at_least` is a similarity above 0 and up to 1")
    if order.name is not None and _NAME.fullmatch(order.name) is None:
        raise InvalidOrder("`name` is of letters, digits, `_`, `.` and `-` (63 at most, the first a letter or digit)")
    if order.answer is not None:
        _check_text("answer", order.answer)
        if order.then is not Then.REFUSE:
            raise InvalidOrder('`answer` has no effect where a question is forwarded: say `"then": "refuse"` as well')
    resources = generation.resources
    words = normalised(order.text)
    made_id = denied_id("api", resources.key, order.route or "", words)
    denied = DeniedQuestion(
        id=made_id,
        text=order.text,
        words=words,
        name=order.name or made_id,
        at_least=order.at_least,
        then=order.then,
        answer=order.answer or "",
        verify=order.verify,
        route=order.route,
    )
    if not await resources.denials.denying.log.add(denied):
        raise _full()
    await _take_effect(resources.denials)
    return next(each for each in _all(resources.denials, {}) if each.id == made_id)


async def spare(generation: Generation, denied: str, question: str) -> SparedShown | None:
    """This question is not meant by that denied one; None where there is none. Raises InvalidOrder, StoreError."""
    parts, resources = generation.resources.denials, generation.resources
    _check_text("question", question)
    await parts.denying.load()
    if all(each.id != denied for each in _all(parts, {})):
        return None
    spared = Spared(denied_id("spared", resources.key, denied, normalised(question)), denied, question)
    if not await parts.denying.log.spare(spared):
        raise _full()
    await _take_effect(parts)
    return SparedShown(spared.id, spared.text)


async def allow(generation: Generation, row_id: str) -> bool:
    """Take back what was added, or a false positive. False where there is none. Raises InvalidOrder, StoreError."""
    parts = generation.resources.denials
    if any(each.id == row_id for each in _fixed(parts)):
        raise InvalidOrder("the routes file denies this question: it is taken back there")
    removed = await parts.denying.log.remove(row_id)
    await _take_effect(parts)
    return removed


async def _take_effect(parts: DenyParts) -> None:
    await parts.denying.load()
    await parts.denying.settled()


def _fixed(parts: DenyParts) -> Iterator[DeniedQuestion]:
    yield from parts.everywhere
    for denied in parts.on_routes.values():
        yield from denied


def _all(parts: DenyParts, uses: dict[str, int]) -> Iterator[DeniedShown]:
    spared: dict[str, list[SparedShown]] = {}
    for each in parts.denying.known.spared:
        spared.setdefault(each.denied, []).append(SparedShown(each.id, each.text))
    by_words = _compared_by_words(parts)

    def shown(denied: DeniedQuestion, source: Literal["file", "api"], created_at: float | None) -> DeniedShown:
        return DeniedShown(
            id=denied.id,
            route=denied.route,
            text=denied.text,
            name=denied.name,
            source=source,
            at_least=denied.at_least,
            verify=denied.verify,
            then=denied.then,
            answer=denied.answer or None,
            compared="words" if denied.by_words_only or (denied.route, denied.text) in by_words else "similarity",
            hits=uses.get(denied.id, 0),
            created_at=created_at,
            false_positives=spared.get(denied.id, []),
        )

    for denied in _fixed(parts):
        yield shown(denied, "file", None)
    for added in parts.denying.known.added:
        yield shown(added.denied, "api", added.made_at)
    for closed in parts.denying.known.closed:
        yield DeniedShown(closed, None, None, closed, "api")


def _compared_by_words(parts: DenyParts) -> set[tuple[str | None, str]]:
    """(route, text) of those whose text does not fit a model, or whose route embeds nothing."""
    found: set[tuple[str | None, str]] = set()
    everywhere: list[frozenset[str]] = []
    for name, route in parts.routes.items():
        unfit = route.by_words_only()
        found |= {(name, text) for text in unfit}
        everywhere.append(unfit)
    if everywhere:
        found |= {(None, text) for text in frozenset.intersection(*everywhere)}
    return found


def _check_text(field: str, text: str) -> None:
    """Raises InvalidOrder."""
    if not text.strip() or "\0" in text or len(text) > LONGEST_QUESTION:
        raise InvalidOrder(f"`{field}` is a text of up to {LONGEST_QUESTION:,} characters, and not a blank one")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidOrder(f"`{field}` is not valid Unicode") from None


def _full() -> InvalidOrder:
    return InvalidOrder(
        f"{MOST_ADDED:,} questions were added already, false positives among them: put them into a file of the routes file's "
        "`deny`, or remove some"
    )
