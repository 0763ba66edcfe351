"""Parts are made once for equal keys, opened by who made them, and closed when the last lease gives them back."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import CacheTrouble, ConfigError
from gateway.runtime.parts import Lease, Made, Parts


class Thing:
    """Remembers what was done with it."""

    def __init__(self, log: list[str], name: str, trouble: str | None = None) -> None:
        self._log = log
        self.name = name
        self._trouble = trouble

    async def open(self) -> None:
        self._log.append(f"open {self.name}")
        if self._trouble is not None:
            raise CacheTrouble(self._trouble)

    async def close(self) -> None:
        self._log.append(f"close {self.name}")


def take(lease: Lease, log: list[str], name: str, *, trouble: str | None = None, later: bool = False) -> Thing:
    def make() -> Made[Thing]:
        thing = Thing(log, name, trouble)
        return Made(thing, name, thing.open, thing.close, later)

    return lease.take(name, make)


def test_two_leases_share_what_has_the_same_key() -> None:
    async def story() -> None:
        log: list[str] = []
        parts = Parts()
        first, second = parts.lease(), parts.lease()
        a = take(first, log, "a")
        assert await first.open(None) == {}
        assert take(second, log, "a") is a
        take(second, log, "b")
        assert await second.open(None) == {}
        assert log == ["open a", "open b"]
        await first.give_back()
        assert log == ["open a", "open b"]  # the second still uses it
        await second.give_back()
        assert sorted(log[2:]) == ["close a", "close b"]
        assert len(parts) == 0

    asyncio.run(story())


def test_taking_twice_counts_once() -> None:
    async def story() -> None:
        log: list[str] = []
        parts = Parts()
        lease = parts.lease()
        assert take(lease, log, "a") is take(lease, log, "a")
        await lease.give_back()
        assert log == ["close a"]
        assert len(parts) == 0

    asyncio.run(story())


def test_what_fails_to_open_is_named_and_what_stands_on_it_waits_for_its_first_use() -> None:
    async def story() -> None:
        log: list[str] = []
        lease = Parts().lease()
        take(lease, log, "table", later=True)
        lease.take("rows", lambda: Made(1, "down", Thing(log, "rows").open, later=True))
        take(lease, log, "down", trouble="nobody there")
        assert await lease.open(1.0) == {"down": "nobody there"}
        assert log == ["open down", "open table"]

    asyncio.run(story())


def test_what_opens_for_too_long_is_trouble() -> None:
    async def story() -> None:
        lease = Parts().lease()
        lease.take("slow", lambda: Made(1, "slow", lambda: asyncio.sleep(60)))
        assert await lease.open(0.01) == {"slow": "no answer within 0.01 s"}

    asyncio.run(story())


def test_what_stands_on_others_is_closed_before_them() -> None:
    async def story() -> None:
        log: list[str] = []
        lease = Parts().lease()
        take(lease, log, "upkeep", later=True)
        take(lease, log, "database")
        await lease.open(None)
        await lease.give_back()
        assert log == ["open database", "open upkeep", "close upkeep", "close database"]

    asyncio.run(story())


def test_a_lease_that_comes_to_nothing_leaves_nothing() -> None:
    parts = Parts()
    kept, dropped = parts.lease(), parts.lease()
    log: list[str] = []
    a = take(kept, log, "a")

    def fail() -> Made[int]:
        raise ConfigError("upstreams.x: no such file")

    take(dropped, log, "a")
    take(dropped, log, "b")
    with pytest.raises(ConfigError):
        dropped.take("x", fail)
    dropped.drop()
    assert len(parts) == 1
    assert take(kept, log, "a") is a


def test_opening_that_fails_is_at_rest_when_it_says_so() -> None:
    async def story() -> None:
        log: list[str] = []
        lease = Parts().lease()

        async def fail() -> None:
            raise ConfigError("vectors of 20000 dimensions")

        async def open_slowly() -> None:
            await asyncio.sleep(0.01)
            log.append("open")

        lease.take("wrong", lambda: Made(1, "wrong", fail))
        lease.take("slow", lambda: Made(1, "slow", open_slowly))
        with pytest.raises(ConfigError):
            await lease.open(None)
        assert log == ["open"]

    asyncio.run(story())


def test_what_cannot_be_closed_keeps_nothing_else_open() -> None:
    async def story() -> None:
        log: list[str] = []
        parts = Parts()
        lease = parts.lease()

        async def fail() -> None:
            raise CacheTrouble("its own code says no")

        take(lease, log, "database")
        lease.take("embedder", lambda: Made(1, "embedder", close=fail, later=True))
        await lease.give_back()
        assert log == ["close database"]
        assert len(parts) == 0

    asyncio.run(story())
