"""Taking entries off a shelf: by id, by attributes, all of them, and by an operator's purge."""

from __future__ import annotations

import time

from shelfbench import ASKED, FAR, HERE, NEAR, ShelfBench, run

from gateway.core.messages import Reason
from gateway.core.purges import Purge
from gateway.core.shelving import Place


def test_to_flush_leaves_no_purge_behind(url: str) -> None:
    """Purges are put together where there are many, and then cover more: nobody's flushes may reach another's entries."""

    async def scenario(bench: ShelfBench) -> None:
        await bench.put(ASKED, "kept")
        assert await bench.shelf.flush(HERE) == 1
        assert await bench.shelf.remove_where(HERE, {}) == 0
        assert await bench.database.fetch("SELECT 1 FROM semgate.purges") == []

    run(url, scenario)


def test_one_entry_is_removed_by_its_id_from_its_place_only(url: str) -> None:
    async def scenario(bench: ShelfBench) -> None:
        shelf, within = bench.shelf, Place(HERE.scope, b"cache", b"context")
        kept, other = await bench.put(ASKED, "kept"), await shelf.put(ASKED, b"other", within)
        assert isinstance(other, str)
        for place in (Place(b"t" * 32), Place(HERE.scope, b"cache")):
            assert await shelf.remove(kept, place) is False
        assert await shelf.remove(other, Place(HERE.scope, b"another")) is False
        assert await bench.of("other route").remove(kept) is False
        assert await shelf.remove("unknown") is await shelf.remove("\0") is False
        assert await shelf.remove(other, Place(HERE.scope, b"cache")) is True
        assert await shelf.remove(other) is False
        assert await bench.find(ASKED) == ["kept"]
        assert await shelf.remove(kept, HERE) is True
        assert await bench.find(ASKED) == await bench.find(NEAR) == []
        assert len(bench.gone) == 2

    run(url, scenario)


def test_entries_are_removed_where_all_attributes_match(url: str) -> None:
    async def scenario(bench: ShelfBench) -> None:
        shelf, elsewhere = bench.shelf, Place(b"t" * 32)
        for place in (HERE, Place(HERE.scope, b"", b"context"), Place(HERE.scope, b"cache"), elsewhere):
            await shelf.put(ASKED, b"7 en", place, attributes={"user": "7", "lang": "en"})
            await shelf.put(ASKED, b"7", place, attributes={"user": "7"})
            await shelf.put(ASKED, b"8 en", place, attributes={"user": "8", "lang": "en"})
        part = Place(HERE.scope, b"cache")
        assert await shelf.remove_where(part, {"user": "7", "lang": "en"}) == 1
        assert await shelf.remove_where(HERE, {"user": "9"}) == 0
        assert await bench.find(ASKED, limit=9) == ["7", "8 en", "7 en"]
        assert await shelf.remove_where(HERE, {"lang": "en"}) == 5  # whatever the part of the scope, and the context
        assert await bench.find(ASKED, limit=9) == ["7"]
        assert await shelf.flush(part) == 1
        assert await bench.find(ASKED, limit=9) == ["7"]
        assert await shelf.flush(HERE) == 2
        assert await bench.find(ASKED) == []
        assert len((await shelf.find(ASKED, elsewhere, limit=9)).found) == 3

    run(url, scenario)


def test_purges_by_tag_scope_age_and_similarity_are_those_of_operators(url: str) -> None:
    async def scenario(bench: ShelfBench) -> None:
        shelf = bench.shelf
        await bench.put(ASKED, "one", tags=["faq", "2026"])
        await bench.put(FAR, "two", tags=["2026"])
        assert await shelf.purge(tags=["faq", "unknown"]) == 1
        assert await shelf.purge(older_than=60.0) == 0
        assert await bench.find(ASKED) == []
        assert await bench.find(FAR) == ["two"]
        await bench.put(ASKED, "one again")
        assert await bench.find(ASKED) == ["one again"]
        assert await shelf.purge(similar_to=(NEAR, 0.8)) == 1
        assert await bench.find(FAR) == ["two"]
        assert await shelf.purge(scope=b"t" * 32) == 0
        assert await shelf.purge() == 1

    run(url, scenario)


def test_what_another_process_has_purged_is_not_served_though_its_row_is_there(url: str) -> None:
    async def scenario(bench: ShelfBench) -> None:
        await bench.put(ASKED, "old")
        bench.purges.add([Purge(time.time(), "kv")])
        assert await bench.find(ASKED) == await bench.find(NEAR) == []
        await bench.put(ASKED, "new")
        assert await bench.find(ASKED) == ["new"]

    run(url, scenario)


def test_a_purge_takes_what_is_being_stored_meanwhile(url: str) -> None:
    async def scenario(bench: ShelfBench) -> None:
        keep = bench.entries.keep

        async def slow(*args: object) -> None:
            bench.purges.add([Purge(time.time() + 1, "kv", tags=frozenset(["faq"]))])
            await keep(*args)  # type: ignore[arg-type]

        bench.entries.keep = slow  # type: ignore[method-assign,assignment]
        assert await bench.shelf.put(ASKED, b"x", HERE, tags=["faq"]) is Reason.PURGED
        assert await bench.find(ASKED) == []

    run(url, scenario)
