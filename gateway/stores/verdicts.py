"""Verdicts that were paid for, in PostgreSQL: all processes of a deployment ask for each pair of questions once.

A key is a digest of all that a verdict depends on, so none is ever wrong, only gone. The sweeper removes what ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.errors import StoreError

if TYPE_CHECKING:
    from gateway.stores.postgres import Database

GET = "SELECT score FROM semgate.verdicts WHERE key = $1 AND until > $2"
PUT = """
    INSERT INTO semgate.verdicts (key, score, until) VALUES ($1, $2, $3)
    ON CONFLICT (key) DO UPDATE SET (score, until) = (excluded.score, excluded.until)
    """


class PostgresVerdicts:
    """What the llm verifier's VerdictMemory wants. `keep` in seconds, `clock` in Unix seconds; trouble goes to `on_trouble`,
    and the verdict is as good as not there."""

    def __init__(
        self,
        database: Database,
        *,
        keep: float,
        clock: Callable[[], float],
        on_trouble: Callable[[StoreError], None],
    ) -> None:
        self._database = database
        self._keep = keep
        self._clock = clock
        self._on_trouble = on_trouble

    async def get(self, key: bytes) -> float | None:
        try:
            rows = await self._database.fetch(GET, key, self._clock())
        except StoreError as trouble:
            self._on_trouble(trouble)
            return None
        return float(rows[0]["score"]) if rows else None

    async def put(self, key: bytes, score: float) -> None:
        try:
            await self._database.fetch(PUT, key, score, self._clock() + self._keep)
        except StoreError as trouble:
            self._on_trouble(trouble)
