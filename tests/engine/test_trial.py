"""What a route tries out: hits held back, sampled, compared; what becomes of wrong ones."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest
from routebench import JSON, Bench, Doubter

from gateway.core.body import Document
from gateway.core.comparison import Compared
from gateway.core.events import Event, Uncompared, Unjudged
from gateway.core.freshness import NO_WISHES, Wishes
from gateway.core.judgement import Finding, Judgement, Origin
from gateway.core.messages import Entry, Hit, HitKind, Miss, Reason, Refuse, Request
from gateway.core.recording import Recording
from gateway.engine.comparing import COMPARED_AT_ONCE, MOST_WAITING, Comparing
from gateway.engine.explain import Trace
from gateway.engine.guard import Guard
from gateway.engine.tiers import Tiers
from gateway.engine.trial import AUDITS_A_MINUTE, AUDITS_AT_ONCE, EVICTIONS_A_MINUTE, Trial

Test = Callable[..., Coroutine[Any, Any, None]]


def awaited(test: Test) -> Callable[..., None]:
    """A test in a loop of its own."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


ONE = "what time does the blue shop open on mondays"
OTHER = "what time does the red shop open on mondays"


class Book:
    """Evidence that only remembers."""

    def __init__(self) -> None:
        self.judgements: list[Judgement] = []

    def note(self, judgement: Judgement) -> bool:
        self.judgements.append(judgement)
        return True


class Strict:
    """A proof that allows and audits as told."""

    def __init__(self, *, allowed: bool = False, audited: bool = False) -> None:
        self.allowed = allowed
        self.audited = audited
        self.asked: list[bool] = []

    def allows(self, hit: Hit, *, counts: bool = True) -> bool:
        self.asked.append(counts)
        return self.allowed

    def audits(self, hit: Hit) -> bool:
        return self.audited

    def explain(self) -> str:
        return "not yet"


class Scene:
    """A bench whose route tries something out."""

    def __init__(
        self,
        *,
        shadow: bool = False,
        audit: float = 0.0,
        proof: Strict | None = None,
        followers: int = 0,
        stale: float = 0.0,
        ttl: float = 100.0,
    ) -> None:
        self.book = Book()
        self.evicted: list[str] = []
        self.draws = [0.5]
        self.now = 0.0
        self.emitted: list[Event] = []

        async def evict(entry: Entry) -> None:
            self.evicted.append(entry.id)

        def make(tiers: Tiers) -> Trial:
            self.tiers = tiers
            return Trial(
                "route",
                Comparing(None, tiers),
                self.book,
                evict,
                self.emitted.append,
                draw=lambda: self.draws[-1],
                shadow=shadow,
                audit=audit,
                proof=proof,
                setting=lambda: b"setting",
                clock=lambda: self.now,
            )

        self.bench = Bench(trial=make, followers=followers, stale=stale, ttl=ttl)
        assert self.bench.trial is not None
        self.trial = self.bench.trial

    async def kept(self, question: str, answer: bytes = b'{"a": "nine"}') -> None:
        assert await self.bench.answer(await self.bench.ask(question), answer)

    async def answered(self, miss: Miss, answer: bytes = b'{"a": "nine"}', status: int = 200) -> None:
        """The client has this answer, and what is done then is done."""
        assert miss.recording is not None
        miss.recording.start(status, JSON)
        miss.recording.feed(answer)
        if miss.reason is not Reason.SHADOW or miss.would_be is None:
            await self.bench.cache.keep(miss.recording)
        await self.bench.cache.learning.learn(miss)

    async def entry(self, body: bytes) -> Entry:
        """What an answer becomes."""
        recording = await self.bench.miss(f"question {len(body)}")
        recording.start(200, JSON)
        recording.feed(body)
        await self.bench.cache.keep(recording)
        assert recording.entry is not None
        return recording.entry

    def uncompared(self) -> list[Uncompared]:
        return [event.reason for event in self.emitted if isinstance(event, Unjudged)]


def guard(part: str) -> Guard:
    return Guard(part, 1.0, lambda _event: None, time.monotonic)


async def would_be(scene: Scene, question: str = OTHER, wishes: Wishes = NO_WISHES) -> Miss:
    verdict = await scene.bench.ask(question, wishes)
    assert isinstance(verdict, Miss)
    assert verdict.would_be is not None
    return verdict


# Shadow mode


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


async def hit(scene: Scene, question: str = OTHER) -> Hit:
    verdict = await scene.bench.ask(question)
    assert isinstance(verdict, Hit)
    return verdict


def says(body: bytes, status: int = 200):
    async def ask(recording: Recording) -> None:
        recording.start(status, JSON)
        recording.feed(body)

    return ask


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
