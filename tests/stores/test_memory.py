"""The in-process tier: who goes first, and what is counted."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import entry

from gateway.stores import memory
from gateway.stores.memory import MemoryStore

NOW = time.time()


def test_the_longest_unused_goes_first() -> None:
    a, b, c = entry("a"), entry("b"), entry("c")
    store = MemoryStore(2 * a.size())
    store.put_now(a)
    store.put_now(b)
    assert store.get_now(a.exact, NOW) == a
    store.put_now(c)
    assert store.get_now(b.exact, NOW) is None
    assert store.get_now(a.exact, NOW) == a
    assert store.get_now(c.exact, NOW) == c


def test_an_entry_larger_than_the_tier_is_not_kept_and_pushes_nothing_out() -> None:
    small, large = entry("a"), entry("b", body=b"x" * 10_000)
    store = MemoryStore(5_000)
    store.put_now(small)
    store.put_now(large)
    assert store.get_now(large.exact, NOW) is None
    assert store.get_now(small.exact, NOW) == small


def test_a_tier_of_no_bytes_keeps_nothing() -> None:
    store = MemoryStore(0)
    store.put_now(entry("a"))
    assert (len(store), store.bytes) == (0, 0)


def test_an_expired_entry_frees_its_bytes_when_it_is_asked_for() -> None:
    kept = entry("a", ttl=10)
    store = MemoryStore(10_000)
    store.put_now(kept)
    assert store.get_now(kept.exact, kept.expires_at) is None
    assert (len(store), store.bytes) == (0, 0)


def test_the_pace_of_a_stream_is_counted() -> None:
    kept = msgspec.structs.replace(entry("a"), pace=b"p" * 5_000)
    store = MemoryStore(5_000)
    store.put_now(kept)
    assert (len(store), store.bytes) == (0, 0)


def test_what_a_purge_covers_is_forgotten_while_other_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "FORGET_BATCH", 10)

    async def scenario() -> None:
        store = MemoryStore(1 << 24)
        entries = [entry(number, route="ab"[number % 2]) for number in range(100)]
        for each in entries:
            store.put_now(each)
        looks = 0

        async def work() -> None:
            nonlocal looks
            while True:
                await asyncio.sleep(0)
                store.get_now(entries[1].exact, NOW)
                store.delete(entries[looks % 100].exact)
                looks += 1

        working = asyncio.create_task(work())
        assert await store.forget(lambda each: each.route == "a") > 40
        working.cancel()
        assert looks >= 5
        left = [each for each in entries if store.get_now(each.exact, NOW)]
        assert {each.route for each in left} == {"b"}
        assert store.bytes == sum(each.size() for each in left)

    asyncio.run(scenario())


def test_the_tags_of_an_entry_are_counted() -> None:
    tagged = msgspec.structs.replace(entry("a"), tags=("t" * 100, "u" * 100))
    assert tagged.size() == entry("a").size() + 200


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("pgdx"), st.integers(0, 3000)), max_size=60))
def test_bytes_are_always_the_sum_of_what_is_there_and_within_the_bound(steps: list[tuple[str, str, int]]) -> None:
    store = MemoryStore(5_000)
    there: dict[bytes, int] = {}
    for name, step, size in steps:
        made = entry(name, body=b"x" * size)
        if step == "p":
            store.put_now(made)
        elif step == "g":
            store.get_now(made.exact, NOW)
        elif step == "d":
            store.delete(made.exact)
        else:
            store.clear()
        there = {
            exact: found.size()
            for exact in [entry(each).exact for each in "abcdef"]
            if (found := store.get_now(exact, NOW)) is not None
        }
        assert store.bytes == sum(there.values()) <= 5_000
        assert len(store) == len(there)
