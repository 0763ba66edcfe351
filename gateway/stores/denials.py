"""Denied questions that operators added, and the questions reported as not meant: in PostgreSQL, for all processes.

Every change raises a version in the same transaction, so whoever wants to hear of changes looks at one number, often.
Texts are sealed like stored questions, and bound to their row's id.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from gateway.core.denial import DeniedQuestion, Spared, Then, normalised
from gateway.stores.schema import DENY, LOCK_CLASS

if TYPE_CHECKING:
    import asyncpg

    from gateway.stores.codec import Codec
    from gateway.stores.postgres import Database
    from gateway.stores.schema import Connection

MOST_ADDED = 10_000
"""Rows of one namespace: denied questions and false positives together."""
# Counts of what is in no routes file any more, and was not asked since.
FORGOTTEN_AFTER = 400 * 86400.0


class Added(NamedTuple):
    """`made_at` in Unix seconds."""

    denied: DeniedQuestion
    made_at: float


class Known(NamedTuple):
    """All there is, as of `version`. `closed` are the ids of rows that do not open: sealed with another key."""

    version: int
    added: tuple[Added, ...]
    spared: tuple[Spared, ...]
    closed: tuple[str, ...]


class Use(NamedTuple):
    """How often a denied question was asked, and when last (Unix seconds)."""

    times: int
    last: float


class _Content(msgspec.Struct, frozen=True):
    text: str
    name: str
    at_least: float
    then: Then
    answer: str
    verify: bool


class DenialLog:
    """That of one namespace. Every method may raise StoreError. `clock` gives Unix seconds."""

    def __init__(
        self, database: Database, codec: Codec, *, namespace: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._codec = codec
        self._namespace = namespace
        self._clock = clock

    async def add(self, denied: DeniedQuestion) -> bool:
        """Deny it from now on, instead of what had this id. False where there are MOST_ADDED already."""
        content = _Content(denied.text, denied.name, denied.at_least, denied.then, denied.answer, denied.verify)
        return await self._put(denied.id, denied.route, None, msgspec.json.encode(content).decode())

    async def spare(self, spared: Spared) -> bool:
        """As `add`, for a question that a denied one does not mean."""
        return await self._put(spared.id, None, spared.denied, spared.text)

    async def remove(self, row_id: str) -> bool:
        """Take back either; with a denied question go the false positives of it, and its count. False: there is none."""
        async with self._database.transaction() as connection:
            await self._lock(connection)
            gone = await connection.fetchval(
                "WITH gone AS (DELETE FROM semgate.denials WHERE namespace = $1 AND id = $2 RETURNING 1) "
                "SELECT count(*) FROM gone",
                self._namespace,
                row_id,
            )
            if not gone:
                return False
            for table, column in (("denials", "spares"), ("denial_uses", "id")):
                await connection.execute(
                    f"DELETE FROM semgate.{table} WHERE namespace = $1 AND {column} = $2",  # noqa: S608 (the names above)
                    self._namespace,
                    row_id,
                )
            await self._raise_version(connection)
        return True

    async def version(self) -> int:
        rows = await self._database.fetch(
            "SELECT version FROM semgate.denial_versions WHERE namespace = $1", self._namespace
        )
        return int(rows[0]["version"]) if rows else 0

    async def load(self) -> Known:
        """The version is read first: what comes in between is loaded again, never missed."""
        version = await self.version()
        rows = await self._database.fetch(
            "SELECT id, route, spares, content, made_at FROM semgate.denials WHERE namespace = $1 ORDER BY made_at, id",
            self._namespace,
        )
        added: list[Added] = []
        spared: list[Spared] = []
        closed: list[str] = []
        for row in rows:
            text = self._codec.open_question(row["content"], self._place(row["id"]))
            if text is None:
                closed.append(row["id"])
            elif row["spares"] is not None:
                spared.append(Spared(row["id"], row["spares"], text))
            else:
                added.append(_added(row, text))
        return Known(version, tuple(added), tuple(spared), tuple(closed))

    async def count(self, uses: Mapping[str, Use]) -> None:
        """Add to how often these were asked."""
        async with self._database.transaction() as connection:
            # In the order of their ids, so that two processes that count the same ones wait for each other, and no more.
            await connection.execute(
                "INSERT INTO semgate.denial_uses AS used (namespace, id, uses, last_used) "
                "SELECT $1, id, uses, last_used FROM unnest($2::text[], $3::bigint[], $4::float8[]) AS new (id, uses, last_used) "
                "ORDER BY id ON CONFLICT (namespace, id) DO UPDATE SET "
                "(uses, last_used) = (used.uses + excluded.uses, greatest(used.last_used, excluded.last_used))",
                self._namespace,
                list(uses),
                [use.times for use in uses.values()],
                [use.last for use in uses.values()],
            )
            await connection.execute(
                "DELETE FROM semgate.denial_uses WHERE namespace = $1 AND last_used < $2",
                self._namespace,
                self._clock() - FORGOTTEN_AFTER,
            )

    async def uses(self) -> dict[str, int]:
        """How often each was asked, by id."""
        rows = await self._database.fetch(
            "SELECT id, uses FROM semgate.denial_uses WHERE namespace = $1", self._namespace
        )
        return {row["id"]: row["uses"] for row in rows}

    async def _put(self, row_id: str, route: str | None, spares: str | None, text: str) -> bool:
        content = self._codec.close_question(text, self._place(row_id))
        async with self._database.transaction() as connection:
            await self._lock(connection)
            others = await connection.fetchval(
                "SELECT count(*) FROM semgate.denials WHERE namespace = $1 AND id <> $2", self._namespace, row_id
            )
            if others >= MOST_ADDED:
                return False
            await connection.execute(
                "INSERT INTO semgate.denials (namespace, id, route, spares, content, made_at) VALUES ($1, $2, $3, $4, $5, $6) "
                "ON CONFLICT (namespace, id) DO UPDATE SET (route, spares, content) = ($3, $4, $5)",
                self._namespace,
                row_id,
                route,
                spares,
                content,
                self._clock(),
            )
            await self._raise_version(connection)
        return True

    async def _lock(self, connection: Connection) -> None:
        """One change at a time: a version is seen only with all changes up to it."""
        await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK_CLASS}, {DENY})")

    async def _raise_version(self, connection: Connection) -> None:
        await connection.execute(
            "INSERT INTO semgate.denial_versions AS known (namespace, version) VALUES ($1, 1) "
            "ON CONFLICT (namespace) DO UPDATE SET version = known.version + 1",
            self._namespace,
        )

    def _place(self, row_id: str) -> bytes:
        return f"denial {self._namespace} {row_id}".encode()


def _added(row: asyncpg.Record, text: str) -> Added:
    content = msgspec.json.decode(text, type=_Content)
    denied = DeniedQuestion(
        id=row["id"],
        text=content.text,
        words=normalised(content.text),
        name=content.name,
        at_least=content.at_least,
        then=content.then,
        answer=content.answer,
        verify=content.verify,
        route=row["route"],
    )
    return Added(denied, row["made_at"])
