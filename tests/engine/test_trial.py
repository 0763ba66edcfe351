"""What a route tries out: hits held back, sampled, compared; what becomes of wrong ones."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from routebench import Doubter
from trialbench import ONE, OTHER, Scene, Strict, awaited, guard, would_be

from gateway.core.body import Document
from gateway.core.comparison import Compared
from gateway.core.events import Uncompared
from gateway.core.freshness import NO_WISHES, Wishes
from gateway.core.judgement import Finding, Origin
from gateway.core.messages import Hit, HitKind, Miss, Reason, Refuse, Request
from gateway.engine.comparing import COMPARED_AT_ONCE, MOST_WAITING, Comparing
from gateway.engine.explain import Trace


@awaited
async def test_in_shadow_mode_a_hit_is_a_miss_that_knows_what_it_would_have_been():
    scene = Scene(shadow=True)
    await scene.kept(ONE)
    miss = await would_be(scene)
    assert (miss.reason, miss.would_be.kind, miss.would_be.question) == (Reason.SHADOW, HitKind.SEMANTIC, ONE)
    assert miss.similarity == miss.would_be.similarity
    same = await would_be(scene, ONE)
    assert (same.reason, same.would_be.kind) == (Reason.SHADOW, HitKind.EXACT)


@awaited
async def test_in_shadow_mode_nobody_follows():
    scene = Scene(shadow=True, followers=10)
    first, second = await scene.bench.ask(ONE), await scene.bench.ask(ONE)
    assert isinstance(first, Miss)
    assert isinstance(second, Miss)
    assert first.reason is second.reason is Reason.SHADOW


@awaited
async def test_in_shadow_mode_only_if_cached_is_refused_whatever_there_is():
    scene = Scene(shadow=True)
    await scene.kept(ONE)
    only = Wishes(only_if_cached=True)
    assert await scene.bench.ask(ONE, only) == Refuse(Reason.SHADOW)
    assert await scene.bench.ask("something else entirely", only) == Refuse(Reason.SHADOW)


@awaited
async def test_a_right_would_be_hit_is_noted_and_counts_as_a_use():
    scene = Scene(shadow=True)
    await scene.kept(ONE)
    miss = await would_be(scene)
    await scene.answered(miss)
    (judgement,) = scene.book.judgements
    assert (judgement.origin, judgement.finding, judgement.how) == (Origin.SHADOW, Finding.RIGHT, "exact")
    assert (judgement.question, judgement.asked_before, judgement.served) == (OTHER, ONE, False)
    assert (judgement.exact, judgement.other) == (miss.recording.subject.exact, miss.would_be.entry.exact)
    assert (judgement.scope, judgement.setting) == (miss.would_be.entry.scope, b"setting")
    assert scene.bench.rows.uses == [miss.would_be.entry.id]
    assert (await would_be(scene)).would_be.kind is HitKind.SEMANTIC  # its own answer is not kept


@awaited
async def test_a_wrong_would_be_hit_is_evicted_and_the_new_answer_kept():
    scene = Scene(shadow=True)
    await scene.kept(ONE)
    miss = await would_be(scene)
    await scene.answered(miss, b'{"a": "ten"}')
    assert scene.book.judgements[0].finding is Finding.WRONG
    assert scene.evicted == [miss.would_be.entry.id]
    assert scene.bench.rows.uses == []
    assert (await would_be(scene)).would_be.kind is HitKind.EXACT


@awaited
async def test_the_same_words_are_not_judged():
    scene = Scene(shadow=True)
    await scene.kept(ONE)
    await scene.answered(await would_be(scene, ONE), b'{"a": "ten"}')
    assert (scene.book.judgements, scene.evicted, scene.uncompared()) == ([], [], [])


@pytest.mark.parametrize(("status", "body"), [(500, b'{"a": 1}'), (200, b"no json")])
@awaited
async def test_an_answer_that_could_not_be_kept_proves_nothing(status: int, body: bytes):
    scene = Scene(shadow=True)
    await scene.kept(ONE)
    await scene.answered(await would_be(scene), body, status)
    assert (scene.book.judgements, scene.uncompared()) == ([], [Uncompared.NO_ANSWER])


@awaited
async def test_where_the_embedder_is_down_prose_is_unsure():
    scene = Scene(shadow=True)
    await scene.kept(ONE, b'{"a": "It opens at nine in the morning, on Sundays an hour later."}')
    miss = await would_be(scene)
    scene.bench.words.down = True
    await scene.answered(miss, b'{"a": "The doors are opened at nine, but on Sundays you have to wait until ten."}')
    assert [judgement.finding for judgement in scene.book.judgements] == [Finding.UNSURE]
    assert scene.evicted == []


@awaited
async def test_comparisons_that_wait_are_bounded():
    scene = Scene(shadow=True)
    await scene.kept(ONE, b'{"a": "It opens at nine in the morning, on Sundays an hour later."}')
    misses = [await would_be(scene) for _ in range(MOST_WAITING + 3)]
    held = asyncio.Event()

    async def slow(text: str) -> bytes:
        await held.wait()
        return b"\0" * 256

    scene.bench.words.embed = slow  # type: ignore[method-assign]
    body = b'{"a": "The doors are opened at nine, but on Sundays you have to wait until ten."}'
    answers = [asyncio.create_task(scene.answered(miss, body)) for miss in misses]
    while len(scene.uncompared()) < 3:
        await asyncio.sleep(0)
    assert scene.uncompared() == [Uncompared.BUSY] * 3
    assert scene.book.judgements == []
    held.set()
    await asyncio.gather(*answers)
    assert len(scene.book.judgements) == MOST_WAITING > COMPARED_AT_ONCE


LONG = b'{"a": "It opens at nine in the morning, on Sundays an hour later."}'
WORDED = b'{"a": "The doors are opened at nine, but on Sundays you have to wait until ten."}'


@pytest.mark.parametrize(
    ("says", "found"), [(1.0, Finding.RIGHT), (0.5, Finding.RIGHT), (0.4, Finding.WRONG), (None, Finding.UNSURE)]
)
@awaited
async def test_a_judge_is_asked_about_prose_where_there_is_one(says: float | None, found: Finding):
    scene = Scene(shadow=True)
    judge = Doubter({} if says is None else {json.loads(LONG)["a"]: says})
    judge.down = says is None
    comparing = Comparing(None, scene.tiers, (judge, guard("judge")))
    stored, fresh = await scene.entry(LONG), await scene.entry(WORDED)
    compared = await comparing.compare(OTHER, ONE, stored, fresh)
    assert compared == Compared(found, "llm")
    assert judge.asked == [[json.loads(LONG)["a"]]]


@awaited
async def test_a_judges_no_is_doubted_where_the_texts_look_the_same():
    scene = Scene(shadow=True)
    comparing = Comparing(None, scene.tiers, (Doubter({}), guard("judge")))
    stored, fresh = await scene.entry(LONG), await scene.entry(LONG.replace(b"later.", b"later!!"))
    assert await comparing.compare(ONE, ONE, stored, fresh) == Compared(Finding.UNSURE, "llm")


# The bound on errors


@awaited
async def test_an_unproven_hit_is_forwarded_kept_and_compared():
    scene = Scene(proof=Strict())
    await scene.kept(ONE)
    miss = await would_be(scene)
    assert miss.reason is Reason.UNPROVEN
    await scene.answered(miss)
    assert [judgement.served for judgement in scene.book.judgements] == [False]
    exact = await scene.bench.ask(OTHER)
    assert isinstance(exact, Hit)
    assert exact.kind is HitKind.EXACT  # the same words need no proof


@awaited
async def test_who_asks_the_same_follows_an_unproven_one():
    scene = Scene(proof=Strict(), followers=10)
    await scene.kept(ONE)
    await would_be(scene)
    await scene.bench.follow(OTHER)


@awaited
async def test_an_unproven_answer_does_not_stand_in_past_its_ttl_either():
    scene = Scene(proof=Strict(), stale=100.0, ttl=0.01)
    await scene.kept(ONE)
    await asyncio.sleep(0.02)
    miss = await would_be(scene)
    assert (miss.reason, miss.stale) == (Reason.UNPROVEN, None)


@awaited
async def test_only_if_cached_is_refused_where_nothing_is_proven():
    scene = Scene(proof=Strict())
    await scene.kept(ONE)
    assert await scene.bench.ask(OTHER, Wishes(only_if_cached=True)) == Refuse(Reason.UNPROVEN)


@awaited
async def test_a_proven_hit_is_served():
    scene = Scene(proof=Strict(allowed=True))
    await scene.kept(ONE)
    hit = await scene.bench.ask(OTHER)
    assert isinstance(hit, Hit)
    assert hit.audit is None


# Audits


async def explained(scene: Scene, question: str) -> tuple[object, dict[str, str], list[str]]:
    trace, body = Trace(time.monotonic), json.dumps({"q": question}).encode()
    request = Request("POST", b"/", b"", [], body, {}, b"/", None, time.time())
    verdict = await scene.bench.cache.explain(request, Document(body), NO_WISHES, trace)
    return verdict, {step.name: step.result for step in trace.steps}, [each.why for each in trace.candidates]


@awaited
async def test_an_explanation_says_what_shadow_mode_would_serve():
    scene = Scene(shadow=True)
    await scene.kept(ONE)
    verdict, steps, whys = await explained(scene, OTHER)
    assert isinstance(verdict, Miss)
    assert verdict.reason is Reason.SHADOW
    assert "would be served" in steps["shadow"]
    assert whys == ["would be served, were this not shadow mode"]


@awaited
async def test_an_explanation_gives_the_proofs_own_and_counts_nothing():
    proof = Strict()
    scene = Scene(proof=proof)
    await scene.kept(ONE)
    verdict, steps, _ = await explained(scene, OTHER)
    assert isinstance(verdict, Miss)
    assert (verdict.reason, steps["proof"], proof.asked) == (Reason.UNPROVEN, "held back: not yet", [False])


@awaited
async def test_an_explanation_samples_no_audit():
    scene = Scene(audit=1.0)
    await scene.kept(ONE)
    verdict, steps, _ = await explained(scene, OTHER)
    assert isinstance(verdict, Hit)
    assert (verdict.audit, scene.uncompared()) == (None, [])
    assert steps["audit"] == "1 of such hits are compared with the upstream's answer"
