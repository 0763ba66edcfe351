"""Identical requests in flight: who leads, who follows, and what becomes of followers when it goes wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from routebench import JSON, SSE, Bench

from gateway.core.freshness import Wishes
from gateway.core.messages import Follow, Hit, Miss, Reason, Refuse, Source
from gateway.engine.cache import RouteCache
from gateway.engine.coalesce import Broken, Head, Shared

EVENTS = b'data: {"a": 1}\n\n'
DONE = b"data: [DONE]\n\n"


def scenario(test: Callable[[Bench], Awaitable[None]]) -> Callable[[], None]:
    """Run against a fresh bench that coalesces."""

    def run() -> None:
        asyncio.run(test(Bench(followers=3)))

    run.__name__ = test.__name__
    return run


def anything(_head: Head) -> bool:
    return True


def following(cache: RouteCache, follow: Follow) -> asyncio.Task[Any]:
    return asyncio.ensure_future(cache.follow(follow, anything))


async def read(follow: Follow) -> bytes:
    return b"".join([piece async for piece in follow.seat.pieces()])


@scenario
async def test_followers_of_a_single_answer_get_what_is_kept(bench: Bench) -> None:
    leader = await bench.ask("reset my password")
    waiting = [following(bench.cache, await bench.follow("reset my password")) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    await bench.answer(leader)
    hits = await asyncio.gather(*waiting)
    assert [shared.hit.shown.body for shared in hits] == [b'{"a": 1}'] * 3


@scenario
async def test_followers_do_not_wait_until_the_answer_is_stored(bench: Bench) -> None:
    leader = await bench.ask("reset my password")
    waiting = following(bench.cache, await bench.follow("reset my password"))
    bench.rows.hold = asyncio.Event()
    keeping = asyncio.create_task(bench.answer(leader))
    assert isinstance(await waiting, Shared)
    bench.rows.hold.set()
    assert await keeping


@scenario
async def test_other_words_do_not_follow(bench: Bench) -> None:
    await bench.miss("reset my password")
    assert isinstance(await bench.ask("reset my passwort"), Miss)


@scenario
async def test_beyond_the_bound_requests_go_by_themselves(bench: Bench) -> None:
    await bench.miss("reset my password")
    for _ in range(3):
        await bench.follow("reset my password")
    assert isinstance(await bench.ask("reset my password"), Miss)


@pytest.mark.parametrize("wishes", [Wishes(no_cache=True), Wishes(no_store=True), Wishes(only_if_cached=True)])
def test_who_wants_nothing_of_the_cache_never_joins(wishes: Wishes) -> None:
    async def run() -> None:
        bench = Bench(followers=3)
        await bench.miss("reset my password")
        assert isinstance(await bench.ask("reset my password", wishes), Miss | Refuse)

    asyncio.run(run())


@scenario
async def test_followers_of_a_stream_go_along_from_its_start(bench: Bench) -> None:
    recording = await bench.miss("tell me", stream=True)
    early = await bench.follow("tell me", stream=True)
    recording.start(200, SSE)
    recording.feed(EVENTS)
    late = await bench.follow("tell me", stream=True)
    assert isinstance(await bench.cache.follow(early, anything), Head)
    assert isinstance(await bench.cache.follow(late, anything), Head)
    reading = [asyncio.ensure_future(read(follow)) for follow in (early, late)]
    await asyncio.sleep(0)
    recording.feed(EVENTS)
    recording.feed(DONE)
    assert await bench.cache.keep(recording)
    assert await asyncio.gather(*reading) == [EVENTS + EVENTS + DONE] * 2


@scenario
async def test_a_stream_that_breaks_breaks_for_its_followers_too(bench: Bench) -> None:
    recording = await bench.miss("tell me", stream=True)
    follow = await bench.follow("tell me", stream=True)
    recording.start(200, SSE)
    recording.feed(EVENTS)
    assert isinstance(await bench.cache.follow(follow, anything), Head)
    recording.abandon(Reason.INCOMPLETE)
    with pytest.raises(Broken):
        await read(follow)
    assert not await bench.cache.keep(recording)
    assert bench.not_kept() == [Reason.INCOMPLETE]


@scenario
async def test_a_stream_too_long_to_be_kept_is_followed_to_its_end_but_not_joined_any_more(bench: Bench) -> None:
    recording = await bench.miss("tell me", stream=True)
    follow = await bench.follow("tell me", stream=True)
    recording.start(200, SSE)
    assert isinstance(await bench.cache.follow(follow, anything), Head)
    pieces = follow.seat.pieces()
    sent, got = b"", b""
    for _ in range(30):
        recording.feed(b"x" * 1000)
        sent += b"x" * 1000
        got += await anext(pieces)
    assert isinstance(await bench.ask("tell me", stream=True), Miss)
    assert not await bench.cache.keep(recording)
    got += b"".join([piece async for piece in pieces])
    assert got == sent


@scenario
async def test_a_follower_that_reads_too_slowly_is_cut_off_and_nobody_else(bench: Bench) -> None:
    recording = await bench.miss("tell me", stream=True)
    slow = await bench.follow("tell me", stream=True)
    recording.start(200, SSE)
    assert isinstance(await bench.cache.follow(slow, anything), Head)
    for _ in range(30):
        recording.feed(b"x" * 1000)
    with pytest.raises(Broken):
        await read(slow)


@scenario
async def test_who_wants_the_other_form_waits_for_the_whole(bench: Bench) -> None:
    single = await bench.miss("tell me")
    assert isinstance(await bench.ask("tell me", stream=True), Miss), "without a dialect they are two partitions"
    single.abandon(Reason.INCOMPLETE)


@scenario
async def test_a_head_that_cannot_be_shared_lets_followers_go_at_once(bench: Bench) -> None:
    recording = await bench.miss("reset my password")
    waiting = following(bench.cache, await bench.follow("reset my password"))
    recording.start(500, JSON)
    assert isinstance(await waiting, Miss)


@scenario
async def test_an_answer_that_is_not_kept_lets_followers_go(bench: Bench) -> None:
    leader = await bench.ask("reset my password")
    waiting = following(bench.cache, await bench.follow("reset my password"))
    assert not await bench.answer(leader, b"not json")
    assert isinstance(await waiting, Miss)


@scenario
async def test_what_could_not_be_shared_is_remembered_for_a_while(bench: Bench) -> None:
    first = await bench.ask("reset my password")
    assert not await bench.answer(first, b"not json")
    second, third = await bench.ask("reset my password"), await bench.ask("reset my password")
    assert isinstance(second, Miss)
    assert isinstance(third, Miss)
    assert await bench.answer(second), "its answer is kept all the same"
    assert isinstance(await bench.ask("reset my password"), Hit)


def test_followers_are_let_go_at_a_bounded_rate() -> None:
    async def run() -> None:
        bench = Bench(followers=100)
        recording = await bench.miss("reset my password")
        waiting = [following(bench.cache, await bench.follow("reset my password")) for _ in range(100)]
        await asyncio.sleep(0)
        began = time.monotonic()
        recording.abandon(Reason.INCOMPLETE)
        assert all(isinstance(verdict, Miss) for verdict in await asyncio.gather(*waiting))
        assert time.monotonic() - began >= 0.098, "1,000 a second"

    asyncio.run(run())


def test_a_stale_answer_is_served_while_one_request_fetches_a_new_one() -> None:
    async def run() -> None:
        bench = Bench(followers=10, ttl=0.05, stale=60.0)
        await bench.answer(await bench.ask("reset my password"))
        await asyncio.sleep(0.06)
        first, second = await bench.ask("reset my password"), await bench.ask("reset my password")
        assert isinstance(first, Hit)
        assert isinstance(second, Hit)
        assert (first.stale, second.stale) == (True, True)
        assert first.refresh is not None
        assert second.refresh is None, "somebody fetches it already"
        first.refresh.start(200, JSON)
        first.refresh.feed(b'{"a": 2}')
        assert await bench.cache.keep(first.refresh)
        again = await bench.ask("reset my password")
        assert isinstance(again, Hit)
        assert (again.entry.body, again.stale, again.source) == (b'{"a": 2}', False, Source.MEMORY)

    asyncio.run(run())
