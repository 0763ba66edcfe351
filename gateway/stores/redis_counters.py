"""What clients used in the last minute, in Redis, Valkey or a cluster of them: one hash for each client, seen by all.

Its fields are slots: `r` and a number for requests, `t` and a number for tokens. One script counts and looks in one
round trip, by the server's own clock, so that replicas need not agree on the time. Commands: EVAL of TIME, HGETALL,
HINCRBY, HDEL and PEXPIRE. What Redis forgets (a restart, an eviction) is a minute that begins anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, cast

from gateway.core.quota import SLOT_SECONDS, SLOTS, Usage
from gateway.stores.redis import PREFIX, TROUBLE, store_error

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from gateway.core.quota import Counts, Limits
    from gateway.stores.redis import Client

    Answer: TypeAlias = "tuple[bytes, int, list[bytes], list[int]]"

NO_LIMIT = -1

_CLOCK = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local slot = math.floor(now / ARGV[1])
local expire = math.ceil((ARGV[2] + 2) * ARGV[1] * 1000)
"""

# KEYS[1]: the client's. ARGV: seconds of a slot, slots of a minute, most requests, most tokens (-1: any number).
ADMIT = (
    _CLOCK
    + """
local held = redis.call('HGETALL', KEYS[1])
local used = {r = 0, t = 0}
local names, counts, old = {}, {}, {}
for i = 1, #held, 2 do
  local name, count = held[i], tonumber(held[i + 1])
  if tonumber(string.sub(name, 2)) < slot - ARGV[2] then
    old[#old + 1] = name
  else
    local kind = string.sub(name, 1, 1)
    used[kind] = used[kind] + count
    names[#names + 1] = name
    counts[#counts + 1] = count
  end
end
local requests, tokens = tonumber(ARGV[3]), tonumber(ARGV[4])
local admitted = 0
if (requests < 0 or used.r < requests) and (tokens < 0 or used.t < tokens) then
  admitted = 1
  if requests >= 0 then
    local name = 'r' .. string.format('%d', slot)
    redis.call('HINCRBY', KEYS[1], name, 1)
    redis.call('PEXPIRE', KEYS[1], expire)
    names[#names + 1] = name
    counts[#counts + 1] = 1
  end
end
if #old > 0 then redis.call('HDEL', KEYS[1], unpack(old)) end
return {string.format('%.6f', now), admitted, names, counts}
"""
)

# KEYS[1]: the client's. ARGV: seconds of a slot, slots of a minute, tokens.
ADD = (
    _CLOCK
    + """
redis.call('HINCRBY', KEYS[1], 't' .. string.format('%d', slot), ARGV[3])
redis.call('PEXPIRE', KEYS[1], expire)
"""
)


class RedisCounters:
    """A Counters. Cheap to make: the connections are those of the store whose `client` it is given."""

    def __init__(
        self, client: Client, namespace: str, *, slot_seconds: float = SLOT_SECONDS, prefix: str = PREFIX
    ) -> None:
        self._client = client
        self._prefix = f"{prefix}client:{namespace}:"
        self._slot_seconds = slot_seconds

    async def admit(self, client: str, limits: Limits) -> Usage:
        most = (NO_LIMIT if each is None else each for each in (limits.requests, limits.tokens))
        now, admitted, names, counts = cast("Answer", await self._eval(ADMIT, client, *most))
        found = [(name[:1], int(name[1:]), count) for name, count in zip(names, counts, strict=True)]
        return Usage(
            now=float(now),
            seconds=self._slot_seconds,
            requests=_of_kind(b"r", found),
            tokens=_of_kind(b"t", found),
            admitted=bool(admitted),
        )

    async def add(self, client: str, tokens: int) -> None:
        await self._eval(ADD, client, tokens)

    async def _eval(self, script: str, client: str, *values: int) -> object:
        key = self._prefix + client
        try:
            arguments = (repr(self._slot_seconds), str(SLOTS), *map(str, values))
            return await cast("Awaitable[object]", self._client.eval(script, 1, key, *arguments))
        except TROUBLE as error:
            raise store_error(error) from error


def _of_kind(kind: bytes, found: list[tuple[bytes, int, int]]) -> Counts:
    """A slot may be named twice: what was there, and what was added just now."""
    counts: dict[int, int] = {}
    for each, slot, count in sorted(found):
        if each == kind:
            counts[slot] = counts.get(slot, 0) + count
    return tuple(counts.items())
