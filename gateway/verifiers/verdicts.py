"""Verdicts that were paid for, kept: a bounded memory of this process, before one that all processes may share.

A verdict is kept under a keyed digest of everything that it depends on: no question stays in memory or in a store.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import msgspec

DIGEST = 32
BELIEVED = 3600.0
"""Seconds for which a shared verdict is remembered here: its age is not told."""


class VerdictMemory(Protocol):
    """Verdicts that outlive the process. It reports its own trouble: here a verdict that cannot be read is not there, and
    one that cannot be written is asked for again."""

    async def get(self, key: bytes) -> float | None:
        """The score under this key (32 bytes), None where there is none that is still kept."""

    async def put(self, key: bytes, score: float) -> None: ...


class Verdicts:
    """Recent scores, and the shared ones behind them.

    Args:
        size: scores in memory; 0: none.
        keep: seconds that one is good for.
        clock: Unix seconds.
        shared: None: there is none.
        secret: keys the digests.
    """

    def __init__(
        self, *, size: int, keep: float, clock: Callable[[], float], shared: VerdictMemory | None, secret: bytes
    ) -> None:
        self._size = size
        self._keep = keep
        self._clock = clock
        self._shared = shared
        self._secret = secret[:64]  # as much as BLAKE2b takes
        self._recent: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def key(self, *parts: str) -> bytes:
        """Of all that a verdict depends on. Raises UnicodeEncodeError for text that is not Unicode."""
        return hashlib.blake2b(msgspec.json.encode(parts), digest_size=DIGEST, key=self._secret).digest()

    async def get(self, key: bytes) -> float | None:
        known = self._recent.get(key)
        if known is not None:
            score, until = known
            if self._clock() < until:
                self._recent.move_to_end(key)
                return score
            del self._recent[key]
        score_elsewhere = None if self._shared is None else await self._shared.get(key)
        if score_elsewhere is not None:
            self._remember(key, score_elsewhere, min(self._keep, BELIEVED))
        return score_elsewhere

    async def put(self, key: bytes, score: float) -> None:
        self._remember(key, score, self._keep)
        if self._shared is not None:
            await self._shared.put(key, score)

    def _remember(self, key: bytes, score: float, seconds: float) -> None:
        if self._size == 0:
            return
        self._recent[key] = (score, self._clock() + seconds)
        self._recent.move_to_end(key)
        if len(self._recent) > self._size:
            self._recent.popitem(last=False)
