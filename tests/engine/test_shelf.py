"""The Shelf: what is put by hand is found by its words and by nearness, within its scope and among its attributes only."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import pytest
from routebench import Doubter
from shelfbench import ASKED, FAR, HERE, LIMIT, NEAR, SPACE, Denying, ShelfBench, run

from gateway.core.events import Kept, Outcome
from gateway.core.messages import Denial, HitKind, Reason
from gateway.core.shelving import LONGEST_ATTRIBUTE, MOST_ATTRIBUTES, Place
from gateway.engine.shelf import FIND_AT_ONCE
from gateway.errors import StoreError
from gateway.stores.catalog import Catalog
from gateway.stores.codec import Codec


def test_what_was_put_is_found_by_its_words_and_by_near_ones(url: str) -> None:
    async def scenario(bench: ShelfBench) -> None:
        before = time.time()
        kept = await bench.put(ASKED, "write to us", ttl=50.0, tags=["faq"], attributes={"lang": "en", "user": "7"})
        (same,) = (await bench.look(ASKED)).found
        assert (same.id, same.question, same.answer, same.content_type) == (
            kept, ASKED, b"write to us", "text/plain; charset=utf-8",
        )  # fmt: skip
        assert (same.similarity, same.kind, same.tags) == (1.0, HitKind.EXACT, ("faq",))
        assert same.attributes == {"lang": "en", "user": "7"}
        assert before <= same.created_at <= time.time()
        assert same.expires_at == pytest.approx(same.created_at + 50)
        (near,) = (await bench.look(NEAR)).found
        assert (near.id, near.question, near.kind) == (kept, ASKED, HitKind.SEMANTIC)
        assert 0.7 < near.similarity < 1.0
        far = await bench.look(FAR)
        assert (far.found, far.reason) == ((), Reason.BELOW_THRESHOLD)
        assert far.similarity is not None and far.similarity < 0.7

    run(url, scenario)


def test_strategies_are_used_as_asked_for(url: str) -> None:
    async def scenario(bench: ShelfBench) -> None:
        await bench.put(ASKED)
        assert (await bench.look(NEAR, semantic=False)).reason is Reason.EXACT_ONLY
        assert len((await bench.look(ASKED, semantic=False)).found) == 1
        (found,) = (await bench.look(ASKED, exact=False)).found
        assert (found.kind, found.similarity) == (HitKind.SEMANTIC, pytest.approx(1.0, abs=0.001))

    run(url, scenario)


def test_the_same_question_with_the_same_attributes_replaces(url: str) -> None:
    async def scenario(bench: ShelfBench) -> None:
        first = await bench.put(ASKED, "old", attributes={"a": "1", "b": "2"})
        second = await bench.put(ASKED, "new", attributes={"b": "2", "a": "1"})
        assert first != second
        assert await bench.find(ASKED, limit=5) == ["new"]
        await bench.put(ASKED, "other", attributes={"a": "1"})
        await bench.put(ASKED, "plain")
        assert await bench.find(ASKED, limit=5) == ["plain", "other", "new"]  # the fewest attributes first

    run(url, scenario)


@pytest.mark.parametrize("asked", [ASKED, NEAR])
def test_entries_must_have_the_attributes_asked_for_and_may_have_more(url: str, asked: str) -> None:
    async def scenario(bench: ShelfBench) -> None:
        await bench.put(ASKED, "english", attributes={"lang": "en", "user": "7"})
        await bench.put(ASKED, "german", attributes={"lang": "de"})
        assert await bench.find(asked, attributes={"lang": "en"}) == ["english"]
        assert await bench.find(asked, attributes={"user": "7", "lang": "en"}) == ["english"]
        assert await bench.find(asked, attributes={"lang": "de"}) == ["german"]
        assert await bench.find(asked, attributes={"lang": "de", "user": "7"}) == []
        assert await bench.find(asked, attributes={"user": "en"}) == []
        assert await bench.find(asked, attributes={"lang": "EN"}) == []
        assert sorted(await bench.find(asked, limit=9)) == ["english", "german"]

    run(url, scenario)


def test_no_other_scope_part_of_it_or_context_is_ever_seen(url: str) -> None:
    places = [
        HERE, Place(b"t" * 32), Place(HERE.scope, b"cache"), Place(HERE.scope, b"", b"cache"), Place(HERE.scope, b"c", b"ache"),
    ]  # fmt: skip

    async def scenario(bench: ShelfBench) -> None:
        for number, place in enumerate(places):
            await bench.shelf.put(ASKED, b"%d" % number, place)
        for number, place in enumerate(places):
            for asked in (ASKED, NEAR):
                found = await bench.shelf.find(asked, place, limit=9)
                assert [each.answer for each in found.found] == [b"%d" % number]
        assert (await bench.of("other").find(ASKED, HERE)).found == ()

    run(url, scenario)


def test_the_threshold_of_a_search_may_be_lower_or_higher_than_the_routes(url: str) -> None:
    async def scenario(bench: ShelfBench) -> None:
        await bench.put(ASKED)
        (near,) = (await bench.look(NEAR)).found
        assert (await bench.look(NEAR, threshold=near.similarity + 0.001)).found == ()
        assert len((await bench.look(NEAR, threshold=near.similarity - 0.001)).found) == 1
        assert await bench.find("my contract of old days") == []
        assert len(await bench.find("my contract of old days", threshold=0.3)) == 1
        assert len(await bench.find(ASKED, threshold=1.0)) == 1  # the same words

    run(url, scenario)


def test_the_nearest_come_first_and_no_more_than_asked_for(url: str) -> None:
    async def scenario(bench: ShelfBench) -> None:
        for extra in ("", " a", " a b", " a b c", " a b c d"):
            await bench.put(ASKED + extra, f"with{extra}")
        answers = ["with", "with a", "with a b", "with a b c", "with a b c d"]
        for limit in (1, 2, 3, 5, 9):
            assert await bench.find(ASKED, limit=limit) == answers[:limit]
        assert await bench.find(ASKED + " a b c", limit=1, exact=False) == ["with a b c"]

    run(url, scenario)


def test_the_second_opinion_has_its_say_unless_nearness_alone_shall_decide(url: str) -> None:
    doubter = Doubter({ASKED: 0.9, NEAR: 0.1}, batch=2)

    async def scenario(bench: ShelfBench) -> None:
        await bench.put(NEAR, "refused")
        nobody = await bench.look(ASKED + " now")
        assert (nobody.found, nobody.reason) == ((), Reason.UNVERIFIED)
        assert nobody.similarity is not None and nobody.similarity > 0.7
        await bench.put(ASKED, "accepted")
        (found,) = (await bench.look(ASKED + " now", limit=5)).found
        assert (found.answer, found.kind, found.score) == (b"accepted", HitKind.VERIFIED, 0.9)
        assert len(await bench.find(ASKED + " now", limit=5, opinion=False)) == 2
        assert (await bench.look(ASKED + " now", opinion=False)).found[0].kind is HitKind.SEMANTIC
        doubter.down = True
        assert (await bench.look(ASKED + " now")).reason is Reason.VERIFIER_TROUBLE

    run(url, scenario, verifier=doubter)


def test_what_has_expired_is_not_found(url: str) -> None:
    async def scenario(bench: ShelfBench) -> None:
        await bench.put(ASKED, "short", ttl=0.01)
        await bench.put(NEAR, "long")
        await asyncio.sleep(0.02)
        assert await bench.find(ASKED, limit=5) == ["long"]

    run(url, scenario)


def test_what_cannot_be_kept_is_not_and_says_why(url: str) -> None:
    unfit = [
        {"a" * (LONGEST_ATTRIBUTE + 1): "x"}, {"a": "x" * (LONGEST_ATTRIBUTE + 1)}, {"": "x"}, {"a": "\ud800"},
        {str(number): "x" for number in range(MOST_ATTRIBUTES + 1)},
    ]  # fmt: skip

    async def scenario(bench: ShelfBench) -> None:
        put = partial(bench.shelf.put, at=HERE)
        assert await put(" \n", b"x") is Reason.NO_TEXT
        assert await put("\ud800", b"x") is Reason.NO_TEXT
        assert await put(ASKED, b"x" * (LIMIT + 1)) is Reason.TOO_LARGE
        assert await put(ASKED, b"x", ttl=0.0) is Reason.CACHE_CONTROL
        assert await put(ASKED, b"x", tags=["t" * 257]) is Reason.TAGS
        for attributes in unfit:
            assert await put(ASKED, b"x", attributes=attributes) is Reason.TAGS
            assert (await bench.look(ASKED, attributes=attributes)).found == ()
            assert await bench.shelf.remove_where(HERE, attributes) == 0
        assert await bench.find(ASKED) == await bench.find("\ud800") == await bench.find(" ") == []
        assert bench.not_kept() == [Reason.NO_TEXT] * 2 + [Reason.TOO_LARGE, Reason.CACHE_CONTROL] + [Reason.TAGS] * 6
        largest = {"k" * LONGEST_ATTRIBUTE: "v" * LONGEST_ATTRIBUTE} | {str(n): "" for n in range(MOST_ATTRIBUTES - 1)}
        await bench.put(ASKED, "x" * LIMIT, attributes=largest)
        (found,) = (await bench.look(NEAR, attributes=largest)).found
        assert found.attributes == largest
        assert [event.bytes for event in bench.events if isinstance(event, Kept)] == [LIMIT]

    run(url, scenario)


def test_a_denied_question_is_neither_kept_nor_answered(url: str) -> None:
    denying = Denying()

    async def scenario(bench: ShelfBench) -> None:
        await bench.put(NEAR, "before")
        denying.deny(ASKED, "not here")
        looked = await bench.look(ASKED)
        assert (looked.found, looked.reason, looked.denial) == ((), Reason.DENIED, Denial("cancelling", "not here"))
        assert (await bench.look("How do I cancel my contract?", semantic=False)).reason is Reason.DENIED
        assert await bench.shelf.put(ASKED.upper(), b"x", HERE) is Reason.DENIED
        await bench.put(FAR, "sunny")
        assert await bench.find(FAR) == ["sunny"]

    run(url, scenario, denied=denying)


def test_trouble_is_a_reason_and_never_an_error(url: str) -> None:
    async def scenario(bench: ShelfBench) -> None:
        await bench.put(ASKED, "kept")
        bench.words.down = True
        assert await bench.shelf.put(NEAR, b"x", HERE) is Reason.EMBEDDER_TROUBLE
        assert (await bench.look(NEAR)).reason is Reason.EMBEDDER_TROUBLE
        assert await bench.find(ASKED) == ["kept"]  # the same words need no vector
        bench.words.down = False
        assert await bench.find(NEAR) == ["kept"]  # and nothing was stored without one
        await bench.database.close()
        assert await bench.shelf.put(NEAR, b"x", HERE) is Reason.STORE_TROUBLE
        assert (await bench.look(ASKED)).reason is Reason.STORE_TROUBLE
        with pytest.raises(StoreError):
            await bench.shelf.remove("id")
        with pytest.raises(StoreError):
            await bench.shelf.flush(HERE)

    run(url, scenario)


def test_many_puts_at_once_are_all_kept(url: str) -> None:
    async def scenario(bench: ShelfBench) -> None:
        await asyncio.gather(*(bench.put(f"question number {number}", str(number)) for number in range(200)))
        assert await bench.find("question number 117", semantic=False) == ["117"]
        assert bench.not_kept() == []

    run(url, scenario)


def test_many_searches_at_once_wait_for_their_turn_and_find(url: str) -> None:
    """Else each of a thousand would be late, and find nothing."""

    async def scenario(bench: ShelfBench) -> None:
        await bench.put(ASKED, "kept")
        same_words, running = bench.entries.same_words, [0, 0]

        async def counted(*asked: object) -> object:
            running[0] += 1
            running[1] = max(running)
            try:
                return await same_words(*asked)  # type: ignore[arg-type]
            finally:
                running[0] -= 1

        bench.entries.same_words = counted  # type: ignore[method-assign,assignment]
        assert await asyncio.gather(*(bench.find(ASKED) for _ in range(300))) == [["kept"]] * 300
        assert running == [0, FIND_AT_ONCE]

    run(url, scenario)


def test_searches_are_told_and_uses_counted(url: str) -> None:
    async def scenario(bench: ShelfBench) -> None:
        kept = await bench.put(ASKED)
        await bench.look(ASKED, client="web")
        await bench.look(NEAR)
        await bench.look(FAR)
        same, near, far = bench.served()
        assert (same.route, same.outcome, same.entry, same.kind, same.client) == (
            "kv", Outcome.HIT, kept, HitKind.EXACT, "web",
        )  # fmt: skip
        assert (near.kind, near.scope) == (HitKind.SEMANTIC, HERE.scope)
        assert (far.outcome, far.reason) == (Outcome.MISS, Reason.BELOW_THRESHOLD)
        assert bench.database.notes.take_uses()[SPACE][kept].hits == 2

    run(url, scenario)


def test_entries_are_listed_counted_and_shown_like_any_other(url: str) -> None:
    async def scenario(bench: ShelfBench) -> None:
        kept = await bench.put(ASKED, "an answer", tags=["faq"], attributes={"user": "seven of nine"})
        catalog = Catalog(bench.database, Codec(b"k" * 32, readable=True), namespace=bench.namespace)
        (listed,) = (await catalog.page("kv", 10, None)).entries
        assert (listed.id, listed.question, listed.tags) == (kept, ASKED, ("faq",))
        assert (await catalog.totals())["kv"].entries == 1
        whole = await catalog.show(kept)
        assert whole is not None and whole.entry is not None and whole.entry.mark is not None
        assert whole.entry.mark.attributes == (("user", "seven of nine"),)
        table = (await bench.database.all_tables())[0][1]
        for row in await bench.database.fetch(f"SELECT * FROM {table.entries} WHERE id = '{kept}'"):
            assert b"seven" not in b"".join(value for value in row.values() if isinstance(value, bytes))
            assert not any(b"seven" in label for label in row["labels"])

    run(url, scenario)
