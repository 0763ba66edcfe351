"""An explanation is the decision itself: whatever a request would get, and nothing of it stays."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from routebench import Bench

from gateway.core.body import Document
from gateway.core.freshness import NO_WISHES, Wishes
from gateway.core.messages import Bypass, Hit, Miss, Reason, Refuse, Request
from gateway.engine.explain import BELOW, OLDER, SERVED, Trace

QUESTIONS = ["reset my password", "reset my password please", "reset your router", "x y z", " ", "reset my PASSWORD"]


async def explain(
    bench: Bench, question: str, wishes: Wishes = NO_WISHES, **more: object
) -> tuple[Hit | Miss | Bypass | Refuse, Trace]:
    body = json.dumps({"q": question, **more}).encode()
    request = Request("POST", b"/", b"", [], body, {}, b"/", None, time.time())
    trace = Trace(time.monotonic)
    return await bench.cache.explain(request, Document(body), wishes, trace), trace


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(
    "wishes",
    [
        NO_WISHES,
        Wishes(only_if_cached=True),
        Wishes(no_cache=True),
        Wishes(no_store=True),
        Wishes(max_age=0),
        Wishes(threshold=1.0),
    ],
    ids=["none", "only-if-cached", "no-cache", "no-store", "max-age", "threshold"],
)
@pytest.mark.parametrize("trouble", ["none", "rows", "words"])
def test_it_is_the_verdict_that_a_request_gets(question: str, wishes: Wishes, trouble: str) -> None:
    async def run() -> None:
        bench = Bench()
        await bench.answer(await bench.ask("reset my password"))
        bench.rows.down = trouble == "rows"
        bench.words.down = trouble == "words"
        explained, _ = await explain(bench, question, wishes)
        given = await bench.ask(question, wishes)
        assert type(explained) is type(given)
        assert getattr(explained, "reason", None) == getattr(given, "reason", None)
        assert getattr(explained, "similarity", None) == getattr(given, "similarity", None)
        if isinstance(explained, Hit) and isinstance(given, Hit):
            assert (explained.entry, explained.kind) == (given.entry, given.kind)

    asyncio.run(run())


def test_nothing_is_led_followed_used_or_stored() -> None:
    async def run() -> None:
        bench = Bench(followers=10)
        leading = await bench.ask("reset my password")
        verdict, _ = await explain(bench, "reset my password")
        assert isinstance(verdict, Miss)  # a request would follow; nobody waits for an explanation
        assert verdict.recording is None
        await bench.answer(leading)
        before = list(bench.events)
        assert isinstance((await explain(bench, "reset my password"))[0], Hit)
        assert isinstance((await explain(bench, "quite another thing"))[0], Miss)
        assert bench.rows.uses == []
        assert len(bench.rows.vectors) == 1
        assert {type(event).__name__ for event in bench.events[len(before) :]} <= {"Timed"}
        assert isinstance(await bench.ask("quite another thing"), Miss)  # and leads

    asyncio.run(run())


def test_every_step_is_told_in_its_order() -> None:
    async def run() -> None:
        bench = Bench()
        await bench.answer(await bench.ask("reset my password"))
        _, exact = await explain(bench, "reset my password")
        assert [step.name for step in exact.steps] == ["subject", "memory"]
        assert [(each.similarity, each.why, each.served) for each in exact.candidates] == [(1.0, SERVED, True)]
        _, far = await explain(bench, "reset the clock")
        assert [step.name for step in far.steps] == ["subject", "memory", "postgres-exact", "embed", "nearest"]
        assert [(each.why, each.served) for each in far.candidates] == [(BELOW, False)]
        assert far.subject is not None
        assert all(step.seconds >= 0 for step in far.steps)

    asyncio.run(run())


def test_what_is_down_is_told() -> None:
    async def run() -> None:
        bench = Bench()
        bench.rows.down = True
        verdict, trace = await explain(bench, "reset my password")
        assert isinstance(verdict, Miss)
        assert verdict.reason is Reason.STORE_TROUBLE
        told = {step.name: step.result for step in trace.steps}
        assert "down" in told["postgres-exact"]
        bench.words.down = True
        _, trace = await explain(bench, "another thing")
        assert "down" in {step.name: step.result for step in trace.steps}["embed"]

    asyncio.run(run())


def test_why_an_entry_is_not_served_is_told() -> None:
    async def run() -> None:
        bench = Bench()
        await bench.answer(await bench.ask("reset my password"))
        _, old = await explain(bench, "reset my password", Wishes(max_age=-1))
        assert [(each.why, each.served) for each in old.candidates] == [(OLDER, False)]

    asyncio.run(run())
