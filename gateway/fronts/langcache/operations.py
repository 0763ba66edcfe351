"""The operations of the REST cache on a route's shelf: plain values in and out, every trouble an error with a status.

Who asks for what is the front's to know. Whose entries they are is in the place that each is given: no operation leaves
it, removing by id included.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from gateway.core.freshness import AllowedWishes
from gateway.core.messages import HitKind, Reason
from gateway.core.shelving import Place
from gateway.engine.shelf import Shelf
from gateway.engine.shelved import Looked, Shelved
from gateway.errors import DependencyDown, InvalidFields, NoEntry, QuestionDenied, RequestTooLarge, StoreError
from gateway.fronts.langcache.conversation import Turn, read_turn
from gateway.fronts.langcache.shapes import Found, Put, Sought, Strategy

# What there is nobody to go on to for.
TROUBLES = {
    Reason.STORE_TROUBLE: "the store cannot be used now",
    Reason.STORE_BUSY: "the store is taking as many answers as it can at once",
    Reason.EMBEDDER_TROUBLE: "the embedder cannot be used now",
    Reason.VERIFIER_TROUBLE: "the second opinion cannot be had now",
}
# What a cache may do at any time: keep nothing of what it was given.
FORGOTTEN = frozenset({Reason.DENIED, Reason.PURGED})

_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")


class Operations:
    """One route's. `allowed` bounds what clients may ask for: its threshold is the lowest, its ttl the longest; `exact_only`: no
    other words are compared."""

    def __init__(
        self, shelf: Shelf, allowed: AllowedWishes, new_id: Callable[[], str], *, exact_only: bool = False
    ) -> None:
        self._shelf = shelf
        self._allowed = allowed
        self._new_id = new_id
        self._exact_only = exact_only

    async def put(self, put: Put, tags: Sequence[str], at: Place) -> tuple[str, Reason | None]:
        """The id of the entry, with a reason where it was forgotten at once; `tags` are what operators can purge it by."""
        turn = read_turn(put.prompt)
        kept = await self._shelf.put(
            turn.text,
            put.response.encode(),
            at._replace(context=turn.context),
            ttl=self._ttl(put.ttl),
            tags=tags,
            attributes=put.attributes,
        )
        if not isinstance(kept, Reason):
            return shown_id(kept), None
        if kept in FORGOTTEN:
            return shown_id(self._new_id()), kept
        if kept is Reason.TOO_LARGE:
            raise RequestTooLarge("prompt and response are larger than this cache takes")
        if kept is Reason.TAGS:
            raise InvalidFields((), "what the route's `tags` find in it cannot be stored: too many, or too long")
        raise DependencyDown(f"the entry was not stored: {TROUBLES.get(kept, kept.value)}")

    async def find(self, sought: Sought, turn: Turn, at: Place, client: str | None) -> Looked:
        """What this turn finds. The same words are looked for in any case: they are the nearest there are."""
        if self._exact_only and sought.strategies == (Strategy.SEMANTIC,):
            raise InvalidFields((), "this cache compares exact words only (match: exact): search with `exact`")
        looked = await self._shelf.find(
            turn.text,
            at._replace(context=turn.context),
            attributes=sought.attributes,
            threshold=self._threshold(sought.threshold),
            opinion=sought.threshold is None,
            semantic=not sought.strategies or Strategy.SEMANTIC in sought.strategies,
            limit=sought.limit,
            client=client,
        )
        if looked.denial is not None:
            raise QuestionDenied(looked.denial.answer, looked.denial.name)
        if not looked.found and looked.reason in TROUBLES:
            raise DependencyDown(f"the cache cannot be searched: {TROUBLES[looked.reason]}")
        return looked

    async def remove(self, entry_id: str, at: Place) -> None:
        found = _ID.fullmatch(entry_id)
        try:
            if found is None or not await self._shelf.remove(_stored_id(entry_id), at):
                raise NoEntry("there is no such entry in this cache")
        except StoreError as error:
            raise DependencyDown(f"the entry was not deleted: {TROUBLES[Reason.STORE_TROUBLE]}") from error

    async def remove_where(self, attributes: Mapping[str, str], at: Place) -> int:
        try:
            return await self._shelf.remove_where(at, attributes)
        except StoreError as error:
            raise DependencyDown(f"entries were not deleted: {TROUBLES[Reason.STORE_TROUBLE]}") from error

    async def flush(self, at: Place) -> None:
        try:
            await self._shelf.flush(at)
        except StoreError as error:
            raise DependencyDown(f"the cache was not flushed: {TROUBLES[Reason.STORE_TROUBLE]}") from error

    def _ttl(self, wanted: float | None) -> float | None:
        longest = self._allowed.ttl_max
        return wanted if wanted is None or longest is None else min(wanted, longest)

    def _threshold(self, wanted: float | None) -> float | None:
        lowest = self._allowed.threshold_min
        return wanted if wanted is None or lowest is None else max(wanted, lowest)


def shown(shelved: Shelved, turn: Turn, strategies: tuple[Strategy, ...]) -> Found:
    """An entry as clients see it: its prompt after the earlier turns that it was found with."""
    question = turn.text if shelved.question is None else shelved.question
    exact = shelved.kind is HitKind.EXACT and strategies[:1] == (Strategy.EXACT,)
    return Found(
        id=shown_id(shelved.id),
        prompt=Turn(question, turn.earlier).written(),
        response=shelved.answer.decode(),
        attributes=shelved.attributes,
        similarity=shelved.similarity,
        search_strategy=Strategy.EXACT if exact else Strategy.SEMANTIC,
    )


def shown_id(entry_id: str) -> str:
    """32 hexadecimal digits."""
    return entry_id.replace("-", "")


def _stored_id(entry_id: str) -> str:
    digits = entry_id.replace("-", "")
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
