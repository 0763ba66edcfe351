"""What a route's cache stands on: memory, Redis, PostgreSQL, an embedder; each outside part behind its guard."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Protocol

import msgspec

from gateway.core.events import Stage
from gateway.core.messages import Entry, Vector
from gateway.core.ports import Embedder, Emit, EntryStore, ExactStore, Verifier
from gateway.engine.deny_lists import DenyLists
from gateway.engine.evidence import Evidence
from gateway.engine.guard import Guard
from gateway.engine.purges import Purges
from gateway.errors import CacheTrouble

WORKING_FOR: ContextVar[str] = ContextVar("semgate.working_for", default="")
"""The route on whose behalf texts are embedded or judged: models know texts only, and somebody has to account for what they
cost."""


class MemoryTier(Protocol):
    """The in-process exact tier, asked without awaiting."""

    def get_now(self, exact: bytes, now: float) -> Entry | None: ...

    def put_now(self, entry: Entry) -> None: ...


class Decode(Protocol):
    def __call__(self, encoding: bytes, body: bytes, limit: int, /) -> bytes:
        """Body without its content-encoding, at most `limit` bytes. Raises Undecodable."""


class Places:
    """A bounded number of answers being stored at once, for all routes of a worker."""

    def __init__(self, places: int) -> None:
        self.free = places


class Tiers(msgspec.Struct, frozen=True):
    """`redis`, `embedder` and `verifier` may be absent; `purges` are those that this process knows of. `denied` are the
    questions that are not answered from here, `evidence` the pairs of questions that were found wrong.

    `storing` guards rows on their way into PostgreSQL: no client waits for them, so they have more time than look-ups, and
    their being slow says nothing of those. With `embeds_ahead` a text is embedded while PostgreSQL is asked for its exact
    words: for local models, where an embedding in vain costs a moment of one thread and no money.
    """

    memory: MemoryTier | None
    redis: tuple[ExactStore, Guard] | None
    postgres: tuple[EntryStore, Guard]
    storing: Guard
    embedder: tuple[Embedder, Guard] | None
    embeds_ahead: bool
    places: Places
    decode: Decode
    emit: Emit
    new_id: Callable[[], str]
    route: str = ""
    purges: Purges = msgspec.field(default_factory=Purges)
    verifier: tuple[Verifier, Guard] | None = None
    denied: DenyLists | None = None
    evidence: Evidence | None = None

    async def voids(self, entry: Entry) -> bool:
        """Has a purge made this entry void? Its vector is asked for where that depends on it; without an answer it is."""
        void = self.purges.voids(entry)
        if void is not None:
            return void
        store, guard = self.postgres
        try:
            vector = await guard.call(Stage.POSTGRES_EXACT, store.vector, entry.id)
        except CacheTrouble:
            return True
        if entry.synthesized and vector == b"":
            vector = None  # what it was made of may be similar: nobody knows
        if vector is None or self.purges.covers(entry, vector, store.space):
            return True
        self.purges.spare(entry)
        return False

    async def embed(self, text: str) -> Vector:
        """Within the embedder's budget; there must be one. Raises CacheTrouble."""
        assert self.embedder is not None
        port, guard = self.embedder
        WORKING_FOR.set(self.route)
        return await guard.call(Stage.EMBED, port.embed, text)

    async def put_redis(self, entry: Entry) -> bool:
        """True if Redis has it now."""
        if self.redis is None:
            return False
        store, guard = self.redis
        try:
            await guard.call(Stage.STORE, store.put, entry)
        except CacheTrouble:
            return False
        return True
