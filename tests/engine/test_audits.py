"""Audits of hits that were served: which are sampled, what is compared, what becomes of wrong ones."""

from __future__ import annotations

import asyncio

import pytest
from trialbench import ONE, OTHER, Scene, Strict, awaited, hit, says, would_be

from gateway.core.events import Uncompared
from gateway.core.freshness import Wishes
from gateway.core.judgement import Finding, Origin
from gateway.core.messages import Hit, HitKind
from gateway.core.recording import Recording
from gateway.engine.trial import AUDITS_A_MINUTE, AUDITS_AT_ONCE, EVICTIONS_A_MINUTE


@pytest.mark.parametrize(("draw", "audited"), [(0.0, True), (0.009, True), (0.01, False), (0.9, False)])
@awaited
async def test_hits_on_other_words_are_sampled(draw: float, audited: bool):
    scene = Scene(audit=0.01)
    await scene.kept(ONE)
    scene.draws.append(draw)
    assert ((await hit(scene)).audit is not None) is audited
    assert (await hit(scene, ONE)).audit is None


@awaited
async def test_a_proof_may_want_a_hit_audited():
    scene = Scene(proof=Strict(allowed=True, audited=True))
    await scene.kept(ONE)
    assert (await hit(scene)).audit is not None


@awaited
async def test_who_takes_only_what_is_cached_has_nothing_asked_of_the_upstream():
    scene = Scene(audit=1.0)
    await scene.kept(ONE)
    verdict = await scene.bench.ask(OTHER, Wishes(only_if_cached=True))
    assert isinstance(verdict, Hit)
    assert verdict.audit is None


@awaited
async def test_an_audit_compares_and_tells_what_it_cost():
    scene = Scene(audit=1.0)
    await scene.kept(ONE)
    cost = await scene.bench.cache.learning.audit(await hit(scene), says(b'{"a": "nine"}'))
    assert cost is not None
    (judgement,) = scene.book.judgements
    assert (judgement.origin, judgement.finding, judgement.served) == (Origin.AUDIT, Finding.RIGHT, True)
    assert (await hit(scene)).kind is HitKind.SEMANTIC  # nothing is kept


@awaited
async def test_a_wrong_entry_is_evicted_and_the_new_answer_kept():
    scene = Scene(audit=1.0)
    await scene.kept(ONE)
    wrong = await hit(scene)
    await scene.bench.cache.learning.audit(wrong, says(b'{"a": "ten"}'))
    assert scene.evicted == [wrong.entry.id]
    assert (await hit(scene)).entry.body == b'{"a": "ten"}'


@awaited
async def test_an_upstream_that_fails_an_audit_proves_nothing():
    scene = Scene(audit=1.0)
    await scene.kept(ONE)
    assert await scene.bench.cache.learning.audit(await hit(scene), says(b"{}", 503)) is None
    assert (scene.book.judgements, scene.uncompared()) == ([], [Uncompared.NO_ANSWER])


@awaited
async def test_audits_at_once_are_bounded():
    scene = Scene(audit=1.0)
    await scene.kept(ONE)
    sampled = [await hit(scene) for _ in range(AUDITS_AT_ONCE + 2)]
    go = asyncio.Event()

    async def ask(recording: Recording) -> None:
        await go.wait()
        await says(b'{"a": "nine"}')(recording)

    audits = [asyncio.create_task(scene.bench.cache.learning.audit(each, ask)) for each in sampled]
    await asyncio.sleep(0)
    assert scene.uncompared() == [Uncompared.BUSY] * 2
    assert (await hit(scene)).audit is None
    go.set()
    await asyncio.gather(*audits)
    assert len(scene.book.judgements) == AUDITS_AT_ONCE
    assert (await hit(scene)).audit is not None


@awaited
async def test_audits_a_minute_are_bounded():
    scene = Scene(audit=1.0)
    await scene.kept(ONE)
    for _ in range(AUDITS_A_MINUTE):
        await scene.bench.cache.learning.audit(await hit(scene), says(b'{"a": "nine"}'))
        scene.now += 0.1
    assert (await hit(scene)).audit is None
    scene.now += 60.0 - AUDITS_A_MINUTE * 0.1 + 0.05
    assert (await hit(scene)).audit is not None


@awaited
async def test_evictions_a_minute_are_bounded():
    scene = Scene(shadow=True)
    await scene.kept(ONE)
    miss = await would_be(scene)
    for _ in range(EVICTIONS_A_MINUTE + 5):
        await scene.trial.judge(Origin.SHADOW, miss.would_be, miss.recording.subject, await scene.entry(b'{"a": 10}'))
    assert len(scene.evicted) == EVICTIONS_A_MINUTE
    assert len(scene.book.judgements) == EVICTIONS_A_MINUTE + 5


@awaited
async def test_a_stale_hit_is_not_audited():
    scene = Scene(audit=1.0, stale=100.0, ttl=0.01)
    await scene.kept(ONE)
    await asyncio.sleep(0.02)
    assert (await hit(scene)).audit is None


# Explained
