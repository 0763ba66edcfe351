"""Pairs of questions that were found wrong are passed over, and the next candidate has its turn."""

from __future__ import annotations

import asyncio
import json
import time

from routebench import Bench, Doubter

from gateway.core.body import Document
from gateway.core.freshness import NO_WISHES
from gateway.core.judgement import Finding, Judgement, Origin
from gateway.core.messages import Hit, HitKind, Miss, Reason, Request
from gateway.engine.evidence import Evidence
from gateway.engine.explain import FOUND_WRONG, Trace

ASKED, NEAR, NEXT = "how do I enable the alarm", "how do I disable the alarm", "how do I enable the loud alarm"


async def note_wrong(bench: Bench, evidence: Evidence, asked: str, hit: Hit) -> None:
    body = json.dumps({"q": asked}).encode()
    trace = Trace(time.monotonic)
    request = Request("POST", b"/", b"", [], body, {}, b"/", None, time.time())
    await bench.cache.explain(request, Document(body), NO_WISHES, trace)
    assert trace.subject is not None
    evidence.note(
        Judgement(
            route="",
            at=time.time(),
            origin=Origin.AUDIT,
            finding=Finding.WRONG,
            how="exact",
            kind=HitKind.SEMANTIC,
            similarity=hit.similarity,
            score=hit.score,
            entry=hit.entry.id,
            exact=trace.subject.exact,
            other=hit.entry.exact,
        )
    )


def test_a_pair_found_wrong_is_not_served_again_and_the_next_one_is() -> None:
    async def run() -> None:
        evidence = Evidence(lambda _event: None)
        doubter = Doubter({NEAR: 0.9, NEXT: 0.9}, batch=1)
        bench = Bench(verifier=doubter, evidence=evidence)
        await bench.answer(await bench.ask(NEAR), b'{"a": "near"}')
        first = await bench.ask(ASKED)
        assert isinstance(first, Hit)
        await note_wrong(bench, evidence, ASKED, first)
        barred = await bench.ask(ASKED)
        assert isinstance(barred, Miss)
        assert barred.reason is Reason.UNVERIFIED
        # The other way round as well, but no other question.
        assert isinstance(await bench.ask("how do I disable the alarm please"), Hit)
        other = await bench.ask(NEXT)
        assert isinstance(other, Hit)

    asyncio.run(run())


def test_the_explanation_says_so() -> None:
    async def run() -> None:
        evidence = Evidence(lambda _event: None)
        bench = Bench(evidence=evidence)
        await bench.answer(await bench.ask(NEAR))
        hit = await bench.ask(ASKED)
        assert isinstance(hit, Hit)
        await note_wrong(bench, evidence, ASKED, hit)
        body = json.dumps({"q": ASKED}).encode()
        trace = Trace(time.monotonic)
        request = Request("POST", b"/", b"", [], body, {}, b"/", None, time.time())
        assert isinstance(await bench.cache.explain(request, Document(body), NO_WISHES, trace), Miss)
        assert [each.why for each in trace.candidates] == [FOUND_WRONG]

    asyncio.run(run())
