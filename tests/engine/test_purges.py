"""What was asked before a purge is never served or stored after it, wherever it is or is still on its way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from routebench import JSON, SSE, Bench

from gateway.core.events import Kept
from gateway.core.messages import Entry, Follow, Hit, Miss, Reason, Source
from gateway.core.purges import Purge, Similar
from gateway.engine.coalesce import Head, Shared

QUESTION, NEAR, OTHER = "reset my password", "reset my password please", "where is the office"
DONE = b"data: [DONE]\n\n"


def scenario(**options: bool | float) -> Callable[[Callable[[Bench], Awaitable[None]]], Callable[[], None]]:
    def of(test: Callable[[Bench], Awaitable[None]]) -> Callable[[], None]:
        def run() -> None:
            asyncio.run(test(Bench(**options)))

        run.__name__ = test.__name__
        return run

    return of


def anything(_head: Head) -> bool:
    return True


def now() -> float:
    """Later than whatever was asked up to here."""
    return time.time() + 1e-3


async def later() -> None:
    """So that what is asked from here on is asked after a purge that was made `now`."""
    await asyncio.sleep(0.005)


async def hit(bench: Bench, question: str, **more: object) -> Hit:
    found = await bench.ask(question, **more)
    assert isinstance(found, Hit)
    return found


async def miss(bench: Bench, question: str, **more: object) -> Miss:
    found = await bench.ask(question, **more)
    assert isinstance(found, Miss)
    return found


@pytest.mark.parametrize(("tier", "near"), [*((tier, False) for tier in Source), (Source.POSTGRES, True)])
def test_an_entry_of_any_tier_is_not_served_after_a_purge(tier: Source, near: bool) -> None:
    async def run() -> None:
        bench = Bench(memory=tier is Source.MEMORY, redis=tier is Source.REDIS)
        await bench.answer(await bench.ask(QUESTION))
        if tier is Source.REDIS:
            bench.rows.clear()
        question = NEAR if near else QUESTION
        assert (await hit(bench, question)).source is tier
        bench.purges.add([Purge(now(), "route")])
        await later()
        await bench.answer(await miss(bench, question), b'{"a": 2}')
        assert (await hit(bench, question)).shown.body == b'{"a": 2}'

    asyncio.run(run())


@scenario(stale=1000.0, ttl=0.01)
async def test_a_stale_entry_is_not_served_after_a_purge(bench: Bench) -> None:
    await bench.answer(await bench.ask(QUESTION))
    await asyncio.sleep(0.02)
    assert (await hit(bench, QUESTION)).stale
    bench.purges.add([Purge(now())])
    await later()
    assert (await miss(bench, QUESTION)).stale is None


@scenario()
async def test_an_answer_that_was_asked_before_a_purge_and_comes_after_it_is_not_kept(bench: Bench) -> None:
    on_its_way = await bench.ask(QUESTION)
    bench.purges.add([Purge(now(), "route")])
    assert not await bench.answer(on_its_way)
    assert bench.not_kept() == [Reason.PURGED]
    assert len(bench.rows) == 0
    assert bench.memory is not None
    assert len(bench.memory) == 0
    await later()
    assert await bench.answer(await miss(bench, QUESTION))
    await hit(bench, QUESTION)


@scenario(redis=True)
async def test_a_purge_that_comes_while_an_answer_is_stored_leaves_nothing_to_be_served(bench: Bench) -> None:
    bench.rows.hold = asyncio.Event()
    keeping = asyncio.create_task(bench.answer(await bench.ask(QUESTION)))
    while isinstance(await bench.ask(QUESTION), Miss):
        await asyncio.sleep(0)
    bench.purges.add([Purge(now(), "route")])
    assert bench.memory is not None
    assert await bench.memory.forget(bench.purges.covers) == 1
    bench.rows.hold.set()
    assert not await keeping
    assert not [event for event in bench.events if isinstance(event, Kept)]
    assert len(bench.redis) == 0
    await later()
    await miss(bench, QUESTION)


@scenario()
async def test_what_a_purge_does_not_name_is_served_on(bench: Bench) -> None:
    await bench.answer(await bench.ask(QUESTION, tags=["a", "b"]))
    entry = (await hit(bench, QUESTION, tags=["a", "b"])).entry
    assert entry.tags == ("a", "b")
    for purge in (
        Purge(now(), "another route"),
        Purge(now(), scopes=frozenset([b"x" * 32])),
        Purge(now(), tags=frozenset(["c"])),
        Purge(now(), exact=frozenset([b"x" * 32])),
        Purge(entry.asked_at, "route"),
    ):
        bench.purges.add([purge])
        await hit(bench, QUESTION, tags=["a", "b"])
    bench.purges.add([Purge(now(), tags=frozenset(["b", "c"]))])
    await miss(bench, QUESTION, tags=["a", "b"])


@scenario()
async def test_the_tags_of_the_upstream_and_of_the_request_are_those_of_the_entry(bench: Bench) -> None:
    asked = await bench.ask(QUESTION, tags=["doc-1"])
    await bench.answer(asked, headers=(*JSON, (b"cache-tag", b"doc-2, doc-1")))
    entry = (await hit(bench, QUESTION, tags=["doc-1"])).entry
    assert entry.tags == ("doc-1", "doc-2")
    assert b"cache-tag" not in dict(entry.headers)


@scenario()
async def test_an_answer_whose_tags_cannot_be_stored_is_not_kept(bench: Bench) -> None:
    assert not await bench.answer(await bench.ask(QUESTION, tags=["x" * 257]))
    assert not await bench.answer(
        await bench.ask(QUESTION), headers=(*JSON, (b"cache-tag", b",".join(b"%d" % n for n in range(65))))
    )
    assert bench.not_kept() == [Reason.TAGS, Reason.TAGS]


@scenario()
async def test_by_similarity_only_what_is_similar_goes(bench: Bench) -> None:
    for question in (QUESTION, OTHER):
        await bench.answer(await bench.ask(question))
    vector = await bench.words.embed(NEAR)
    bench.purges.add([Purge(now(), "route", similar=Similar("words", vector, 0.8))])
    await later()
    await miss(bench, QUESTION)
    assert (await hit(bench, OTHER)).source is Source.MEMORY
    bench.rows.down = True  # its vector is not asked for again
    await hit(bench, OTHER)


@scenario()
async def test_by_similarity_what_cannot_be_compared_goes_too(bench: Bench) -> None:
    await bench.answer(await bench.ask(OTHER))
    vector = await bench.words.embed(NEAR)
    bench.purges.add([Purge(now(), "route", similar=Similar("words", vector, 0.8))])
    bench.rows.down = True
    await later()
    await miss(bench, OTHER)
    bench.rows.down = False
    await asyncio.sleep(0.01)
    await hit(bench, OTHER)
    bench.purges.add([Purge(now(), "route", similar=Similar("another model", vector, 0.8))])
    await later()
    await miss(bench, OTHER)


@scenario()
async def test_by_similarity_an_answer_on_its_way_is_compared_before_it_is_kept(bench: Bench) -> None:
    near, far = await bench.ask(NEAR), await bench.ask(OTHER)
    vector = await bench.words.embed(QUESTION)
    bench.purges.add([Purge(now(), "route", similar=Similar("words", vector, 0.8))])
    assert not await bench.answer(near)
    assert await bench.answer(far)


@scenario(followers=10)
async def test_who_asks_after_a_purge_does_not_follow_a_call_from_before(bench: Bench) -> None:
    old = await bench.ask(QUESTION)
    early = await bench.follow(QUESTION)
    bench.purges.add([Purge(now(), "route")])
    await later()
    new = await miss(bench, QUESTION)
    following = [asyncio.create_task(bench.cache.follow(await bench.follow(QUESTION), anything)) for _ in range(3)]
    waiting = asyncio.create_task(bench.cache.follow(early, anything))
    await asyncio.sleep(0)
    assert not await bench.answer(old, b'{"a": "old"}')
    assert await bench.answer(new, b'{"a": "new"}')
    for shared in await asyncio.gather(*following):
        assert isinstance(shared, Shared)
        assert shared.hit.shown.body == b'{"a": "new"}'
    left = await waiting
    assert isinstance(left, Hit | Miss | Follow)
    assert not isinstance(left, Hit) or left.shown.body == b'{"a": "new"}'


@scenario(followers=10)
async def test_a_stream_whose_head_names_a_purged_tag_is_not_followed(bench: Bench) -> None:
    leader = (await miss(bench, QUESTION, stream=True)).recording
    assert leader is not None
    follow = await bench.follow(QUESTION, stream=True)
    waiting = asyncio.create_task(bench.cache.follow(follow, anything))
    await asyncio.sleep(0)
    bench.purges.add([Purge(now(), tags=frozenset(["doc-1"]))])
    leader.start(200, (*SSE, (b"cache-tag", b"doc-1")))
    assert isinstance(await waiting, Miss | Follow)
    leader.feed(b'data: {"a": 1}\n\n' + DONE)
    assert not await bench.cache.keep(leader)


@scenario(followers=10)
async def test_followers_of_a_stream_that_asked_before_a_purge_get_it_to_its_end(bench: Bench) -> None:
    leader = (await miss(bench, QUESTION, stream=True)).recording
    assert leader is not None
    follow = await bench.follow(QUESTION, stream=True)
    leader.start(200, SSE)
    assert isinstance(await bench.cache.follow(follow, anything), Head)
    bench.purges.add([Purge(now())])
    leader.feed(b'data: {"a": 1}\n\n' + DONE)
    assert not await bench.cache.keep(leader)
    assert b"".join([piece async for piece in follow.seat.pieces()]) == b'data: {"a": 1}\n\n' + DONE


@scenario(redis=True)
async def test_what_was_purged_while_it_was_served_is_not_put_into_other_tiers(bench: Bench) -> None:
    await bench.answer(await bench.ask(QUESTION))
    assert bench.memory is not None
    bench.memory.clear()
    bench.redis.clear()
    found = await hit(bench, QUESTION)
    assert found.source is Source.POSTGRES
    bench.purges.add([Purge(now())])
    await bench.cache.served(found, time.time())
    assert len(bench.memory) == len(bench.redis) == 0


@scenario()
async def test_a_purge_makes_no_entry_void_that_was_asked_later(bench: Bench) -> None:
    bench.purges.add([Purge(time.time(), number=number, tags=frozenset([str(number)])) for number in range(100)])
    await later()
    await bench.answer(await bench.ask(QUESTION, tags=["7"]))
    found: Entry = (await hit(bench, QUESTION, tags=["7"])).entry
    assert found.asked_at > bench.purges.newest
