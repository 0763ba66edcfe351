"""The in-process exact tier: entries by exact key, least recently used out first, bounded by bytes.

It is the hottest path of the gateway, so besides the awaitable protocol it has plain `get_now` and `put_now`.
One event loop uses it; there is no lock.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from gateway.core.messages import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.core.messages import Entry

FORGET_BATCH = 1000


class MemoryStore:
    source = Source.MEMORY

    def __init__(self, max_bytes: int) -> None:
        """`max_bytes` bounds the sum of `Entry.size()`; 0 keeps nothing."""
        self._max_bytes = max_bytes
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get_now(self, exact: bytes, now: float) -> Entry | None:
        """The entry under this key if it has not expired at `now`; counts as a use of it."""
        entry = self._entries.get(exact)
        if entry is None:
            return None
        if entry.expires_at <= now:
            self.delete(exact)
            return None
        self._entries.move_to_end(exact)
        return entry

    def put_now(self, entry: Entry) -> None:
        """Keep the entry, pushing out the longest unused. One larger than the whole tier is not kept."""
        self.delete(entry.exact)
        size = entry.size()
        if size > self._max_bytes:
            return
        self._entries[entry.exact] = entry
        self.bytes += size
        while self.bytes > self._max_bytes:
            _exact, oldest = self._entries.popitem(last=False)
            self.bytes -= oldest.size()

    def delete(self, exact: bytes) -> None:
        entry = self._entries.pop(exact, None)
        if entry is not None:
            self.bytes -= entry.size()

    async def forget(self, covers: Callable[[Entry], bool]) -> int:
        """Drop every entry that a purge covers, so many at a time: other work goes on in between. What is put in
        meanwhile is not looked at. Returns how many went."""
        dropped = 0
        keys = list(self._entries)
        for start in range(0, len(keys), FORGET_BATCH):
            for exact in keys[start : start + FORGET_BATCH]:
                entry = self._entries.get(exact)
                if entry is not None and covers(entry):
                    self.delete(exact)
                    dropped += 1
            await asyncio.sleep(0)
        return dropped

    def clear(self) -> None:
        self._entries.clear()
        self.bytes = 0

    async def get(self, exact: bytes, now: float) -> Entry | None:
        return self.get_now(exact, now)

    async def put(self, entry: Entry) -> None:
        self.put_now(entry)

    async def ping(self) -> None:
        return

    async def close(self) -> None:
        self.clear()
