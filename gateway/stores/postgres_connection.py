"""One connection to PostgreSQL: what is done when it goes back into the pool, and pgvector's wire form of a vector."""

from __future__ import annotations

import asyncpg
import numpy as np

from gateway.core.messages import Vector


class OwnConnection(asyncpg.Connection):
    def get_reset_query(self) -> str:
        """Nothing is set on a session beyond its start, so nothing is reset: that would cost a round trip each time."""
        return ""

    async def reset(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's own signature
        """Who is cancelled while a transaction begins or ends leaves it open. asyncpg puts that right as well, and tells the
        loop of an error, which a program that only ends has not made."""
        if self.is_in_transaction():
            await self.execute("ROLLBACK", timeout=timeout)
        self._top_xact = None
        await super().reset(timeout=timeout)


def encode_vector(vector: Vector) -> bytes:
    """pgvector's wire form of a halfvec: size, an unused word, big-endian half floats."""
    return b"%b\0\0%b" % ((len(vector) // 4).to_bytes(2), np.frombuffer(vector, "<f4").astype(">f2").tobytes())


def decode_vector(wire: bytes) -> Vector:
    return np.frombuffer(wire, ">f2", offset=4).astype("<f4").tobytes()
