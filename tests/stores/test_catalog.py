"""What an operator sees of what is stored: pages, totals, one entry, export and import."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
import pytest
from purging import EXACT, Process
from rows import SEAL, SPACE, entry, key, vector, with_everything

from gateway.core.messages import Entry
from gateway.core.purges import Purge
from gateway.errors import StoreError
from gateway.stores import catalog
from gateway.stores.catalog import Near, Total
from gateway.stores.codec import Codec
from gateway.stores.pgvector import PgVectorStore
from gateway.stores.schema import Space
from gateway.stores.upkeep import Upkeep


def numbered(number: int, **more: object) -> Entry:
    """Ids in the order of the numbers, as those of real entries are in the order of time."""
    return msgspec.structs.replace(entry(number, **more), id=f"{number:08x}-{'0' * 8}")  # type: ignore[arg-type]


async def all_pages(process: Process, route: str | None, limit: int) -> list[str]:
    found, after = [], None
    while True:
        page = await process.catalog.page(route, limit, after)
        assert len(page.entries) <= limit
        found += [each.id for each in page.entries]
        if page.next is None:
            return found
        after = page.next


def test_pages_go_through_all_spaces_newest_first_and_show_each_entry_once(database_url: str) -> None:
    async def scenario() -> None:
        here = Process(database_url)
        other = PgVectorStore(here.database, Space("another model", 4), Codec(SEAL))
        stores = [here.near, here.exact, other]
        entries = [numbered(number, route="ab"[number % 2]) for number in range(23)]
        for number, each in enumerate(entries):
            await stores[number % 3].keep(each, f"question {number}", vector(0.0) if number % 3 == 0 else None)
        for limit in (1, 5, 23, 100):
            assert await all_pages(here, None, limit) == [each.id for each in reversed(entries)]
            assert await all_pages(here, "a", limit) == [each.id for each in reversed(entries[::2])]
        assert await all_pages(here, "no such route", 5) == []
        await here.close()

    asyncio.run(scenario())


def test_an_empty_database_has_an_empty_page_and_no_totals(database_url: str) -> None:
    async def scenario() -> None:
        here = Process(database_url)
        assert await all_pages(here, None, 5) == []
        assert await here.catalog.totals() == {}
        assert await here.catalog.show("x") is None
        assert await here.catalog.count(Purge(time.time())) == 0
        assert [each async for each in here.catalog.export(None)] == []
        await here.close()

    asyncio.run(scenario())


def test_pages_stay_as_they_are_while_entries_come_and_go(database_url: str) -> None:
    async def scenario() -> None:
        here = Process(database_url)
        for number in range(10):
            await here.near.keep(numbered(number), "q", None)
        first = await here.catalog.page(None, 5, None)
        await here.near.keep(numbered(10), "q", None)
        await here.log.remove(first.entries[-1].id)
        second = await here.catalog.page(None, 5, first.next)
        assert [each.id for each in second.entries] == [numbered(number).id for number in (4, 3, 2, 1, 0)]
        await here.close()

    asyncio.run(scenario())


def test_an_entry_is_shown_with_all_that_is_known_of_it(database_url: str) -> None:
    async def scenario() -> None:
        here = Process(database_url)
        kept = with_everything(entry("a"))
        for codec in (Codec(SEAL), Codec(SEAL, readable=True)):
            store = PgVectorStore(here.database, SPACE, codec)
            await store.keep(kept, "what is it?", vector(0.0))
            whole = await here.catalog.show(kept.id)
            assert whole is not None
            assert whole.entry == kept
            assert (whole.listed.question, whole.listed.tags, whole.space) == ("what is it?", kept.tags, SPACE)
            assert (whole.listed.hits, whole.form, whole.asked_at) == (0, kept.form.value, kept.asked_at)
            assert whole.vector == await store.vector(kept.id)
            assert whole.listed.bytes >= kept.size()
            assert (await here.catalog.page(None, 1, None)).entries == [whole.listed]
            assert await here.catalog.questions([kept.id, "no such id"]) == {kept.id: "what is it?"}
        assert await here.catalog.show("no such id") is None
        await here.close()

    asyncio.run(scenario())


def test_hits_are_counted_once_they_are_written(database_url: str) -> None:
    async def scenario() -> None:
        here = Process(database_url)
        kept = entry("a")
        await here.near.keep(kept, "q", vector(0.0))
        for at in (2e9, 3e9):
            here.near.used(kept.id, at)
        upkeep = Upkeep(
            here.database,
            namespace="default",
            limits=dict,
            promote_at=3000,
            on_trouble=lambda _: None,
            clock=time.time,
        )
        await upkeep.flush()
        whole = await here.catalog.show(kept.id)
        assert whole is not None
        assert (whole.listed.hits, whole.last_used) == (2, 3e9)
        await here.close()

    asyncio.run(scenario())


def test_what_has_expired_is_not_shown_and_not_counted(database_url: str) -> None:
    async def scenario() -> None:
        here = Process(database_url)
        gone, stale, fresh = numbered(1, ttl=-10), numbered(2, ttl=-10, stale=100), numbered(3)
        for each in (gone, stale, fresh):
            await here.near.keep(each, "q", vector(0.0))
        assert await all_pages(here, None, 10) == [fresh.id, stale.id]
        assert await here.catalog.show(gone.id) is None
        assert (await here.catalog.totals())["chat"].entries == 2
        assert [each.listed.id async for each in here.catalog.export(None)] == [stale.id, fresh.id]
        everything = Purge(time.time())
        assert await here.catalog.count(everything) == 2
        assert (await here.log.purge(everything)).removed == 2
        assert await here.database.fetch("SELECT FROM semgate.usage") == []
        await here.close()

    asyncio.run(scenario())


def test_totals_are_by_route_and_of_one_namespace(database_url: str) -> None:
    async def scenario() -> None:
        here, there = Process(database_url), Process(database_url, namespace="other")
        for number in range(5):
            await (here.near if number % 2 else here.exact).keep(numbered(number, route="ab"[number > 2]), "q", None)
        await there.near.keep(numbered(9), "q", None)
        totals = await here.catalog.totals()
        assert {route: total.entries for route, total in totals.items()} == {"a": 3, "b": 2}
        assert all(total.bytes > 500 * total.entries for total in totals.values())
        assert set(await there.catalog.totals()) == {"chat"}
        assert isinstance(totals["a"], Total)
        assert await all_pages(there, None, 10) == [numbered(9).id]
        assert await here.catalog.show(numbered(9).id) is None
        assert await here.catalog.questions([numbered(9).id]) == {}
        assert not await here.log.remove(numbered(9).id)
        await here.close()
        await there.close()

    asyncio.run(scenario())


def test_the_questions_of_a_scope_are_searched_over_all_its_partitions(database_url: str) -> None:
    async def scenario() -> None:
        here = Process(database_url)
        mine = [numbered(number, partition=f"p{number}") for number in range(4)]
        for number, each in enumerate(mine):
            await here.near.keep(each, f"q{number}", vector(number / 4))
        strangers = [
            msgspec.structs.replace(numbered(10), scope=key("another")),
            numbered(11, route="other"),
            numbered(12, ttl=-1),
        ]
        for each in strangers:
            await here.near.keep(each, "q", vector(0.0))
        await here.near.keep(numbered(13), "without a vector", None)
        found = await here.catalog.near_in_scope("chat", key("scope"), SPACE, vector(0.0), 3)
        assert [(each.id, each.question) for each in found] == [(mine[n].id, f"q{n}") for n in range(3)]
        assert isinstance(found[0], Near)
        assert found[0].similarity == pytest.approx(1.0, abs=1e-3)
        assert found[0].similarity > found[1].similarity > found[2].similarity
        await here.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(("rows", "size"), [(3, 1 << 20), (50, 1), (50, 2000)])
def test_everything_is_exported_in_pieces_of_bounded_size(
    database_url: str, monkeypatch: pytest.MonkeyPatch, rows: int, size: int
) -> None:
    monkeypatch.setattr(catalog, "EXPORTED_AT_ONCE", rows)
    monkeypatch.setattr(catalog, "EXPORTED_BYTES", size)

    async def scenario() -> None:
        here = Process(database_url)
        entries = [numbered(number, route="ab"[number % 2]) for number in range(8)]
        for number, each in enumerate(entries):
            store = here.near if number < 6 else here.exact
            await store.keep(each, f"q{number}", vector(0.0) if number < 6 else None)
        pieces: list[list[int]] = []
        read_rows = here.catalog._read

        async def watched(*asked: Any) -> Any:
            found = await read_rows(*asked)
            pieces.append([row["bytes"] for row in found])
            return found

        monkeypatch.setattr(here.catalog, "_read", watched)
        exported = [each async for each in here.catalog.export(None)]
        assert [each.entry for each in exported] == entries
        assert [each.space for each in exported] == [SPACE] * 6 + [EXACT] * 2
        assert [each.vector is None for each in exported] == [False] * 6 + [True] * 2
        assert [each.entry async for each in here.catalog.export("b")] == entries[1::2]
        assert all(len(read) <= rows and sum(read[:-1]) < size for read in pieces)
        await here.close()

    asyncio.run(scenario())


def test_what_is_imported_is_found_and_what_is_known_stays(database_url: str) -> None:
    async def scenario() -> None:
        here = Process(database_url)
        there = here.catalog
        new, known, expired = entry("new"), entry("known"), entry("expired", ttl=-1)
        await here.near.keep(known, "old words", vector(0.0))
        await here.near.keep(expired, "old words", vector(0.0))
        here.near.used(expired.id, 5.0)
        codec = Codec(SEAL)
        for each, kept in ((new, True), (known, False), (expired, True)):
            fresh = msgspec.structs.replace(
                entry("x"), id=each.id + "2", exact=each.exact, body=b'"imported"', tags=("t",)
            )
            assert await there.put_row(codec, SPACE, fresh, "new words", vector(0.1)) is kept
            assert await there.put_row(codec, SPACE, fresh, "new words", vector(0.1)) is False
            found = await here.near.get(each.exact, time.time())
            assert found == (fresh if kept else known)
        near = await here.near.nearest(new.partition, vector(0.1), 5, 0.0, time.time())
        assert len(near) == 3
        assert (await there.totals())["chat"].entries == 3
        rows = await here.database.fetch("SELECT count(*) AS n FROM semgate.usage")
        assert rows[0]["n"] == 3
        exact = entry("exact")
        assert await there.put_row(codec, EXACT, exact, "words", None)
        assert await here.exact.get(exact.exact, time.time()) == exact
        await here.close()

    asyncio.run(scenario())


def test_what_was_exported_can_be_imported_elsewhere(database_url: str) -> None:
    async def scenario() -> None:
        here, there = Process(database_url), Process(database_url, namespace="other")
        kept = with_everything(entry("a"))
        await here.near.keep(kept, "q", vector(0.3))
        (whole,) = [each async for each in here.catalog.export(None)]
        assert whole.entry is not None
        await here.log.purge(Purge(time.time()))
        moved = msgspec.structs.replace(whole.entry, asked_at=time.time())
        assert await there.catalog.put_row(Codec(SEAL), whole.space, moved, "q", whole.vector)
        assert await there.near.vector(kept.id) == whole.vector
        assert await there.near.get(kept.exact, time.time()) == moved
        await here.close()
        await there.close()

    asyncio.run(scenario())


def test_without_postgres_every_question_is_a_store_error() -> None:
    async def scenario() -> None:
        here = Process("postgresql:///?host=/nonexistent")
        for call in (
            here.catalog.page(None, 5, None),
            here.catalog.show("x"),
            here.catalog.totals(),
            here.catalog.count(Purge(1.0)),
        ):
            with pytest.raises(StoreError):
                await call
        await here.close()

    asyncio.run(scenario())
