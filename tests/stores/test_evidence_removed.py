"""Judgements go: when a route begins anew, with what is purged, by age and by number."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from judging import ASKED, BEFORE, judgement, processes, wordless
from rows import key

from gateway.core.events import Outcome, Served
from gateway.core.judgement import CLIENT, Finding, Origin
from gateway.core.purges import Purge
from gateway.stores import evidence as module


def test_a_reset_empties_the_route_for_everybody_and_no_late_row_comes_back(database_url: str) -> None:
    async def scenario() -> None:
        async with processes(database_url, 2) as (here, there):
            for name in (1, 2):
                here.known.note(judgement(name, Finding.WRONG))
            other = judgement(3, route="faq")
            here.known.note(other)
            here.known.tally(Served("chat", Outcome.SHADOW_MISS, 0.1, 200), time.time())
            await here.turn()
            await there.turn()
            late = judgement(4, Finding.WRONG)
            there.known.note(late)
            assert await here.keeping.reset("chat") == 2
            assert not here.known.window("chat")
            await there.turn()
            assert not there.known.window("chat")
            assert not there.known.is_wrong("chat", late.exact, late.other)
            assert there.known.window("faq") == [wordless(other)]
            there.known.note(judgement(5))
            await there.turn()
            await here.turn()
            assert [each.entry for each in here.known.window("chat")] == ["entry-5"]
            assert [each.entry for each in await here.logged()] == ["entry-3", "entry-5"]
            assert not await here.log.tallies("chat", 0.0)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("purge", "left"),
    [
        (lambda now: Purge(now), []),
        (lambda now: Purge(now, "chat"), ["faq"]),
        (lambda now: Purge(now, scopes=frozenset([key("other scope")])), ["chat", "faq"]),
        (lambda now: Purge(now, "faq", scopes=frozenset([key("scope"), key("x")])), ["chat", "theirs"]),
        (lambda now: Purge(now - 3600), ["chat", "faq", "theirs"]),
        (lambda now: Purge(now, tags=frozenset(["t"])), ["chat", "faq", "theirs"]),
    ],
)
def test_a_purge_of_routes_or_scopes_takes_what_was_judged_along(
    database_url: str, purge: Callable[[float], Purge], left: list[str]
) -> None:
    async def scenario() -> None:
        async with processes(database_url, 2) as (here, there):
            here.known.note(judgement("chat"))
            here.known.note(judgement("faq", route="faq"))
            here.known.note(judgement("theirs", scope=key("other scope")))
            await here.turn()
            await there.turn()
            late = judgement("chat", entry="late")
            there.known.note(late)
            await here.purges.purge(purge(time.time()))
            await here.turn()
            assert [each.entry for each in await here.logged()] == [f"entry-{name}" for name in left]
            await there.turn()  # which had not heard, and writes what it had noted before
            kept = [f"entry-{name}" for name in left] + (["late"] if "chat" in left else [])
            for each in (here, there):
                await each.turn()
                known = [one.entry for route in ("chat", "faq") for one in each.known.window(route)]
                assert sorted(known) == sorted(kept)
            assert [each.entry for each in await here.logged()] == kept

    asyncio.run(scenario())


def test_of_single_entries_that_are_purged_the_words_go_but_of_those_found_wrong(database_url: str) -> None:
    async def scenario() -> None:
        async with processes(database_url) as (here,):
            for name, finding in ((1, Finding.RIGHT), (2, Finding.WRONG), (3, Finding.RIGHT), (4, Finding.UNSURE)):
                here.known.note(judgement(name, finding))
            await here.turn()
            await here.purges.purge(Purge(time.time(), exact=frozenset([key("other", 1), key("other", 2)])))
            await here.turn()
            await here.keeping.forget_words([key("other", 4)])
            logged = await here.logged()
            assert [(each.question, each.asked_before) for each in logged] == [
                (None, None),
                (ASKED, BEFORE),
                (ASKED, BEFORE),
                (None, None),
            ]
            assert here.known.is_wrong("chat", key("asked", 2), key("other", 2))

    asyncio.run(scenario())


def test_what_is_too_old_or_too_much_goes(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_OF_A_ROUTE", 3)
    now = time.time()

    async def scenario() -> None:
        async with processes(database_url) as (here,):
            for number in range(5):
                here.known.note(judgement(number))
            here.known.note(judgement("old", route="faq", at=now - module.KEPT_SECONDS - 1))
            here.known.note(judgement("young", route="faq", at=now - module.KEPT_SECONDS + 60))
            here.known.tally(Served("faq", Outcome.SHADOW_MISS, 0.1, 200), now - module.KEPT_SECONDS - 7200)
            await here.keeping.write()
            assert await here.store.prune(now) == 3
            assert [each.entry for each in await here.logged()] == ["entry-2", "entry-3", "entry-4", "entry-young"]
            assert not await here.log.tallies(None, 0.0)

    asyncio.run(scenario())


def test_what_clients_say_takes_no_place_of_what_proves_something(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_OF_A_ROUTE", 3)

    async def scenario() -> None:
        async with processes(database_url) as (here,):
            here.known.note(judgement("audit"))
            for number in range(5):
                here.known.note(judgement(number, origin=Origin.FEEDBACK, how=CLIENT))
            await here.keeping.write()
            assert [each.judgement.entry for each in await here.store.latest("chat", 2, 0)] == ["entry-audit"]
            assert await here.store.prune(time.time()) == 2
            assert [each.entry for each in await here.logged()] == ["entry-audit", "entry-2", "entry-3", "entry-4"]

    asyncio.run(scenario())
