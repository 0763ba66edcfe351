"""The engine over tiny real adapters: what it asks in which order, and what is left when a part fails."""

from __future__ import annotations

import asyncio
import math
import time

import pytest
from routebench import Bench

from gateway.core.events import Kept
from gateway.core.freshness import Wishes
from gateway.core.messages import Candidate, Entry, Hit, Miss, Reason, Refuse, Source


def test_an_answer_is_found_by_its_words_and_by_near_ones():
    async def run() -> None:
        bench = Bench()
        assert await bench.answer(await bench.ask("reset my password"))
        exact, near, far = (
            await bench.ask("reset my password"),
            await bench.ask("reset my password please"),
            await bench.ask("x y"),
        )
        assert isinstance(exact, Hit)
        assert isinstance(near, Hit)
        assert isinstance(far, Miss)
        assert (exact.source, near.source) == (Source.MEMORY, Source.POSTGRES)
        assert exact.similarity is None
        assert near.similarity == pytest.approx(math.sqrt(3) / 2, abs=1e-3)
        assert far.reason is Reason.BELOW_THRESHOLD
        assert exact.entry.headers == ((b"content-type", b"application/json"),)
        assert [event for event in bench.events if isinstance(event, Kept)]

    asyncio.run(run())


def test_a_text_is_embedded_once_for_look_up_and_keep():
    async def run() -> None:
        bench = Bench()
        await bench.answer(await bench.ask("reset my password"))
        assert bench.words.texts == ["reset my password"]

    asyncio.run(run())


def test_an_answer_is_in_memory_before_the_slow_tiers_have_it():
    async def run() -> None:
        bench = Bench()
        bench.rows.hold = asyncio.Event()
        keeping = asyncio.create_task(bench.answer(await bench.ask("reset my password")))
        await asyncio.sleep(0)
        assert isinstance(await bench.ask("reset my password"), Hit)
        bench.rows.hold.set()
        assert await keeping

    asyncio.run(run())


def test_a_look_up_waits_for_an_answer_of_its_partition_that_is_being_stored():
    async def run() -> None:
        bench = Bench()
        bench.rows.hold = asyncio.Event()
        miss = await bench.ask("reset my password")
        assert isinstance(miss, Miss)
        assert miss.recording is not None
        landing = bench.cache.landing(miss.recording)
        landing.begin()
        keeping = asyncio.create_task(bench.answer(miss))
        near = asyncio.create_task(bench.ask("reset my password please"))
        await asyncio.sleep(0.01)
        bench.rows.hold.set()
        await keeping
        landing.end()
        assert isinstance(await near, Hit)

    asyncio.run(run())


def test_with_postgres_down_memory_still_remembers():
    async def run() -> None:
        bench = Bench()
        bench.rows.down = True
        miss = await bench.ask("reset my password")
        assert isinstance(miss, Miss)
        assert miss.reason is Reason.STORE_TROUBLE
        assert await bench.answer(miss)
        assert isinstance(await bench.ask("reset my password"), Hit)

    asyncio.run(run())


def test_with_every_store_down_nothing_is_kept_and_nobody_suffers():
    async def run() -> None:
        bench = Bench(memory=False)
        bench.rows.down = True
        assert not await bench.answer(await bench.ask("reset my password"))
        assert bench.not_kept() == [Reason.STORE_TROUBLE]

    asyncio.run(run())


def test_with_the_embedder_down_the_same_words_are_still_found():
    async def run() -> None:
        bench = Bench(memory=False)
        bench.words.down = True
        miss = await bench.ask("reset my password")
        assert isinstance(miss, Miss)
        assert miss.reason is Reason.EMBEDDER_TROUBLE
        assert await bench.answer(miss)
        hit = await bench.ask("reset my password")
        assert isinstance(hit, Hit)
        assert hit.source is Source.POSTGRES

    asyncio.run(run())


def test_beyond_the_bound_answers_are_not_stored():
    async def run() -> None:
        bench = Bench(places=1)
        bench.rows.hold = asyncio.Event()
        first = asyncio.create_task(bench.answer(await bench.ask("one")))
        await asyncio.sleep(0)
        assert not await bench.answer(await bench.ask("two"))
        assert bench.not_kept() == [Reason.STORE_BUSY]
        bench.rows.hold.set()
        assert await first
        assert await bench.answer(await bench.ask("three"))

    asyncio.run(run())


def test_hits_of_every_tier_count_as_use():
    async def run() -> None:
        bench = Bench()
        await bench.answer(await bench.ask("reset my password"))
        for question in ("reset my password", "reset my password please"):
            hit = await bench.ask(question)
            assert isinstance(hit, Hit)
            await bench.cache.served(hit, time.time())
        assert bench.rows.uses == ["id-0", "id-0"]

    asyncio.run(run())


def test_what_postgres_held_is_put_into_memory_for_the_next():
    async def run() -> None:
        bench = Bench()
        await bench.answer(await bench.ask("reset my password"))
        assert bench.memory is not None
        bench.memory.clear()
        first = await bench.ask("reset my password")
        assert isinstance(first, Hit)
        await bench.cache.served(first, time.time())
        second = await bench.ask("reset my password")
        assert isinstance(second, Hit)
        assert (first.source, second.source) == (Source.POSTGRES, Source.MEMORY)

    asyncio.run(run())


def test_an_entry_of_another_partition_is_never_served():
    """Even if a store were to hand one out."""

    async def run() -> None:
        bench = Bench()
        await bench.answer(await bench.ask("reset my password"))
        entry, vector = bench.rows.vectors["id-0"]
        stray = Entry(**{name: getattr(entry, name) for name in entry.__struct_fields__} | {"partition": b"other"})

        async def astray(*_: object, **_more: object) -> list[Candidate]:
            return [Candidate("id-0", 1.0, stray)]

        bench.rows.nearest = astray  # type: ignore[method-assign]
        assert isinstance(await bench.ask("reset my password please"), Miss)
        assert vector

    asyncio.run(run())


def test_a_local_model_embeds_while_postgres_is_asked_for_the_exact_words():
    async def run() -> None:
        bench = Bench(memory=False, embeds_ahead=True)
        await bench.answer(await bench.ask("reset my password"))
        assert isinstance(await bench.ask("reset my password please"), Hit)
        exact = await bench.ask("reset my password")
        assert isinstance(exact, Hit)
        assert exact.similarity is None
        await asyncio.sleep(0.01)
        assert len(asyncio.all_tasks()) == 1  # what was embedded in vain is not left running

    asyncio.run(run())


def test_only_if_cached_refuses_what_is_not_there():
    async def run() -> None:
        verdict = await Bench().ask("reset my password", Wishes(only_if_cached=True))
        assert isinstance(verdict, Refuse)

    asyncio.run(run())


def test_no_cache_embeds_only_to_keep():
    async def run() -> None:
        bench = Bench()
        miss = await bench.ask("reset my password", Wishes(no_cache=True))
        assert bench.words.texts == []
        await bench.answer(miss)
        assert bench.words.texts == ["reset my password"]
        assert isinstance(await bench.ask("reset my password please"), Hit)

    asyncio.run(run())
